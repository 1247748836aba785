"""Build a network of several inputs out of trained networks with one each: the *base networks*.

    image   ── networks of the image ────┐
    spectrum ─ networks of the spectrum ─┤ missing: zero
    ...                                  ├─ what they say ─ joint network ─┐
    WISE    ── networks of WISE ─────────┘                                 │
                        └──────────── their answers ───────────────────────┴─ pool, for each output

The base networks keep their weights. Those of one input are its *encoder*, behind which the *fusion* works with what
they say: it needs no pixel, so it learns in seconds. The *joint network* sees what all of them say of all outputs, and
answers too (stacked generalisation: Wolpert 1992, Neural Networks 5, 241); features of the base networks would tell it
more, but of objects that they know by heart. The *pool* weighs the answers of base networks and joint network, each by
what it is worth beside what else is there: distributions and probabilities by a logarithmic pool, in which whoever is
sure of a galaxy counts more (Genest & Zidek 1986, Statist. Sci. 1, 114), other numbers by their weighted mean. With
weights chosen on objects that nobody learnt from, it is hardly worse than the best of those it weighs, whatever is
missing (van der Laan, Polley & Hubbard 2007, Stat. Appl. Genet. Mol. Biol. 6, 25).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from common.backend import keras
from common.networks.fast import FARTHEST, magnitudes_and_colours
from common.networks.inputs import ENCODER, FUSION, PRESENT
from common.outputs.kinds import kind_of
from sdss_gs.schema import Input, Output

layers, ops = keras.layers, keras.ops
SAID, ANSWERS, VALUES, STANDARD = "_said", "_answers", "_values", "_standard"
"""Ends of the names of layers: what an input's networks say to the joint network, what they answer, a table's own
values; and what is said, standardised."""
WEIGHED = "weighed"
"""What the networks of all inputs say together of each number."""
WEIGHTS, SHARPNESS, POOLED = "_weights", "_sharpness", "_pooled"
"""Ends of the names of layers of an output: two that hold the weights of the pool, and the pool's answer."""
SMALLEST_SHARE = 1e-12


@dataclass(frozen=True)
class BaseNetwork:
    """A trained network with one input and one output.

    Parameters
    ----------
    network : keras.Model
        From `build.build_flat`, with its weights.
    output : Output
        With the bins that it learnt.
    address : str
        Where it is from: a version, or a run.
    """

    network: keras.Model
    output: Output
    address: str


def pooled_by_logarithms(output: Output) -> bool:
    """Tell whether answers are shares that sum to 1: of the bins of a distribution, or of classes."""
    return bool(output.grid or output.classes)


def build_encoder(
    item: Input, shape: tuple[int, ...], outputs: Sequence[Output], bases: Mapping[str, BaseNetwork]
) -> keras.Model:
    """Put the base networks of one input side by side.

    Parameters
    ----------
    item : Input
    shape : tuple of int
        Of one object.
    outputs : sequence of Output
        With the bins that the fused network gives.
    bases : mapping of str to BaseNetwork
        By output.

    Returns
    -------
    keras.Model
        Input ``(batch, *shape)``; output ``(batch, m)``: what is said to the joint network, and then the answers,
        shares as their logarithms.
    """
    entry = keras.Input(shape, dtype=item.dtype, name=item.name)
    said, answers = [], []
    for output in outputs:
        base = bases[output.name]
        # Under a name of its own: folders lend their networks to outputs that have none.
        network = keras.Model(base.network.input, base.network.output, name=f"{item.name}_{output.name}")
        network.trainable = False
        answer = network({item.name: entry})
        if output.grid:
            answer = _in_bins(answer, base.output.grid, output)
            middles = _fixed((np.array(output.grid[1:]) + output.grid[:-1])[:, None] / 2, f"{output.name}_middles")
            said += [middles(answer), -ops.sum(answer * _logarithms(answer), axis=1, keepdims=True)]
        else:
            said.append(answer)
        answers.append(_logarithms(answer) if pooled_by_logarithms(output) else answer)
    if item.columns:
        values = keras.Input(shape, dtype=item.dtype, name=item.name)
        features = magnitudes_and_colours(values, len(item.magnitudes))
        said.append(keras.Model(values, features, name=f"{item.name}{VALUES}")(entry))
    return keras.Model(entry, layers.Concatenate(dtype="float32")([*said, *answers]), name=f"{item.name}{ENCODER}")


def _fixed(matrix: np.ndarray, name: str) -> keras.layers.Layer:
    """Make a layer that multiplies by a matrix: held as weights, where constants would be written as text."""
    layer = layers.Dense(matrix.shape[1], use_bias=False, trainable=False, dtype="float32", name=name)
    layer.build((None, len(matrix)))
    layer.kernel.assign(matrix.astype(np.float32))
    return layer


def _in_bins(shares: keras.KerasTensor, grid: tuple[float, ...], output: Output) -> keras.KerasTensor:
    """Turn shares of some bins into shares of an output's bins; what lies beyond these goes to the outermost."""
    if grid == output.grid:
        return shares
    old, new = np.asarray(grid), np.array(output.grid)
    new[0], new[-1] = min(new[0], old[0]), max(new[-1], old[-1])
    overlap = np.minimum(old[1:, None], new[None, 1:]) - np.maximum(old[:-1, None], new[None, :-1])
    return _fixed(np.maximum(overlap, 0) / np.diff(old)[:, None], f"{output.name}_bins")(shares)


def _logarithms(shares: keras.KerasTensor) -> keras.KerasTensor:
    return ops.log(ops.maximum(shares, SMALLEST_SHARE))


def build_fused(
    inputs: Sequence[Input],
    outputs: Sequence[Output],
    encoders: Mapping[str, keras.Model],
    fuse: Callable,
    name: str,
) -> keras.Model:
    """Put encoders and the fusion of what they say together.

    Parameters
    ----------
    inputs, outputs : sequence of Input, of Output
    encoders : mapping of str to keras.Model
        By input, from `build_encoder`.
    fuse : callable
        The model folder's: turns a dict by input of what is said, standardised, ``(batch, n)``, zero where the input is
        missing, the presence, float32 ``(batch, inputs)``, and an `Output` into that output's features ``(batch, m)``.
    name : str

    Returns
    -------
    keras.Model
        Inputs ``{input: (batch, ...)}`` and ``present``, float32 ``(batch, inputs)``, 1 where an object has the input
        and 0 where not, in the order of `inputs`; what stands in a missing input has no influence. Output
        ``{output: (batch, 1) or (batch, classes)}``.
    """
    entries = {
        item.name: keras.Input(encoders[item.name].input.shape[1:], dtype=item.dtype, name=item.name) for item in inputs
    }
    present = keras.Input((len(inputs),), dtype="float32", name=PRESENT)
    encoded = {key: encoders[key](entry) for key, entry in entries.items()}
    fusion = _fusion(encoded, outputs, fuse)
    return keras.Model(entries | {PRESENT: present}, fusion(encoded | {PRESENT: present}), name=name)


def _fusion(encoded: Mapping[str, keras.KerasTensor], outputs: Sequence[Output], fuse: Callable) -> keras.Model:
    """Make the part of the network behind the encoders, a model of its own."""
    features = {key: keras.Input(like.shape[1:], dtype="float32", name=key) for key, like in encoded.items()}
    present = keras.Input((len(encoded),), dtype="float32", name=PRESENT)
    has = dict(
        zip(features, ops.split(present, len(features), axis=1) if len(features) > 1 else [present], strict=True)
    )
    sizes = [output.size for output in outputs]
    seen, heard, answers = {}, {}, {output.name: [] for output in outputs}
    for key, values in features.items():
        first = values.shape[1] - sum(sizes)
        # A choice, not a product: NaN times zero would be NaN.
        parts = ops.split(
            ops.where(has[key] > 0, values, 0.0), [first, *(first + np.cumsum(sizes[:-1])).tolist()], axis=1
        )
        said = layers.Identity(dtype="float32", name=f"{key}{SAID}")(parts[0])
        standard = layers.Normalization(dtype="float32", name=f"{key}{STANDARD}")(said)
        seen[key], heard[key] = ops.clip(standard, -FARTHEST, FARTHEST) * has[key], said
        for output, part in zip(outputs, parts[1:], strict=True):
            answers[output.name].append(layers.Identity(dtype="float32", name=f"{key}_{output.name}{ANSWERS}")(part))
    if any(output.grid for output in outputs):
        weighed = layers.Concatenate(dtype="float32", name=WEIGHED)(_weighed(heard, has, outputs))
        seen[WEIGHED] = layers.Normalization(dtype="float32", name=f"{WEIGHED}{STANDARD}")(weighed)
    together = {output.name: kind_of(output).attach_head(fuse(seen, present, output)) for output in outputs}
    pooled = {output.name: _pool([*answers[output.name], together[output.name]], present, output) for output in outputs}
    return keras.Model(features | {PRESENT: present}, pooled, name=FUSION)


def _weighed(
    said: Mapping[str, keras.KerasTensor], has: Mapping[str, keras.KerasTensor], outputs: Sequence[Output]
) -> list[keras.KerasTensor]:
    """Weigh the means of distributions by their precisions, as far as entropies tell these: ``(batch, 1)`` each.

    So the joint network need not find out for each set of inputs whose redshift it had better believe.
    """
    found, first = [], 0
    for output in outputs:
        if output.grid:
            middles, precisions = [], []
            for key, values in said.items():
                parts = ops.split(values, [first, first + 1, first + 2], axis=1)
                middles.append(parts[1])
                precisions.append(ops.exp(-2 * parts[2]) * has[key])
            total = sum(precisions) + SMALLEST_SHARE
            found.append(sum(one * of for one, of in zip(middles, precisions, strict=True)) / total)
            found.append(-0.5 * ops.log(total))
        first += 2 if output.grid else output.size
    return found


def _pool(answers: Sequence[keras.KerasTensor], present: keras.KerasTensor, output: Output) -> keras.KerasTensor:
    """Weigh the answers of the base networks, and the last one, of the joint network, by which inputs are there."""
    many = len(answers)
    # The joint network always has an answer. Whoever has none weighs e⁻³⁰ of the others.
    there = ops.concatenate([present, ops.ones_like(ops.split(present, many - 1, axis=1)[0])], axis=1)
    logits = layers.Dense(many, kernel_initializer="zeros", dtype="float32", name=f"{output.name}{WEIGHTS}")(present)
    weights = ops.softmax(logits + 30.0 * (there - 1)) * there
    if not pooled_by_logarithms(output):
        mean = ops.sum(ops.stack(answers, axis=2) * ops.expand_dims(weights, 1), axis=2)
        return layers.Identity(dtype="float32", name=f"{output.name}{POOLED}")(mean)
    logs = ops.stack([*answers[:-1], _logarithms(answers[-1])], axis=2)
    # Together they may know more than their mean, or less, as they err alike.
    settings = {"kernel_initializer": "zeros", "bias_initializer": "zeros", "dtype": "float32"}
    sharpness = ops.exp(layers.Dense(1, name=f"{output.name}{SHARPNESS}", **settings)(present))
    mean = sharpness * ops.sum(logs * ops.expand_dims(weights, 1), axis=2)
    return layers.Softmax(dtype="float32", name=f"{output.name}{POOLED}")(mean)


# === The parts of the fusion that learn ===


def joint_network(network: keras.Model) -> keras.Model:
    """Return the part that learns from the training objects, the joint network.

    Parameters
    ----------
    network : keras.Model
        From `build_fused`.

    Returns
    -------
    keras.Model
        Inputs ``{input: (batch, n)}``, what its networks say, and ``present``; an output for each head. Its weights are
        the network's.
    """
    fusion = network.get_layer(FUSION)
    said = {key: fusion.get_layer(f"{key}{SAID}").output for key in fusion.input if key != PRESENT}
    heads = {key: fusion.get_layer(key).output for key in fusion.output}
    # A list, and inputs of its own before it: a tensor from within a network has no name to be known by.
    inner = keras.Model([*said.values(), fusion.input[PRESENT]], heads, name=FUSION)
    inputs = {key: keras.Input(like.shape[1:], name=key) for key, like in said.items()}
    inputs[PRESENT] = keras.Input(fusion.input[PRESENT].shape[1:], name=PRESENT)
    return keras.Model(inputs, inner(list(inputs.values())), name=network.name)


def let_pools_learn(network: keras.Model, pools: bool) -> keras.Model:
    """Let either the pools learn or all the rest of the fusion; return the fusion."""
    fusion = network.get_layer(FUSION)
    for layer in fusion.layers:
        layer.trainable = layer.name.endswith((WEIGHTS, SHARPNESS)) is pools
    return fusion
