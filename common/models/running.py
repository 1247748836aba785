"""Run a stored network: what runs it, the inputs it takes, and how many objects it sees at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

import numpy as np

from common.networks.symmetry import TURNED, forms
from sdss_gs.schema import Input

KERAS, LIGHT = "keras", "onnxruntime"
RUNTIMES = (LIGHT, KERAS)
"""What may run a stored network; the first is the usual one."""
FEATURES = "features"
"""Name of what feeds the heads, among the outputs of a network's light form."""
ROWS_PER_STEP, SPECTRA_PER_STEP, OBJECTS_PER_STEP = 8192, 256, 64
"""Rows of a table, spectra, or other objects that the network sees at a time: what is fastest on two cores."""

Arrays = Mapping[str, np.ndarray]


class Runtime(Protocol):
    """What runs a stored network.

    Attributes
    ----------
    name : str
        One of `RUNTIMES`.
    flat : bool
        Whether the network leads from one input straight to one output, see `common.networks.build`.
    layer : str
        Name of the layer that feeds the head; of several heads the names of all, joined by ``|``.
    """

    name: str
    flat: bool
    layer: str

    def shape(self, item: Input) -> tuple[int, ...]:
        """Return the shape of one object of an input that is no table."""

    def encode(self, item: Input, values: np.ndarray) -> np.ndarray:
        """Run a fused network's encoder of an input on its values ``(n, ...)``; float32 ``(n, features)``."""

    def width(self, item: Input) -> int:
        """Return how many features a fused network's encoder gives."""

    def answer(self, view: Arrays, items: Sequence[Input]) -> dict[str, np.ndarray]:
        """Run what is behind the encoders, of a flat network all of it; float32 ``(n, size)`` by output.

        Parameters
        ----------
        view : mapping of str to ndarray
            Of a flat network, what `serving_inputs` returns; else features by input, and what is present.
        items : sequence of Input
            What these are, if they are inputs: says how many objects are seen at a time.
        """

    def features(self, view: Arrays, items: Sequence[Input]) -> np.ndarray:
        """Return what feeds the heads, float32 ``(n, width)``; takes what `answer` does."""

    @property
    def features_width(self) -> int:
        """How many features feed the heads."""


def serving_inputs(item: Input, values: np.ndarray) -> dict[str, np.ndarray]:
    """Name a flat network's arrays as the stored model wants them: by column for a table, else by input."""
    if not item.columns:
        return {item.name: values}
    return {column: values[:, number] for number, column in enumerate(item.columns)}


def symmetric_forms(seen: Arrays) -> Iterator[dict[str, np.ndarray]]:
    """Turn and mirror the images among some inputs into each of their eight symmetric forms."""
    turned = {name: forms(values) for name, values in seen.items() if name in TURNED}
    for _ in range(8):
        yield dict(seen) | {name: next(views) for name, views in turned.items()}


def in_steps(
    network: Callable[[dict[str, np.ndarray]], Arrays], values: Arrays, items: Sequence[Input]
) -> dict[str, np.ndarray]:
    """Run a network over at least one object, as many at a time as suits its inputs.

    Parameters
    ----------
    network : callable
        Takes inputs by name and returns outputs by name.
    values : mapping of str to ndarray
        Inputs by name, ``(n, ...)``.
    items : sequence of Input
        What these are.
    """
    step = min((_step(item) for item in items), default=ROWS_PER_STEP)
    answers = [
        network({name: array[start : start + step] for name, array in values.items()})
        for start in range(0, len(next(iter(values.values()))), step)
    ]
    if len(answers) == 1:
        return dict(answers[0])
    return {name: np.concatenate([one[name] for one in answers]) for name in answers[0]}


def _step(item: Input) -> int:
    if item.columns:
        return ROWS_PER_STEP
    return SPECTRA_PER_STEP if len(item.shape) == 1 else OBJECTS_PER_STEP
