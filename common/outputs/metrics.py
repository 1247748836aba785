"""Scores by the names and definitions of the field, with bootstrap intervals.

A score that the test galaxies leave undefined is left out: R² where every true value is the same, the area under the
curve where there is one class. Which names are there depends on the truth alone: they are the same for all rivals.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from common.outputs.kinds import kind_of
from sdss_gs.schema import Output

FEWEST_IN_BIN = 10

_BLOCK = 2_000_000  # resampled values held at a time


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


def binned_scores(output: Output, truth: np.ndarray, predicted: np.ndarray) -> list[dict[str, float]]:
    """Score predictions in bins of the truth.

    Parameters
    ----------
    output : Output
    truth, predicted : ndarray
        As for `score`.

    Returns
    -------
    list of dict of str to float
        ``low``, ``high``, ``count`` and what `score` gives, for the bins low ≤ truth < high that the output's kind has;
        bins of fewer than 10 galaxies are left out, and galaxies beyond the limits are in none.
    """
    lines = []
    for low, high in pairwise(kind_of(output).bin_edges):
        chosen = (truth >= low) & (truth < high)
        if (count := int(chosen.sum())) >= FEWEST_IN_BIN:
            line = {"low": low, "high": high, "count": count}
            lines.append(line | score(output, truth[chosen], predicted[chosen]))
    return lines


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
