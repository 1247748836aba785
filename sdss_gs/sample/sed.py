"""The spectral energy distribution of a galaxy, split by where in the image the light comes from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sdss_gs.sample.lines import LINES, broad_line_spectrum, line_profiles, nuclear_lines, star_forming_lines
from sdss_gs.sample.photometry import maggies
from sdss_gs.sample.population import Galaxy, distance_modulus
from sdss_gs.sample.templates import (
    MASS_TO_LIGHT,
    REST_WAVELENGTH,
    attenuation_curve,
    hot_dust,
    stellar_templates,
    warm_dust,
)

COMPONENTS = ("bulge", "disk", "young", "nucleus")
SOLAR_MAGNITUDE = 4.65
"""Absolute r magnitude of the Sun, AB (Willmer 2018, ApJS 236, 47)."""
GAS_TO_STARS = 1 / 0.44
"""Reddening of nebular lines over that of stars (Calzetti et al. 2000)."""
_LINE_WAVELENGTH = np.array(list(LINES.values()))
_FOREGROUND = np.array([
    [2000, 9.0], [3543, 4.239], [4770, 3.303], [6231, 2.285], [7625, 1.698], [9134, 1.263], [33680, 0.184],
    [46180, 0.113], [120820, 0.241], [221940, 0.0],
])  # fmt: skip


@dataclass(frozen=True)
class Sed:
    """Light of one galaxy in the observer's frame, by component.

    Parameters
    ----------
    wavelength : ndarray of float64, shape (9630,)
        Observed vacuum angstrom.
    flux : ndarray of float64, shape (4, 9630)
        1e-17 erg/s/cm²/Å in the order of `COMPONENTS`: old and intermediate stars of bulge and disk, young stars
        with their gas and dust, active nucleus.
    line_flux : ndarray of float64, shape (4, 17)
        Narrow lines in the order of ``LINES``, 1e-17 erg/s/cm².
    broad_halpha : float
        Flux of the broad Hα line, 1e-17 erg/s/cm².
    stellar_mass : float
        Solar masses.
    """

    wavelength: np.ndarray
    flux: np.ndarray
    line_flux: np.ndarray
    broad_halpha: float
    stellar_mass: float


def foreground_extinction(wavelength: np.ndarray, reddening: float) -> np.ndarray:
    """Transmission of the Milky Way's dust.

    Interpolates the coefficients A/E(B-V) of Schlafly & Finkbeiner 2011 (ApJ 737, 103; R_V = 3.1) and, in WISE's
    bands, of Yuan et al. 2013 (MNRAS 430, 2188).

    Parameters
    ----------
    wavelength : ndarray of float64, shape (n,)
        Angstrom.
    reddening : float
        E(B-V), mag.

    Returns
    -------
    ndarray of float64, shape (n,)
    """
    knot, coefficient = _FOREGROUND.T
    return 10 ** (-0.4 * reddening * np.interp(np.log(wavelength), np.log(knot), coefficient))


def _stars(galaxy: Galaxy, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Continuum (4, 9630) of stars with dust and their dust-free light by population (3,), of unit light at 5500 Å."""
    old, intermediate, young = stellar_templates()
    # Metal-rich old populations are redder: a power law tilts the template, most in the blue.
    tilt = 0.22 * galaxy.metallicity + 0.02 * rng.standard_normal()
    pivot = REST_WAVELENGTH / 5500
    old = old * np.where(pivot < 1, pivot, pivot**0.5) ** np.where(REST_WAVELENGTH < 24000, tilt, 0.0)
    light = np.array([1 - galaxy.young - galaxy.intermediate, galaxy.intermediate, galaxy.young])
    # The bulge holds the older stars.
    bulge_old = galaxy.bulge * light[0] + 0.55 * galaxy.bulge * light[1] * (1 - galaxy.elliptical)
    bulge_old = min(bulge_old, light[0])
    bulge_intermediate = light[1] if galaxy.elliptical else 0.45 * galaxy.bulge * light[1]
    transmission = 10 ** (-0.4 * galaxy.attenuation * attenuation_curve())
    bulge = (bulge_old * old + bulge_intermediate * intermediate) * transmission**0.7
    disk = ((light[0] - bulge_old) * old + (light[1] - bulge_intermediate) * intermediate) * transmission
    # Young stars still sit in their birth clouds (Charlot & Fall 2000, ApJ 539, 718).
    absorbed = light[2] * young * transmission**1.6
    pah = 10 ** (1.5 * min(galaxy.metallicity, 0.1) + 0.12 * rng.standard_normal())
    heated = 0.085 * light[2] * (1 - 10 ** (-0.4 * 2.2 * galaxy.attenuation)) + 0.0007 * light[1]
    # Warmer or colder grains tilt the mid-infrared.
    temperature = (REST_WAVELENGTH / 1.2e5) ** (0.35 * rng.standard_normal())
    nucleus = 0.0065 * galaxy.nuclear_power**0.8 * 10 ** (0.2 * rng.standard_normal()) * hot_dust()
    if galaxy.nucleus == "broad":
        nucleus = nucleus + 0.012 * galaxy.nuclear_power * pivot**-1.4 * transmission * (REST_WAVELENGTH < 2e4)
    return np.stack([bulge, disk, absorbed + heated * pah * warm_dust() * temperature, nucleus]), light


def _lines(galaxy: Galaxy, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray, float]:
    """Line spectrum (4, 9630), narrow-line fluxes (4, 17) and broad Hα flux after dust."""
    curve = np.interp(_LINE_WAVELENGTH, REST_WAVELENGTH, attenuation_curve())
    transmission = 10 ** (-0.4 * min(galaxy.attenuation * GAS_TO_STARS, 3.5) * curve)
    flux = np.zeros((len(COMPONENTS), len(LINES)))
    flux[2] = star_forming_lines(galaxy, rng) * transmission
    flux[3] = nuclear_lines(galaxy, rng) * transmission**0.4
    spectrum = np.zeros((len(COMPONENTS), len(REST_WAVELENGTH)))
    spectrum[2] = flux[2] @ line_profiles(0.6 * galaxy.dispersion)
    broad = 0.0
    if galaxy.nucleus:
        spectrum[3] = flux[3] @ line_profiles(1.2 * galaxy.dispersion)
    if galaxy.nucleus == "broad":
        hbeta = 1.6 * galaxy.nuclear_power
        spectrum[3] += hbeta * broad_line_spectrum(10 ** rng.normal(3.2, 0.12))
        broad = 3.1 * hbeta
    return spectrum, flux, broad


def galaxy_sed(galaxy: Galaxy, rng: np.random.Generator) -> Sed:
    """Light of a galaxy as it arrives above the atmosphere.

    Parameters
    ----------
    galaxy : Galaxy
    rng : numpy.random.Generator
        Draws the scatter of line ratios, dust temperature and of the template's slope.

    Returns
    -------
    Sed
    """
    stars, light = _stars(galaxy, rng)
    spectrum, line_flux, broad = _lines(galaxy, rng)
    flux = stars + spectrum
    scale = 10 ** (-0.4 * galaxy.absolute_magnitude) / maggies(REST_WAVELENGTH, flux.sum(axis=0), ("r",))[0]
    at_r = np.searchsorted(REST_WAVELENGTH, 6200.0)
    bare = light * stellar_templates()[:, at_r]
    luminosity = 10 ** (-0.4 * (galaxy.absolute_magnitude - SOLAR_MAGNITUDE)) / stars[:, at_r].sum()
    distance = 10 ** (-0.4 * distance_modulus(galaxy.redshift))
    observed = REST_WAVELENGTH * (1 + galaxy.redshift)
    line_wavelength = _LINE_WAVELENGTH * (1 + galaxy.redshift)
    return Sed(
        wavelength=observed,
        flux=flux * (scale * distance / (1 + galaxy.redshift)) * foreground_extinction(observed, galaxy.foreground),
        line_flux=line_flux * (scale * distance) * foreground_extinction(line_wavelength, galaxy.foreground),
        broad_halpha=broad * scale * distance,
        stellar_mass=float(luminosity * bare @ MASS_TO_LIGHT),
    )
