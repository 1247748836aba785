"""Whether a network's steps are quicker in bfloat16: on a processor that only a measurement tells."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import numpy as np

from common.backend import forget_networks, keras, tf
from common.networks.rewritten import rewritten
from common.training.device import PRECISIONS, Device

TIMED = 3
"""Steps of each that are timed, after one that is traced."""


def timed(device: Device, build: Callable[[], keras.Model], inputs: dict[str, np.ndarray]) -> Device:
    """Choose between bfloat16, which a device may be quicker in, and float32, by some steps of each.

    Parameters
    ----------
    device : Device
        Of bfloat16.
    build : callable
        Makes the network.
    inputs : dict of str to ndarray
        A batch of its inputs.

    Returns
    -------
    Device
        Of the quicker precision, which Keras then has as its policy; with the reason.
    """
    seconds = {precision: _seconds(precision, build, inputs) for precision in ("float32", device.precision)}
    forget_networks()
    share = seconds[device.precision] / seconds["float32"]
    chosen = device.precision if share < 1 else "float32"
    keras.config.set_dtype_policy(PRECISIONS[chosen])
    return replace(device, precision=chosen, why=f"a step in {device.precision} takes {share:.2f} of float32's time")


def _seconds(precision: str, build: Callable[[], keras.Model], inputs: dict[str, np.ndarray]) -> float:
    """Time the gradients of a batch."""
    keras.config.set_dtype_policy(PRECISIONS[precision])
    network, took = rewritten(build()), []

    @tf.function
    def step() -> list[tf.Tensor]:
        with tf.GradientTape() as tape:
            loss = sum(tf.reduce_mean(one) for one in tf.nest.flatten(network(inputs, training=True)))
        return tape.gradient(loss, network.trainable_weights)

    for _ in range(1 + TIMED):
        began = time.perf_counter()
        step()
        took.append(time.perf_counter() - began)
    return min(took[1:])
