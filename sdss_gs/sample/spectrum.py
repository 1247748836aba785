"""The spectrum a 3 arcsec fibre sees: best fit, noise and sky."""

from __future__ import annotations

from functools import cache

import numpy as np

from sdss_gs.sample.lines import LINES
from sdss_gs.sample.sed import Sed
from sdss_gs.schema import GRID_FIRST, GRID_LAST

_BEFORE, _BEHIND = (200, 235), (75, 106)
"""Points that a table has beyond either end of the grid: fewest, and one more than the most."""
HEADER = "Wavelength,Flux,BestFit,SkyFlux\r\n"
# Observed wavelength, noise of a faint object and sky, both 1e-17 erg/s/cm²/Å, typical of DR17 spectra.
_LEVEL_WAVELENGTH, _NOISE, _SKY = np.array([
    [3700, 2.6, 6.0], [3850, 1.9, 6.5], [4200, 1.25, 7.0], [5000, 0.88, 7.0], [5500, 0.87, 7.2], [6000, 0.86, 9.0],
    [6500, 0.72, 7.0], [7000, 0.66, 6.0], [8000, 0.86, 6.2], [8600, 1.2, 6.5], [9000, 1.45, 6.0], [9300, 1.8, 6.0],
]).T  # fmt: skip
# Sky lines: wavelength and peak over the continuum (Hanuschik 2003, A&A 407, 1157; OH bands thinned out).
_SKY_LINES = np.array([
    [4047.8, 3], [4359.6, 5], [5462.3, 4], [5578.9, 90], [5891.5, 9], [5897.6, 6], [6302.1, 28], [6365.5, 10],
    [6500.5, 4], [6535.8, 6], [6865.7, 9], [6925.1, 11], [6950.9, 8], [7242.6, 10], [7278.3, 16], [7318.3, 18],
    [7342.9, 14], [7526.0, 8], [7573.9, 9], [7718.0, 14], [7752.8, 20], [7796.2, 22], [7823.5, 26], [7855.4, 20],
    [7915.8, 30], [7966.8, 24], [7995.6, 26], [8027.7, 14], [8064.1, 9], [8291.0, 14], [8301.8, 12], [8346.9, 32],
    [8401.8, 36], [8432.5, 34], [8467.7, 26], [8496.9, 20], [8507.2, 16], [8551.0, 10], [8762.5, 14], [8780.4, 26],
    [8793.4, 28], [8829.5, 44], [8852.2, 20], [8870.1, 38], [8888.3, 44], [8905.7, 38], [8922.1, 46], [8945.8, 34],
    [8960.5, 40], [8991.1, 36], [9004.0, 30], [9041.0, 20], [9052.5, 22], [9107.1, 8],
])  # fmt: skip


def fibre_flux(sed: Sed, fractions: np.ndarray, wavelength: np.ndarray) -> np.ndarray:
    """Noiseless spectrum in the fibre.

    Parameters
    ----------
    sed : Sed
    fractions : ndarray of float64, shape (4,)
        Share of each component in the fibre.
    wavelength : ndarray of float64, shape (n,)
        Observed vacuum angstrom.

    Returns
    -------
    ndarray of float64, shape (n,)
        1e-17 erg/s/cm²/Å.
    """
    return np.interp(wavelength, sed.wavelength, np.einsum("c,cn->n", fractions, sed.flux))


def sky_flux(wavelength: np.ndarray) -> np.ndarray:
    """Spectrum of the night sky in the fibre, float64 (n,), 1e-17 erg/s/cm²/Å."""
    lines = np.exp(-0.5 * ((wavelength - _SKY_LINES[:, :1]) / (wavelength / 4600)) ** 2)
    return np.interp(wavelength, _LEVEL_WAVELENGTH, _SKY) + np.einsum("l,ln->n", _SKY_LINES[:, 1], lines)


@cache
def _usual_sky() -> tuple[np.ndarray, np.ndarray]:
    """Wavelengths that a table may have, and the sky there: the same for every galaxy, and a tenth of its time."""
    wavelength = 10 ** (np.arange(GRID_FIRST - _BEFORE[1], GRID_LAST + _BEHIND[1]) * 1e-4)
    return wavelength, sky_flux(wavelength)


def noise_level(wavelength: np.ndarray, flux: np.ndarray, sky: np.ndarray) -> np.ndarray:
    """Estimate the noise per pixel from the photons of sky and object, worse at both ends; float64 (n,).

    Parameters
    ----------
    wavelength : ndarray, shape (n,)
        Å.
    flux, sky : ndarray, shape (n,)
        Of object and sky.
    """
    faint = np.interp(wavelength, _LEVEL_WAVELENGTH, _NOISE)
    continuum = np.interp(wavelength, _LEVEL_WAVELENGTH, _SKY)
    # The sky counts more than its flux says: its photons come with those lost in its subtraction.
    return faint * np.sqrt((2.2 * sky + np.clip(flux, 0, None)) / (2.2 * continuum))


def spectrum_table(sed: Sed, fractions: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Spectrum as exported by SkyServer.

    Parameters
    ----------
    sed : Sed
    fractions : ndarray of float64, shape (4,)
    rng : numpy.random.Generator
        Draws where the table starts and ends, and the noise.

    Returns
    -------
    ndarray of float64, shape (about 3840, 4)
        Wavelength (vacuum angstrom), flux, best fit, sky (1e-17 erg/s/cm²/Å).
    """
    first, last = GRID_FIRST - int(rng.integers(*_BEFORE)), GRID_LAST + int(rng.integers(*_BEHIND))
    start = GRID_FIRST - _BEFORE[1]
    wavelength, sky = (values[first - start : last + 1 - start] for values in _usual_sky())
    best = fibre_flux(sed, fractions, wavelength)
    sky = sky * rng.uniform(0.7, 1.2)
    noise = noise_level(wavelength, best, sky) * rng.uniform(0.8, 1.25)
    return np.column_stack([wavelength, best + noise * rng.standard_normal(len(wavelength)), best, sky])


def format_table(table: np.ndarray) -> str:
    """Write rows as SkyServer does: header, three decimals, CRLF line ends."""
    return HEADER + "%.3f,%.3f,%.3f,%.3f\r\n" * len(table) % tuple(table.ravel().tolist())


def line_measurements(sed: Sed, fractions: np.ndarray, redshift: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Narrow-line fluxes in the fibre, their errors and the continuum below them.

    Parameters
    ----------
    sed : Sed
    fractions : ndarray of float64, shape (4,)
    redshift : float

    Returns
    -------
    tuple of ndarray of float64, shape (17,)
        Flux and error (1e-17 erg/s/cm²) and continuum (1e-17 erg/s/cm²/Å), in the order of ``LINES``.
    """
    observed = np.array(list(LINES.values())) * (1 + redshift)
    flux = fractions @ sed.line_flux
    beside = [fibre_flux(sed, fractions, observed * shift) for shift in (0.990, 0.993, 1.0085, 1.0095)]
    continuum = np.median(beside, axis=0)
    # A line of 2 Å dispersion spreads over about five pixels, fitted together with the continuum.
    error = noise_level(observed, continuum, sky_flux(observed)) * (observed * 2.3e-4) * np.sqrt(7.0)
    return flux, np.minimum(error, 1e3), continuum
