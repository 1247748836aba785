"""Draw one galaxy: where it is, how luminous, what stars it holds, how dusty it is and what its nucleus does."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from astropy.cosmology import FlatLambdaCDM

COSMOLOGY = FlatLambdaCDM(H0=70, Om0=0.3)
REDSHIFT_RANGE = (0.005, 0.65)
MAIN_LIMIT, LUMINOUS_LIMIT = 17.77, 19.5
LUMINOUS_SHARE = 0.035


@dataclass(frozen=True)
class Galaxy:
    """What every modality of one synthetic galaxy is made from.

    Parameters
    ----------
    redshift : float
    absolute_magnitude : float
        Rest-frame r (AB), dust included.
    activity : str
        ``passive``, ``weak`` (red with a trace of star formation), ``starforming`` or ``starburst``.
    young, intermediate : float
        Shares of the dust-free light at 5500 Å; the rest is old.
    bulge : float
        Share of the old and intermediate light that sits in bulge and bar.
    metallicity : float
        log10 of the stellar metallicity over solar.
    attenuation : float
        A_V of the stars, mag.
    cos_inclination : float
        1 is face on.
    elliptical : bool
        Without a disk.
    nucleus : str
        Empty, ``narrow`` (Seyfert 2 or LINER) or ``broad`` (broad-line region).
    nuclear_power : float
        Narrow [OIII] equivalent width over 1 Å; scales hot dust and broad lines, too.
    dispersion : float
        Line-of-sight velocity dispersion, km/s.
    foreground : float
        E(B-V) of the Milky Way, mag.
    """

    redshift: float
    absolute_magnitude: float
    activity: str
    young: float
    intermediate: float
    bulge: float
    metallicity: float
    attenuation: float
    cos_inclination: float
    elliptical: bool
    nucleus: str
    nuclear_power: float
    dispersion: float
    foreground: float


@lru_cache(maxsize=1)
def distance_table() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tabulate the flat ΛCDM cosmology once (H0 = 70 km/s/Mpc, Ωm = 0.3).

    Returns
    -------
    tuple of ndarray of float64, shape (700,)
        Redshift, distance modulus (mag), comoving volume of the full sky (Mpc³).
    """
    redshift = np.geomspace(*REDSHIFT_RANGE, 700)
    modulus = COSMOLOGY.distmod(redshift).value
    volume = COSMOLOGY.comoving_volume(redshift).value
    return redshift, modulus, volume


def distance_modulus(redshift: float) -> float:
    """Distance modulus in mag, interpolated in `distance_table`."""
    table_redshift, modulus, _ = distance_table()
    return float(np.interp(redshift, table_redshift, modulus))


@lru_cache(maxsize=2)
def luminosity_table(luminous: bool) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Tabulate how often a magnitude-limited survey meets a galaxy of some absolute magnitude.

    The Schechter function of Blanton et al. 2003 (ApJ 592, 819; M* - 5 log h = -20.44, α = -1.05) times the volume
    out to which the galaxy passes the survey's limit (Strauss et al. 2002 for the main sample, Eisenstein et al. 2001
    for the luminous red one).

    Returns
    -------
    magnitude : ndarray of float64, shape (300,)
        Absolute r magnitude.
    cumulative : ndarray of float64, shape (300,)
        From 0 to 1.
    limit : ndarray of float64, shape (300,)
        Largest redshift at which the galaxy is still selected.
    """
    magnitude = np.linspace(-24.2, -21.9 if luminous else -16.0, 300)
    ratio = 10 ** (-0.4 * (magnitude + 21.4))
    schechter = ratio ** (-1.05 + 1) * np.exp(-ratio)
    redshift, modulus, volume = distance_table()
    correction, apparent = (1.3, LUMINOUS_LIMIT) if luminous else (0.9, MAIN_LIMIT)
    limit = np.interp(apparent - magnitude, modulus + correction * redshift, redshift)
    limit = np.minimum(limit, 0.6 if luminous else 0.33)
    nearest = np.interp(0.15 if luminous else 0.008, redshift, volume)
    reached = np.interp(limit, redshift, volume) - nearest
    weight = schechter * np.clip(reached, 0, None) * (ratio**-0.9 if luminous else 1)
    cumulative = np.cumsum(weight)
    return magnitude, cumulative / cumulative[-1], limit


def _place(rng: np.random.Generator, luminous: bool) -> tuple[float, float]:
    """Draw absolute magnitude and redshift of a galaxy that passes the survey's limit."""
    magnitude, cumulative, limit = luminosity_table(luminous)
    chosen = rng.random()
    redshift, _, volume = distance_table()
    nearest = np.interp(0.15 if luminous else 0.008, redshift, volume)
    furthest = np.interp(np.interp(chosen, cumulative, limit), redshift, volume)
    place = nearest + rng.random() * (furthest - nearest)
    return float(np.interp(chosen, cumulative, magnitude)), float(np.interp(place, volume, redshift))


def _stars(rng: np.random.Generator, activity: str) -> tuple[float, float]:
    """Draw the young and the intermediate share of the light."""
    median, scatter, low, high = {
        "passive": (0.0006, 0.4, 0.00, 0.10),
        "weak": (0.015, 0.25, 0.03, 0.28),
        "starforming": (0.080, 0.21, 0.30, 0.75),
        "starburst": (0.21, 0.11, 0.40, 0.75),
    }[activity]
    young = min(median * 10 ** (scatter * rng.standard_normal()), 0.75)
    return young, rng.uniform(low, high) * (1 - young)


def _activity(rng: np.random.Generator, magnitude: float) -> str:
    """Draw the star-formation state; the red fraction rises with luminosity (Baldry et al. 2004, ApJ 600, 681)."""
    red = 0.06 + 0.80 / (1 + np.exp(-(-20.9 - magnitude) / 0.65))
    burst = 0.26 + 0.44 / (1 + np.exp(-(magnitude + 19.2) / 0.6))
    if rng.random() < red:
        return "passive" if rng.random() < 0.23 else "weak"
    return "starburst" if rng.random() < burst else "starforming"


def _nucleus(rng: np.random.Generator, activity: str, magnitude: float) -> tuple[str, float]:
    """Draw the active nucleus; massive galaxies host it more often (Kauffmann et al. 2003, MNRAS 346, 1055)."""
    massive = 1 / (1 + np.exp((magnitude + 20.3) / 0.6))
    chosen = rng.random()
    if chosen < 0.045 * massive:
        return "broad", 10 ** rng.normal(1.0, 0.25)
    if chosen < {"passive": 0.46, "weak": 0.30, "starforming": 0.18, "starburst": 0.06}[activity] * massive:
        return "narrow", 10 ** rng.normal(0.25 if activity in ("passive", "weak") else 0.75, 0.3)
    return "", 0.0


def _shape(rng: np.random.Generator, activity: str, magnitude: float) -> tuple[bool, float, float]:
    """Draw whether there is a disk, the bulge's share and the inclination."""
    red = activity in ("passive", "weak")
    if rng.random() < ((0.68 if activity == "passive" else 0.45) if red else 0.06):
        return True, 1.0, 1.0
    centre = (0.42 if red else 0.17) - 0.05 * (magnitude + 20.8)
    bulge = float(np.clip(rng.normal(centre, 0.15), 0.0, 0.8))
    return False, bulge, rng.random()


def draw_galaxy(rng: np.random.Generator) -> Galaxy:
    """Draw one galaxy of a magnitude-limited survey.

    Parameters
    ----------
    rng : numpy.random.Generator
        The galaxy's own: nothing else may have drawn from it.

    Returns
    -------
    Galaxy
    """
    luminous = rng.random() < LUMINOUS_SHARE
    magnitude, redshift = _place(rng, luminous)
    activity = "passive" if luminous else _activity(rng, magnitude)
    young, intermediate = _stars(rng, activity)
    nucleus, power = _nucleus(rng, activity, magnitude)
    elliptical, bulge, cos_inclination = _shape(rng, activity, magnitude)
    dusty = {"passive": 0.04, "weak": 0.25, "starforming": 0.28, "starburst": 0.20}[activity]
    slant = 1.0 if elliptical else max(cos_inclination, 0.12) ** -0.45
    attenuation = dusty * slant * 10 ** (0.22 * rng.standard_normal() - 0.07 * (magnitude + 20.5))
    return Galaxy(
        redshift=redshift,
        absolute_magnitude=magnitude,
        activity=activity,
        young=young,
        intermediate=intermediate,
        bulge=bulge,
        metallicity=-0.10 * (magnitude + 21.0) + 0.07 * rng.standard_normal(),
        attenuation=float(min(attenuation, 2.2)),
        cos_inclination=cos_inclination,
        elliptical=elliptical,
        nucleus=nucleus,
        nuclear_power=float(power),
        dispersion=float(np.clip(150 * 10 ** (-0.1 * (magnitude + 21) + 0.1 * rng.standard_normal()), 40, 350)),
        foreground=float(min(rng.exponential(0.03), 0.2)),
    )
