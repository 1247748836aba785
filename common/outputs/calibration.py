"""How sure a prediction is: intervals that hold the truth as often as they say.

Split conformal prediction (Vovk, Gammerman & Shafer 2005; Lei et al. 2018, JASA 113, 1094): the errors on the
validation objects say how large those on new objects from the same survey are, whatever the network. What is fitted
are a few numbers, kept as JSON with the model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

LEVELS = (0.68, 0.90, 0.95)
"""Shares of the true values that intervals and class sets are made to hold."""
ONE_LEVEL = 0.9
"""The level of outputs that have room for one."""
OBJECTS_PER_BIN, MOST_BINS = 150, 10
"""Errors are counted in bins of the prediction, so that intervals are wide only where the model is bad."""
UNSURE = 2.0
"""An interval so many times as wide as the typical one, or a top probability so many times as low, is unsure."""


class Calibration:
    """What says how sure predictions are: a dataclass of what JSON holds, fitted and read back by a kind of output."""


@dataclass(frozen=True)
class Intervals(Calibration):
    """Conformal intervals of a number.

    Parameters
    ----------
    edges : list of float
        Inner borders of the bins of the prediction, ascending; one fewer than there are bins.
    low, high : dict of str to list of float
        By level (``"0.9"``), a number per bin: where the interval begins and ends, relative to the prediction, as
        Δz / (1 + z) for redshifts, in dex for masses, plain for other numbers.
    """

    edges: list[float]
    low: dict[str, list[float]]
    high: dict[str, list[float]]

    def errors(self, predicted: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
        """Return where the interval of each prediction begins and ends, relative to it, float64 ``(n,)``."""
        number = np.searchsorted(self.edges, predicted)
        return np.array(self.low[str(level)])[number], np.array(self.high[str(level)])[number]

    def unsure(self, predicted: np.ndarray) -> np.ndarray:
        """Tell which predictions have an interval much wider than the typical one, bool ``(n,)``."""
        width = np.array(self.high[str(LEVELS[0])]) - np.array(self.low[str(LEVELS[0])])
        return width[np.searchsorted(self.edges, predicted)] > UNSURE * np.median(width)


def fit_intervals(error: np.ndarray, predicted: np.ndarray, weights: np.ndarray | None = None) -> Intervals:
    """Fit intervals to the errors of predictions, float ``(n,)``, in the scale in which errors are alike.

    Parameters
    ----------
    error, predicted : ndarray of float, shape (n,)
    weights : ndarray of float, shape (n,), optional
        As for `conformal_quantile`.
    """
    bins = int(np.clip(effective_objects(error, weights) // OBJECTS_PER_BIN, 1, MOST_BINS))
    edges = np.unique(weighted_quantile(predicted, np.linspace(0, 1, bins + 1)[1:-1], weights))
    number = np.searchsorted(edges, predicted)
    low, high = ({str(level): [] for level in LEVELS} for _ in range(2))
    for position in range(len(edges) + 1):
        # Repeated predictions can leave a bin empty: it then takes the errors of all.
        chosen = number == position if (number == position).any() else np.ones(len(error), bool)
        inside, own = error[chosen], None if weights is None else weights[chosen]
        for level in LEVELS:
            low[str(level)].append(-conformal_quantile(-inside, (1 + level) / 2, own))
            high[str(level)].append(conformal_quantile(inside, (1 + level) / 2, own))
    return Intervals(edges.tolist(), low, high)


def conformal_quantile(scores: np.ndarray, level: float, weights: np.ndarray | None = None) -> float:
    """Return the ⌈(n + 1) level⌉-th smallest score, or the largest where there are too few.

    Parameters
    ----------
    scores : ndarray of float, shape (n,)
    level : float
    weights : ndarray of float, shape (n,), optional
        How many times as frequent objects like each are among those that are to be predicted: the smallest score up to
        which there is a share `level` of all weight, that of a new object included (weighted conformal prediction:
        Tibshirani, Barber, Candès & Ramdas 2019, NeurIPS 32, arXiv:1904.06019). Its weight is taken to be what the new
        objects have on average, Σw² / Σw, so that one threshold serves all of them.

    Examples
    --------
    >>> conformal_quantile(np.arange(1, 100), 0.9), conformal_quantile(np.arange(1, 100), 0.9, np.ones(99))
    (90.0, 90.0)
    """
    if weights is None or not weights.sum() > 0:
        rank = min(int(np.ceil((len(scores) + 1) * level)), len(scores))
        return float(np.sort(scores)[rank - 1])
    order = np.argsort(scores, kind="stable")
    heights, total = np.cumsum(weights[order]), weights.sum()
    # A rounded sum must not miss what it equals.
    wanted = level * (total + (weights**2).sum() / total) * (1 - 1e-12)
    return float(scores[order[min(np.searchsorted(heights, wanted), len(scores) - 1)]])


def weighted_quantile(values: np.ndarray, level: float | np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Return the values below which a share of all weight lies, float64 of the shape of `level`.

    Parameters
    ----------
    values : ndarray of float, shape (n,)
    level : float or ndarray
    weights : ndarray of float, shape (n,), optional
        All alike by default.
    """
    if weights is None:
        return np.quantile(values, level)
    return np.quantile(values, level, weights=weights, method="inverted_cdf")


def effective_objects(values: np.ndarray, weights: np.ndarray | None) -> float:
    """Return how many objects of equal weights say as much as these (Kish 1965): (Σw)² / Σw²; all without weights."""
    return float(len(values) if weights is None else weights.sum() ** 2 / (weights**2).sum())


def fewest_objects(level: float, sides: int = 2) -> int:
    """Return how many objects an interval needs to hold the level: with fewer, the largest error is not large enough.

    Parameters
    ----------
    level : float
        One of `LEVELS`.
    sides : int
        2 where an interval begins and ends by the errors, 1 where they give one threshold.

    Examples
    --------
    >>> [fewest_objects(level) for level in LEVELS], fewest_objects(0.95, 1)
    ([6, 19, 39], 19)
    """
    beyond = (1 - level) / sides
    # ⌈(n + 1) (1 - beyond)⌉ <= n; rounded first, as (1 - 0.95) / 2 is a little more than a fortieth.
    return int(np.ceil(round(1 / beyond, 9))) - 1


def percent(level: float) -> str:
    """Write a level as in the names of columns: 0.68 is ``68``.

    Examples
    --------
    >>> percent(0.95)
    '95'
    """
    return f"{100 * level:.0f}"
