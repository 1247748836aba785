"""Many steps as one program that XLA compiles: a small network takes longer to start a step than for the step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial

import numpy as np

from common.backend import keras, tf
from common.data.batches import Blocks
from common.networks.layers import layers_within
from common.training.device import Device

PAYS = 3_000
"""Steps of a run from which on it pays to compile: that takes 0.7 to 1.1 s more of a processor than tracing alone, and
saves 0.2 ms of each step of b2r's reference network, 0.35 ms of the fast one's."""
WORK, MOST = 2**34, 2**14
"""Multiplications and additions of a program, and steps: it takes half a second, after which Ctrl-C is looked at."""


def pays(device: Device, network: keras.Model, steps: int) -> bool:
    """Tell whether steps should be run as programs.

    On a CPU that is so for networks of dense layers; what convolves is ten times slower there under XLA.

    Parameters
    ----------
    device : Device
    network : keras.Model
        With one input.
    steps : int
        Of all epochs of the run.
    """
    convolves = any("Conv" in type(layer).__name__ for layer in layers_within(network))
    return device.kind == "CPU" and not device.jax and not convolves and steps >= PAYS


def steps_of_program(network: keras.Model, batch_size: int) -> int:
    """Choose how many steps a program should have at most."""
    return int(np.clip(WORK // (6 * network.count_params() * batch_size), 1, MOST))


def run_as_programs(model: keras.Model, training: Blocks, validation: Blocks) -> None:
    """Let a model, after its `compile`, train and validate on blocks of batches; it is fed their numbers.

    A step is Keras' own: loss, gradients, optimizer, metrics. An incomplete batch is filled with objects of weight 0.

    Parameters
    ----------
    model : keras.Model
        Of one input and output, with ``weighted_metrics`` instead of ``metrics``.
    training, validation : Blocks
    """
    loss_of_epoch = next(metric for metric in model.metrics if metric.name == "loss")
    before, network = halves(model)
    (name,) = model.input

    def measured(batch: Mapping[str, tf.Tensor], training: bool) -> tf.Tensor:
        inputs = batch["inputs"] if before else {name: batch["inputs"]}
        answers = network(inputs, training=training)
        loss = model.compute_loss(inputs, batch["target"], answers, batch["weight"], training=training)
        loss_of_epoch.update_state(loss, sample_weight=batch["objects"])
        model.compute_metrics(inputs, batch["target"], answers, sample_weight=batch["real"])
        return loss

    def learn(batch: Mapping[str, tf.Tensor]) -> None:
        with tf.GradientTape() as tape:
            loss = measured(batch, True)
        model.optimizer.apply(tape.gradient(loss, model.trainable_weights), model.trainable_weights)

    def step(number: tf.Tensor, block: Mapping[str, tf.Tensor], do: Callable) -> None:
        objects = block["objects"][number]
        rows = tf.range(tf.shape(block["target"])[1])
        real = tf.cast(rows < objects, tf.float32)
        # Keras divides the sum over a batch by its size.
        full = tf.cast(len(rows), tf.float32) / tf.cast(objects, tf.float32)
        do(
            {
                "inputs": block["inputs"][number],
                "target": block["target"][number],
                "weight": block["weight"][number] * real * full,
                "real": real,
                "objects": objects,
            }
        )

    # To Keras a block is a step.
    model.steps_per_execution = 1
    train = over_steps(partial(step, do=learn), before, name, True)
    validate = over_steps(partial(step, do=partial(measured, training=False)), before, name, False)
    model.train_function = partial(_told, model, train, training)
    model.test_function = partial(_told, model, validate, validation)


def _told(model: keras.Model, run: Callable, blocks: Blocks, numbers: Iterator) -> dict[str, float]:
    """Do what Keras asks for with an iterator of blocks' numbers: take one, and tell it the metrics so far."""
    run(blocks.take(int(next(numbers))))
    return {name: float(value) for name, value in model.get_metrics_result().items()}


def over_steps(
    step: Callable[[tf.Tensor, Mapping], object], before: keras.Model | None, name: str, training: bool
) -> Callable:
    """Make a program that runs a step for each batch of a block.

    Parameters
    ----------
    step : callable
        Takes the number of the batch, and the block.
    before : keras.Model, optional
        What all of the block's inputs pass through at once, before the first step; see `halves`.
    name : str
        Of its input.
    training : bool

    Returns
    -------
    callable
        Takes a block.
    """

    @tf.function(jit_compile=True, reduce_retracing=True)
    def run(block: dict[str, tf.Tensor]) -> None:
        if before is not None:
            # All axes but the last belong to the rows: steps, networks, objects.
            inputs = block["inputs"]
            seen = before({name: tf.reshape(inputs, (-1, inputs.shape[-1]))}, training=training)
            block = block | {"inputs": tf.reshape(seen, (*inputs.shape[:-1], seen.shape[-1]))}
        # Their number is no constant: the last block of an epoch has fewer than it has room for.
        for number in tf.range(block["steps"]):
            step(number, block)

    return run


def halves(model: keras.Model) -> tuple[keras.Model | None, keras.Model]:
    """Part a network of rows before its first layer that learns.

    What does not learn, such as colours and their statistics, noise and hidden magnitudes, is a dozen small operations:
    for a whole block at once they cost little, in each step as much as the rest of a small network.

    Parameters
    ----------
    model : keras.Model
        With one input ``(batch, n)``; perhaps layers that vary it, with the network behind them.

    Returns
    -------
    before : keras.Model or None
        None where the network cannot be parted.
    network : keras.Model
        Shares the model's weights.
    """
    try:
        network, seen = model, None
        if isinstance(model.layers[-1], keras.Model):
            network, seen = model.layers[-1], model.layers[-2].output
        learns = next(layer for layer in network.layers if layer.trainable_variables)
        before, behind = keras.Model(network.inputs, learns.input), keras.Model(learns.input, network.output)
        return keras.Model(model.input, before(seen)) if seen is not None else before, behind
    except (StopIteration, ValueError):
        return None, model
