"""What a stored Keras network has around it, so that it is safe to use alone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np

from common.backend import keras
from common.networks.inputs import PRESENT
from sdss_gs.schema import QUANTITIES, Input


def serving_network(network: keras.Model, items: Sequence[Input]) -> keras.Model:
    """Put around a trained network what makes it safe to use alone, by MLflow for instance.

    Its answers are NaN where an input is not finite or, of a table, no possible magnitude. Nothing inside a network can
    be trusted with that: on CPU, ``predict`` of TensorFlow 2.21 runs a dense layer and its ReLU as one operation of
    oneDNN, which turns NaN into 0, and the answer is one for no galaxy at all.

    Parameters
    ----------
    network : keras.Model
        As `build_flat` or `build_fused` makes it.
    items : sequence of Input
        What it takes.

    Returns
    -------
    keras.Model
        A fused network takes and gives what it did; what stands in a missing input still has no influence, and an
        object without any input has NaN. So does a flat one, but of a table it has one input ``(batch,)`` per catalogue
        column, so that it takes a CSV file. One of images of bytes, which are always numbers, is returned as it is.
    """
    if PRESENT in network.input:
        has = dict(zip(items, keras.ops.split(network.input[PRESENT] > 0, len(items), axis=1), strict=True))
        seen = [~has[item] | numbers_in(item, network.input[item.name]) for item in items if _may_lack(item)]
        good = reduce(keras.ops.logical_and, seen, reduce(keras.ops.logical_or, has.values()))
        answers = {name: keras.ops.where(good, values, np.nan) for name, values in network.output.items()}
        return keras.Model(network.input, answers, name=network.name)
    (item,) = items
    if not _may_lack(item):
        return network
    if item.columns:
        inputs = {column: keras.Input((), name=column, dtype=item.dtype) for column in item.columns}
        values = keras.ops.stack(list(inputs.values()), axis=-1)
    else:
        values = keras.Input(network.input[item.name].shape[1:], name=item.name, dtype=item.dtype)
        inputs = {item.name: values}
    good = numbers_in(item, values)
    answers = keras.tree.map_structure(lambda one: keras.ops.where(good, one, np.nan), network({item.name: values}))
    return keras.Model(inputs, answers, name=network.name)


def bare_network(network: keras.Model) -> keras.Model:
    """Take off a flat network what `serving_network` put around it, if anything."""
    return next((layer for layer in network.layers if layer.name == network.name), network)


def _may_lack(item: Input) -> bool:
    """Tell whether an input has values that are no number."""
    return np.dtype(item.dtype).kind == "f"


def numbers_in(item: Input, values: keras.KerasTensor) -> keras.KerasTensor:
    """Tell where an input ``(batch, ...)`` is finite and, of a table, possible and no sentinel: bool ``(batch, 1)``."""
    if not item.columns:
        finite = keras.ops.all(keras.ops.isfinite(values), axis=tuple(range(1, len(values.shape))))
        return keras.ops.expand_dims(finite, -1)
    quantities = [QUANTITIES[column] for column in item.columns]
    missing = keras.ops.isnan(values)
    good = (values > [one.low for one in quantities]) & (values < [one.high for one in quantities])
    for sentinel in sorted({value for one in quantities for value in one.sentinels if one.low < value < one.high}):
        # No column has its `low`, which stands where a number is no sentinel.
        good &= values != [sentinel if sentinel in one.sentinels else one.low for one in quantities]
    if not item.gaps:
        return keras.ops.all(good, axis=-1, keepdims=True)
    magnitudes = keras.ops.split(good, [len(item.magnitudes)], axis=1)[0] if item.magnitudes != item.columns else good
    some = keras.ops.any(magnitudes, axis=-1, keepdims=True)
    return keras.ops.all(good | missing, axis=-1, keepdims=True) & some
