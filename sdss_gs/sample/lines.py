"""Emission lines: which there are, how strong they are and how wide."""

from __future__ import annotations

import numpy as np

from sdss_gs.sample.population import Galaxy
from sdss_gs.sample.templates import REST_WAVELENGTH

LIGHT_SPEED = 299792.458
"""km/s."""
RESOLUTION = 69.0
"""Instrumental dispersion of the spectrograph, km/s (Smee et al. 2013, AJ 146, 32)."""
LINES = {
    "oii_a": 3727.09, "oii_b": 3729.88, "neiii": 3869.86, "hdelta": 4102.89, "hgamma": 4341.68, "hbeta": 4862.68,
    "oiii_a": 4960.30, "oiii_b": 5008.24, "hei": 5877.25, "oi": 6302.05, "nii_a": 6549.85, "halpha": 6564.61,
    "nii_b": 6585.27, "sii_a": 6718.29, "sii_b": 6732.67, "ariii": 7137.80, "siii": 9071.10,
}  # fmt: skip
"""Rest-frame vacuum wavelengths in angstrom."""
BROAD_LINES = {"hgamma": 0.40, "hbeta": 1.0, "halpha": 3.1}


def _fluxes(hbeta: float, excitation: float, nitrogen: float, balmer: float, hard: bool) -> np.ndarray:
    """Fluxes of `LINES` from Hβ and the two BPT ratios (log [OIII]/Hβ, log [NII]/Hα), in the unit of `hbeta`."""
    oiii, halpha = 10**excitation, balmer
    nii = 10**nitrogen * halpha
    oii = 2.6 if hard else np.clip(1.2 + 1.3 * oiii**0.5, 1.2, 3.4)
    sii, oi = (0.55, 0.14) if hard else (0.36, 0.03)
    relative = {
        "oii_a": 0.42 * oii, "oii_b": 0.58 * oii, "neiii": 0.09 * oiii, "hdelta": 0.26, "hgamma": 0.47, "hbeta": 1.0,
        "oiii_a": oiii / 2.98, "oiii_b": oiii, "hei": 0.12, "oi": oi * halpha, "nii_a": nii / 3.05, "halpha": halpha,
        "nii_b": nii, "sii_a": 0.57 * sii * halpha, "sii_b": 0.43 * sii * halpha, "ariii": 0.03 * oiii,
        "siii": 0.08 * oiii,
    }  # fmt: skip
    return hbeta * np.array([relative[name] for name in LINES])


def star_forming_lines(galaxy: Galaxy, rng: np.random.Generator) -> np.ndarray:
    """Dust-free line fluxes of the gas around young stars.

    Hα follows the young light (about 500 Å of equivalent width for an ageless burst, Leitherer et al. 1999, ApJS 123,
    3); the BPT ratios follow metallicity along the star-forming sequence of Kewley et al. 2013 (ApJL 774, L10).

    Returns
    -------
    ndarray of float64, shape (17,)
        In the order of `LINES`, in angstrom times the galaxy's flux density at 5500 Å.
    """
    halpha = 430.0 * galaxy.young * 10 ** (0.10 * rng.standard_normal())
    nitrogen = float(np.clip(-0.42 + 0.95 * galaxy.metallicity + 0.07 * rng.standard_normal(), -1.6, -0.28))
    excitation = 0.61 / (nitrogen + 0.08) + 1.10 + 0.08 * rng.standard_normal()
    return _fluxes(halpha / 2.86, float(np.clip(excitation, -1.0, 0.85)), nitrogen, 2.86, hard=False)


def nuclear_lines(galaxy: Galaxy, rng: np.random.Generator) -> np.ndarray:
    """Narrow-line fluxes of the active nucleus, in the region of the BPT diagram of Kauffmann et al. 2003.

    Returns
    -------
    ndarray of float64, shape (17,)
        As of `star_forming_lines`; zeros for an inactive galaxy.
    """
    if not galaxy.nucleus:
        return np.zeros(len(LINES))
    excitation = 0.35 + 0.45 * np.log10(max(galaxy.nuclear_power, 1)) + 0.15 * rng.standard_normal()
    excitation = float(np.clip(excitation, 0.2, 1.05))
    nitrogen = 0.02 + 0.12 * rng.standard_normal()
    return _fluxes(galaxy.nuclear_power / 10**excitation, excitation, nitrogen, 3.1, hard=True)


def line_profiles(dispersion: float) -> np.ndarray:
    """Profiles of `LINES` on the rest-frame grid, each of unit flux.

    Parameters
    ----------
    dispersion : float
        km/s, without the instrument's.

    Returns
    -------
    ndarray of float64, shape (17, 9630)
        Per angstrom.
    """
    return _profiles(np.array(list(LINES.values())), float(np.hypot(dispersion, RESOLUTION)))


def broad_line_spectrum(width: float) -> np.ndarray:
    """Balmer lines of the broad-line region, float64 (9630,), of unit Hβ flux; `width` is the dispersion in km/s."""
    wavelength = np.array([LINES[name] for name in BROAD_LINES])
    return np.array(list(BROAD_LINES.values())) @ _profiles(wavelength, width)


def _profiles(wavelength: np.ndarray, dispersion: float) -> np.ndarray:
    profiles = np.zeros((len(wavelength), len(REST_WAVELENGTH)))
    width = wavelength * dispersion / LIGHT_SPEED
    first = np.searchsorted(REST_WAVELENGTH, wavelength - 5 * width)
    last = np.searchsorted(REST_WAVELENGTH, wavelength + 5 * width)
    for profile, centre, sigma, start, stop in zip(profiles, wavelength, width, first, last, strict=True):
        offset = (REST_WAVELENGTH[start:stop] - centre) / sigma
        profile[start:stop] = np.exp(-0.5 * offset**2) / (sigma * np.sqrt(2 * np.pi))
    return profiles
