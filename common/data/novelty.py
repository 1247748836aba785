"""One test per input that tells what looks unlike the training objects.

Each number that is measured of an object (`measure.traits`) is brought to a normal distribution by the quantiles of the
training objects; a mixture of Gaussian distributions with full covariances describes these numbers together. An object
is novel where the density of the mixture is lower than that of 99 % of the validation objects (conformal novelty
detection: Laxhammar & Falkman 2010; Bates et al. 2023, Ann. Statist. 51, 149). Prediction needs numpy alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from common.data.measure import TrainingRange, traits
from sdss_gs.schema import Input

FALSE_ALARMS = 0.01
"""Share of objects like the validation objects that are flagged."""
LEVELS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4,
          0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.9975, 0.999, 0.9995)  # fmt: skip
"""Shares of the training objects below a number's knots."""
SCORES = (-3.290527, -3.090232, -2.807034, -2.575829, -2.326348, -2.053749, -1.644854, -1.281552, -0.841621, -0.524401,
          -0.253347, 0.0, 0.253347, 0.524401, 0.841621, 1.281552, 1.644854, 2.053749, 2.326348, 2.575829, 2.807034,
          3.090232, 3.290527)  # fmt: skip
"""Where a standard normal distribution has these shares below it."""
TAIL = 2
"""Beyond the knots numbers go on as steeply as over so many steps at the end."""
STEEPEST = 1e4
FARTHEST = 100.0
_ROWS = 4096


@dataclass(frozen=True)
class Novelty:
    """What the training objects looked like, and how unlike them is too much.

    Parameters
    ----------
    knots : list of list of float
        By trait, the `LEVELS` quantiles of the training objects.
    weights : list of float
        Logarithms of the components' shares.
    means, covariances : list of list of float
        By component; of covariances the lower triangle, row by row.
    thresholds : dict of str to float
        The largest score that is usual, by which magnitudes are there (``"11011"``: all but the third); of other
        inputs ``""``.
    objects : int
        Validation objects that they come from.
    basis : list of list of float
        Of spectra, the mean shape and its principal components, see `measure.spectrum_traits`; else empty.
    photometry : str
        As for `TrainingRange`.
    """

    knots: list[list[float]]
    weights: list[float]
    means: list[list[float]]
    covariances: list[list[float]]
    thresholds: dict[str, float]
    objects: int = 0
    basis: list[list[float]] | tuple = ()
    photometry: str = ""

    def outside(self, item: Input, values: np.ndarray) -> np.ndarray:
        """Tell which objects are unlike the training objects, bool ``(n,)``; see `margins`."""
        return self.margins(item, values) > 0

    def margins(self, item: Input, values: np.ndarray) -> np.ndarray:
        """Return how far the score of each object is above what is usual, float64 ``(n,)``.

        Infinitely far for magnitudes that no validation object had together.

        Parameters
        ----------
        item : Input
        values : ndarray, shape (n, ...)
            Finite, but that magnitudes and errors may be NaN.
        """
        found = np.empty(len(values))
        for start in range(0, len(values), _ROWS):
            measured = traits(item, values[start : start + _ROWS], np.asarray(self.basis))
            for which, chosen, scores in self.scored(measured, len(item.magnitudes)):
                found[start + chosen] = scores - self.thresholds.get(which, -np.inf)
        return found

    def scored(self, measured: np.ndarray, bands: int) -> list[tuple[str, np.ndarray, np.ndarray]]:
        """Score objects: minus the logarithm of the density of the traits that they have.

        Parameters
        ----------
        measured : ndarray of float64, shape (n, k)
            As `measure.traits` returns them.
        bands : int
            So many of them, the first, are magnitudes.

        Returns
        -------
        list of tuple
            Of those that have the same magnitudes: which, as in `thresholds`; who they are, int ``(m,)``; their scores,
            float64 ``(m,)``.
        """
        normal, there = self.normal(measured), np.isfinite(measured[:, :bands])
        if there.all():
            return [("1" * bands, np.arange(len(measured)), self._densities(normal))]
        codes = there @ (1 << np.arange(bands))
        groups = (np.flatnonzero(codes == code) for code in np.unique(codes))
        return [(pattern(there[group[0]]), group, self._densities(normal[:, group])) for group in groups]

    def normal(self, measured: np.ndarray) -> np.ndarray:
        """Bring traits ``(n, k)`` to normal distributions of the training objects, float64 ``(k, n)``; NaN stays."""
        found = np.empty(measured.shape[::-1])
        for values, knots, row in zip(measured.T, np.asarray(self.knots), found, strict=True):
            below, above = np.minimum(values - knots[0], 0), np.maximum(values - knots[-1], 0)
            row[:] = np.interp(values, knots, SCORES)
            row += below * _steep(knots[: TAIL + 1]) + above * _steep(knots[-TAIL - 1 :])
        return np.clip(found, -FARTHEST, FARTHEST)

    def _densities(self, normal: np.ndarray) -> np.ndarray:
        """Return minus the logarithms of the mixture's density, of the traits that these objects have."""
        has = np.isfinite(normal[:, 0]) if normal.size else np.ones(len(normal), bool)
        form = self._forms.get(has.tobytes())
        if form is None:
            form = self._forms[has.tobytes()] = self._form(has)
        first, second = np.tril_indices(has.sum())
        seen = normal[has]
        parts = form[:, :-1] @ np.concatenate([seen[first] * seen[second], seen]) + form[:, -1:]
        most = parts.max(axis=0)
        return -most - np.log(np.exp(parts - most).sum(axis=0))

    @cached_property
    def _forms(self) -> dict[bytes, np.ndarray]:
        return {}

    def _form(self, has: np.ndarray) -> np.ndarray:
        """Write the logarithm of each component's density as a sum over products, numbers and 1, ``(K, terms)``."""
        size, terms = len(has), []
        rows, others = np.tril_indices(has.sum())
        for weight, mean, lower in zip(self.weights, np.asarray(self.means), self.covariances, strict=True):
            covariance = np.zeros((size, size))
            covariance[np.tril_indices(size)] = lower
            covariance = (covariance + np.tril(covariance, -1).T)[np.ix_(has, has)]
            precision, middle = np.linalg.inv(covariance), mean[has]
            products = np.where(rows == others, -0.5, -1.0) * precision[rows, others]
            constant = weight - 0.5 * (
                middle @ precision @ middle + np.linalg.slogdet(covariance)[1] + len(middle) * np.log(2 * np.pi)
            )
            terms.append(np.concatenate([products, precision @ middle, [constant]]))
        return np.array(terms)


def pattern(there: np.ndarray) -> str:
    """Write which magnitudes are there, as `Novelty.thresholds` has it.

    Examples
    --------
    >>> pattern(np.array([True, True, False]))
    '110'
    """
    return "".join("01"[int(one)] for one in there)


def _steep(knots: np.ndarray) -> float:
    return min(STEEPEST, (SCORES[TAIL] - SCORES[0]) / max(knots[-1] - knots[0], 1 / STEEPEST))


def range_from(fields: Mapping) -> TrainingRange | Novelty:
    """Make what says how the training objects looked from its fields, as JSON holds them.

    Models stored before there was a `Novelty` have a `TrainingRange`, and flag by it.
    """
    return (TrainingRange if "low" in fields else Novelty)(**fields)
