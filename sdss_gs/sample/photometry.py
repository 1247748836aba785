"""Magnitudes: filter curves, noise and the two surveys' ways of writing what they measured."""

from __future__ import annotations

from functools import lru_cache

import astropy.units as u
import numpy as np
from speclite.filters import FilterSequence, load_filters

from sdss_gs.schema import BANDS, CUTOUT_SCALE

WISE = ("W1", "W2", "W3", "W4")
SKY_NOISE = np.array([0.041, 0.020, 0.027, 0.045, 0.172])
"""Noise of calibrated frames in u g r i z, nanomaggies per pixel (measured on two real frames)."""
GAIN = np.array([165.0, 900.0, 920.0, 800.0, 160.0])
"""Electrons per nanomaggy in u g r i z, typical of a calibrated frame."""
SOFTENING = np.array([1.4e-10, 0.9e-10, 1.2e-10, 1.8e-10, 7.4e-10])
"""Softening b of SDSS's asinh magnitudes in u g r i z (Lupton, Gunn & Szalay 1999, AJ 118, 1406)."""
VEGA_TO_AB = np.array([2.699, 3.339, 5.174, 6.620])
"""AB minus Vega magnitude in W1-W4 (Jarrett et al. 2011, ApJ 735, 112)."""
WISE_LIMIT = np.array([16.6, 15.6, 11.5, 8.1])
"""Vega magnitudes detected at five sigma in W1-W4 (Wright et al. 2010, AJ 140, 1868)."""
FLUX_UNIT = 1e-17 * u.erg / u.s / u.cm**2 / u.AA


@lru_cache(maxsize=4)
def _filters(bands: tuple[str, ...]) -> FilterSequence:
    return load_filters(*(f"wise2010-{band}" if band in WISE else f"sdss2010-{band}" for band in bands))


def maggies(wavelength: np.ndarray, flux: np.ndarray, bands: tuple[str, ...]) -> np.ndarray:
    """Integrate a spectrum through filter curves.

    Parameters
    ----------
    wavelength : ndarray of float64, shape (n,)
        Angstrom; must cover the filters.
    flux : ndarray of float64, shape (..., n)
        1e-17 erg/s/cm²/Å.
    bands : tuple of str
        Of ``u g r i z W1 W2 W3 W4``.

    Returns
    -------
    ndarray of float64, shape (..., len(bands))
        AB maggies: 1 is magnitude 0.
    """
    flux, wavelength = flux * FLUX_UNIT, wavelength * u.AA
    # One by one: together they would come as a table, which takes longer to make than they do.
    return np.stack([np.asarray(one.get_ab_maggies(flux, wavelength)) for one in _filters(bands)], axis=-1)


def asinh_magnitude(nanomaggies: np.ndarray) -> np.ndarray:
    """SDSS asinh magnitudes (Lupton, Gunn & Szalay 1999).

    Parameters
    ----------
    nanomaggies : ndarray of float64, shape (..., 5)
        Flux in u g r i z; may be negative.

    Returns
    -------
    ndarray of float64, shape (..., 5)
    """
    return -2.5 / np.log(10) * (np.arcsinh(nanomaggies * 1e-9 / (2 * SOFTENING)) + np.log(SOFTENING))


def measure_bands(nanomaggies: np.ndarray, radius: float, seeing: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Model magnitudes as the imaging pipeline would measure them.

    Parameters
    ----------
    nanomaggies : ndarray of float64, shape (5,)
        True flux in u g r i z.
    radius : float
        Half-light radius, arcsec: the larger the galaxy, the more sky under it.
    seeing : ndarray of float64, shape (5,)
        Full width at half maximum, arcsec.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of float64, shape (5,)
        Asinh magnitudes.
    """
    area = 4 * np.pi * (radius**2 + (seeing / 2) ** 2) / CUTOUT_SCALE**2
    variance = area * SKY_NOISE**2 + nanomaggies / GAIN
    calibration = np.array([0.020, 0.010, 0.010, 0.010, 0.012]) * rng.standard_normal(len(BANDS))
    # Models that fit imperfectly scale all bands alike.
    common = 0.03 * rng.standard_normal()
    noisy = nanomaggies * 10 ** (-0.4 * (calibration + common)) + np.sqrt(variance) * rng.standard_normal(len(BANDS))
    return asinh_magnitude(noisy)


def measure_wise(flux: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Magnitudes as in the WISE all-sky catalogue.

    A flux below two sigma is replaced by its 95 % upper limit, flux plus two sigma (Cutri et al. 2012, Explanatory
    Supplement to the WISE All-Sky Data Release, section IV.4.c).

    Parameters
    ----------
    flux : ndarray of float64, shape (4,)
        True flux in W1-W4, AB maggies.
    rng : numpy.random.Generator

    Returns
    -------
    ndarray of float64, shape (4,)
        Vega magnitudes.
    """
    flux = flux * 10 ** (0.4 * VEGA_TO_AB)
    depth = 10 ** (0.4 * rng.normal(0.0, 0.15))
    sigma = np.hypot(10 ** (-0.4 * WISE_LIMIT) / 5 * depth, np.array([0.025, 0.025, 0.03, 0.04]) * flux)
    measured = flux + sigma * rng.standard_normal(len(WISE))
    return -2.5 * np.log10(np.where(measured < 2 * sigma, np.maximum(measured, 0) + 2 * sigma, measured))
