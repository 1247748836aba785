"""What happened to magnitudes: another extinction, a zero point that moved, a band that is noisier.

Galaxies of two surveys may differ in brightness, colour and redshift; each band still follows from the others nearly as
it did. So each magnitude is predicted from the others as they do in the reference sample (quadratic, without those far
off), and what is left over in the other survey is compared with what a shift of the magnitudes would leave. That is the
idea of stellar locus regression (High et al. 2009, AJ 138, 110), for galaxies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

FEWEST, FEWEST_BANDS = 60, 3
"""Objects of each sample, with all bands, and bands that are needed."""
MOST = 20_000
GROUPS = 20
"""Of the jackknife (Efron & Tibshirani 1993, §11.5)."""
INSIDE = 0.002
"""Share of the reference objects beyond which the other survey's are not looked at, in any band."""
FAR_OFF = 4.0
"""Standard deviations from which an object does not decide how bands go together."""
SYSTEMATIC = 0.001
"""Magnitudes by which what is left may differ between two samples of the same survey, chance apart."""
CERTAIN, SMALLEST = 4.0, 0.01
"""Standard errors, and magnitudes or E(B-V), of a shift that is named."""
EXPLAINED, LEFT, NEARLY_ALL = 0.75, 15.0, 0.95
"""Share of χ² that a shift must explain where it leaves no more than chance does (15 in 1 of 200 times for four degrees
of freedom), and where it leaves more."""
NOISIER, QUIET = 1.5, 1.2
"""Ratios of spreads from which a band is noisier, and up to which the others are not."""
_RIDGE, _CLIP, _STEP = 1e-4, 2.5, 0.01


@dataclass(frozen=True)
class BandShift:
    """A shift of the magnitudes that explains how two samples differ.

    Parameters
    ----------
    name : str
        ``extinction``, or the column of the band whose zero point moved.
    size, error : float
        E(B-V) or magnitudes, other minus reference; its standard error.
    explained : float
        Share of χ² of the leftovers that it explains.
    """

    name: str
    size: float
    error: float
    explained: float


@dataclass(frozen=True)
class Leftovers:
    """What is left of each band when the others have said what they can.

    Parameters
    ----------
    typical : ndarray of float64, shape (bands,)
        Mean of what is left in the other survey minus that in the reference, without those far off, magnitudes.
    covariance : ndarray of float64, shape (bands, bands)
        Of these.
    response : ndarray of float64, shape (bands, bands)
        By how much a leftover (row) grows with a shift of a band (column).
    spread : ndarray of float64, shape (bands,)
        Ratio of their spreads, other over reference.
    """

    typical: np.ndarray
    covariance: np.ndarray
    response: np.ndarray
    spread: np.ndarray

    @property
    def chi2(self) -> float:
        """Return χ² of no shift at all."""
        return float(self.typical @ np.linalg.solve(self.covariance, self.typical))


def leftovers(ours: np.ndarray, theirs: np.ndarray) -> Leftovers | None:
    """Compare what is left of each band in two samples of magnitudes.

    Parameters
    ----------
    ours, theirs : ndarray of float64, shape (n, bands), (m, bands)
        Of objects that have all of the bands. Those of the second that lie beyond the first are not looked at: nobody
        knows how bands go together there.

    Returns
    -------
    Leftovers or None
        None where there are too few objects or bands.
    """
    if min(len(ours), len(theirs)) < FEWEST or ours.shape[1] < FEWEST_BANDS:
        return None
    # In no order: neighbours in a catalogue may be alike.
    rng = np.random.default_rng(0)
    ours, theirs = (one[rng.permutation(len(one))[:MOST]] for one in (ours, theirs))
    low, high = np.quantile(ours, [INSIDE, 1 - INSIDE], axis=0)
    theirs = theirs[((theirs >= low) & (theirs <= high)).all(axis=1)]
    if len(theirs) < FEWEST:
        return None
    whole, groups = _fit(ours, theirs), np.arange(len(ours)) % GROUPS
    away = np.array([_fit(ours[groups != group], theirs).typical - whole.typical for group in range(GROUPS)])
    covariance = (GROUPS - 1) / GROUPS * away.T @ away
    # Of the other survey's objects, which the relations were not fitted to; and of what is no chance.
    covariance += np.cov(whole.left, rowvar=False) / len(theirs) + np.diag(np.full(len(low), SYSTEMATIC**2))
    return Leftovers(whole.typical, covariance, whole.response, whole.spread)


def band_shift(found: Leftovers, candidates: Mapping[str, np.ndarray]) -> BandShift | None:
    """Find the shift that explains the leftovers, if one does so alone.

    Parameters
    ----------
    found : Leftovers
    candidates : mapping of str to ndarray of float64, shape (bands,)
        By name, by how much a shift of size 1 moves each band.
    """
    weight, none, best, least = np.linalg.inv(found.covariance), found.chi2, None, np.inf
    for name, direction in candidates.items():
        moved = found.response @ direction
        precision = moved @ weight @ moved
        size = float(moved @ weight @ found.typical / precision)
        left = found.typical - size * moved
        chi2 = float(left @ weight @ left)
        if chi2 < least:
            best, least = BandShift(name, size, float(precision**-0.5), 1 - chi2 / none), chi2
    if best is None or abs(best.size) < max(SMALLEST, CERTAIN * best.error):
        return None
    alone = best.explained >= EXPLAINED and least <= LEFT
    return best if alone or best.explained >= NEARLY_ALL else None


def noisier_band(ours: np.ndarray, theirs: np.ndarray, whole: Leftovers) -> tuple[int, float] | None:
    """Find a band that is much noisier in the other survey, while the others, left by themselves, are not.

    Parameters
    ----------
    ours, theirs : ndarray
        As for `leftovers`.
    whole : Leftovers
        Of them.

    Returns
    -------
    tuple of int and float, or None
        Which it is, and how many times as widely it lies around what the others say.
    """
    worst = int(whole.spread.argmax())
    rest = np.delete(np.arange(ours.shape[1]), worst)
    if whole.spread[worst] < NOISIER or len(rest) < FEWEST_BANDS:
        return None
    quiet = leftovers(ours[:, rest], theirs[:, rest])
    return (worst, float(whole.spread[worst])) if quiet and quiet.spread.max() < QUIET else None


# === The relations between bands ===


@dataclass(frozen=True)
class _Fit:
    """As `Leftovers`, and what is left of the other survey's objects, tamed, ``(m, bands)``."""

    typical: np.ndarray
    response: np.ndarray
    spread: np.ndarray
    left: np.ndarray


def _fit(ours: np.ndarray, theirs: np.ndarray) -> _Fit:
    bands, middle, width = ours.shape[1], ours.mean(axis=0), ours.std(axis=0) + 1e-6
    typical, spread, response, tamed = np.empty(bands), np.empty(bands), np.eye(bands), np.empty(theirs.shape)
    for band in range(bands):
        rest = np.delete(np.arange(bands), band)

        def terms(values: np.ndarray, rest: np.ndarray = rest) -> np.ndarray:
            return _quadratic((values[:, rest] - middle[rest]) / width[rest])

        design, target, keep = terms(ours), ours[:, band], np.ones(len(ours), bool)
        for _ in range(3):
            coefficients = _ridge(design[keep], target[keep])
            residual = target - design @ coefficients
            keep = np.abs(residual - np.median(residual)) <= FAR_OFF * _scale(residual)
        left, scale = theirs[:, band] - terms(theirs) @ coefficients, _scale(residual)
        spread[band] = _scale(left) / max(scale, 1e-6)
        # As far as the other survey's own spread goes: a band that is noisier is still looked at as a whole.
        tamed[:, band] = _tamed(left, max(scale, _scale(left)))
        typical[band] = tamed[:, band].mean() - _tamed(residual, scale).mean()
        for place in rest:
            shifted = theirs.copy()
            shifted[:, place] += _STEP
            response[band, place] = -np.mean((terms(shifted) - terms(theirs)) @ coefficients) / _STEP
    return _Fit(typical, response, spread, tamed)


def _quadratic(values: np.ndarray) -> np.ndarray:
    """Return 1, the columns, and all products of two of them, ``(n, terms)``."""
    first, second = np.triu_indices(values.shape[1])
    return np.concatenate([np.ones((len(values), 1)), values, values[:, first] * values[:, second]], axis=1)


def _ridge(design: np.ndarray, target: np.ndarray) -> np.ndarray:
    gram = design.T @ design / len(design)
    return np.linalg.solve(
        gram + _RIDGE * np.diag(np.diag(gram) * (np.arange(len(gram)) > 0)), design.T @ target / len(design)
    )


def _scale(values: np.ndarray) -> float:
    """Return the standard deviation as the median absolute deviation says it."""
    return float(1.4826 * np.median(np.abs(values - np.median(values))))


def _tamed(values: np.ndarray, scale: float) -> np.ndarray:
    """Bring values far from their median nearer, so that a few do not decide their mean."""
    middle = np.median(values)
    return np.clip(values, middle - _CLIP * scale, middle + _CLIP * scale)
