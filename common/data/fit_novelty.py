"""Fit the test of `novelty` to the training objects, and choose its threshold by the validation objects."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import replace
from itertools import product

import numpy as np
from threadpoolctl import threadpool_limits

from common.data.measure import COMPONENTS, coarse, measure, traits
from common.data.novelty import FALSE_ALARMS, LEVELS, Novelty
from common.outputs.calibration import conformal_quantile
from sdss_gs.schema import Input

OBJECTS = 10_000
"""So many training and validation objects at most are looked at."""
MOST_COMPONENTS, PER_NUMBER = 12, 40
"""Components of the mixture at most, and training objects that each needs per trait."""
SOFT = 1e-3
"""Added to all variances, of numbers whose variance is 1."""
DIGITS = 7


def fit_novelty(item: Input, chunks: Callable[[str], Iterable[np.ndarray]], photometry: str = "") -> Novelty:
    """Fit the test of one input.

    Parameters
    ----------
    item : Input
    chunks : callable
        Gives, for ``train`` and ``validation``, what the network sees of the objects, in pieces ``(m, ...)``, at every
        call the same; magnitudes and errors may be NaN.
    photometry : str
        As for `measure.TrainingRange`.
    """
    spectra = not item.columns and len(item.shape) == 1
    basis = fit_basis(chunks("train")) if spectra else np.empty((0, 0))
    train, validation = (_traits(item, chunks(part), basis) for part in ("train", "validation"))
    found = Novelty(
        knots=[_quantiles(column) for column in train.T],
        weights=[], means=[], covariances=[], thresholds={},
        objects=len(validation), basis=_plain(basis), photometry=photometry,
    )  # fmt: skip
    weights, means, covariances = _mixture(found.normal(train).T)
    found = replace(found, weights=weights, means=means, covariances=covariances)
    with threadpool_limits(1):
        return replace(found, thresholds=_thresholds(item, found, validation))


def _traits(item: Input, chunks: Iterable[np.ndarray], basis: np.ndarray) -> np.ndarray:
    measured = [traits(item, chunk, basis) for chunk in chunks]
    return np.concatenate(measured) if measured else np.empty((0, 0))


def fit_basis(chunks: Iterable[np.ndarray]) -> np.ndarray:
    """Find the mean shape of spectra ``(m, points)`` and its principal components, float64 ``(1 + k, pieces)``."""
    shapes = np.concatenate([coarse(chunk)[0] for chunk in chunks])
    mean = shapes.mean(axis=0)
    # Of the covariances: their number does not grow with that of the spectra.
    _, vectors = np.linalg.eigh(np.cov(shapes - mean, rowvar=False, ddof=0))
    return np.concatenate([mean[None], vectors.T[::-1][:COMPONENTS]])


def _quantiles(column: np.ndarray) -> list[float]:
    finite = column[np.isfinite(column)]
    return _plain(np.quantile(finite if len(finite) else np.zeros(1), LEVELS))


def _mixture(normal: np.ndarray) -> tuple[list, list, list]:
    """Fit weights (as logarithms), means and covariances to numbers, of which those that are NaN count as average."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture

    count, size = normal.shape
    filled = np.nan_to_num(normal)
    if count < 2:
        return [0.0], [_plain(filled.mean(axis=0))], [_plain(np.eye(size)[np.tril_indices(size)])]
    components = int(np.clip(count // (PER_NUMBER * size), 1, MOST_COMPONENTS))
    # Threads that share matrices this small spend 20 times the work on waiting for one another.
    with threadpool_limits(1), warnings.catch_warnings():
        # A mixture that has not settled after so many steps describes the objects nearly as well.
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = GaussianMixture(components, random_state=0, reg_covar=SOFT, max_iter=50, tol=1e-2).fit(filled)
    lower = np.tril_indices(size)
    covariances = [_plain(covariance[lower]) for covariance in found.covariances_]
    return _plain(np.log(found.weights_)), [_plain(mean) for mean in found.means_], covariances


def _thresholds(item: Input, novelty: Novelty, validation: np.ndarray) -> dict[str, float]:
    """Find the threshold of each set of magnitudes by those validation objects that have them, ``(n, k)`` traits."""
    bands = len(item.magnitudes)
    if not len(validation):
        return {}
    if not item.gaps:
        return {which: _threshold(scores) for which, _, scores in novelty.scored(validation, bands)}
    found = {}
    for shown in (np.array(one) for one in product((False, True), repeat=bands)):
        # The first traits are the magnitudes themselves.
        seen = np.where(shown, validation[:, :bands], np.nan)
        seen = seen[np.isfinite(seen).sum(axis=1) == shown.sum()]
        if shown.any() and len(seen):
            ((which, _, scores),) = novelty.scored(measure(item, seen), bands)
            found[which] = _threshold(scores)
    return found


def _threshold(scores: np.ndarray) -> float:
    # A little more, so that an object just like the last one is not flagged for a rounded digit.
    score = conformal_quantile(scores, 1 - FALSE_ALARMS)
    return float(f"{score + 1e-5 * max(1.0, abs(score)):.{DIGITS}g}")


def _plain(values: np.ndarray) -> list:
    """Turn an array into lists, as JSON has them, of so many digits."""
    return [_plain(value) if np.ndim(value) else float(f"{value:.{DIGITS}g}") for value in values]
