"""Give a network its loss, optimizer and schedule, and its first weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType

import numpy as np

from common.backend import keras, tf
from common.data.training_data import TrainingData
from common.networks.build import adapt_normalisation
from common.networks.fused import SAID, STANDARD, WEIGHED
from common.networks.inputs import PRESENT
from common.networks.parts import decider_of, is_flat, member_outputs
from common.options import TrainingOptions
from common.outputs.kinds import kind_of
from common.outputs.kinds.kind import Kind
from common.training.adam import IN_ONE
from sdss_gs.schema import Input, Output

ADAPT_OBJECTS = 2048
FEWEST_WHOLE = 0.1
"""Training objects that are looked at together for their statistics."""
STEP_EPOCHS, STEP_FACTOR = 10, 0.5
"""The ``step`` schedule of the predecessor: half the rate every ten epochs."""


def compile_model(
    model: keras.Model,
    outputs: Sequence[Output],
    options: TrainingOptions,
    steps: int,
    steps_per_execution: int = 1,
    compiled: bool = False,
    constants: Mapping[str, float] | None = None,
    weighted: bool = False,
) -> None:
    """Give the model its losses, optimizer and schedule.

    Parameters
    ----------
    model, outputs : keras.Model, sequence of Output
    options : TrainingOptions
        Of the run or of its phase.
    steps : int
        Steps of one epoch.
    steps_per_execution, compiled : int, bool
        See `Device`.
    constants : mapping of str to float, optional
        Of a fused network, from `constant_losses`: each loss is divided by its value for the best constant. All so
        begin at 1, whatever their unit: a redshift in hundredths counts as much as 23 classes.
    weighted : bool
        Whether the metrics of a flat network are told weights.
    """
    metrics = "weighted_metrics" if weighted else "metrics"
    if is_flat(model):
        (output,) = outputs
        loss = kind_of(output).loss(options.loss, options.label_smoothing)
        several = len(model.output.shape) == 3
        losses = {
            "loss": loss_of_members(loss, model.output.shape[1]) if several else loss,
            "loss_weights": loss_scale(output),
            metrics: [] if several else kind_of(output).training_metrics(options.loss),
        }
    else:
        losses = {
            "loss": {output.name: kind_of(output).loss(options.loss, options.label_smoothing) for output in outputs},
            "loss_weights": {name: 1 / max(value, 1e-12) for name, value in constants.items()},
        }
    graph = keras.backend.backend() == "tensorflow" and not (compiled or weighted or tf.distribute.has_strategy())
    optimizer = optimizer_of(options, steps, IN_ONE if graph else {})
    model.compile(optimizer, steps_per_execution=steps_per_execution, jit_compile=compiled, **losses)
    if tf.distribute.has_strategy():
        # Keras makes the variables itself.
        return
    # Else Keras makes these variables while it traces the first step, and then has to trace it again.
    model.optimizer.build(model.trainable_variables)
    if losses.get(metrics):
        zeros = np.zeros((1, *model.output.shape[1:]), np.float32)
        model.compute_metrics(None, zeros, zeros)
        model.reset_metrics()


def loss_scale(output: Output) -> float:
    """Return the factor of an output's loss."""
    # A user's number may be of any size: its squared error counts in units of its own variance.
    return 1.0 if output.grid else output.spread**-2


def loss_of_rows(model: keras.Model, output: Output, options: TrainingOptions) -> Callable:
    """Return the loss of a flat network without its scale.

    Parameters
    ----------
    model, output, options : keras.Model, Output, TrainingOptions

    Returns
    -------
    callable
        Of targets and answers, ``(batch, ...)``, a value per object, ``(batch,)``.
    """
    loss = keras.losses.get(kind_of(output).loss(options.loss, options.label_smoothing))
    if len(model.output.shape) == 3:
        return loss_of_members(loss, model.output.shape[1])
    return loss.call if isinstance(loss, keras.losses.Loss) else loss


def loss_of_members(loss: keras.losses.Loss | Callable | str, members: int) -> Callable:
    """Let each member of an ensemble learn by itself: the mean of their losses.

    Parameters
    ----------
    loss : as Keras takes it
    members : int
    """
    found = keras.losses.get(loss)
    # A value per object, which may have a weight.
    one = found.call if isinstance(found, keras.losses.Loss) else found

    def mean(truth: keras.KerasTensor, answers: keras.KerasTensor) -> keras.KerasTensor:
        return sum(one(truth, answers[:, number]) for number in range(members)) / members

    return mean


def optimizer_of(
    options: TrainingOptions, steps: int, classes: Mapping[str, type[keras.optimizers.Optimizer]] = MappingProxyType({})
) -> keras.optimizers.Optimizer:
    """Make the optimizer with its schedule.

    Parameters
    ----------
    options : TrainingOptions
    steps : int
        Of one epoch.
    classes : mapping of str to type, optional
        Of optimizers that are not Keras' own, by name.
    """
    rate, schedules = options.learning_rate, keras.optimizers.schedules
    if options.schedule == "cosine":
        rate = schedules.CosineDecay(rate, options.epochs * steps)
    elif options.schedule == "step":
        rate = schedules.ExponentialDecay(rate, STEP_EPOCHS * steps, STEP_FACTOR, staircase=True)
    config = {"learning_rate": rate}
    if options.weight_decay:
        config["weight_decay"] = options.weight_decay
    if options.optimizer in classes:
        return classes[options.optimizer](**config)
    return keras.optimizers.get({"class_name": options.optimizer, "config": config})


def begin_at_constants(network: keras.Model, data: TrainingData) -> None:
    """Let a new flat network know the statistics of the training objects, and begin at the best constant."""
    adapt_to(network, data, data.inputs[0])
    _begin_heads(network, data)


def begin_fused(network: keras.Model, data: TrainingData, said: Mapping[str, np.ndarray]) -> None:
    """Let a new fused network know the statistics of what is said of the training objects, and begin at constants.

    Parameters
    ----------
    network : keras.Model
    data : TrainingData
    said : mapping of str to ndarray
        By input, of all training objects, see `pool.what_is_said`.
    """
    fusion = decider_of(network)
    for item, has in zip(data.inputs, data.present("train").T, strict=True):
        fusion.get_layer(f"{item.name}{STANDARD}").adapt(said[item.name][has])
    if WEIGHED in {layer.name for layer in fusion.layers}:
        names = [item.name for item in data.inputs]
        heard = [*(fusion.get_layer(f"{name}{SAID}").output for name in names), fusion.input[PRESENT]]
        weigh = keras.Model(heard, fusion.get_layer(WEIGHED).output)
        rows = slice(ADAPT_OBJECTS)
        shown = [*(said[name][rows] for name in names), data.present("train")[rows].astype(np.float32)]
        fusion.get_layer(f"{WEIGHED}{STANDARD}").adapt(weigh.predict_on_batch(shown))
    _begin_heads(network, data)


def adapt_to(network: keras.Model, data: TrainingData, item: Input) -> None:
    """Set the statistics of a network that sees one input from the training objects that have it.

    Parameters
    ----------
    network, data, item : keras.Model, TrainingData, Input
    """
    chunks = tf.data.Dataset.from_generator(
        lambda: map(_without_gaps, data.chunks("train", item.name, ADAPT_OBJECTS)),
        output_signature=tf.TensorSpec((None, *data.shapes()[item.name]), item.dtype),
    )
    adapt_normalisation(network, chunks)


def _begin_heads(network: keras.Model, data: TrainingData) -> None:
    for kind, known in _known_targets(data):
        for one in member_outputs(decider_of(network), kind.output):
            kind_of(one).head_of(decider_of(network)).bias.assign(kind.constant_bias(known))


def _without_gaps(chunk: np.ndarray) -> np.ndarray:
    """Choose the rows of a table that have everything; where few do, put medians where values are missing."""
    if chunk.ndim > 2 or chunk.dtype.kind != "f" or not (gaps := np.isnan(chunk)).any():
        return chunk
    whole = chunk[~gaps.any(axis=1)]
    if len(whole) >= FEWEST_WHOLE * len(chunk):
        return whole
    known = np.where(gaps.all(axis=0), 0, chunk)
    return np.where(gaps, np.nanmedian(known, axis=0), chunk)


def _known_targets(data: TrainingData) -> Iterator[tuple[Kind, np.ndarray]]:
    targets, _ = data.targets("train")
    for output in data.outputs:
        yield kind_of(output), targets[output.name][data.known("train", output.name)]


def constant_losses(data: TrainingData, options: TrainingOptions) -> dict[str, float]:
    """Compute each output's loss, on the training objects that have it, for the best constant."""
    losses = {}
    for kind, known in _known_targets(data):
        loss = keras.losses.get(kind.loss(options.loss, options.label_smoothing))
        constant = np.broadcast_to(kind.constant(known), (len(known), kind.output.size))
        losses[kind.output.name] = float(np.mean(loss(known, constant)))
    return losses
