"""Scores by the names and definitions of the field, with bootstrap intervals.

A score that the test galaxies leave undefined is left out: R² where every true value is the same, the area under the
curve where there is one class. Which names are there depends on the truth alone: they are the same for all rivals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from common.outputs.kinds import kind_of
from sdss_gs.schema import Output

FEWEST_IN_BIN = 10
RESAMPLES_IN_BIN = 300

_BLOCK = 700_000  # resampled values held at a time


def score(output: Output, truth: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Score predictions of any output.

    Parameters
    ----------
    output : Output
    truth : ndarray, shape (n,)
        Catalogue unit or class numbers, or votes ``(n, answers)``; n ≥ 1.
    predicted : ndarray, shape (n,), (n, classes) or (n, answers)
        As returned by `Kind.decode`; finite.

    Returns
    -------
    dict of str to float
        As `samples` of the output's kind names them; never NaN.

    Examples
    --------
    >>> from sdss_gs.schema import OUTPUTS
    >>> scores = score(OUTPUTS["redshift"], np.array([0.1, 0.2]), np.array([0.1, 0.23]))
    >>> round(scores["bias"], 4), round(scores["mae"], 4)
    (0.0125, 0.015)
    """
    whole = kind_of(output).samples(truth, predicted, np.arange(len(truth))[None])
    return {name: float(value[0]) for name, value in whole.items() if not np.isnan(value[0])}


def scores_in_bins(
    output: Output,
    truth: np.ndarray,
    rows: Mapping[str, np.ndarray],
    quantities: Mapping[str, tuple[np.ndarray, Sequence[float]]],
) -> dict[str, list[dict]]:
    """Score several rivals' predictions of the same objects in bins, by the scores that `Kind.in_bins` names.

    Parameters
    ----------
    output : Output
    truth : ndarray
        As for `score`.
    rows : mapping of str to ndarray
        By rival, predictions as for `score`. Of distributions the medians are scored.
    quantities : mapping of str to (ndarray of float, shape (n,), sequence of float)
        By what objects are put into bins, and the bins' limits, from low to high.

    Returns
    -------
    dict of str to list of dict
        By quantity, for each bin low ≤ value < high: ``low``, ``high``, ``count``, and by rival ``scores`` and
        ``intervals``. Bins of fewer than 10 objects are left out, and quantities without a bin.
    """
    kind, found = kind_of(output), {}
    points = {row: kind.point(predicted) for row, predicted in rows.items()}
    for name, (values, edges) in quantities.items():
        inside = ((low, high, (values >= low) & (values < high)) for low, high in pairwise(edges))
        lines = [_bin(output, truth, points, *one) for one in inside if one[-1].sum() >= FEWEST_IN_BIN]
        found |= {name: lines} if lines else {}
    return found


def _bin(
    output: Output, truth: np.ndarray, points: Mapping[str, np.ndarray], low: float, high: float, inside: np.ndarray
) -> dict:
    judged = {row: (output, truth[inside], predicted[inside]) for row, predicted in points.items()}
    bounds = {row: intervals(*one, resamples=RESAMPLES_IN_BIN) for row, one in judged.items()}
    chosen, scores = kind_of(output).in_bins, {row: score(*one) for row, one in judged.items()}
    return {"low": low, "high": high, "count": int(inside.sum())} | {
        key: {row: {name: values[name] for name in chosen if name in values} for row, values in found.items()}
        for key, found in (("scores", scores), ("intervals", bounds))
    }


def intervals(
    output: Output, truth: np.ndarray, predicted: np.ndarray, seed: int = 0, resamples: int = 1000, level: float = 0.95
) -> dict[str, tuple[float, float]]:
    """Bound every score of `score` by the percentile bootstrap over the galaxies (Efron & Tibshirani 1993, §13.3).

    For averages over classes (`Kind.class_averages`) galaxies are drawn within their class, so that every resample
    holds as many of each class as the test objects (stratified bootstrap, Efron & Tibshirani 1993, §8.3).

    Parameters
    ----------
    output : Output
    truth, predicted : ndarray
        As for `score`.
    seed, resamples : int
    level : float
        Share of the resamples between the bounds.

    Returns
    -------
    dict of str to tuple of float
        Low and high. A resample that leaves a score undefined does not count for it.
    """
    kind, names = kind_of(output), list(score(output, truth, predicted))
    generator, size = np.random.default_rng(seed), len(truth)
    rows = max(1, _BLOCK // size)
    counts = [min(rows, resamples - start) for start in range(0, resamples, rows)]
    blocks = [kind.samples(truth, predicted, generator.integers(size, size=(n, size))) for n in counts]
    if kind.class_averages:
        for block, n in zip(blocks, counts, strict=True):
            members = (np.flatnonzero(truth == label) for label in np.unique(truth))
            drawn = np.concatenate([generator.choice(group, (n, len(group))) for group in members], axis=1)
            within = kind.samples(truth, predicted, drawn)
            block |= {name: within[name] for name in kind.class_averages}
    bounds = {}
    for name in names:
        values = np.concatenate([block[name] for block in blocks])
        if (finite := np.isfinite(values)).any():
            low, high = np.quantile(values[finite], [(1 - level) / 2, (1 + level) / 2])
            bounds[name] = (float(low), float(high))
    return bounds
