"""Run a stored network: the inputs it takes, and how many objects it sees at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from common.backend import keras
from common.networks.augment import TURNED, forms
from sdss_gs.schema import Input

ROWS_PER_STEP, OBJECTS_PER_STEP = 8192, 64
"""Rows of a table, or other objects, that the network sees at a time."""


def serving_network(network: keras.Model, item: Input) -> keras.Model:
    """Give a flat network of a table one input ``(batch,)`` per catalogue column, so that it takes a CSV file."""
    if not item.columns:
        return network
    columns = {column: keras.Input((), name=column, dtype=item.dtype) for column in item.columns}
    table = keras.ops.stack(list(columns.values()), axis=-1)
    return keras.Model(columns, network({item.name: table}), name=network.name)


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
    step = ROWS_PER_STEP if all(item.columns for item in items) else OBJECTS_PER_STEP
    if len(next(iter(values.values())) if isinstance(values, Mapping) else values) <= step:
        # One step needs none of what `predict` sets up around many, which takes a hundred times as long.
        return network.predict_on_batch(values)
    return network.predict(values, batch_size=step, verbose=0)
