"""Many steps as one program that XLA compiles: a small network takes longer to start a step than for the step."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np

from common.backend import keras, tf
from common.networks.layers import layers_within
from common.training.device import Device

PAYS = 4_000
"""Steps of a run from which on compiling, 1 to 3 s of a processor, costs less than it saves."""
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


def run_as_programs(model: keras.Model) -> None:
    """Let a model, after its `compile`, train and validate on blocks of batches, see `batches.make_blocks`.

    A step is Keras' own: loss, gradients, optimizer, metrics. An incomplete batch is filled with objects of weight 0.

    Parameters
    ----------
    model : keras.Model
        Of one input and output, with ``weighted_metrics`` instead of ``metrics``.
    """
    loss_of_epoch = next(metric for metric in model.metrics if metric.name == "loss")

    def measured(batch: Mapping[str, tf.Tensor], training: bool) -> tf.Tensor:
        answers = model(batch["inputs"], training=training)
        loss = model.compute_loss(batch["inputs"], batch["target"], answers, batch["weight"], training=training)
        loss_of_epoch.update_state(loss, sample_weight=batch["objects"])
        model.compute_metrics(batch["inputs"], batch["target"], answers, sample_weight=batch["real"])
        return loss

    def learn(batch: Mapping[str, tf.Tensor]) -> None:
        with tf.GradientTape() as tape:
            loss = measured(batch, True)
        model.optimizer.apply(tape.gradient(loss, model.trainable_weights), model.trainable_weights)

    # To Keras a block is a step.
    model.steps_per_execution = 1
    model.train_function = _program(model, learn)
    model.test_function = _program(model, lambda batch: measured(batch, False))


def _program(model: keras.Model, step: Callable[[Mapping[str, tf.Tensor]], object]) -> Callable[[Iterator], dict]:
    """Make what Keras calls with an iterator of blocks: it takes one and runs a step for each of its batches."""

    @tf.function(jit_compile=True, reduce_retracing=True)
    def run(block: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        rows = tf.range(tf.shape(block["target"])[1])
        # Their number is no constant: the last block of an epoch has fewer than it has room for.
        for number in tf.range(block["steps"]):
            objects = block["objects"][number]
            real = tf.cast(rows < objects, tf.float32)
            # Keras divides the sum over a batch by its size.
            full = tf.cast(len(rows), tf.float32) / tf.cast(objects, tf.float32)
            step(
                {
                    "inputs": {name: values[number] for name, values in block["inputs"].items()},
                    "target": block["target"][number],
                    "weight": block["weight"][number] * real * full,
                    "real": real,
                    "objects": objects,
                }
            )
        return model.get_metrics_result()

    return lambda iterator: {name: float(value) for name, value in run(next(iterator)).items()}
