"""A training run up to its best weights: options and data, network and fit."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from common.backend import keras, tf
from common.data.batches import Blocks, EpochOrder
from common.data.task import task_of
from common.data.training_data import RESIDENT, TrainingData
from common.models.model import Model
from common.networks.augment_tables import table_layers
from common.networks.backbones import NO_WEIGHTS, image_features
from common.networks.build import build_flat
from common.networks.colour_terms import ColourTerms
from common.networks.fused import build_encoder, build_fused, joint_network
from common.networks.inputs import ENCODER, PRESENT
from common.networks.training_wrappers import hiding_model, training_model
from common.options import TABLES, TrainingOptions, typed
from common.project import FUSE, ModelFolder
from common.runs.dead_runs import RESUMED_TAG, STATE
from common.runs.provenance import versions
from common.runs.record import LogEpochs, Run, is_fold, logs_of
from common.training import state
from common.training.base_networks import base_networks
from common.training.compile import begin_at_constants, begin_fused, compile_model, constant_losses
from common.training.device import CONVOLVED, Device, select_device
from common.training.fit import fit
from common.training.one_program import pays, run_as_programs, steps_of_program
from common.training.phases import Phase, phases
from common.training.pool import fit_pools, what_is_said
from common.training.precision import timed
from common.training.processes import join
from common.training.start import BATCH, FOLLOWED, MIXTURE, begin_at, check_data, follow, open_start, pace
from sdss_gs.errors import DataError, OptionError, did_you_mean, first_line
from sdss_gs.logs import LOG

VALIDATION_BATCH = 64
"""Objects of a validation batch, where the training's are not larger."""
RESUMED_FREELY = ("ds", "resume", "memory_limit")
"""Options that may differ between a run and its continuation."""


@dataclass(frozen=True)
class Given:
    """What a session is given instead of opening it.

    Parameters
    ----------
    data : TrainingData
    before : Model
        What the network is compared with.
    start : Model, optional
        What the training begins with; None: with nothing.
    terms : tuple of ColourTerms
        At the network's input.
    """

    data: TrainingData
    before: Model
    start: Model | None = None
    terms: tuple[ColourTerms, ...] = ()


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
    given : Given, optional
        With options that are already what the trained model leaves to choose.

    Attributes
    ----------
    task : Task
    start : Model or None
        What the training begins with, if with a trained model.
    before : Model or None
        The trained model that the network is compared with.
    terms : tuple of ColourTerms
        At the network's input.
    network : keras.Model
        What is kept of what is trained, once it is built.
    callbacks : list of keras.callbacks.Callback
        To be told of each epoch, besides the record.
    best : list of ndarray
        Weights of the best epoch; empty before the first.

    Raises
    ------
    ZooError
        For a data set or an option that cannot be used.
    """

    def __init__(
        self, project: ModelFolder, record: Run, options: TrainingOptions, functions: dict[str, Callable],
        fold: int | None = None, given: Given | None = None,
    ):  # fmt: skip
        self.project, self.record, self.fold = project, record, fold
        self.callbacks: list[keras.callbacks.Callback] = []
        self.progress, self._arrays = self._begin(options, fold)
        self.recorded = self.progress.options
        self.options = typed(TrainingOptions, self.recorded)
        self.functions, self.task, self.phases = functions, task_of(project, self.options), phases(self.options)
        if self.task.flat:
            chosen(functions, self.options.architecture)
        elif self.options.head == MIXTURE:
            others = "shares of bins can be weighed, mixtures cannot"
            raise OptionError(f"head: expected auto, point or binned for {self.task.name}, found {MIXTURE}: {others}")
        if given:
            self.start, self.before, self.terms = given.start, given.before, given.terms
        else:
            self.start = self.before = open_start(project, self.recorded, self.task) if self.options.start else None
            self.terms = self.start.terms if self.start else ()
        if self.start and not given:
            self.task = replace(self.task, inputs=self.start.inputs, outputs=self.start.outputs)
            self.options = follow(self.options, self.start, functions, project.defaults)
            self.recorded |= {name: getattr(self.options, name) for name in FOLLOWED if name in self.recorded}
        later = (BATCH,) if self.start or given else ()
        record.parameters({name: value for name, value in self.recorded.items() if value != "" and name not in later})
        self.data = given.data if given else TrainingData(self.task, self.options, fold=fold)
        self.data.require_learnable()
        if self.start and not given:
            check_data(self.start, self.data)
        if self.start or given:
            self.options = pace(self.options, self.data.sizes()["train"], project.defaults)
            self.recorded[BATCH] = self.options.batch_size
            record.parameters({BATCH: self.options.batch_size})
        # What is learnt may be known only from the data: a user's own label, or whether magnitudes have errors.
        self.task = replace(self.task, inputs=self.data.inputs, outputs=self.data.outputs)
        # A continuation may be started in another folder, without naming the data set again.
        self.recorded["ds"] = str(self.data.folder)
        if self._arrays and self.data.fingerprint != self.progress.fingerprint:
            expected, found = self.progress.fingerprint, self.data.fingerprint
            raise DataError(f"{self.data.folder}: expected the data the run began with ({expected}), found {found}")
        self.progress.fingerprint = self.data.fingerprint
        self.best: list[np.ndarray] = []
        self._seconds = 0.0
        # Of a fused network: by input, and by part what they say of its objects.
        self._encoders: dict[str, keras.Model] = {}
        self._said: dict[str, dict[str, np.ndarray]] | None = None
        self._describe()

    def _begin(self, options: TrainingOptions, fold: int | None) -> tuple[state.Progress, dict[str, np.ndarray]]:
        """Start a new run's progress, or take up that of the run that is resumed."""
        recorded = self.project.recorded(options)
        if not options.resume:
            return state.Progress(recorded | ({} if fold is None else {"fold": fold}), ""), {}
        logs = logs_of(options.resume)
        if logs is None:
            raise OptionError(f"resume: expected the id of a run in this store, found {options.resume!r}")
        # Those that are trained together leave no state.
        if is_fold(options.resume):
            raise OptionError("resume: expected a run of its own, found a fold; start the cross-validation again")
        progress, arrays = state.load_state(logs / STATE)
        for name, value in recorded.items():
            stored = progress.options.get(name)
            if name not in RESUMED_FREELY and value not in (stored, self.project.defaults[name]):
                raise OptionError(f"resume: the run goes on with {name}={stored}, found {name}={value}")
        progress.options |= {name: recorded[name] for name in RESUMED_FREELY if recorded[name] or name != "ds"}
        self.record.tags({RESUMED_TAG: options.resume})
        for epoch, metrics in enumerate(progress.history, 1):
            self.record.metrics(metrics, epoch)
        return progress, arrays

    def _describe(self) -> None:
        print(self.data.description(), flush=True)
        self.record.data(self.data.folder, self.data.fingerprint)
        sizes = {f"{part}_objects": size for part, size in self.data.sizes().items()}
        self.record.tags({f"zoo.{name}": fact for name, fact in (sizes | versions()).items()})
        self.record.text("\n".join(self.data.problems()) or "nothing wrong", "data_problems.txt")

    # === Network and fit ===

    def build(self, pretrained: bool = False) -> keras.Model:
        """Build the network that is stored, before a table's is given names of columns."""
        task, shapes, options = self.task, self.data.shapes(), self.options
        if not task.flat:
            return build_fused(task.inputs, task.outputs, self._encoders, self.functions[FUSE], task.name)
        (item,), (output,) = task.inputs, task.outputs
        features = chosen(self.functions, options.architecture)
        if item.name == "img":
            weights = options.weights if pretrained else NO_WEIGHTS
            features = image_features(
                features, options.backbone, weights, options.backbone_head, options.crop, options.colour
            )
        return build_flat(
            item, output, shapes[item.name], features, task.name, options.stretch, options.ensemble, self.terms
        )

    def train(self) -> None:
        """Fit the network and keep its best epoch."""
        model, network, device, resident = self.prepare()
        print(device.line(), flush=True)
        for phase in (phase for phase in self.phases if self.progress.epoch < phase.last):
            phase.freeze(network)
            self._learn(model, network, phase, device, resident)
        if self._arrays:
            # The run that is resumed had ended: nothing is left to train.
            self.best[:] = state.best_of(self._arrays)
        if not self.task.flat and self.best:
            state.assign(network, self.best)
            fit_pools(network, self.data, self.options)
            self.best[:] = [np.asarray(variable) for variable in network.variables]

    def _find_encoders(self) -> None:
        """Take a fused network's encoders from the model it begins with, or make them of base networks."""
        if self.start:
            self._encoders = {
                item.name: self.start.network.get_layer(f"{item.name}{ENCODER}") for item in self.task.inputs
            }
            return
        # A base network is trained by a session of its own.
        bases = base_networks(self.project, self.data, self.options, self.fold, self.record, Session)
        addresses = {f"{item} {output}": one.address for item, by in bases.items() for output, one in by.items()}
        self.record.tags({"zoo.base_networks": ", ".join(f"{key}: {one}" for key, one in addresses.items())})
        shapes = self.data.shapes()
        self._encoders = {
            item.name: build_encoder(item, shapes[item.name], self.task.outputs, bases[item.name])
            for item in self.task.inputs
        }

    def prepare(self) -> tuple[keras.Model, keras.Model, Device, bool]:
        """Choose the device and build the network.

        Returns
        -------
        model, network : keras.Model
            What is trained, and the network within it, which is kept.
        device : Device
        resident : bool
            Whether the data live on the device.
        """
        options, data, flat = self.options, self.data, self.task.flat
        if not flat:
            self._find_encoders()
        join(options)
        # A fused network's convolutions have learnt.
        convolved = [item.name for item in data.inputs if item.name in CONVOLVED] if flat else TABLES[:1]
        device = select_device(options.precision, options.memory_limit, [*convolved, data.inputs[0].name][0])
        if options.precision == "auto" and device.precision == "bfloat16" and device.kind == "CPU" and not device.jax:
            batch = data.gather(data.parts["train"][: options.batch_size])
            inputs = {name: values for name, values in batch.items() if name != PRESENT}
            device = timed(device, self.build, inputs)
            # A continuation must not choose otherwise.
            self.progress.options["precision"] = device.precision
        keras.utils.set_random_seed(options.seed)
        one, sizes = data.bytes_of_one(), data.sizes()
        resident = flat and device.holds(one * sum(sizes[part] for part in RESIDENT))
        with device.scope():
            network = self.network = self.build(pretrained=not (self._arrays or self.start))
            if flat:
                (item,) = data.inputs
                tables = {}
                if item.gaps:
                    rate, extinction = options.magnitude_dropout, data.extinction()
                    tables = {item.name: table_layers(item, rate, options.seed, extinction)}
                values = data.resident() if resident else None
                model = training_model(network, options.augment, options.seed, values, tables, not device.compiled)
            else:
                model = hiding_model(joint_network(network), options.input_dropout, options.seed)
        self.record.tags({"zoo.device": device.line(), "zoo.network_parameters": network.count_params()})
        again = partial(self.build, pretrained=not self.start)
        if self.start and not self._arrays:
            device.first_weights(network, options.seed, again, partial(begin_at, start=self.start))
        if not flat:
            self._said = what_is_said(network, data, new=not self.start)
        if not (self.start or self._arrays):
            begin = partial(begin_fused, said=self._said["train"]) if not flat else begin_at_constants
            device.first_weights(network, options.seed, again, partial(begin, data=data))
        return model, network, device, resident

    def _learn(self, model: keras.Model, network: keras.Model, phase: Phase, device: Device, resident: bool) -> None:
        """Go through a phase, as programs of many steps where that is faster."""
        options, data, batch = self.options, self.data, self.options.batch_size
        feed = partial(data.batches, resident=resident, share=device.share, said=self._said)
        steps = int(feed("train", batch).cardinality())
        programs = self.task.flat and not resident and pays(device, network, steps * options.epochs)
        with device.scope():
            together = device.steps_per_execution(self._bytes_of_one(resident) * batch, steps, options.epochs)
            constants = None if self.task.flat else constant_losses(data, options)
            compile_model(
                model, data.outputs, phase.options(options), steps, together, device.compiled, constants, programs
            )
        if self._arrays:
            # Of the run that is resumed, once; its optimizer goes on only within its phase.
            same_phase = self.progress.epoch > phase.first
            self.best[:], self._arrays = state.restore(model, self._arrays, with_optimizer=same_phase), {}
        if programs:
            began = self.progress.epoch
            try:
                self._fit(model, network, phase, partial(data.blocks, most=steps_of_program(network, batch)))
                return
            except (tf.errors.InvalidArgumentError, tf.errors.UnimplementedError) as error:
                if self.progress.epoch > began:
                    raise
                LOG.warning("training: step by step, not as one program: %s", first_line(error))
                model.train_function = model.test_function = None
        self._fit(model, network, phase, feed)

    def _bytes_of_one(self, resident: bool) -> int:
        """Return the size of what is fed of one object."""
        if self._said is not None:
            return sum(values[:1].nbytes for values in self._said["train"].values())
        return 8 if resident else self.data.bytes_of_one()

    def _fit(self, model: keras.Model, network: keras.Model, phase: Phase, feed: Callable) -> None:
        batch, order = self.options.batch_size, EpochOrder(self.options.seed, self.data.sizes()["train"])
        training = feed("train", batch, order=order)
        validation = feed("validation", max(batch, VALIDATION_BATCH))
        if isinstance(training, Blocks):
            run_as_programs(model, training, validation)
            training, validation = training.numbers(), validation.numbers()
        self.record.logs.mkdir(parents=True, exist_ok=True)
        began = time.perf_counter()
        path, callbacks = self.record.logs / STATE, [LogEpochs(self.record), *self.callbacks]
        fit(model, network, training, validation, self.progress, self.best, order, path, callbacks, phase)
        self._seconds += time.perf_counter() - began
        self.record.metrics({"training_seconds": self._seconds}, 0, part="test")


def chosen(functions: dict[str, Callable], architecture: str) -> Callable:
    """Choose a model folder's function; a folder with one need not name it."""
    if len(functions) == 1:
        return next(iter(functions.values()))
    if architecture not in functions:
        meant = did_you_mean(architecture, functions)
        raise OptionError(f"architecture: expected one of {', '.join(functions)}, found {architecture!r}{meant}")
    return functions[architecture]
