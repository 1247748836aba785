"""Run a stored network: the inputs it takes, and how many objects it sees at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import reduce

import numpy as np

from common.backend import keras
from common.networks.inputs import PRESENT
from common.networks.parts import is_flat
from common.networks.symmetry import TURNED, forms
from sdss_gs.schema import QUANTITIES, Input

ROWS_PER_STEP, SPECTRA_PER_STEP, OBJECTS_PER_STEP = 8192, 256, 64
"""Rows of a table, spectra, or other objects that the network sees at a time: what is fastest on two cores."""


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
    if not is_flat(network):
        has = dict(zip(items, keras.ops.split(network.input[PRESENT] > 0, len(items), axis=1), strict=True))
        seen = [~has[item] | _numbers(item, network.input[item.name]) for item in items if _may_lack(item)]
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
    answers = keras.ops.where(_numbers(item, values), network({item.name: values}), np.nan)
    return keras.Model(inputs, answers, name=network.name)


def bare_network(network: keras.Model) -> keras.Model:
    """Take off a flat network what `serving_network` put around it, if anything."""
    return next((layer for layer in network.layers if layer.name == network.name), network)


def _may_lack(item: Input) -> bool:
    """Tell whether an input has values that are no number."""
    return np.dtype(item.dtype).kind == "f"


def _numbers(item: Input, values: keras.KerasTensor) -> keras.KerasTensor:
    """Tell where an input ``(batch, ...)`` is finite and, of a table, possible and no sentinel: bool ``(batch, 1)``."""
    if not item.columns:
        finite = keras.ops.all(keras.ops.isfinite(values), axis=tuple(range(1, len(values.shape))))
        return keras.ops.expand_dims(finite, -1)
    quantities = [QUANTITIES[column] for column in item.columns]
    good = (values > [one.low for one in quantities]) & (values < [one.high for one in quantities])
    for sentinel in sorted({value for one in quantities for value in one.sentinels if one.low < value < one.high}):
        # No column has its `low`, which stands where a number is no sentinel.
        good &= values != [sentinel if sentinel in one.sentinels else one.low for one in quantities]
    return keras.ops.all(good, axis=-1, keepdims=True)


def serving_inputs(item: Input, values: np.ndarray) -> dict[str, np.ndarray]:
    """Name a flat network's arrays as the stored model wants them: by column for a table, else by input."""
    if not item.columns:
        return {item.name: values}
    return {column: values[:, number] for number, column in enumerate(item.columns)}


def symmetric_forms(seen: Mapping[str, np.ndarray]) -> Iterator[dict[str, np.ndarray]]:
    """Turn and mirror the images among some inputs into each of their eight symmetric forms."""
    turned = {name: forms(values) for name, values in seen.items() if name in TURNED}
    for _ in range(8):
        yield dict(seen) | {name: next(views) for name, views in turned.items()}


def run(network: keras.Model, values: np.ndarray | Mapping[str, np.ndarray], items: Sequence[Input]):
    """Run a network over at least one object, as many at a time as suits its inputs; return what Keras does.

    Parameters
    ----------
    network : keras.Model
    values : ndarray or mapping of str to ndarray
        Its input, or inputs by name, ``(n, ...)``.
    items : sequence of Input
        What these are.
    """
    values = values if isinstance(values, Mapping) else {"": values}
    step = min((_step(item) for item in items), default=ROWS_PER_STEP)
    pieces = (
        {name: array[start : start + step] for name, array in values.items()}
        for start in range(0, len(next(iter(values.values()))), step)
    )
    # Not `predict`, which sets up so much around the steps that it takes up to five times as long.
    answers = [network.predict_on_batch(piece.get("", piece)) for piece in pieces]
    return keras.tree.map_structure(lambda *parts: np.concatenate(parts), *answers)


def _step(item: Input) -> int:
    if item.columns:
        return ROWS_PER_STEP
    return SPECTRA_PER_STEP if len(item.shape) == 1 else OBJECTS_PER_STEP
