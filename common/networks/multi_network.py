"""A network with several inputs and outputs: one encoder per input, any subset of them present, one head per output."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from common.backend import keras
from common.networks.augment import TURNED, augmentation
from common.networks.inputs import enter
from common.networks.training_wrappers import PRESENT, HideInputs, HidingModel, RepeatAs
from common.outputs.kinds import kind_of
from sdss_gs.schema import INPUTS, OUTPUTS

ENCODER, FUSION = "_encoder", "fusion"


def build_multi(
    shapes: Mapping[str, tuple[int, ...]],
    outputs: tuple[str, ...],
    functions: Mapping[str, Callable],
    name: str,
    stretch: str = "asinh",
) -> keras.Model:
    """Put inputs, a model folder's functions and the outputs' heads together.

    Parameters
    ----------
    shapes : dict of str to tuple of int
        Shape of one object's array, by input.
    outputs : tuple of str
    functions : dict of str to callable
        The model folder's: one encoder per input, by its name, which turns a KerasTensor ``(batch, ...)`` into
        features ``(batch, n)``; and ``fuse``, which turns a dict of the encoders' features, zero where the input is
        missing, the presence, float32 ``(batch, inputs)``, and an `Output` into that output's features ``(batch, m)``.
    name : str
    stretch : str
        See `inputs.enter`.

    Returns
    -------
    keras.Model
        Inputs ``{input: (batch, ...)}`` and ``present``, float32 ``(batch, inputs)``, 1 where an object has the input
        and 0 where not, in the order of `shapes`; what stands in a missing input has no influence. Output
        ``{output: (batch, 1) or (batch, classes)}``.
    """
    inputs = {key: keras.Input(shape, dtype=INPUTS[key].dtype, name=key) for key, shape in shapes.items()}
    present = keras.Input((len(shapes),), dtype="float32", name=PRESENT)
    encoded = {}
    for key, values in inputs.items():
        entry = keras.Input(shapes[key], dtype=INPUTS[key].dtype, name=key)
        features = functions[key](enter(INPUTS[key], entry, stretch))
        encoded[key] = keras.Model(entry, features, name=f"{key}{ENCODER}")(values)
    fusion = _fusion(encoded, outputs, functions["fuse"])
    return keras.Model(inputs | {PRESENT: present}, fusion(encoded | {PRESENT: present}), name=name)


def _fusion(encoded: Mapping[str, keras.KerasTensor], outputs: tuple[str, ...], fuse: Callable) -> keras.Model:
    """Make the part of the network behind the encoders a model of its own, which training uses on several views."""
    features = {key: keras.Input(like.shape[1:], dtype="float32", name=key) for key, like in encoded.items()}
    present = keras.Input((len(encoded),), dtype="float32", name=PRESENT)
    # A choice, not a product: NaN times zero would be NaN.
    seen = {
        key: keras.ops.where(has > 0, values, 0.0)
        for has, (key, values) in zip(keras.ops.split(present, len(features), axis=1), features.items(), strict=True)
    }
    heads = {key: kind_of(OUTPUTS[key]).attach_head(fuse(seen, present, OUTPUTS[key])) for key in outputs}
    return keras.Model(features | {PRESENT: present}, heads, name=FUSION)


def surround_multi(network: keras.Model, augment: str, dropout: float, seed: int) -> keras.Model:
    """Make the model that is trained out of the network that is stored.

    Parameters
    ----------
    network : keras.Model
        From `build_multi`.
    augment : str
        See `augment.augmentation`; for images and cut-outs.
    dropout : float
        Probability with which each present input is hidden; with 0 nothing is, and no input is shown alone.
    seed : int

    Returns
    -------
    keras.Model
        Same inputs and outputs; shares the network's weights.
    """
    inputs = {key: keras.Input(like.shape[1:], dtype=like.dtype, name=key) for key, like in network.input.items()}
    seen, name = dict(inputs), f"{network.name}_training"
    for key in (key for key in TURNED if key in inputs):
        for layer in augmentation(augment, key, seed, inputs[key].dtype):
            seen[key] = layer(seen[key])
    names = [key for key in inputs if key != PRESENT]
    if not dropout or len(names) == 1:
        return keras.Model(inputs, network(seen), name=name)
    present = HideInputs(dropout, seed, dtype="float32")(seen[PRESENT])
    # Encoders, where the arithmetic is, compute once for all views of an object.
    encoded = {key: network.get_layer(f"{key}{ENCODER}")(seen[key]) for key in names}
    views = {key: RepeatAs(dtype="float32")(features, present) for key, features in encoded.items()}
    return HidingModel(inputs, network.get_layer(FUSION)(views | {PRESENT: present}), name=name)
