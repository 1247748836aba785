"""Give a network its loss, optimizer and schedule, and its first weights."""

from __future__ import annotations

import numpy as np

from common.backend import keras, tf
from common.data.multi_data import MultiData
from common.networks.build import adapt_normalisation
from common.networks.multi_network import ENCODER, FUSION
from common.outputs.kinds import kind_of
from sdss_gs.schema import INPUTS, OUTPUTS, Output

STEP_EPOCHS, STEP_FACTOR = 10, 0.5
"""The ``step`` schedule of the predecessor: half the rate every ten epochs."""


def compile_model(
    model: keras.Model, output: Output, options: dict, steps: int, steps_per_execution: int, compiled: bool = False
) -> None:
    """Give the model its loss, optimizer and schedule.

    Parameters
    ----------
    steps : int
        Steps of one epoch.
    steps_per_execution : int
    compiled : bool
        Compile with XLA, which pays on GPUs; on a CPU it is ten times slower than TensorFlow's graph for the reference
        networks. JAX has nothing else.
    """
    model.compile(
        optimizer=optimizer_of(options, steps),
        loss=kind_of(output).loss(options),
        # A user's number may be of any size: its squared error counts in units of its own variance.
        loss_weights=output.spread**-2,
        metrics=kind_of(output).training_metrics(options),
        steps_per_execution=steps_per_execution,
        jit_compile=compiled,
    )


def optimizer_of(options: dict, steps: int) -> keras.optimizers.Optimizer:
    """Make the optimizer with its schedule; `steps` is the number of steps of one epoch."""
    rate = options["learning_rate"]
    if options["schedule"] == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, options["epochs"] * steps)
    elif options["schedule"] == "step":
        rate = keras.optimizers.schedules.ExponentialDecay(rate, STEP_EPOCHS * steps, STEP_FACTOR, staircase=True)
    config = {"learning_rate": rate}
    if decay := options.get("weight_decay"):
        config["weight_decay"] = decay
    return keras.optimizers.get({"class_name": options["optimizer"], "config": config})


def begin_at_constants(network: keras.Model, data: MultiData) -> None:
    """Adapt each encoder's statistics to the training objects that have its input; set each head's bias."""
    for name in data.inputs:
        chunks = tf.data.Dataset.from_generator(
            lambda name=name: data.chunks(name),
            output_signature=tf.TensorSpec((None, *data.shapes()[name]), INPUTS[name].dtype),
        )
        adapt_normalisation(network.get_layer(f"{name}{ENCODER}"), chunks)
    targets, weights = data.targets("train")
    for name in data.outputs:
        known = targets[name][weights[name] > 0]
        kind = kind_of(OUTPUTS[name])
        kind.head_of(network.get_layer(FUSION)).bias.assign(kind.constant_bias(known))


def constant_losses(data: MultiData, options: dict) -> dict[str, float]:
    """Compute each output's loss, on the training objects that have it, for the best constant."""
    targets, weights = data.targets("train")
    found = {}
    for name in data.outputs:
        kind, known = kind_of(OUTPUTS[name]), targets[name][weights[name] > 0]
        loss = keras.losses.get(kind.loss(options))
        found[name] = float(np.mean(loss(known, np.broadcast_to(kind.constant(known), known.shape))))
    return found


def compile_multi(
    model: keras.Model, data: MultiData, options: dict, steps: int, together: int, compiled: bool
) -> None:
    """Give the model its losses, each divided by its value for the best constant, optimizer and schedule.

    All losses so begin at 1, whatever their unit: a redshift in hundredths counts as much as 23 classes.
    """
    model.compile(
        optimizer=optimizer_of(options, steps),
        loss={name: kind_of(OUTPUTS[name]).loss(options) for name in data.outputs},
        loss_weights={name: 1 / max(value, 1e-12) for name, value in constant_losses(data, options).items()},
        steps_per_execution=together,
        jit_compile=compiled,
    )
