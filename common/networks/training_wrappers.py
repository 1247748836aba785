"""What surrounds a network while it trains, and is not part of it when it is stored: feed, other views of an image."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from common.backend import keras
from common.networks.augment import augmentation
from common.networks.inputs import PRESENT
from common.networks.rewritten import rewritten
from common.networks.symmetry import TURNED

POSITION = "position"
"""Name of the input of a network whose objects live on the device."""
WHOLE_SHARE, HIDDEN_SHARE, ALONE_SHARE = 0.5, 0.3, 0.2
"""Shares of the loss: objects as they are, with inputs hidden at random, and each input alone (together)."""


class Resident(keras.layers.Layer):
    """Holds objects, ``(n, ...)``, in the memory of the device, and gathers a batch of them there."""

    def __init__(self, values: np.ndarray, **options):
        super().__init__(dtype=str(values.dtype), **options)
        self._values = keras.ops.convert_to_tensor(values)

    def call(self, position: keras.KerasTensor) -> keras.KerasTensor:
        """Return the objects at some positions, ``(batch, ...)``."""
        return keras.ops.take(self._values, position, axis=0)

    def compute_output_spec(self, position: keras.KerasTensor) -> keras.KerasTensor:
        """Return shape and dtype of a batch."""
        return keras.KerasTensor((*position.shape, *self._values.shape[1:]), dtype=self.dtype)


class HideInputs(keras.layers.Layer):
    """Shows each object several times while training: as it is, with inputs hidden at random, and each input alone.

    Parameters
    ----------
    rate : float
        Probability with which each input that an object has is hidden at random; never all of them.
    seed : int
    """

    def __init__(self, rate: float, seed: int, **options):
        super().__init__(**options)
        self.rate = rate
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, present: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        """Return presence, float32 ``(batch, inputs)``, while training ``((2 + inputs) * batch, inputs)``."""
        if not training:
            return present
        drawn = keras.random.uniform(keras.ops.shape(present), seed=self.generator, dtype="float32")
        drawn = keras.ops.where(present > 0, drawn, -1.0)
        last = drawn >= keras.ops.max(drawn, axis=1, keepdims=True)
        left = keras.ops.where(keras.ops.logical_or(drawn >= self.rate, last), present, 0.0)
        alone = [present * row for row in np.eye(present.shape[1], dtype=np.float32)]
        return keras.ops.concatenate([present, left, *alone])


class RepeatAs(keras.layers.Layer):
    """Repeats a batch of features as often as the presence does."""

    def call(self, features: keras.KerasTensor, present: keras.KerasTensor) -> keras.KerasTensor:
        """Return features ``(times * batch, n)``."""
        times = keras.ops.shape(present)[0] // keras.ops.shape(features)[0]
        return keras.ops.tile(features, (times, 1))


class HidingModel(keras.Model):
    """A network that is trained with `HideInputs`: every view of an object has the object's targets.

    Input alone, besides together: otherwise the input that is learnt fastest keeps the others from learning (Wang,
    Tran & Feiszli 2020, CVPR, arXiv:1905.12681).
    """

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Compare all views with the targets, `WHOLE_SHARE`, `HIDDEN_SHARE` and `ALONE_SHARE` of the loss.

        Parameters
        ----------
        x, y, y_pred, sample_weight, training
            As for `keras.Model.compute_loss`.
        """
        if training:
            present = x[PRESENT]
            count = present.shape[1]
            one = keras.ops.ones_like(present[:, 0])
            shares = [WHOLE_SHARE * one, HIDDEN_SHARE * one]
            shares += [ALONE_SHARE / count * present[:, column] for column in range(count)]
            views = (count + 2) * keras.ops.concatenate(shares)
            y = {name: keras.ops.tile(target, (count + 2, 1)) for name, target in y.items()}
            sample_weight = {name: views * keras.ops.tile(one, (count + 2,)) for name, one in sample_weight.items()}
        return super().compute_loss(x, y, y_pred, sample_weight, training)


def member_answers(network: keras.Model) -> list[keras.KerasTensor]:
    """List what each member of an ensemble answers, ``(batch, size)``."""
    last = network.layers[-1]
    return list(last.input) if isinstance(last, keras.layers.Average) else []


def training_model(
    network: keras.Model,
    augment: str = "none",
    seed: int = 0,
    values: np.ndarray | None = None,
    tables: Mapping[str, list[keras.layers.Layer]] | None = None,
    rewrite: bool = False,
) -> keras.Model:
    """Make the model that is trained out of the network that is stored.

    Parameters
    ----------
    network : keras.Model
        From `build.build_flat`.
    augment, seed : str, int
        See `augment.augmentation`, for images and cut-outs.
    values : ndarray, shape (n, ...), optional
        All objects of its input, to be held on the device.
    tables : mapping of str to list of Layer, optional
        By input, what varies a table; see `augment_tables.table_layers`.
    rewrite : bool
        Compute the same by operations that are faster on a CPU; see `rewritten.rewritten`.

    Returns
    -------
    keras.Model
        Shares the network's weights. Its inputs, or ``{"position": (batch,)}`` of objects in `values`; its outputs.
    """
    (name,) = network.input
    if len(members := member_answers(network)) > 1:
        network = keras.Model(network.input, keras.ops.stack(members, axis=1), name=network.name)
    if rewrite:
        network = rewritten(network)
    like = network.input[name]
    varying = augmentation(augment, name, seed, like.dtype) if name in TURNED else (tables or {}).get(name, [])
    if values is None and not varying:
        return network
    if values is not None:
        inputs = {POSITION: keras.Input((), dtype="int64", name=POSITION)}
        seen = Resident(values)(inputs[POSITION])
    else:
        inputs = {name: keras.Input(like.shape[1:], dtype=like.dtype, name=name)}
        seen = inputs[name]
    for layer in varying:
        seen = layer(seen)
    return keras.Model(inputs, network({name: seen}), name=f"{network.name}_training")


def hiding_model(network: keras.Model, hide: float, seed: int) -> keras.Model:
    """Make the model that is trained out of a joint network.

    Parameters
    ----------
    network : keras.Model
        From `fused.joint_network`.
    hide : float
        Probability with which each present input is hidden; with 0 nothing is, and no input is shown alone.
    seed : int
        Of what is hidden.

    Returns
    -------
    keras.Model
        Shares the network's weights, has its inputs and outputs.
    """
    names = [key for key in network.input if key != PRESENT]
    if not hide or len(names) < 2:
        return network
    inputs = {key: keras.Input(like.shape[1:], dtype=like.dtype, name=key) for key, like in network.input.items()}
    present = HideInputs(hide, seed, dtype="float32")(inputs[PRESENT])
    views = {key: RepeatAs(dtype="float32")(inputs[key], present) for key in names}
    return HidingModel(inputs, network(views | {PRESENT: present}), name=f"{network.name}_training")
