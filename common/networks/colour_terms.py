"""From the magnitudes of one survey to those of another: a zero point and a colour term for each band.

``m' = m + offset + slope * (colour - typical)``, the colour being that of the band and its redder neighbour (of the
last band, its bluer one): the form in which surveys publish the transformations between them, for example Jester et al.
2005 (AJ 130, 873).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np

from sdss_gs.schema import Input

if TYPE_CHECKING:
    from common.backend import keras

STEPS = 50
"""Of the inversion, each of which makes its error smaller by a factor of about the slope."""


@dataclass(frozen=True)
class ColourTerms:
    """What brings the magnitudes of a survey to those that a network learnt from.

    Parameters
    ----------
    columns : tuple of str
        The magnitudes, in the order of the input's.
    offsets, slopes : tuple of float
        By magnitude: what is added at the typical colour, mag; and per magnitude of colour beyond that.
    typical : tuple of float
        By magnitude, the colour from which that is counted, mag. A missing colour counts as typical.
    """

    columns: tuple[str, ...]
    offsets: tuple[float, ...]
    slopes: tuple[float, ...]
    typical: tuple[float, ...]

    def facts(self) -> dict[str, list]:
        """Return the fields as JSON has them."""
        return {name: list(values) for name, values in asdict(self).items()}

    @classmethod
    def from_facts(cls, facts: dict) -> ColourTerms:
        """Make terms from what `facts` returned."""
        return cls(**{name: tuple(values) for name, values in facts.items()})

    def apply(self, values: np.ndarray) -> np.ndarray:
        """Bring magnitudes, with what is behind them, ``(n, columns)``, to the other survey's; NaN stays."""
        count = len(self.columns)
        changed = values.copy()
        changed[:, :count] += self._added(values[:, :count])
        return changed

    def invert(self, values: np.ndarray) -> np.ndarray:
        """Return the magnitudes of which `apply` makes these, ``(n, columns)``."""
        count = len(self.columns)
        wanted = values[:, :count].astype(np.float64)
        found = wanted - np.asarray(self.offsets)
        for _ in range(STEPS):
            found = wanted - self._added(found)
        changed = values.copy()
        changed[:, :count] = found
        return changed

    def _added(self, magnitudes: np.ndarray) -> np.ndarray:
        colours = colours_of(magnitudes) - np.asarray(self.typical, np.float64)
        return np.asarray(self.offsets) + np.asarray(self.slopes) * np.nan_to_num(colours)

    def lines(self) -> list[str]:
        """Write the terms, a line per magnitude."""
        found = []
        neighbours = zip(*_neighbours(len(self.columns)), strict=True)
        rows = zip(self.columns, self.offsets, self.slopes, self.typical, neighbours, strict=True)
        for column, offset, slope, typical, (first, second) in rows:
            colour = f"{self.columns[first]} - {self.columns[second]}"
            found.append(f"{column} {offset:+.4f} {slope:+.4f} × ({colour} {-typical:+.3f})")
        return found


def _neighbours(count: int) -> tuple[list[int], list[int]]:
    """Return by band the two magnitudes whose difference is its colour."""
    first = [min(band, count - 2) for band in range(count)]
    return first, [one + 1 for one in first]


def colours_of(magnitudes: np.ndarray) -> np.ndarray:
    """Return the colour of each band, ``(n, bands)``; NaN where one of its two magnitudes is missing."""
    first, second = _neighbours(magnitudes.shape[1])
    return magnitudes[:, first] - magnitudes[:, second]


def inverted(values: np.ndarray, terms: Sequence[ColourTerms]) -> np.ndarray:
    """Return what several terms, the first one first, bring to these magnitudes; see `ColourTerms.invert`."""
    for one in reversed(terms):
        values = one.invert(values)
    return values


def with_terms(item: Input, values: keras.KerasTensor, terms: Sequence[ColourTerms]) -> keras.KerasTensor:
    """Put colour terms at the beginning of a network.

    Parameters
    ----------
    item : Input
        Of magnitudes, two at least; behind them may be their errors, and what kind they are: those stay.
    values : KerasTensor, shape (batch, columns)
    terms : sequence of ColourTerms
        The first is applied first.

    Returns
    -------
    KerasTensor, shape (batch, columns)
    """
    from common.backend import keras

    ops, count = keras.ops, len(item.magnitudes)
    first, second = _neighbours(count)
    for one in terms:
        # No slices: what Keras stores of them is no layer.
        seen, *rest = ops.split(values, [count], axis=1) if values.shape[1] > count else [values]
        colours = ops.take(seen, first, axis=1) - ops.take(seen, second, axis=1)
        # Layers, which store their numbers: an operation takes no lists.
        colours = keras.layers.Rescaling(1.0, [-colour for colour in one.typical], dtype="float32")(colours)
        colours = ops.where(ops.isnan(colours), 0.0, colours)
        seen = seen + keras.layers.Rescaling(list(one.slopes), list(one.offsets), dtype="float32")(colours)
        values = keras.layers.Concatenate(dtype="float32")([seen, *rest]) if rest else seen
    return values
