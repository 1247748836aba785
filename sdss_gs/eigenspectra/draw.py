"""Spectra as the pipeline's best fits are made: templates added up, a polynomial, a redshift."""

from __future__ import annotations

import numpy as np

from sdss_gs.eigenspectra.read import Templates
from sdss_gs.schema import WAVELENGTH

POINTS = len(WAVELENGTH)
SHARES = np.array([[0.55, 0.35], [-0.25, 0.9], [0.0, 0.15], [0.0, 0.07]])
"""Mean and standard deviation of what each galaxy eigenspectrum adds, in medians of the spectrum: wider than those of
galaxies from ellipticals to bursts of star formation."""
WIDTHS = (0.1, 3.0)
"""Between which, evenly in its logarithm, all but the first are taken larger or smaller: old galaxies without lines are
much alike, and what tells their redshift is weak; bursts lie far from all others."""
POLYNOMIAL = 0.3
"""Standard deviation of the polynomial at both ends and in the middle, in medians: the pipeline's, of second degree,
takes up what its eigenspectra do not say, dust and flux calibration for instance."""
QUASAR_SHARES = np.array([[0.6, 0.4], [0.0, 0.8], [0.0, 0.3], [0.0, 0.1]])
"""The same of quasars, about as wide as those of real ones: at low redshift with narrow lines on a galaxy's light."""
DARKEST = -0.02
"""Lowest flux of a spectrum that is taken, in medians; best fits go a little below zero."""
TRIES = 1000
H_ALPHA = 6564.61
"""Vacuum wavelength, Å."""
LINE, CONTINUUM = 25.0, 90.0
"""Half widths about Hα, Å in the rest frame: of the line with [N II], and of where its continuum is measured."""
STARBURST, STARFORMING = 50.0, 8.0
"""Equivalent widths of Hα, Å, from which on a galaxy is called so; the first is SDSS's."""


def draw_sum(templates: Templates, redshift: float, rng: np.random.Generator) -> np.ndarray:
    """Add up the spectra of galaxies or quasars with weights by chance until the sum could be one.

    Parameters
    ----------
    templates : Templates
    redshift : float
        At which the templates cover the grid.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of float64, shape (3522,)
        With a median of 1.

    Raises
    ------
    RuntimeError
        If none of `TRIES` sums could be one.
    """
    vectors = templates.at(redshift, POINTS)
    vectors = vectors / np.abs(templates.vectors).mean(axis=1, keepdims=True)
    shares = SHARES if templates.kind == "GALAXY" else QUASAR_SHARES
    for _ in range(TRIES):
        weights = shares[:, 0] + shares[:, 1] * rng.standard_normal(len(shares))
        if templates.kind == "GALAXY":
            weights[1:] *= np.exp(rng.uniform(*np.log(WIDTHS)))
        flux = weights[: len(vectors)] @ vectors[: len(weights)] + _polynomial(rng)
        middle = np.median(flux)
        if middle > 0.2 and flux.min() > DARKEST * middle:
            return flux / middle
    raise RuntimeError(f"{templates.name}: no sum of {TRIES} is a spectrum at z = {redshift:.3f}")


def draw_star(templates: Templates, redshift: float, rng: np.random.Generator) -> np.ndarray:
    """Take one star's spectrum, reddened or calibrated a little otherwise.

    Parameters
    ----------
    templates, redshift, rng
        As for `draw_sum`.

    Returns
    -------
    ndarray of float64, shape (3522,)
        With a median of about 1.
    """
    flux = templates.at(redshift, POINTS)[rng.integers(len(templates.vectors))]
    flux = flux / max(np.median(flux), 1e-6 * np.abs(flux).max())
    return flux * np.clip(1 + _polynomial(rng) * 0.5, 0.2, None)


def _polynomial(rng: np.random.Generator) -> np.ndarray:
    """Draw the parabola through three values, float64 ``(3522,)``."""
    place = np.linspace(-1, 1, POINTS)
    low, middle, high = POLYNOMIAL * rng.standard_normal(3)
    return middle + (high - low) / 2 * place + ((high + low) / 2 - middle) * place**2


def equivalent_width(flux: np.ndarray, redshift: float) -> float:
    """Measure Hα with [N II], Å in the rest frame; above zero in emission. NaN where it lies outside the grid."""
    rest = WAVELENGTH / (1 + redshift)
    distance = np.abs(rest - H_ALPHA)
    inside, beside = distance <= LINE, (distance > LINE) & (distance <= CONTINUUM)
    if rest[-1] < H_ALPHA + CONTINUUM or rest[0] > H_ALPHA - CONTINUUM:
        return float("nan")
    continuum = np.median(flux[beside])
    if continuum <= 0:
        return float("nan")
    return float(np.trapezoid(flux[inside] / continuum - 1, rest[inside]))


def subclass_of(width: float) -> str:
    """Name the sub-class that an equivalent width of Hα stands for; empty if none.

    Examples
    --------
    >>> [subclass_of(width) for width in (80.0, 20.0, 2.0, float("nan"))]
    ['STARBURST', 'STARFORMING', '', '']
    """
    return "STARBURST" if width > STARBURST else "STARFORMING" if width > STARFORMING else ""
