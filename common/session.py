"""The stages of a training run: options and data, network and fit, judgement and keeping."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime
from importlib.metadata import version

import numpy as np

from sdss_gs import __version__
from sdss_gs.errors import DataError, OptionError

from . import gpu, report, state
from .backend import keras
from .baselines import collapse
from .data import TrainingData
from .feed import EpochOrder, steps_per_execution
from .fit import adapt_normalisation, architecture, build, compile_model, fit
from .judge import PREDICTION_BATCH, figures, predict, rivals
from .metrics import HEADLINE, binned_scores, cost, intervals, score
from .outputs import constant_bias, encode
from .project import Project
from .store import crown, log_model
from .summary import Summary
from .tracking import PLOTS, LogEpochs, Run, logs_of

STATE = "state.npz"
ADAPT_BATCH = 2048
RESUMED_FREELY = ("ds", "resume", "memory_limit")
"""Options that may differ between a run and its continuation."""
RECORDED_VERSIONS = ("tensorflow", "keras", "mlflow", "numpy")


class Session:
    """One run of one model.

    Parameters
    ----------
    project : Project
    record : Run
    options : dict
        Typed options, from `project.parse_options`.
    features : callable
        The model folder's function.

    Raises
    ------
    ZooError
        For a data set or an option that cannot be used.
    """

    def __init__(self, project: Project, record: Run, options: dict, features: Callable):
        self.project, self.record, self.features = project, record, features
        self.progress, self._arrays = self._begin(options)
        self.options = self.progress.options
        record.parameters({name: value for name, value in self.options.items() if value != ""})
        self.data = TrainingData(project, self.options)
        # A continuation may be started in another folder, without naming the data set again.
        self.options["ds"] = str(self.data.folder)
        if self._arrays and self.data.fingerprint != self.progress.fingerprint:
            expected, found = self.progress.fingerprint, self.data.fingerprint
            raise DataError(f"{self.data.folder}: expected the data the run began with ({expected}), found {found}")
        self.progress.fingerprint = self.data.fingerprint
        self._best: list[np.ndarray] = []
        self._describe()

    def _begin(self, options: dict) -> tuple[state.Progress, dict[str, np.ndarray]]:
        """Start a new run's progress, or take up that of the run that is resumed."""
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
        progress.options |= {name: options[name] for name in RESUMED_FREELY if options[name] or name != "ds"}
        self.record.tags({"zoo.resumed_from": options["resume"]})
        for epoch, metrics in enumerate(progress.history, 1):
            self.record.metrics(metrics, epoch)
        return progress, arrays

    def _describe(self) -> None:
        print(self.data.description(), flush=True)
        self.record.data(self.data.folder, self.data.fingerprint)
        self.record.tags(
            {
                **{f"zoo.{part}_objects": size for part, size in self.data.sizes().items()},
                **{f"zoo.{package}": version(package) for package in RECORDED_VERSIONS},
            }
        )
        self.record.text("\n".join(self.data.problems()) or "nothing wrong", "data_problems.txt")

    # === Network and fit ===

    def _build(self) -> keras.Model:
        item, output, stretch = self.project.input, self.project.output, str(self.options.get("stretch", "asinh"))
        return build(item, output, self.data.shape(), self.features, self.project.name, stretch)

    def train(self) -> None:
        """Fit the network and keep its best epoch."""
        options, item, output = self.options, self.project.input, self.project.output
        device = gpu.prepare(options["precision"], options["memory_limit"], heavy=not item.columns)
        print(device.line(), flush=True)
        keras.utils.set_random_seed(options["seed"])
        model = self._build()
        self.record.tags({"zoo.device": device.line(), "zoo.network_parameters": model.count_params()})
        order = EpochOrder(options["seed"], self.data.sizes()["train"])
        training = self.data.batches("train", options["batch_size"], order=order)
        validation = self.data.batches("validation", max(options["batch_size"], PREDICTION_BATCH))
        steps = int(training.cardinality())
        batch_bytes = self.data.inputs("train", 1).nbytes * options["batch_size"]
        compile_model(model, output, options, steps, steps_per_execution(batch_bytes, steps))
        if self._arrays:
            self._best[:] = state.restore(model, self._arrays)
        else:
            chunks = self.data.batches("train", ADAPT_BATCH, with_target=False)
            adapt_normalisation(model, chunks.map(lambda inputs: inputs[item.name]))
            target = encode(output, self.data.truth("train"), self.data.target)
            model.get_layer(output.name).bias.assign(constant_bias(output, target))
        self.record.logs.mkdir(parents=True, exist_ok=True)
        began = time.perf_counter()
        path = self.record.logs / STATE
        fit(model, training, validation, self.progress, self._best, order, path, [LogEpochs(self.record)])
        self.record.metrics({"training_seconds": time.perf_counter() - began}, 0, part="test")

    def _best_model(self) -> keras.Model:
        """Rebuild the best network in float32: what is judged is what is stored and used."""
        keras.config.set_dtype_policy("float32")
        model = self._build()
        state.assign(model, self._best)
        return model

    def keep_best(self) -> str:
        """Log the best weights so far as an unregistered model; return its address, empty if there are none."""
        return self._log(self._best_model(), register=False) if self._best else ""

    def _log(self, model: keras.Model, register: bool) -> str:
        item, output = self.project.input, self.project.output
        return log_model(model, self.project.name, item, output, self.data.inputs("train", 1), register)

    # === Judgement ===

    def finish(self) -> None:
        """Judge the best epoch on the test objects beside the baselines; draw, store, and say where everything is."""
        name, output, model = self.project.name, self.project.output, self._best_model()
        predicted, truth = predict(model, self.data, "test"), self.data.truth("test")
        predictions = {name: predicted, **rivals(self.data, self.options["seed"])}
        summary = self._summary(model, truth, predictions)
        for rival, values in summary.scores.items():
            prefix = "test" if rival == name else f"baseline_{rival.replace(' ', '_')}"
            self.record.metrics({f"{prefix}_{metric}": value for metric, value in values.items()}, 0, part="test")
        table = report.score_table(summary.scores)
        self.record.text(table, "scores.txt")
        page = self.record.summary(summary)
        address = self._log(model, register=True)
        headline = HEADLINE[output.name]
        validation = score(output, self.data.truth("validation"), predict(model, self.data, "validation"))[headline]
        self.record.metrics({f"validation_{headline}": validation}, 0, part="test")
        champion = crown(address, self.data.fingerprint, cost(headline, validation))
        for warning in summary.warnings:
            print(f"\nwarning: {warning}")
        print(
            f"\n{name} on {len(predicted):,} test galaxies (kept: epoch {self.progress.best_epoch} of "
            f"{self.progress.epoch})\n{table}\n\n"
            f"report  {page}\n"
            f"plots   {self.record.artifacts()}/{PLOTS}\n"
            f"model   {address}{' (champion: best validation score on these data)' if champion else ''}\n"
            f"look    mlflow ui\n"
            f"        tensorboard --logdir {name}/logs/",
            flush=True,
        )

    def _summary(self, model: keras.Model, truth: np.ndarray, predictions: dict[str, np.ndarray]) -> Summary:
        name, output, data = self.project.name, self.project.output, self.data
        scores = {rival: score(output, truth, values) for rival, values in predictions.items()}
        warning = collapse(output, truth, predictions[name], scores)
        return Summary(
            model=name,
            input=self.project.input,
            output=output,
            run_id=self.record.id,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            architecture=architecture(model),
            parameters=model.count_params(),
            options={key: value for key, value in self.options.items() if key not in ("ds", "resume")},
            data={
                "name": data.folder.name,
                "fingerprint": data.fingerprint,
                "description": data.description(),
                "objects": data.sizes(),
            },
            scores=scores,
            intervals={rival: intervals(output, truth, values) for rival, values in predictions.items()},
            bins=binned_scores(truth, predictions[name]) if output.name == "redshift" else [],
            warnings=[warning] if warning else [],
            figures=figures(self.progress, predictions[name], data),
            versions={"sdss-zoo": __version__, **{package: version(package) for package in RECORDED_VERSIONS}},
        )
