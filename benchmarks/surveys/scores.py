"""Scores on another survey's test objects, their intervals, and how much of what a shift costs is won back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common.outputs.calibration import LEVELS
from common.outputs.kinds import kind_of
from sdss_gs.schema import Output

RESAMPLES = 1000
ERROR, BALANCED = "error", "balanced_accuracy"
"""The score that decides: of numbers and of classes."""
_BLOCK = 100
"""Resamples at a time."""
Resampled = tuple[dict[str, float], dict[str, np.ndarray]]
"""What `resampled` returns."""


@dataclass(frozen=True)
class Answers:
    """What a model says of the test objects.

    Parameters
    ----------
    truth : ndarray, shape (n,)
        In the catalogue's unit, or class numbers.
    predicted : ndarray, shape (n,) or (n, classes)
        Values, or probabilities of classes.
    held : ndarray of bool, shape (levels, n)
        Whether its interval or class set of each of `LEVELS` holds the truth.
    """

    truth: np.ndarray
    predicted: np.ndarray
    held: np.ndarray

    @staticmethod
    def read(path: Path) -> Answers:
        """Read what `write` wrote."""
        with np.load(path) as stored:
            return Answers(stored["truth"], stored["predicted"], stored["held"])

    def write(self, path: Path) -> None:
        """Write a file ``.npz``."""
        np.savez(path, truth=self.truth, predicted=self.predicted, held=self.held)


def together(parts: Sequence[Answers]) -> Answers:
    """Join the answers on several parts of the test objects."""
    joined = (np.concatenate([getattr(one, name) for one in parts], axis=axis) for name, axis in _AXES.items())
    return Answers(*joined)


_AXES = {"truth": 0, "predicted": 0, "held": 1}


def headline(output: Output) -> str:
    """Name the score that decides of an output."""
    return BALANCED if output.classes else ERROR


def samples(output: Output, answers: Answers, drawn: np.ndarray) -> dict[str, np.ndarray]:
    """Score samples of the test objects.

    Parameters
    ----------
    output : Output
    answers : Answers
    drawn : ndarray of int, shape (samples, n)

    Returns
    -------
    dict of str to ndarray of float64, shape (samples,)
        Those of `Kind.samples`; of numbers also ``error``, 1.48 times the median absolute error: unlike NMAD as the
        zoo has it, it counts a bias (Ilbert et al. 2009, ApJ 690, 1236). ``coverage_68`` and so on.
    """
    kind = kind_of(output)
    found = kind.samples(answers.truth, answers.predicted, drawn)
    if not output.classes:
        missed = np.abs(kind.error_in_scale(answers.predicted, answers.truth))
        found[ERROR] = 1.4826 * np.median(missed[drawn], axis=1)
    return found | {
        f"coverage_{level:.0%}".rstrip("%"): held[drawn].mean(axis=1)
        for level, held in zip(LEVELS, answers.held, strict=True)
    }


def resampled(output: Output, draws: Sequence[Answers], seed: int = 0) -> Resampled:
    """Score the answers of models that learnt from several draws of labels.

    Parameters
    ----------
    output : Output
    draws : sequence of Answers
        On the same test objects in the same order.
    seed : int
        The same for two ways gives the same resamples: their differences are those of pairs.

    Returns
    -------
    scores : dict of str to float
        Means over the draws.
    resamples : dict of str to ndarray of float64, shape (RESAMPLES,)
        Of resampled test objects (within classes), each by one of the draws at random: their quantiles bound what one
        draw of labels gives (percentile bootstrap, Efron & Tibshirani 1993, §13.3).
    """
    truth = draws[0].truth
    if any(not np.array_equal(one.truth, truth) for one in draws):
        raise ValueError("expected the same test objects for every draw")
    whole = np.arange(len(truth))[None]
    each = [{name: float(value[0]) for name, value in samples(output, one, whole).items()} for one in draws]
    scores = {name: float(np.mean([one[name] for one in each])) for name in each[0]}
    random, which = np.random.default_rng(seed), np.random.default_rng(seed + 1).integers(len(draws), size=RESAMPLES)
    groups = [np.flatnonzero(truth == label) for label in np.unique(truth)] if output.classes else [whole[0]]
    found: dict[str, list[np.ndarray]] = {name: [] for name in scores}
    for start in range(0, RESAMPLES, _BLOCK):
        drawn = np.concatenate([random.choice(group, (_BLOCK, len(group))) for group in groups], axis=1)
        by_draw = [samples(output, one, drawn) for one in draws]
        chosen = which[start : start + _BLOCK]
        for name, values in found.items():
            values.append(np.stack([one[name] for one in by_draw])[chosen, np.arange(_BLOCK)])
    return scores, {name: np.concatenate(values) for name, values in found.items()}


def bounds(values: np.ndarray) -> tuple[float, float]:
    """Return the ends of the 95 % interval."""
    low, high = np.nanquantile(values, [0.025, 0.975])
    return float(low), float(high)


def closed(before: np.ndarray | float, after: np.ndarray | float, best: np.ndarray | float) -> np.ndarray:
    """Return the share of the gap between a model from elsewhere and the best one that is closed.

    Parameters
    ----------
    before, after, best : ndarray or float
        A score of the model as it was, adapted, and retrained on all labels.
    """
    return np.divide(np.subtract(before, after), np.subtract(before, best))


def part_of_gap(name: str, before: Resampled, after: Resampled, best: Resampled) -> dict[str, object]:
    """Compute `closed` with its interval, of a score of three `resampled` ways."""
    value = float(closed(*(one[0][name] for one in (before, after, best))))
    return {"value": value, "interval": bounds(closed(*(one[1][name] for one in (before, after, best))))}


def summary(one: Resampled) -> dict[str, dict]:
    """Return ``scores`` and their ``intervals`` as JSON has them."""
    return {"scores": one[0], "intervals": {name: bounds(values) for name, values in one[1].items()}}
