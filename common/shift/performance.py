"""How well a model does on another survey: what its errors on reference objects let expect, and what labels measure.

Where the surveys differ in which objects there are, and not in what an object with these traits is like (covariate
shift: Shimodaira 2000, J. Stat. Plan. Inference 90, 227), the errors on the reference objects, weighted by the ratio of
the densities, are those on the other survey (Sugiyama, Krauledat & Müller 2007, JMLR 8, 985). If labels measure others,
it is not so: the relation of traits and truth has moved, or the labels mean something else.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from common.models.reference import Sample
from common.outputs.kinds import kind_of
from common.outputs.metrics import score
from common.shift.importance import Importance
from sdss_gs.schema import Output

RESAMPLES = 500
LEVEL = 0.95
FEWEST_LABELS = 20
FEWEST_EFFECTIVE, LEAST_COVERED = 30, 0.5
"""Effective reference objects, and share of the other survey where there are some, for anything to be expected."""
MOST = 3_000
"""Labelled objects whose errors are looked at, at most."""
_FINE = 20
"""Times as many objects as there are stand for them when each counts by its weight."""


@dataclass(frozen=True)
class Estimate:
    """A number and where its 95 % bootstrap interval begins and ends."""

    value: float
    low: float
    high: float

    @property
    def error(self) -> float:
        """Return the standard error of a normal distribution with this interval."""
        return (self.high - self.low) / (2 * 1.96)


@dataclass(frozen=True)
class Performance:
    """How well a model does on one output.

    Parameters
    ----------
    output : Output
    reference : dict of str to Estimate
        By metric, on the reference objects as they are.
    expected : dict of str to Estimate
        On the reference objects, each weighted; empty where they have too little in common with the other survey.
    measured : dict of str to Estimate
        On labelled objects of the other survey; empty without.
    constant : dict of str to float
        What the best constant scores on the labelled objects.
    labels, references, effective : int
        Objects that they come from; effective number of weighted ones.
    offsets : dict of str to Estimate
        Of numbers, the median error (predicted − true, as the output errs) on ``reference``, ``expected``,
        ``measured``.
    spread : float
        Of numbers, half the range of the middle 68 % of the errors on reference objects.
    """

    output: Output
    reference: dict[str, Estimate]
    expected: dict[str, Estimate]
    measured: dict[str, Estimate]
    constant: dict[str, float]
    labels: int
    references: int
    effective: float
    offsets: dict[str, Estimate] = field(default_factory=dict)
    spread: float = 0.0


def performance(
    output: Output, reference: Sample, importance: Importance, other: Sample, known_overlap: bool
) -> Performance | None:
    """Judge one output; None where no reference object has its truth.

    Parameters
    ----------
    output : Output
    reference : Sample
    importance : Importance
        Of all its objects.
    other : Sample
        With truths, if it has some.
    known_overlap : bool
        Whether the surveys have enough in common to expect anything.
    """
    truth, predicted, known = _known(output, reference)
    if not known.any():
        return None
    weights = importance.weights[known]
    effective = float(weights.sum() ** 2 / np.square(weights).sum())
    names = compared(output)
    found = {"reference": resampled(output, truth, predicted, np.ones(len(truth)), names)}
    enough = known_overlap and effective >= FEWEST_EFFECTIVE
    found["expected"] = resampled(output, truth, predicted, weights, names) if enough else {}
    labels, said, labelled = (
        _known(output, other) if output.name in other.truth else (truth[:0], predicted[:0], known[:0])
    )
    constant, measured = {}, {}
    if len(labels) >= FEWEST_LABELS:
        measured = resampled(output, labels, said, np.ones(len(labels)), names)
        constant = _constant(output, truth, labels)
    found["measured"] = measured
    offsets = {key: one.pop(_OFFSET) for key, one in found.items() if _OFFSET in one}
    spread = 0.0
    if _OFFSET in _extra(output):
        error = kind_of(output).error_in_scale(predicted, truth)
        spread = float(np.subtract(*np.quantile(error, [0.84, 0.16])) / 2)
    return Performance(
        output, **found, constant=constant, labels=int(labelled.sum()), references=len(truth), effective=effective,
        offsets=offsets, spread=spread,
    )  # fmt: skip


def compared(output: Output) -> list[str]:
    """List the metrics that points, or most probable classes, can be judged by; the headline first.

    Examples
    --------
    >>> from sdss_gs.schema import OUTPUTS
    >>> compared(OUTPUTS["redshift"]), compared(OUTPUTS["subclass"])
    (['nmad', 'bias', 'outlier_fraction_05', 'outlier_fraction_15'], ['macro_f1', 'balanced_accuracy', 'accuracy'])
    """
    kind = kind_of(output)
    names = dict.fromkeys(
        (kind.headline, *kind.compared, *(("outlier_fraction_15",) if output.kind == "redshift" else ()))
    )
    return [name for name in names if name not in ("r2", "log_loss", "top3_accuracy", "mae_1e9msun")]


_OFFSET = "offset"


def _extra(output: Output) -> tuple[str, ...]:
    return () if output.classes or output.answers else (_OFFSET,)


def _known(output: Output, sample: Sample) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return truths and predictions of the objects that have a truth, and which these are."""
    truth = sample.truth[output.name]
    known = truth >= 0 if output.classes else np.isfinite(truth.reshape(len(truth), -1)).all(axis=1)
    truth, predicted = truth[known], sample.predicted[output.name][known]
    return (truth.astype(int) if output.classes else truth), predicted, known


def resampled(
    output: Output, truth: np.ndarray, predicted: np.ndarray, weights: np.ndarray, names: list[str], seed: int = 0
) -> dict[str, Estimate]:
    """Score objects that count differently, with bootstrap intervals.

    Scores are of whole objects; so objects stand for others as often as their weights say, by systematic sampling, many
    times over; for the intervals (percentile bootstrap, Efron & Tibshirani 1993, §13.3) once for each resample.

    Parameters
    ----------
    output : Output
    truth, predicted : ndarray
        As `common.outputs.metrics.score` takes them.
    weights : ndarray of float64, shape (n,)
    names : list of str
        Metrics; of numbers the ``offset`` is added, the median error.
    seed : int
    """
    rng, count = np.random.default_rng(seed), len(truth)
    if count > MOST:
        chosen = np.sort(rng.permutation(count)[:MOST])
        truth, predicted, weights, count = truth[chosen], predicted[chosen], weights[chosen], MOST
    whole = _samples(output, truth, predicted, systematic(weights, _FINE * count, 0.5)[None])
    drawn = []
    for _ in range(RESAMPLES):
        own = rng.integers(count, size=count)
        drawn.append(own[systematic(weights[own], count, rng.random())])
    blocks = [_samples(output, truth, predicted, np.array(part)) for part in np.array_split(drawn, 10)]
    found = {}
    for name in (*names, *_extra(output)):
        values = np.concatenate([block[name] for block in blocks])
        if np.isfinite(whole[name][0]) and np.isfinite(values).any():
            ends = np.nanquantile(values, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
            found[name] = Estimate(float(whole[name][0]), *map(float, ends))
    return found


def _samples(output: Output, truth: np.ndarray, predicted: np.ndarray, drawn: np.ndarray) -> dict[str, np.ndarray]:
    kind = kind_of(output)
    found = kind.samples(truth, predicted, drawn)
    if _extra(output):
        found = found | {_OFFSET: np.median(kind.error_in_scale(predicted, truth)[drawn], axis=1)}
    return found


def systematic(weights: np.ndarray, count: int, start: float) -> np.ndarray:
    """Draw so many positions, each as often as its weight says to within one (Kitagawa 1996), int64 ``(count,)``.

    Parameters
    ----------
    weights : ndarray of float64, shape (n,)
        Not below 0, of a positive sum.
    count : int
    start : float
        Between 0 and 1, where the first one is drawn.

    Examples
    --------
    >>> systematic(np.array([1.0, 3.0]), 4, 0.5).tolist()
    [0, 1, 1, 1]
    """
    ends = np.cumsum(weights)
    return np.minimum(np.searchsorted(ends, (np.arange(count) + start) / count * ends[-1], "right"), len(weights) - 1)


def _constant(output: Output, learnt: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Score the best constant of the labelled objects on themselves: what a model must beat to be of use."""
    values = list(kind_of(output).constants(labels).values())[-1]
    same = np.broadcast_to(values, (len(labels), *np.shape(values)))
    return {
        name: value
        for name, value in score(output, labels, np.asarray(same, float)).items()
        if name in compared(output)
    }
