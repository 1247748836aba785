"""How sure a prediction is: intervals and class sets that hold the truth as often as they say.

Split conformal prediction (Vovk, Gammerman & Shafer 2005; Lei et al. 2018, JASA 113, 1094): the errors on the
validation objects say how large those on new objects from the same survey are, whatever the network. What is fitted
are a few numbers, kept as JSON with the model.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar

from common.outputs.metrics import log_mass
from sdss_gs.schema import OUTPUTS, Output

LEVELS = (0.68, 0.90, 0.95)
"""Shares of the true values that intervals and class sets are made to hold."""
OBJECTS_PER_BIN, MOST_BINS = 150, 10
"""Errors are counted in bins of the prediction, so that intervals are wide only where the model is bad."""
SMALLEST_PROBABILITY = 1e-12
UNSURE = 2.0
"""An interval so many times as wide as the typical one, or a top probability so many times as low, is unsure."""


@dataclass(frozen=True)
class Intervals:
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

    def bounds(self, output: Output, predicted: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
        """Return where the interval of each prediction begins and ends, in the output's unit, float64 ``(n,)``."""
        number = np.searchsorted(self.edges, predicted)
        low, high = (np.array(side[str(level)])[number] for side in (self.low, self.high))
        return moved(output, predicted, low), moved(output, predicted, high)

    def unsure(self, predicted: np.ndarray) -> np.ndarray:
        """Tell which predictions have an interval much wider than the typical one, bool ``(n,)``."""
        width = np.array(self.high[str(LEVELS[0])]) - np.array(self.low[str(LEVELS[0])])
        return width[np.searchsorted(self.edges, predicted)] > UNSURE * np.median(width)


@dataclass(frozen=True)
class ClassSets:
    """Calibrated class probabilities, and sets of classes.

    Parameters
    ----------
    temperature : float
        Divides the logarithms of the network's probabilities (Guo et al. 2017, arXiv:1706.04599).
    threshold : dict of str to float
        By level: a class of at least this calibrated probability belongs to the set (Sadinle, Lei & Wasserman 2019,
        JASA 114, 223); the most probable class always does.
    typical : float
        Median probability of the most probable class: near 1 for four clear classes, far lower for 23 subtle ones.
    """

    temperature: float
    threshold: dict[str, float]
    typical: float = 1.0

    def probabilities(self, predicted: np.ndarray) -> np.ndarray:
        """Calibrate class probabilities, float64 ``(n, classes)``."""
        return _tempered(predicted, self.temperature)

    def members(self, probabilities: np.ndarray, level: float) -> np.ndarray:
        """Tell which classes belong to each object's set, bool ``(n, classes)``."""
        best = probabilities.argmax(axis=1)[:, None] == np.arange(probabilities.shape[1])
        return best | (probabilities >= self.threshold[str(level)])

    def unsure(self, probabilities: np.ndarray) -> np.ndarray:
        """Tell which objects have a most probable class much less probable than is typical, bool ``(n,)``."""
        return probabilities.max(axis=1) < self.typical / UNSURE


@dataclass(frozen=True)
class VoteIntervals:
    """Conformal intervals of each answer's share of the votes.

    Parameters
    ----------
    answers : list of Intervals
        In the order of the tree.
    typical : float
        Median over the objects of an interval's mean width at the lowest level.
    """

    answers: list[Intervals]
    typical: float = 1.0

    def bounds(self, output: Output, predicted: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
        """Return where the interval of each share begins and ends, within 0 and 1, float64 ``(n, answers)``."""
        ends = [one.bounds(output, predicted[:, column], level) for column, one in enumerate(self.answers)]
        low, high = (np.clip(np.stack(side, axis=1), 0, 1) for side in zip(*ends, strict=True))
        return low, high

    def unsure(self, predicted: np.ndarray) -> np.ndarray:
        """Tell which objects have much wider intervals than is typical, bool ``(n,)``."""
        return self._width(predicted) > UNSURE * self.typical

    def _width(self, predicted: np.ndarray) -> np.ndarray:
        low, high = self.bounds(OUTPUTS["votes"], predicted, LEVELS[0])
        return (high - low).mean(axis=1)


Calibration = Intervals | ClassSets | VoteIntervals


def fit_calibration(output: Output, truth: np.ndarray, predicted: np.ndarray) -> Calibration:
    """Fit intervals or class sets to objects that the network was not fitted to.

    Parameters
    ----------
    output : Output
    truth : ndarray, shape (n,)
        In the catalogue's unit, class numbers, or votes ``(n, answers)``.
    predicted : ndarray, shape (n,), (n, classes) or (n, answers)
        As from `outputs.decode`.
    """
    if output.kind == "votes":
        answers = [_fit_intervals(output, *pair) for pair in zip(truth.T, predicted.T, strict=True)]
        return VoteIntervals(answers, float(np.median(VoteIntervals(answers)._width(predicted))))
    return _fit_sets(truth, predicted) if output.classes else _fit_intervals(output, truth, predicted)


def calibration_from(data: dict) -> Calibration:
    """Make a calibration from its fields."""
    if "answers" in data:
        return VoteIntervals([Intervals(**one) for one in data["answers"]], data["typical"])
    return ClassSets(**data) if "temperature" in data else Intervals(**data)


def coverage(calibration: Calibration, output: Output, truth: np.ndarray, predicted: np.ndarray) -> list[dict]:
    """Measure how often intervals or class sets hold the truth, and how large they are.

    Returns
    -------
    list of dict
        For each level: ``level``, ``coverage`` (share of objects, or of their answers), ``size`` (median full width of
        the interval, as Δz / (1 + z), in dex, or in the number's own unit; or mean number of classes in the set).
    """
    rows = []
    for level in LEVELS:
        if output.classes:
            members = calibration.members(calibration.probabilities(predicted), level)
            held, size = members[np.arange(len(truth)), truth], members.sum(axis=1).mean()
        else:
            low, high = calibration.bounds(output, predicted, level)
            held = (truth >= low) & (truth <= high)
            size = np.median(error_of(output, high, predicted) - error_of(output, low, predicted))
        rows.append({"level": level, "coverage": float(held.mean()), "size": float(size)})
    return rows


# === Numbers ===


def error_of(output: Output, value: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Measure how far a value lies from the prediction, in the scale in which errors are alike."""
    if output.kind == "mass":
        return log_mass(value) - log_mass(predicted)
    return (value - predicted) / (1 + predicted) if output.kind == "redshift" else value - predicted


def moved(output: Output, predicted: np.ndarray, error: np.ndarray) -> np.ndarray:
    """Return the values that lie so far from predictions: the inverse of `error_of`."""
    if output.kind == "mass":
        return 10.0 ** (log_mass(predicted) + error)
    return predicted + error * (1 + predicted) if output.kind == "redshift" else predicted + error


def _fit_intervals(output: Output, truth: np.ndarray, predicted: np.ndarray) -> Intervals:
    error = error_of(output, truth, predicted)
    bins = int(np.clip(len(truth) // OBJECTS_PER_BIN, 1, MOST_BINS))
    edges = np.unique(np.quantile(predicted, np.linspace(0, 1, bins + 1)[1:-1]))
    number = np.searchsorted(edges, predicted)
    low: dict[str, list[float]] = {str(level): [] for level in LEVELS}
    high: dict[str, list[float]] = {str(level): [] for level in LEVELS}
    for position in range(len(edges) + 1):
        # Repeated predictions can leave a bin empty: it then takes the errors of all.
        inside = error[number == position] if (number == position).any() else error
        for level in LEVELS:
            low[str(level)].append(-_quantile(-inside, (1 + level) / 2))
            high[str(level)].append(_quantile(inside, (1 + level) / 2))
    return Intervals(edges.tolist(), low, high)


def _quantile(scores: np.ndarray, level: float) -> float:
    """Return the conformal quantile: the ⌈(n + 1) level⌉-th smallest score, or the largest where there are too few."""
    rank = min(int(np.ceil((len(scores) + 1) * level)), len(scores))
    return float(np.sort(scores)[rank - 1])


# === Classes ===


def _tempered(predicted: np.ndarray, temperature: float) -> np.ndarray:
    logits = np.log(np.maximum(predicted, SMALLEST_PROBABILITY)) / temperature
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def _fit_sets(truth: np.ndarray, predicted: np.ndarray) -> ClassSets:
    rows = np.arange(len(truth))

    def loss(log_temperature: float) -> float:
        right = _tempered(predicted, np.exp(log_temperature))[rows, truth]
        return float(-np.log(np.maximum(right, SMALLEST_PROBABILITY)).mean())

    temperature = float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))
    calibrated = _tempered(predicted, temperature)
    threshold = {str(level): 1 - _quantile(1 - calibrated[rows, truth], level) for level in LEVELS}
    return ClassSets(temperature, threshold, float(np.median(calibrated.max(axis=1))))
