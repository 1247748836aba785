"""The stages of a training run: data, network, fit, judgement."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from importlib.metadata import version

import numpy as np

from sdss_gs.dataset import open_dataset
from sdss_gs.errors import DataError, OptionError
from sdss_gs.locate import find_dataset
from sdss_gs.schema import PIXEL_SCALE
from sdss_gs.split import limited, split

from . import gpu, report, state
from .backend import keras
from .baselines import baselines
from .feed import EpochOrder, batches, steps_per_execution
from .fit import adapt_normalisation, build, compile_model, fit
from .metrics import normalised_difference, score
from .outputs import CLASS_LOSS, decode, encode
from .project import Project
from .store import log_model
from .tracking import PLOTS, LogEpochs, Run, logs_of

STATE = "state.npz"
ADAPT_BATCH = 2048
RESUMED_FREELY = ("ds", "resume", "memory_limit")
"""Options that may differ between a run and its continuation."""


class Session:
    """One run of one model: opens the data at once, then trains and judges.

    Parameters
    ----------
    project : Project
    record : Run
    options : dict
        Typed options, from `project.parse_options`.

    Raises
    ------
    ZooError
        For a data set or an option that cannot be used.
    """

    def __init__(self, project: Project, record: Run, options: dict):
        self.project, self.record = project, record
        self.item, self.output = project.input, project.output
        self.progress, self.arrays = self._progress(options)
        self.options = self.progress.options
        self.model: keras.Model | None = None
        self.best: list[np.ndarray] = []
        self._open_data()

    # === Data ===

    def _progress(self, options: dict) -> tuple[state.Progress, dict]:
        """Start a new run's progress, or load the one that is resumed."""
        if not options["resume"]:
            return state.Progress(options, ""), {}
        logs = logs_of(options["resume"])
        if logs is None:
            raise OptionError(f"resume: expected the id of a run in this store, found {options['resume']!r}")
        progress, arrays = state.load_state(logs / STATE)
        for name, value in options.items():
            stored = progress.options.get(name)
            if name not in RESUMED_FREELY and value not in (stored, self.project.defaults[name]):
                raise OptionError(f"resume: the run goes on with {name}={stored}, found {name}={value}")
        progress.options |= {name: options[name] for name in RESUMED_FREELY}
        self.record.tags({"zoo.resumed_from": options["resume"]})
        for number, metrics in enumerate(progress.history, 1):
            self.record.metrics(metrics, number)
        return progress, arrays

    def _open_data(self) -> None:
        folder, notice = find_dataset(self.options["ds"], self.project.repository)
        if notice:
            print(f"\n{notice}\n", flush=True)
        scale = self.options.get("image_scale", PIXEL_SCALE)
        self.data = open_dataset(folder, [self.item.name], image_scale=scale)
        self.objects = self.data.usable([self.item.name], self.output.name)
        if self.options["limit"]:
            self.objects = self.objects[limited(self.data.catalogue.objid[self.objects], self.options["limit"])]
        self.parts = {
            name: self.objects[chosen] for name, chosen in split(self.data.catalogue.objid[self.objects]).items()
        }
        sizes = {name: len(objects) for name, objects in self.parts.items()}
        if not all(sizes.values()):
            found = ", ".join(f"{size} for {name}" for name, size in sizes.items())
            wanted = f"objects with {self.item.name} and {self.output.name} in every part of the split"
            raise DataError(f"{folder}: expected {wanted}, found {found}")
        fingerprint = self.data.fingerprint([self.item.name], self.output.name, self.objects)
        if self.arrays and fingerprint != self.progress.fingerprint:
            raise DataError(
                f"{folder}: expected the data the run began with ({self.progress.fingerprint}), found {fingerprint}"
            )
        self.progress.fingerprint = fingerprint
        self._describe(folder, sizes)

    def _describe(self, folder, sizes: dict[str, int]) -> None:
        """Say, and record, what is used and what is not."""
        total, problems = len(self.data), self.data.catalogue.problems
        lacking = total - len(self.data.usable([self.item.name]))
        unlabelled = total - len(self.data.usable([], self.output.name))
        print(
            f"{folder}: {total:,} objects; {lacking:,} without {self.item.name}, "
            f"{unlabelled:,} without {self.output.name}, {len(self.objects):,} used "
            f"({', '.join(f'{name} {size:,}' for name, size in sizes.items())})"
        )
        columns = (*self.item.columns, self.output.column)
        missing = {
            column: self.data.catalogue.missing[column] for column in columns if self.data.catalogue.missing[column]
        }
        for column, reasons in missing.items():
            print(f"  {column}: missing " + ", ".join(f"{count:,} ({reason})" for reason, count in reasons.items()))
        rejects = getattr(self.data.arrays[self.item.name], "manifest", None)
        refused = list(rejects.rejects.values()) if rejects else []
        wrong = [f"{problem.where} {problem.item}: {problem.text}" for problem in problems]
        if refused or wrong:
            print(f"  {len(refused)} files refused, {len(wrong)} wrong values (python -m sdss_gs verify {folder})")
        self.record.parameters({name: value for name, value in self.options.items() if value != ""})
        self.record.tags(
            {
                "zoo.dataset": folder,
                "zoo.fingerprint": self.progress.fingerprint,
                **{f"zoo.{name}_objects": size for name, size in sizes.items()},
                **{f"zoo.{package}": version(package) for package in ("tensorflow", "keras", "mlflow", "numpy")},
            }
        )
        self.record.text("\n".join(wrong + refused) or "nothing wrong", "data_problems.txt")

    def _batches(self, part: str, with_target: bool = True, order: EpochOrder | None = None, batch_size: int = 0):
        objects = self.parts[part]
        target = encode(self.output, self.data.target(self.output.name, objects))

        def gather(index: np.ndarray) -> tuple[np.ndarray, ...]:
            values = self.data.load(self.item.name, objects[index])
            return (values, target[index]) if with_target else (values,)

        return batches(gather, self.item.name, len(objects), batch_size or self.options["batch_size"], order)

    # === Network ===

    def train(self, features: Callable) -> None:
        """Fit the network; afterwards it has the best epoch's weights."""
        options = self.options
        heavy = not self.item.columns and len(self.item.shape) > 1 or self.item.name == "spectra"
        device = gpu.prepare(options["precision"], options["memory_limit"], heavy)
        print(device.line(), flush=True)
        self.record.tags({"zoo.device": device.line(), "zoo.precision": device.precision})
        keras.utils.set_random_seed(options["seed"])
        self.model = build(self.item, self.output, self.data.shape(self.item.name), features, self.project.name)
        order = EpochOrder(options["seed"], len(self.parts["train"]))
        training = self._batches("train", order=order)
        steps = int(training.cardinality())
        example = self.data.load(self.item.name, self.parts["train"][:1])
        executed = steps_per_execution(example.nbytes * options["batch_size"], steps)
        compile_model(self.model, self.output, options, steps, executed)
        if self.arrays:
            self.best[:] = state.restore(self.model, self.arrays)
        else:
            chunks = self._batches("train", with_target=False, batch_size=ADAPT_BATCH)
            adapt_normalisation(self.model, chunks.map(lambda inputs: inputs[self.item.name]))
        self.record.tags({"zoo.network_parameters": self.model.count_params()})
        self.record.logs.mkdir(parents=True, exist_ok=True)
        began = time.perf_counter()
        validation = self._batches("validation", batch_size=max(options["batch_size"], 128))
        state_path = self.record.logs / STATE
        fit(self.model, training, validation, self.progress, self.best, order, state_path, [LogEpochs(self.record)])
        self.record.metrics({"training_seconds": time.perf_counter() - began}, 0, part="test")

    def _stored(self, features: Callable) -> keras.Model:
        """Rebuild the best network in float32: what is judged is what is stored and used."""
        keras.config.set_dtype_policy("float32")
        model = build(self.item, self.output, self.data.shape(self.item.name), features, self.project.name)
        state.assign(model, self.best)
        return model

    def keep_best(self) -> str:
        """Log an interrupted run's best weights so far as a model that is not registered; return its address."""
        if self.model is None or not self.best:
            return ""
        state.assign(self.model, self.best)
        example = self.data.load(self.item.name, self.parts["train"][:1])
        return log_model(self.model, self.project.name, self.item, self.output, example, register=False)

    # === Judgement ===

    def finish(self, features: Callable) -> None:
        """Judge the best epoch on the test objects beside the baselines; draw, store and say where everything is."""
        if not self.best:
            raise DataError(
                "training: expected a finite validation loss in some epoch, found none (try a lower learning_rate)"
            )
        model = self._stored(features)
        objects = self.parts["test"]
        raw = model.predict(self._batches("test", with_target=False, batch_size=128), verbose=0)
        predictions = {self.project.name: decode(self.output, raw), **self._baselines()}
        truth = self.data.target(self.output.name, objects)
        scores = {name: score(self.output, truth, values) for name, values in predictions.items()}
        for name, values in scores.items():
            prefix = "test" if name == self.project.name else f"baseline_{name.replace(' ', '_')}"
            self.record.metrics({f"{prefix}_{metric}": value for metric, value in values.items()}, 0, part="test")
        table = report.score_table(scores)
        self.record.text(table, "scores.txt")
        self._draw(truth, predictions[self.project.name])
        example = self.data.load(self.item.name, self.parts["train"][:1])
        address = log_model(model, self.project.name, self.item, self.output, example)
        self._conclude(table, address)

    def _baselines(self) -> dict[str, np.ndarray]:
        train, test = self.parts["train"], self.parts["test"]
        tables = [self.data.load(self.item.name, part) if self.item.columns else None for part in (train, test)]
        truth = self.data.target(self.output.name, train)
        return baselines(self.item, self.output, tables[0], truth, tables[1], len(test), self.options["seed"])

    def _draw(self, truth: np.ndarray, predicted: np.ndarray) -> None:
        loss = CLASS_LOSS if self.output.classes else self.options["loss"]
        self.record.figure(report.loss_curves(self.progress.history, self.progress.best_epoch, loss), "loss")
        if self.output.classes:
            self.record.figure(report.confusion(self.output, truth, predicted), "confusion")
        else:
            self.record.figure(report.predicted_against_true(self.output, truth, predicted), "predicted_vs_true")
            self.record.figure(report.residuals(self.output, truth, predicted), "residuals")
        self.record.figure(self._worst(truth, predicted), "worst_cases")

    def _worst(self, truth: np.ndarray, predicted: np.ndarray):
        """Draw the worst test cases, with images where the data set has them."""
        if self.output.classes:
            error = 1 - predicted[np.arange(len(truth)), truth]
            labels = np.array(self.output.classes)
            shown = [f"{labels[t]} as {labels[p]}" for t, p in zip(truth, predicted.argmax(axis=1), strict=True)]
        else:
            relative = self.output.name == "smass"
            error = np.abs(np.log10(predicted / truth) if relative else normalised_difference(truth, predicted))
            shown = [f"{t:.3g} as {p:.3g}" for t, p in zip(truth, predicted, strict=True)]
        worst = np.argsort(-error)[: report.GALLERY_ROWS * report.GALLERY_COLUMNS]
        objects = self.parts["test"][worst]
        captions = [f"{self.data.catalogue.objid[o]}\ntrue {shown[w]}" for o, w in zip(objects, worst, strict=True)]
        return report.worst_cases(captions, self._images(objects))

    def _images(self, objects: np.ndarray) -> list[np.ndarray | None]:
        from sdss_gs import img
        from sdss_gs.raw import list_files

        if self.item.name == "img":
            return list(self.data.load("img", objects))
        files, images = list_files(self.data.folder, "img"), []
        for objid in self.data.catalogue.objid[objects].tolist():
            try:
                images.append(img.read(files[objid].path))
            except (KeyError, DataError):
                images.append(None)
        return images

    def _conclude(self, table: str, address: str) -> None:
        progress, name = self.progress, self.project.name
        print(
            f"\n{name} on {len(self.parts['test']):,} test galaxies (kept: epoch {progress.best_epoch} of {progress.epoch})"
        )
        print(f"{table}\n")
        print(f"plots   {self.record.artifacts()}/{PLOTS}")
        print(f"model   {address}")
        print("look    mlflow ui")
        print(f"        tensorboard --logdir {name}/logs/")
        sys.stdout.flush()
