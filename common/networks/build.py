"""Build a network: inputs, a model folder's features, and the outputs' heads.

A *flat* network leads from its one input straight to its one output. A *fused* one has an encoder for each input, of
which any may be missing, and behind them a part of its own, the fusion, with a head for each output.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from common.backend import keras, tf
from common.networks.inputs import ENCODER, FUSION, PRESENT, enter
from common.networks.layers import normalisations
from common.networks.parts import MEMBER
from common.outputs.kinds import kind_of
from sdss_gs.schema import Input, Output


def build_flat(
    item: Input,
    output: Output,
    shape: tuple[int, ...],
    features: Callable,
    name: str,
    stretch: str = "asinh",
    members: int = 1,
) -> keras.Model:
    """Put input, a model folder's features and the output's head together.

    Parameters
    ----------
    item, output : Input, Output
    shape : tuple of int
        Shape of one object, as the data set has it.
    features : callable
        The model folder's function.
    name : str
    stretch : str
        See `inputs.enter`.
    members : int
        Of an ensemble: as many networks side by side, whose mean is the output (deep ensembles: Lakshminarayanan,
        Pritzel & Blundell 2017, NeurIPS 30, 6402).

    Returns
    -------
    keras.Model
        Input ``{item.name: (batch, *shape)}``, output ``(batch, 1)`` or ``(batch, classes)``.
    """
    inputs = keras.Input(shape, dtype=item.dtype, name=item.name)
    entered = enter(item, inputs, stretch)
    if members == 1:
        return keras.Model({item.name: inputs}, kind_of(output).attach_head(features(entered)), name=name)
    own = [replace(output, name=f"{output.name}{MEMBER}{number}") for number in range(members)]
    answers = [kind_of(one).attach_head(features(entered)) for one in own]
    mean = keras.layers.Average(dtype="float32", name=output.name)(answers)
    return keras.Model({item.name: inputs}, mean, name=name)


def build_fused(
    inputs: Sequence[Input],
    outputs: Sequence[Output],
    shapes: Mapping[str, tuple[int, ...]],
    functions: Mapping[str, Callable],
    name: str,
    stretch: str = "asinh",
) -> keras.Model:
    """Put inputs, a model folder's functions and the outputs' heads together.

    Parameters
    ----------
    inputs, outputs : sequence of Input, of Output
    shapes : mapping of str to tuple of int
        Shape of one object's array, by input.
    functions : mapping of str to callable
        The model folder's: one encoder per input, by its name, which turns a KerasTensor ``(batch, ...)`` into
        features ``(batch, n)``; and ``fuse``, which turns a dict of the encoders' features, zero where the input is
        missing, the presence, float32 ``(batch, inputs)``, and an `Output` into that output's features ``(batch, m)``.
    name, stretch
        As for `build_flat`.

    Returns
    -------
    keras.Model
        Inputs ``{input: (batch, ...)}`` and ``present``, float32 ``(batch, inputs)``, 1 where an object has the input
        and 0 where not, in the order of `inputs`; what stands in a missing input has no influence. Output
        ``{output: (batch, 1) or (batch, classes)}``.
    """
    entries = {item.name: keras.Input(shapes[item.name], dtype=item.dtype, name=item.name) for item in inputs}
    present = keras.Input((len(inputs),), dtype="float32", name=PRESENT)
    encoded = {}
    for item in inputs:
        entry = keras.Input(shapes[item.name], dtype=item.dtype, name=item.name)
        encoder = keras.Model(entry, functions[item.name](enter(item, entry, stretch)), name=f"{item.name}{ENCODER}")
        encoded[item.name] = encoder(entries[item.name])
    fusion = _fusion(encoded, outputs, functions["fuse"])
    return keras.Model(entries | {PRESENT: present}, fusion(encoded | {PRESENT: present}), name=name)


def _fusion(encoded: Mapping[str, keras.KerasTensor], outputs: Sequence[Output], fuse: Callable) -> keras.Model:
    """Make the part of the network behind the encoders a model of its own, which training uses on several views."""
    features = {key: keras.Input(like.shape[1:], dtype="float32", name=key) for key, like in encoded.items()}
    present = keras.Input((len(encoded),), dtype="float32", name=PRESENT)
    # A choice, not a product: NaN times zero would be NaN.
    seen = {
        key: keras.ops.where(has > 0, values, 0.0)
        for has, (key, values) in zip(keras.ops.split(present, len(features), axis=1), features.items(), strict=True)
    }
    heads = {output.name: kind_of(output).attach_head(fuse(seen, present, output)) for output in outputs}
    return keras.Model(features | {PRESENT: present}, heads, name=FUSION)


def architecture(model: keras.Model) -> list[str]:
    """Describe a network, a line per layer: name, type, output shape, parameters."""
    lines = []
    for layer in model.layers:
        named = isinstance(layer.output, dict)
        shapes = [f"{key} {one.shape}" for key, one in layer.output.items()] if named else [str(layer.output.shape)]
        lines.append(f"{layer.name:<24}{type(layer).__name__:<18}{', '.join(shapes):<28}{layer.count_params():>12,}")
    return lines


def adapt_normalisation(model: keras.Model, chunks: tf.data.Dataset) -> None:
    """Set the statistics of the model's `Normalization` layers from chunks of its input, ``(m, *shape)``."""
    for layer in normalisations(model):
        # What it sees may be derived from the input, as colours are from magnitudes.
        before = keras.Model(model.inputs, layer.input)
        if keras.backend.backend() == "tensorflow":
            layer.adapt(chunks.map(lambda values, before=before: before([values])))
        else:
            layer.adapt(before([values]) for values in chunks.as_numpy_iterator())
