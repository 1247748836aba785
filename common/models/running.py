"""Run a stored network: what runs it, the inputs it takes, and how many objects it sees at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import Protocol

import numpy as np

from common.networks.symmetry import TURNED, forms
from sdss_gs.schema import Input

KERAS, LIGHT = "keras", "onnxruntime"
RUNTIMES = (LIGHT, KERAS)
"""What may run a stored network; the first is the usual one."""
FEATURES = "features"
"""Name of what feeds the heads, among the outputs of a network's light form."""

Arrays = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Steps:
    """How many objects a runtime's network sees at a time: rows of a table, lists of numbers, others; and how often.

    Parameters
    ----------
    rows, numbers, others : int
    at_once : int
        Steps that run at the same time.
    """

    rows: int
    numbers: int
    others: int
    at_once: int = 1

    def of(self, items: Sequence[Input]) -> int:
        """Return what suits some inputs; without any, features by input are rows."""
        return min(map(self._of, items), default=self.rows)

    def _of(self, item: Input) -> int:
        if item.columns:
            return self.rows
        return self.numbers if len(item.shape) == 1 else self.others


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

    def files(self) -> dict[str, bytes]:
        """Return the files from which it can be opened again, by name."""


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
    network: Callable[[dict[str, np.ndarray]], Arrays], values: Arrays, items: Sequence[Input], steps: Steps
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
    steps : Steps
    """
    size, count = steps.of(items), len(next(iter(values.values())))
    edges = [*range(0, count, size), count]
    if count > 1 and edges[-1] - edges[-2] == 1:
        # A last object by itself: a runtime may then add up in another order, and its last digit differs.
        del edges[-2]
    parts = [{name: array[slice(*ends)] for name, array in values.items()} for ends in pairwise(edges)]
    if len(parts) == 1:
        return dict(network(parts[0]))
    if steps.at_once == 1:
        answers = list(map(network, parts))
    else:
        with ThreadPoolExecutor(min(steps.at_once, len(parts))) as pool:
            answers = list(pool.map(network, parts))
    return {name: np.concatenate([one[name] for one in answers]) for name in answers[0]}
