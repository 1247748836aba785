"""The stages of a training run: options and data, network and fit, judgement and keeping."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, replace

import numpy as np

from common.backend import keras
from common.data.batches import EpochOrder, steps_per_execution
from common.data.measure import training_range
from common.data.training_data import TrainingData
from common.judge import figures as report
from common.judge.evaluate import validation_cost
from common.judge.judge import PREDICTION_BATCH, predict, rivals, summarise, verdict, versions
from common.judge.record_summary import record_summary
from common.models.champion import Training, promote_champion
from common.models.store import HEADLINE_TAG, log_model
from common.networks.backbones import image_features
from common.networks.build import adapt_normalisation, build
from common.networks.training_wrappers import surround
from common.outputs.calibration import Calibration
from common.outputs.kinds import kind_of
from common.outputs.metrics import score
from common.project import Project
from common.runs.dead_runs import RESUMED_TAG, STATE
from common.runs.record import PLOTS, LogEpochs, Run, logs_of
from common.training import device as gpu
from common.training import processes as spread
from common.training import state
from common.training.compile import compile_model
from common.training.fit import fit
from common.training.phases import Phase, phases
from sdss_gs.errors import DataError, OptionError
from sdss_gs.schema import OUTPUTS

ADAPT_BATCH = 2048
RESUMED_FREELY = ("ds", "resume", "memory_limit")
"""Options that may differ between a run and its continuation."""
READING = ("target", "column")
"""Options without which a stored model's inputs or values cannot be understood."""


class Session:
    """One run of one model.

    Parameters
    ----------
    project : Project
    record : Run
    options : dict
        Typed options, from `project.parse_options`.
    architectures : dict of str to callable
        The model folder's functions.

    Attributes
    ----------
    callbacks : list of keras.callbacks.Callback
        To be told of each epoch, besides the record.

    Raises
    ------
    ZooError
        For a data set or an option that cannot be used.
    """

    def __init__(self, project: Project, record: Run, options: dict, architectures: dict[str, Callable]):
        self.project, self.record = project, record
        self.callbacks: list[keras.callbacks.Callback] = []
        self.progress, self._arrays = self._begin(options)
        self.options = self.progress.options
        self._choose(architectures)
        record.parameters({name: value for name, value in self.options.items() if value != ""})
        self.data = self._open()
        # A continuation may be started in another folder, without naming the data set again.
        self.options["ds"] = str(self.data.folder)
        if self._arrays and self.data.fingerprint != self.progress.fingerprint:
            expected, found = self.progress.fingerprint, self.data.fingerprint
            raise DataError(f"{self.data.folder}: expected the data the run began with ({expected}), found {found}")
        self.progress.fingerprint = self.data.fingerprint
        self._best: list[np.ndarray] = []
        self._seconds = 0.0
        self._describe()

    def _begin(self, options: dict) -> tuple[state.Progress, dict[str, np.ndarray]]:
        """Start a new run's progress, or take up that of the run that is resumed."""
        if not options["resume"]:
            return state.Progress(options, ""), {}
        logs = logs_of(options["resume"])
        if logs is None:
            raise OptionError(f"resume: expected the id of a run in this store, found {options['resume']!r}")
        progress, arrays = state.load_state(logs / STATE)
        if "fold" in progress.options:
            raise OptionError("resume: expected a run of its own, found a fold; start the cross-validation again")
        for name, value in options.items():
            stored = progress.options.get(name)
            if name not in RESUMED_FREELY and value not in (stored, self.project.defaults[name]):
                raise OptionError(f"resume: the run goes on with {name}={stored}, found {name}={value}")
        progress.options |= {name: options[name] for name in RESUMED_FREELY if options[name] or name != "ds"}
        self.record.tags({RESUMED_TAG: options["resume"]})
        for epoch, metrics in enumerate(progress.history, 1):
            self.record.metrics(metrics, epoch)
        return progress, arrays

    def _choose(self, architectures: dict[str, Callable]) -> None:
        self.own = _chosen(architectures, self.options)
        self.phases = phases(self.options)

    def _open(self) -> TrainingData:
        data = TrainingData(self.project, self.options)
        data.require_learnable()
        # What is learnt may be known only from the data: a user's own label.
        self.project = replace(self.project, output=data.output)
        return data

    def _describe(self) -> None:
        print(self.data.description(), flush=True)
        self.record.data(self.data.folder, self.data.fingerprint)
        self.record.tags(
            {
                **{f"zoo.{part}_objects": size for part, size in self.data.sizes().items()},
                **{f"zoo.{package}": number for package, number in versions().items()},
            }
        )
        self.record.text("\n".join(self.data.problems()) or "nothing wrong", "data_problems.txt")

    # === Network and fit ===

    def _build(self, pretrained: bool = False) -> keras.Model:
        item, output, stretch = self.project.input, self.project.output, str(self.options.get("stretch", "asinh"))
        features = image_features(self.options, self.own, pretrained) if "backbone" in self.options else self.own
        return build(item, output, self.data.shape(), features, self.project.name, stretch)

    def train(self) -> None:
        """Fit the network and keep its best epoch."""
        options, item, output = self.options, self.project.input, self.project.output
        spread.join(options)
        device = gpu.prepare(options["precision"], options["memory_limit"], item.name)
        print(device.line(), flush=True)
        keras.utils.set_random_seed(options["seed"])
        share, resident = spread.share(), device.holds(self.data.resident_bytes())
        order = EpochOrder(options["seed"], self.data.sizes()["train"])
        training = self.data.batches("train", options["batch_size"], order=order, resident=resident, share=share)
        validation = self.data.batches(
            "validation", max(options["batch_size"], PREDICTION_BATCH), resident=resident, share=share
        )
        steps = int(training.cardinality())
        batch_bytes = (8 if resident else self.data.inputs("train", 1).nbytes) * options["batch_size"]
        with device.scope():
            network = self._build(pretrained=not self._arrays)
            values = self.data.resident() if resident else None
            model = surround(network, str(options.get("augment", "none")), options["seed"], values)
        self.record.tags({"zoo.device": device.line(), "zoo.network_parameters": network.count_params()})
        if not self._arrays:
            self._begin_at(network)
        for phase in (phase for phase in self.phases if self.progress.epoch < phase.last):
            phase.freeze(network)
            with device.scope():
                # Keras takes several steps at once on one device only.
                one_by_one = spread.on_jax() or (device.kind == "GPU" and device.count > 1)
                together = 1 if one_by_one else steps_per_execution(batch_bytes, steps)
                compiled = device.kind == "GPU" or spread.on_jax()
                compile_model(model, output, phase.options(options), steps, together, compiled)
            self._restore(model, phase)
            self._fit(model, network, training, validation, order, phase)
        if self._arrays:
            # The run that is resumed had ended: nothing is left to train.
            self._best[:] = state.best_of(self._arrays)

    def _begin_at(self, network: keras.Model) -> None:
        """Give a new network its first weights: with several processes the same in all of them."""
        if spread.processes() == 1:
            self._initialise(network)
            return
        with spread.alone():
            keras.utils.set_random_seed(self.options["seed"])
            first = self._build(pretrained=True)
            self._initialise(first)
        state.assign(network, [np.asarray(variable) for variable in first.variables])

    def _initialise(self, network: keras.Model) -> None:
        """Let a new network know the statistics of the training objects, and begin at the best constant."""
        item, output = self.project.input, self.project.output
        chunks = self.data.batches("train", ADAPT_BATCH, with_target=False)
        adapt_normalisation(network, chunks.map(lambda inputs: inputs[item.name]))
        kind = kind_of(output)
        kind.head_of(network).bias.assign(kind.constant_bias(self.data.targets("train")))

    def _restore(self, model: keras.Model, phase: Phase) -> None:
        """Take up the state of the run that is resumed, once; an optimizer's only within its phase."""
        if self._arrays:
            self._best[:] = state.restore(model, self._arrays, with_optimizer=self.progress.epoch > phase.first)
            self._arrays = {}

    def _fit(
        self, model: keras.Model, network: keras.Model, training, validation, order: EpochOrder, phase: Phase
    ) -> None:
        self.record.logs.mkdir(parents=True, exist_ok=True)
        began = time.perf_counter()
        path, callbacks = self.record.logs / STATE, [LogEpochs(self.record), *self.callbacks]
        fit(model, network, training, validation, self.progress, self._best, order, path, callbacks, phase)
        self._seconds += time.perf_counter() - began
        self.record.metrics({"training_seconds": self._seconds}, 0, part="test")

    def _best_model(self) -> keras.Model:
        """Rebuild the best network in float32: what is judged is what is stored and used."""
        keras.config.set_dtype_policy("float32")
        model = self._build()
        state.assign(model, self._best)
        return model

    def keep_best(self) -> str:
        """Log the best weights so far as an unregistered model; return its address, empty if there are none."""
        return self._log(self._best_model(), register=False) if self._best else ""

    def _calibration(self, predicted: np.ndarray) -> Calibration:
        return kind_of(self.data.output).fit_calibration(self.data.truth("validation"), predicted)

    def _log(self, model: keras.Model, register: bool, calibration: Calibration | None = None) -> str:
        item, output = self.project.input, self.project.output
        calibration = calibration or self._calibration(predict(model, self.data, "validation"))
        facts = {
            "reading": {key: self.options[key] for key in READING if key in self.options},
            "calibration": asdict(calibration),
            "training_range": asdict(training_range(item, self.data.chunks("train"))),
        }
        if OUTPUTS.get(output.name) != output:
            facts["own_output"] = asdict(output)
        return log_model(model, self.project.name, item, output, self.data.inputs("train", 1), facts, register)

    # === Judgement ===

    def validate(self) -> tuple[float, dict[str, float]]:
        """Judge the best epoch on the validation objects.

        Returns
        -------
        cost : float
            What champions are chosen by; less is better.
        scores : dict of str to float
        """
        output, data = self.project.output, self.data
        scores = score(output, data.truth("validation"), predict(self._best_model(), data, "validation"))
        return kind_of(output).cost(scores), scores

    def finish(self, register: bool = True) -> dict[str, float]:
        """Judge the best epoch on the test objects beside the baselines; draw, store, and say where everything is.

        Parameters
        ----------
        register : bool
            Whether the model enters the registry, where it may become the champion.

        Returns
        -------
        dict of str to float
            Test scores of the model.
        """
        name, output, data, model = self.project.name, self.project.output, self.data, self._best_model()
        predictions = {name: predict(model, data, "test"), **rivals(data, self.options["seed"])}
        # For votes, the mean squared error is what is shown: its root is that of the whole, not of a batch.
        loss = kind_of(output).loss_name(self.options).replace("rmse", "mse")
        drawn = {"loss": report.loss_curves(self.progress.history, self.progress.best_epoch, loss)}
        validation = predict(model, data, "validation")
        calibration = self._calibration(validation)
        summary = summarise(self.project, self.record.id, model, data, predictions, self.options, drawn, calibration)
        page = record_summary(self.record, summary)
        address = self._log(model, register, calibration)
        kind, metric = kind_of(output), kind_of(output).headline
        reached = score(output, data.truth("validation"), validation)
        self.record.metrics({f"validation_{metric}": reached[metric]}, 0, part="test")
        self.record.tags({HEADLINE_TAG: metric})
        champion = self._promote(address, metric, kind.cost(reached)) if register else ""
        print(
            f"\n{self._headline()}\n{verdict(summary)}\n\nreport  {page}\n{self._where(address, champion)}",
            flush=True,
        )
        return summary.scores[name]

    def _promote(self, address: str, metric: str, cost: float) -> str:
        """Make the new version the champion if it has earned it; return what to say of it."""
        data, options = self.data, self.options
        training = Training(
            fingerprint=data.fingerprint,
            objects=sum(data.sizes().values()),
            data=data.folder.name,
            limit=int(options["limit"]),
            reading={key: options[key] for key in ("inputs", "outputs", *READING) if key in options},
            metric=metric,
            cost=cost,
        )
        return promote_champion(address, training, self._cost_of)

    def _cost_of(self, address: str) -> float:
        return validation_cost(address, self.data)

    def _headline(self) -> str:
        size = self.data.sizes()["test"]
        kept = f"kept: epoch {self.progress.best_epoch} of {self.progress.epoch}"
        return f"{self.project.name} on {size:,} test galaxies ({kept})"

    def _where(self, address: str, champion: str) -> str:
        """Say where plots, model and curves are, and what became of the champion."""
        lines = (
            f"plots   {self.record.artifacts()}/{PLOTS}",
            f"model   {address}",
            champion,
            "look    mlflow ui",
            f"        tensorboard --logdir {self.project.folder.name}/logs/",
        )
        return "\n".join(filter(None, lines))


def _chosen(architectures: dict[str, Callable], options: dict) -> Callable:
    """Choose a model folder's function; a folder with one need not name it."""
    name = str(options.get("architecture", next(iter(architectures))))
    if len(architectures) == 1:
        return next(iter(architectures.values()))
    if name not in architectures:
        raise OptionError(f"architecture: expected one of {', '.join(architectures)}, found {name!r}")
    return architectures[name]
