"""The stages of a training run: options and data, network and fit, judgement and keeping."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from common.backend import keras
from common.data.batches import EpochOrder
from common.data.measure import training_range
from common.data.task import task_of
from common.data.training_data import RESIDENT, TrainingData
from common.judge import figures
from common.judge.evaluate import validation_cost
from common.judge.judge import judge, predict_baselines, verdict, versions
from common.judge.record_summary import numbers, record_summary
from common.judge.views import alone, champion_cost, every_set, fit_calibrations, predict_part, validation_scores
from common.models.champion import Training, promote_champion
from common.models.model import ANY, Model
from common.models.running import serving_inputs, serving_network
from common.models.store import HEADLINE_TAG, log_model
from common.networks.backbones import NO_WEIGHTS, image_features
from common.networks.build import build_flat, build_fused
from common.networks.training_wrappers import training_model
from common.options import TrainingOptions, typed
from common.outputs.kinds import kind_of
from common.project import ModelFolder
from common.runs.dead_runs import RESUMED_TAG, STATE
from common.runs.record import PLOTS, LogEpochs, Run, logs_of
from common.training import state
from common.training.compile import begin_at_constants, compile_model, constant_losses
from common.training.device import CONVOLVED, select_device
from common.training.fit import fit
from common.training.phases import Phase, phases
from common.training.processes import join
from sdss_gs.errors import DataError, OptionError

VALIDATION_BATCH = 64
"""Objects of a validation batch, where the training's are not larger."""
RESUMED_FREELY = ("ds", "resume", "memory_limit")
"""Options that may differ between a run and its continuation."""
READING = ("target", "column")
"""Options without which a stored model's inputs or values cannot be understood."""


class Session:
    """One run of one model.

    Parameters
    ----------
    project : ModelFolder
    record : Run
    options : TrainingOptions
    functions : dict of str to callable
        The model folder's functions.
    fold : int, optional
        Which fold of a cross-validation is the test set.

    Attributes
    ----------
    task : Task
    callbacks : list of keras.callbacks.Callback
        To be told of each epoch, besides the record.

    Raises
    ------
    ZooError
        For a data set or an option that cannot be used.
    """

    def __init__(
        self,
        project: ModelFolder,
        record: Run,
        options: TrainingOptions,
        functions: dict[str, Callable],
        fold: int | None = None,
    ):
        self.project, self.record = project, record
        self.callbacks: list[keras.callbacks.Callback] = []
        self.progress, self._arrays = self._begin(options, fold)
        self.recorded = self.progress.options
        self.options = typed(TrainingOptions, self.recorded)
        self.functions, self.task, self.phases = functions, task_of(project, self.options), phases(self.options)
        if self.task.flat:
            chosen(functions, self.options.architecture)
        record.parameters({name: value for name, value in self.recorded.items() if value != ""})
        self.data = self._open(fold)
        # A continuation may be started in another folder, without naming the data set again.
        self.recorded["ds"] = str(self.data.folder)
        if self._arrays and self.data.fingerprint != self.progress.fingerprint:
            expected, found = self.progress.fingerprint, self.data.fingerprint
            raise DataError(f"{self.data.folder}: expected the data the run began with ({expected}), found {found}")
        self.progress.fingerprint = self.data.fingerprint
        self._best: list[np.ndarray] = []
        self._seconds = 0.0
        self._describe()

    def _begin(self, options: TrainingOptions, fold: int | None) -> tuple[state.Progress, dict[str, np.ndarray]]:
        """Start a new run's progress, or take up that of the run that is resumed."""
        recorded = self.project.recorded(options)
        if not options.resume:
            return state.Progress(recorded | ({} if fold is None else {"fold": fold}), ""), {}
        logs = logs_of(options.resume)
        if logs is None:
            raise OptionError(f"resume: expected the id of a run in this store, found {options.resume!r}")
        progress, arrays = state.load_state(logs / STATE)
        if "fold" in progress.options:
            raise OptionError("resume: expected a run of its own, found a fold; start the cross-validation again")
        for name, value in recorded.items():
            stored = progress.options.get(name)
            if name not in RESUMED_FREELY and value not in (stored, self.project.defaults[name]):
                raise OptionError(f"resume: the run goes on with {name}={stored}, found {name}={value}")
        progress.options |= {name: recorded[name] for name in RESUMED_FREELY if recorded[name] or name != "ds"}
        self.record.tags({RESUMED_TAG: options.resume})
        for epoch, metrics in enumerate(progress.history, 1):
            self.record.metrics(metrics, epoch)
        return progress, arrays

    def _open(self, fold: int | None) -> TrainingData:
        data = TrainingData(self.task, self.options, fold=fold)
        data.require_learnable()
        # What is learnt may be known only from the data: a user's own label.
        self.task = replace(self.task, outputs=data.outputs)
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
        """Build the network that is stored, before a table's is given names of columns."""
        task, shapes, options = self.task, self.data.shapes(), self.options
        if not task.flat:
            return build_fused(task.inputs, task.outputs, shapes, self.functions, task.name, options.stretch)
        (item,), (output,) = task.inputs, task.outputs
        features = chosen(self.functions, options.architecture)
        if item.name == "img":
            weights = options.weights if pretrained else NO_WEIGHTS
            features = image_features(features, options.backbone, weights, options.head, options.crop, options.colour)
        return build_flat(item, output, shapes[item.name], features, task.name, options.stretch)

    def train(self) -> None:
        """Fit the network and keep its best epoch."""
        options, data = self.options, self.data
        join(options)
        convolved = [item.name for item in data.inputs if item.name in CONVOLVED]
        device = select_device(options.precision, options.memory_limit, [*convolved, data.inputs[0].name][0])
        print(device.line(), flush=True)
        keras.utils.set_random_seed(options.seed)
        one, sizes, share = data.bytes_of_one(), data.sizes(), device.share
        resident = self.task.flat and device.holds(one * sum(sizes[part] for part in RESIDENT))
        order = EpochOrder(options.seed, sizes["train"])
        training = data.batches("train", options.batch_size, order=order, resident=resident, share=share)
        large = max(options.batch_size, VALIDATION_BATCH)
        validation = data.batches("validation", large, resident=resident, share=share)
        steps = int(training.cardinality())
        with device.scope():
            network = self._build(pretrained=not self._arrays)
            values = data.resident() if resident else None
            model = training_model(network, options.augment, options.seed, options.input_dropout, values)
        self.record.tags({"zoo.device": device.line(), "zoo.network_parameters": network.count_params()})
        if not self._arrays:
            again = partial(self._build, pretrained=True)
            device.first_weights(network, options.seed, again, partial(begin_at_constants, data=data))
        constants = None if self.task.flat else constant_losses(data, options)
        for phase in (phase for phase in self.phases if self.progress.epoch < phase.last):
            phase.freeze(network)
            with device.scope():
                together = device.steps_per_execution((8 if resident else one) * options.batch_size, steps)
                compile_model(model, data.outputs, phase.options(options), steps, together, device.compiled, constants)
            self._restore(model, phase)
            self._fit(model, network, training, validation, order, phase)
        if self._arrays:
            # The run that is resumed had ended: nothing is left to train.
            self._best[:] = state.best_of(self._arrays)

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

    # === What is kept ===

    def _best_model(self) -> tuple[Model, dict[str, np.ndarray]]:
        """Make the model of the best epoch, in float32: what is judged is what is stored and used.

        Returns
        -------
        model : Model
        predicted : dict of str to ndarray
            Of all validation objects, by output.
        """
        keras.config.set_dtype_policy("float32")
        network, data = self._build(), self.data
        state.assign(network, self._best)
        model = Model(
            name=self.task.name,
            version="",
            sha256="",
            inputs=data.inputs,
            outputs=data.outputs,
            network=serving_network(network, data.inputs[0]) if self.task.flat else network,
            shapes=data.shapes(),
            reading={key: self.recorded[key] for key in READING if key in self.recorded},
            calibrations={},
            training_ranges={item.name: training_range(data.measured("train", item)) for item in data.inputs},
        )
        predictions = predict_part(model, data, "validation", every_set(model))
        return replace(model, calibrations=fit_calibrations(model, data, predictions)), predictions[ANY]

    def _log(self, model: Model, register: bool) -> str:
        piece = self.data.gather(self.data.parts["train"][:1])
        item = self.data.inputs[0]
        example = serving_inputs(item, piece[item.name]) if model.flat else piece
        return log_model(model, example, register=register)

    def keep_best(self) -> str:
        """Log the best weights so far as an unregistered model; return its address, empty if there are none."""
        return self._log(self._best_model()[0], register=False) if self._best else ""

    # === Judgement ===

    def validate(self) -> tuple[float, dict[str, float]]:
        """Judge the best epoch on the validation objects.

        Returns
        -------
        cost : float
            What champions are chosen by; less is better.
        scores : dict of str to float
        """
        scores = validation_scores(self.data, self._best_model()[1])
        cost = champion_cost(self.data, scores)
        return cost, next(iter(scores.values())) if len(scores) == 1 else {"validation_cost": cost}

    def finish(self, register: bool = True) -> dict[str, float]:
        """Judge the best epoch on the test objects beside the baselines; draw, store, and say where everything is.

        Parameters
        ----------
        register : bool
            Whether the model enters the registry, where it may become the champion.

        Returns
        -------
        dict of str to float
            Test scores by the names under which MLflow has them, without ``test_``.
        """
        data = self.data
        model, validation = self._best_model()
        predictions = predict_part(model, data, "test", alone(model))
        rivals = predict_baselines(data, self.options.seed)
        summary = judge(model, data, predictions, rivals, self.record.id, self.recorded)
        curves = figures.loss_curves(self.progress.history, self.progress.best_epoch, self._loss_shown())
        page = record_summary(self.record, replace(summary, figures=summary.figures | {"loss": curves}))
        address = self._log(model, register)
        scores = validation_scores(data, validation)
        cost = champion_cost(data, scores)
        self._record_validation(scores, cost)
        champion = self._promote(address, cost) if register else ""
        print(
            f"\n{self._headline()}\n{verdict(summary)}\n\nreport  {page}\n{self._where(address, champion)}",
            flush=True,
        )
        found = numbers(summary)
        return {name.removeprefix("test_"): value for name, value in found.items() if name.startswith("test_")}

    def _record_validation(self, scores: dict[str, dict[str, float]], cost: float) -> None:
        """Record by what this run is compared with others."""
        several = len(scores) > 1
        headlines = {}
        for output in self.data.outputs:
            metric = kind_of(output).headline
            headlines[f"{output.name}_{metric}" if several else metric] = scores[output.name][metric]
        self.record.metrics({f"validation_{name}": value for name, value in headlines.items()}, 0, part="test")
        if several:
            self.record.metrics({"validation_cost": cost}, 0, part="test")
        self.record.tags({HEADLINE_TAG: ",".join(headlines)})

    def _loss_shown(self) -> str:
        if len(self.data.outputs) > 1 or not self.task.flat:
            return "sum of the outputs' losses, each 1 for the best constant"
        # For votes, the mean squared error is what is shown: its root is that of the whole, not of a batch.
        return kind_of(self.data.outputs[0]).loss_name(self.options.loss).replace("rmse", "mse")

    def _promote(self, address: str, cost: float) -> str:
        """Make the new version the champion if it has earned it; return what to say of it."""
        data, recorded = self.data, self.recorded
        training = Training(
            fingerprint=data.fingerprint,
            objects=sum(data.sizes().values()),
            data=data.folder.name,
            limit=self.options.limit,
            reading={key: recorded[key] for key in ("inputs", "outputs", *READING) if key in recorded},
            metric=kind_of(data.outputs[0]).headline if len(data.outputs) == 1 else "validation_cost",
            cost=cost,
        )
        return promote_champion(address, training, self._cost_of)

    def _cost_of(self, address: str) -> float:
        return validation_cost(address, self.data)

    def _headline(self) -> str:
        size = self.data.sizes()["test"]
        kept = f"kept: epoch {self.progress.best_epoch} of {self.progress.epoch}"
        return f"{self.task.name} on {size:,} test galaxies ({kept})"

    def _where(self, address: str, champion: str) -> str:
        """Say where plots, model and curves are, and what became of the champion."""
        lines = (
            f"plots   {self.record.artifacts()}/{PLOTS}",
            f"model   {address}",
            champion,
            "look    mlflow ui",
            f"        tensorboard --logdir {self.task.folder.name}/logs/",
        )
        return "\n".join(filter(None, lines))


def chosen(functions: dict[str, Callable], architecture: str) -> Callable:
    """Choose a model folder's function; a folder with one need not name it."""
    if len(functions) == 1:
        return next(iter(functions.values()))
    if architecture not in functions:
        raise OptionError(f"architecture: expected one of {', '.join(functions)}, found {architecture!r}")
    return functions[architecture]
