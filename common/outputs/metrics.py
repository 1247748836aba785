"""Scores by the names and definitions of the field, with bootstrap intervals.

A score that the test galaxies leave undefined is left out: R² where every true value is the same, the area under the
curve where there is one class. Which names are there depends on the truth alone: they are the same for all rivals.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from sklearn import metrics as sk

from common.outputs.vote_scores import MEAN_ACCURACY, accuracy_name, rmse_name, vote_scores
from sdss_gs.decision_tree import KAGGLE, TREES
from sdss_gs.schema import OUTPUTS, QUANTITIES, Output

MASS_UNIT = 1e9
"""Msun; the unit of the mean absolute error in older tables."""
CALIBRATION_BINS = 15
"""Equal-width bins of the top probability (Guo et al. 2017)."""
REDSHIFT_EDGES = (0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1)
FEWEST_IN_BIN = 10

BETTER = {
    **dict.fromkeys(("nmad", "sigma68", "outlier_fraction_05", "outlier_fraction_15", "mse", "mae", "rmse"), "low"),
    **dict.fromkeys(("scatter_dex", "mae_1e9msun", "log_loss", "ece"), "low"),
    **dict.fromkeys(("r2", "accuracy", "balanced_accuracy", "macro_f1", "roc_auc", "top3_accuracy"), "high"),
    **dict.fromkeys(("bias", "bias_dex"), "zero"),
    **{rmse_name(len(tree.columns)): "low" for tree in TREES.values()},
    **dict.fromkeys((MEAN_ACCURACY, *map(accuracy_name, TREES[KAGGLE].questions)), "high"),
}
"""Better direction by metric: ``low``, ``high`` or ``zero``."""

HEADLINES = {"redshift": "nmad", "mass": "scatter_dex", "classes": "macro_f1", "number": "rmse"}
"""The one metric to compare models by, by kind of output; for votes `vote_scores.rmse_name`.

The scatter in the unit in which the field compares: a few outliers do not decide the NMAD, a few massive galaxies not
the scatter in dex. Macro F1, because always naming the most frequent class wins accuracy but fails it.
"""

CLASS_AVERAGES = ("balanced_accuracy", "macro_f1", "roc_auc")
"""Means over the classes that occur: a resample without a rare class would average other classes than the score."""

_BLOCK = 2_000_000  # resampled values held at a time


def headline(output: Output) -> str:
    """Name the one metric to compare models of an output by."""
    return rmse_name(output.size) if output.kind == "votes" else HEADLINES[output.kind]


def cost(metric: str, value: float) -> float:
    """Turn a metric's value into a number of which less is better."""
    return {"low": value, "high": -value, "zero": abs(value)}[BETTER[metric]]


def score(output: Output, truth: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Score predictions of any output.

    Parameters
    ----------
    output : Output
    truth : ndarray, shape (n,)
        Catalogue unit or class numbers, or votes ``(n, answers)``; n ≥ 1.
    predicted : ndarray, shape (n,), (n, classes) or (n, answers)
        As returned by `outputs.decode`; finite.

    Returns
    -------
    dict of str to float
        As `redshift_scores`, `mass_scores`, `number_scores`, `class_scores` or `vote_scores` names them; never NaN.
    """
    whole = _samples(output, truth, predicted, np.arange(len(truth))[None])
    return {name: float(value[0]) for name, value in whole.items() if not np.isnan(value[0])}


def redshift_scores(truth: np.ndarray, predicted: np.ndarray) -> dict[str, np.ndarray]:
    """Score redshifts, ``(..., n)`` for any number of samples of n galaxies.

    Returns
    -------
    dict of str to ndarray of float64, shape (...)
        Of Δz (`normalised_difference`): ``nmad`` 1.4826 · median |Δz − median Δz| (Brammer et al. 2008, ApJ 686,
        1503); ``bias`` median; ``sigma68`` half the range of percentiles 16 to 84 (Sánchez et al. 2014, MNRAS 445,
        1482); ``outlier_fraction_05`` and ``outlier_fraction_15`` share of |Δz| > 0.05 (Pasquet et al. 2019, A&A 621,
        A26) and > 0.15 (Ilbert et al. 2006, A&A 457, 841). Of z itself: ``mse``, ``mae`` and ``r2``.
    """
    difference = normalised_difference(truth, predicted)
    low, bias, high = np.percentile(difference, [16, 50, 84], axis=-1)
    size = np.abs(difference)
    return {
        "nmad": 1.4826 * np.median(np.abs(difference - bias[..., None]), axis=-1),
        "bias": bias,
        "sigma68": (high - low) / 2,
        "outlier_fraction_05": np.mean(size > 0.05, axis=-1),
        "outlier_fraction_15": np.mean(size > 0.15, axis=-1),
        "mse": np.mean((predicted - truth) ** 2, axis=-1),
        "mae": np.mean(np.abs(predicted - truth), axis=-1),
        "r2": _explained(truth, predicted),
    }


def mass_scores(truth: np.ndarray, predicted: np.ndarray) -> dict[str, np.ndarray]:
    """Score stellar masses in Msun, ``(..., n)`` for any number of samples of n galaxies.

    Returns
    -------
    dict of str to ndarray of float64, shape (...)
        Of log10(predicted / true), by `log_mass`: ``scatter_dex`` standard deviation and ``bias_dex`` mean (Bonjean et
        al. 2019, A&A 622, A137); ``r2`` of log10; ``mae_1e9msun`` mean absolute error of the unclipped mass, 1e9 Msun.
    """
    log_truth, log_predicted = log_mass(truth), log_mass(predicted)
    difference = log_predicted - log_truth
    return {
        "scatter_dex": np.std(difference, axis=-1),
        "bias_dex": np.mean(difference, axis=-1),
        "r2": _explained(log_truth, log_predicted),
        "mae_1e9msun": np.mean(np.abs(predicted - truth), axis=-1) / MASS_UNIT,
    }


def number_scores(truth: np.ndarray, predicted: np.ndarray) -> dict[str, np.ndarray]:
    """Score any other numbers, ``(..., n)`` for any number of samples of n galaxies.

    Returns
    -------
    dict of str to ndarray of float64, shape (...)
        In the column's unit: ``rmse`` root of the mean squared error, ``mae`` mean absolute error; and ``r2``.
    """
    difference = predicted - truth
    return {
        "rmse": np.sqrt(np.mean(difference**2, axis=-1)),
        "mae": np.mean(np.abs(difference), axis=-1),
        "r2": _explained(truth, predicted),
    }


def class_scores(truth: np.ndarray, probabilities: np.ndarray, weights: np.ndarray) -> dict[str, np.ndarray]:
    """Score class probabilities, ``(n, classes)``, in samples that hold each galaxy `weights` times, ``(samples, n)``.

    Returns
    -------
    dict of str to ndarray of float64, shape (samples,)
        ``accuracy``; ``balanced_accuracy``, mean recall (Brodersen et al. 2010, ICPR, 3121), and ``macro_f1``
        (Sokolova & Lapalme 2009, Inf. Process. Manag. 45, 427), both over the classes that occur; ``log_loss`` in nats
        (Good 1952, J. R. Stat. Soc. B 14, 107); ``roc_auc``, area under the one-against-the-rest curve (Fawcett 2006,
        Pattern Recognit. Lett. 27, 861), mean over the classes that occur; ``ece``, expected calibration error (Guo et
        al. 2017, ICML, arXiv:1706.04599); of more than four classes ``top3_accuracy``, the true class among the three
        most probable (Russakovsky et al. 2015, IJCV 115, 211, there of five).
    """
    count, total = probabilities.shape[1], weights.sum(axis=1)
    best, top = probabilities.argmax(axis=1), probabilities.max(axis=1)
    cells = _sums(truth * count + best, weights, count**2).reshape(-1, count, count)
    right, occurring = cells.diagonal(axis1=1, axis2=2), cells.sum(axis=2)
    chosen = np.take_along_axis(probabilities, truth[:, None], axis=1)[:, 0]
    bins = np.clip(np.ceil(top * CALIBRATION_BINS).astype(int) - 1, 0, CALIBRATION_BINS - 1)
    areas = [_area(truth == label, probabilities[:, label], weights) for label in range(count)]
    found = {
        "accuracy": right.sum(axis=1) / total,
        "balanced_accuracy": _mean(_ratio(right, occurring)),
        "macro_f1": _mean(_ratio(2 * right, np.where(occurring > 0, occurring + cells.sum(axis=1), 0))),
        "log_loss": weights @ -np.log(np.clip(chosen, 1e-15, 1.0)) / total,
        "roc_auc": _mean(np.transpose(areas)),
        "ece": np.abs(_sums(bins, weights * ((best == truth) - top), CALIBRATION_BINS)).sum(axis=1) / total,
    }
    if count > 4:
        first = np.argsort(-probabilities, axis=1, kind="stable")[:, :3]
        found["top3_accuracy"] = weights @ (first == truth[:, None]).any(axis=1) / total
    return found


def normalised_difference(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return Δz = (z_predicted − z_true) / (1 + z_true)."""
    return (predicted - truth) / (1 + truth)


def log_mass(mass: np.ndarray) -> np.ndarray:
    """Return log10(mass / Msun), clipped to the range that the catalogue accepts (1e4 to 1e14 Msun).

    A network that learns the mass itself may predict zero or less: it then counts as 1e4 Msun, a miss of many dex. No
    true mass is ever clipped.
    """
    allowed = QUANTITIES["stellarmass"]
    return np.log10(np.clip(mass, allowed.low, allowed.high))


def confusion_matrix(output: Output, truth: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    """Count objects by true class (rows) and most probable class (columns), int64 ``(classes, classes)``."""
    return sk.confusion_matrix(truth, probabilities.argmax(axis=1), labels=np.arange(len(output.classes)))


def binned_scores(
    truth: np.ndarray, predicted: np.ndarray, edges: Sequence[float] = REDSHIFT_EDGES
) -> list[dict[str, float]]:
    """Score redshifts in bins of true redshift.

    Parameters
    ----------
    truth, predicted : ndarray of float, shape (n,)
    edges : sequence of float
        Limits of the bins low ≤ z < high; galaxies beyond them are in no bin.

    Returns
    -------
    list of dict of str to float
        ``low``, ``high``, ``count`` and what `score` gives; bins of fewer than 10 galaxies are left out.
    """
    found = []
    for low, high in pairwise(edges):
        chosen = (truth >= low) & (truth < high)
        if (count := int(chosen.sum())) >= FEWEST_IN_BIN:
            line = {"low": low, "high": high, "count": count}
            found.append(line | score(OUTPUTS["redshift"], truth[chosen], predicted[chosen]))
    return found


def intervals(
    output: Output, truth: np.ndarray, predicted: np.ndarray, seed: int = 0, resamples: int = 1000, level: float = 0.95
) -> dict[str, tuple[float, float]]:
    """Bound every score of `score` by the percentile bootstrap over the galaxies (Efron & Tibshirani 1993, §13.3).

    For the averages over classes (`CLASS_AVERAGES`) galaxies are drawn within their class, so that every resample holds
    as many of each class as the test objects (stratified bootstrap, Efron & Tibshirani 1993, §8.3).

    Returns
    -------
    dict of str to tuple of float
        Low and high, between which a share `level` of the resamples lies. A resample that leaves a score undefined does
        not count for it.
    """
    names, generator, size = list(score(output, truth, predicted)), np.random.default_rng(seed), len(truth)
    rows = max(1, _BLOCK // size)
    counts = [min(rows, resamples - start) for start in range(0, resamples, rows)]
    blocks = [_samples(output, truth, predicted, generator.integers(size, size=(n, size))) for n in counts]
    if output.classes:
        for block, n in zip(blocks, counts, strict=True):
            within = _samples(output, truth, predicted, _drawn_within_classes(truth, n, generator))
            block |= {name: within[name] for name in CLASS_AVERAGES}
    bounds = {}
    for name in names:
        values = np.concatenate([block[name] for block in blocks])
        if (finite := np.isfinite(values)).any():
            low, high = np.quantile(values[finite], [(1 - level) / 2, (1 + level) / 2])
            bounds[name] = (float(low), float(high))
    return bounds


def _drawn_within_classes(truth: np.ndarray, samples: int, generator: np.random.Generator) -> np.ndarray:
    members = [np.flatnonzero(truth == label) for label in np.unique(truth)]
    return np.concatenate([generator.choice(group, (samples, len(group))) for group in members], axis=1)


def _samples(output: Output, truth: np.ndarray, predicted: np.ndarray, drawn: np.ndarray) -> dict[str, np.ndarray]:
    """Score samples of the galaxies, given as positions ``(samples, n)``; NaN where a score is undefined."""
    if output.classes:
        return class_scores(truth, predicted, np.array([np.bincount(row, minlength=len(truth)) for row in drawn]))
    if output.kind == "votes":
        return vote_scores(output, truth, predicted, drawn)
    return _NUMBER_SCORES[output.kind](truth[drawn], predicted[drawn])


_NUMBER_SCORES = {"redshift": redshift_scores, "mass": mass_scores, "number": number_scores}


def _area(positive: np.ndarray, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the chance that a positive galaxy has the larger value; equal values count half."""
    others = np.flatnonzero(~positive)
    others = others[np.argsort(values[others])]
    below = np.pad(np.cumsum(weights[:, others], axis=1), ((0, 0), (1, 0)))
    first, last = (np.searchsorted(values[others], values[positive], side) for side in ("left", "right"))
    chosen = weights[:, positive]
    wins = (chosen * (below[:, first] + below[:, last])).sum(axis=1) / 2
    return _ratio(wins, chosen.sum(axis=1) * below[:, -1])


def _explained(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    varies = np.ptp(truth, axis=-1) > 0
    return 1 - _ratio(np.mean((predicted - truth) ** 2, axis=-1), np.where(varies, np.var(truth, axis=-1), 0))


def _sums(groups: np.ndarray, weights: np.ndarray, count: int) -> np.ndarray:
    return np.array([np.bincount(groups, row, minlength=count) for row in weights])


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)


def _mean(values: np.ndarray) -> np.ndarray:
    """Average the defined values of the last axis."""
    defined = ~np.isnan(values)
    return _ratio(np.where(defined, values, 0).sum(axis=-1), defined.sum(axis=-1))
