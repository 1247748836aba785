"""Analytic rest-frame spectra of three stellar populations and of dust.

The continua go through anchor points on a log-log plot; absorption features are Gaussians at the bands of the Lick
system (Worthey et al. 1994, ApJS 94, 687) and at strong lines outside it. All wavelengths are vacuum angstrom.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from scipy.interpolate import PchipInterpolator

OPTICAL_STEP, INFRARED_STEP = 1e-4, 5e-3
REST_WAVELENGTH = 10 ** np.concatenate([np.arange(3.165, 4.1, OPTICAL_STEP), np.arange(4.1, 5.5, INFRARED_STEP)])
"""Rest-frame grid from 1460 Å to 31 µm, float64 ``(9630,)``: fine where there are lines, coarse beyond 1.26 µm."""

POPULATIONS = ("old", "intermediate", "young")
MASS_TO_LIGHT = np.array([2.3, 0.70, 0.06])
"""Stellar mass over r-band luminosity, solar units, of `POPULATIONS`: about 9 Gyr, 1.5 Gyr and 50 Myr at constant
star formation (Bruzual & Charlot 2003, MNRAS 344, 1000, for a Chabrier mass function)."""

_ANCHORS = {
    "old": """1400 .0129 2000 .0193 2500 .0428 2800 .0697 3200 .171 3500 .241 3700 .278 3900 .358 3950 .392 3985 .523
        4020 .578 4150 .618 4300 .67 4400 .754 4550 .868 4750 .929 5000 .967 5300 1 5500 1 6000 1.01 6500 1.01
        7000 .99 7500 .97 8000 .944 8500 .912 9000 .89 10000 .82 11000 .734 12500 .606 16500 .394 22000 .168
        34000 .0332 46000 .0109 80000 .00143 120000 .000367 220000 4.33e-05 400000 4.33e-06""",
    "intermediate": """1400 .0375 2000 .149 2500 .369 3000 .563 3500 .683 3650 .738 3720 .935 3850 1.19 4000 1.34
        4200 1.34 4500 1.26 5000 1.13 5500 1 6000 .92 6500 .842 7500 .691 8500 .587 10000 .461 12500 .306 16500 .175
        22000 .0674 34000 .0123 46000 .00406 80000 .000525 120000 .000127 220000 1.32e-05 400000 1.23e-06""",
    "young": """1400 9 2000 5.2 2500 3.7 3000 2.75 3550 2.1 3650 2.08 3720 2.3 3850 2.5 4000 2.35 4200 2.1 4500 1.75
        5000 1.32 5500 1 6000 .79 6500 .645 7500 .46 8500 .345 10000 .24 12500 .145 16500 .080 22000 .034 34000 .0082
        46000 .0027 80000 .00035 120000 .000085 220000 .000009 400000 .00000085""",
}
# wavelength, Gaussian width (both angstrom) and depth in the old and in the other two populations
_FEATURES = """
3735 8 .14 .05 3771 7 .06 .12 3798 7 .10 .18 3835 10 .30 .22 3860 9 .16 .02 3889 8 .05 .28 3934.8 9 .50 .12
3969.6 9 .44 .34 4046 5 .08 .01 4102.9 8 .07 .26 4168 14 .06 .01 4227.9 5 .15 .03 4305 12 .19 .04 4341.7 8 .05 .25
4384 9 .12 .03 4456 7 .06 .01 4532 13 .08 .02 4669 16 .06 .01 4862.7 8 .08 .22 5016 15 .06 .02 5110 14 .05 .01
5176 13 .15 .03 5270 10 .07 .02 5336 9 .06 .01 5407 8 .04 .01 5710 8 .03 .01 5783 8 .03 .01 5893.5 6 .26 .08
5955 12 .02 .01 6180 30 .05 .01 6235 25 .04 .01 6497 6 .04 .02 6564.6 8 .06 .14 6825 20 .02 .01 7130 45 .07 .01
7660 45 .05 .01 8190 8 .05 .01 8500.4 6 .13 .06 8544.4 6 .22 .10 8664.5 6 .19 .09 8865 30 .03 .01 9350 40 .04 .01
"""


def _anchored(text: str) -> np.ndarray:
    """Interpolate pairs of wavelength and flux on a log-log plot."""
    wavelength, flux = np.array(text.split(), float).reshape(-1, 2).T
    return np.exp(PchipInterpolator(np.log(wavelength), np.log(flux))(np.log(REST_WAVELENGTH)))


@lru_cache(maxsize=1)
def stellar_templates() -> np.ndarray:
    """Spectra of the three stellar populations, 1 at 5500 Å before absorption features.

    Returns
    -------
    ndarray of float64, shape (3, 9630)
        Flux per unit wavelength in the order of `POPULATIONS`.
    """
    feature = np.array(_FEATURES.split(), float).reshape(-1, 4)
    profile = np.exp(-0.5 * ((REST_WAVELENGTH - feature[:, :1]) / feature[:, 1:2]) ** 2)
    # Weak blended metal lines: a fixed ripple, for real spectra are nowhere smooth.
    ripple = np.random.default_rng(5500).standard_normal(REST_WAVELENGTH.size)
    ripple = np.convolve(ripple, np.exp(-0.5 * (np.arange(-12, 13) / 4.0) ** 2), mode="same")
    ripple *= 0.014 / ripple.std() * ((REST_WAVELENGTH > 3000) & (REST_WAVELENGTH < 9500))
    ripple *= np.clip(6500 / REST_WAVELENGTH, 0.6, 1.8) ** 2
    old = _anchored(_ANCHORS["old"]) * np.prod(1 - feature[:, 2:3] * profile, axis=0) * (1 + ripple)
    features = np.prod(1 - feature[:, 3:4] * profile, axis=0)
    return np.stack([
        old,
        _anchored(_ANCHORS["intermediate"]) * features * (1 + 0.4 * ripple),
        _anchored(_ANCHORS["young"]) * (1 - 0.6 * (1 - features)),
    ])  # fmt: skip


@lru_cache(maxsize=1)
def attenuation_curve() -> np.ndarray:
    """Attenuation of starlight over that in V, after Calzetti et al. 2000 (ApJ 533, 682; equation 4, R_V = 4.05).

    Returns
    -------
    ndarray of float64, shape (9630,)
        A(λ) / A_V, falling to 0 in the infrared.
    """
    inverse = 1e4 / REST_WAVELENGTH
    blue = 2.659 * (-2.156 + 1.509 * inverse - 0.198 * inverse**2 + 0.011 * inverse**3) + 4.05
    red = 2.659 * (-1.857 + 1.040 * inverse) + 4.05
    return np.clip(np.where(REST_WAVELENGTH < 6300, blue, red), 0, None) / 4.05


@lru_cache(maxsize=1)
def warm_dust() -> np.ndarray:
    """Emission of dust heated by young stars: PAH bands and warm grains.

    Bands after Smith et al. 2007 (ApJ 656, 770), continuum rising to 22 µm as in the templates of Chary & Elbaz 2001
    (ApJ 556, 562).

    Returns
    -------
    ndarray of float64, shape (9630,)
        Flux per unit wavelength, 1 at 12 µm.
    """
    micron = REST_WAVELENGTH / 1e4
    bands = np.array([
        [3.3, 0.05, 0.28], [6.22, 0.12, 1.4], [7.7, 0.35, 1.9], [8.6, 0.2, 0.9], [11.3, 0.2, 1.1], [12.7, 0.35, 0.7],
        [17.0, 0.7, 0.15],
    ])  # fmt: skip
    flux = np.sum(bands[:, 2:] * np.exp(-0.5 * ((micron - bands[:, :1]) / bands[:, 1:2]) ** 2), axis=0)
    flux += 0.28 * (micron / 12) ** 0.1 * np.exp(-((4.5 / micron) ** 3))
    return flux / np.interp(12.0, micron, flux)


def hot_dust() -> np.ndarray:
    """Emission of the dust around an active nucleus: a power law in frequency (Stern et al. 2012, ApJ 753, 30).

    Returns
    -------
    ndarray of float64, shape (9630,)
        Flux per unit wavelength, 1 at 3.4 µm.
    """
    micron = REST_WAVELENGTH / 1e4
    return (micron / 3.4) ** (1.0 - 2.0) * np.exp(-((1.6 / micron) ** 4))
