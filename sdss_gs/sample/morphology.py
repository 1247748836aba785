"""The shape of a galaxy: sizes, bulge, bar, arms and oddities, drawn to go with its stars and mass."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from astropy import units as u

from sdss_gs.sample.population import COSMOLOGY, REDSHIFT_RANGE, Galaxy

EDGE_ON = 0.24
"""Below this cosine of the inclination a disk is drawn edge on."""
ODDITIES = {"r": 0.035, "l": 0.004, "d": 0.010, "i": 0.020, "o": 0.010, "m": 0.025, "u": 0.010}
"""Galaxy Zoo 2's odd features (ring, lens or arc, disturbed, irregular, other, merger, dust lane) and their shares."""
_SCALE_REDSHIFT = np.geomspace(*REDSHIFT_RANGE, 300)
_ARCSEC_PER_KPC = COSMOLOGY.arcsec_per_kpc_proper(_SCALE_REDSHIFT).to_value(u.arcsec / u.kpc)


@dataclass(frozen=True)
class Shape:
    """What a galaxy looks like before the atmosphere.

    Parameters
    ----------
    radius : float
        Half-light radius along the major axis, arcsec.
    bulge_radius, bulge_index, bulge_ratio : float
        Half-light radius (arcsec), Sérsic index and axis ratio of the bulge, or of all of an elliptical.
    disk_length : float
        Exponential scale length, arcsec; 0 for an elliptical.
    disk_ratio : float
        Apparent axis ratio of the disk.
    angle : float
        Position angle of the major axis from the x axis, radian.
    edge_on : bool
    boxy : bool
        The bulge of an edge-on disk has the shape of a box.
    bar : float
        Share of the bulge's light that is in a bar.
    bar_angle : float
        Against the major axis in the plane of the disk, radian.
    arms : int
        0 is none, 5 stands for more than four.
    pitch : float
        Pitch angle of the arms, radian; negative winds the other way.
    contrast : float
        Strength of the arms, 0 to 1.
    oddity : str
        Empty or a key of `ODDITIES`.
    """

    radius: float
    bulge_radius: float
    bulge_index: float
    bulge_ratio: float
    disk_length: float
    disk_ratio: float
    angle: float
    edge_on: bool
    boxy: bool
    bar: float
    bar_angle: float
    arms: int
    pitch: float
    contrast: float
    oddity: str


def half_light_radius(galaxy: Galaxy, stellar_mass: float, scatter: float) -> float:
    """Half-light radius by the mass-size relations of Shen et al. 2003 (MNRAS 343, 978; equations 17 and 18).

    Parameters
    ----------
    galaxy : Galaxy
    stellar_mass : float
        Solar masses.
    scatter : float
        Natural logarithm of the radius over the relation's.

    Returns
    -------
    float
        Arcsec.
    """
    if galaxy.elliptical or galaxy.activity == "passive":
        kiloparsec = 2.88e-6 * stellar_mass**0.56
    else:
        kiloparsec = 0.112 * stellar_mass**0.14 * (1 + stellar_mass / 3.98e10) ** 0.25
    scale = np.interp(galaxy.redshift, _SCALE_REDSHIFT, _ARCSEC_PER_KPC)
    return float(np.clip(kiloparsec * np.exp(scatter) * scale, 0.5, 13.0))


def draw_shape(galaxy: Galaxy, stellar_mass: float, rng: np.random.Generator) -> Shape:
    """Draw the shape of a galaxy.

    Parameters
    ----------
    galaxy : Galaxy
    stellar_mass : float
        Solar masses.
    rng : numpy.random.Generator

    Returns
    -------
    Shape
    """
    radius = half_light_radius(galaxy, stellar_mass, 0.32 * rng.standard_normal())
    if galaxy.elliptical:
        return _elliptical(galaxy, radius, rng)
    thickness = rng.uniform(0.13, 0.22)
    apparent = np.sqrt(thickness**2 + (1 - thickness**2) * galaxy.cos_inclination**2)
    edge_on = galaxy.cos_inclination < EDGE_ON
    red = galaxy.activity in ("passive", "weak")
    arms, pitch, contrast = _arms(galaxy, rng)
    barred = rng.random() < (0.25 if galaxy.activity == "passive" else 0.38) and not edge_on
    oddity = rng.choice(["", *ODDITIES], p=[1 - sum(ODDITIES.values()), *ODDITIES.values()])
    length = radius / (1.678 - 0.9 * galaxy.bulge)
    return Shape(
        radius=radius,
        bulge_radius=length * rng.uniform(0.28, 0.45) * (0.7 + galaxy.bulge),
        bulge_index=float(np.clip(0.9 + 4.0 * galaxy.bulge + 0.4 * rng.standard_normal(), 0.8, 4.0)),
        bulge_ratio=rng.uniform(0.6, 0.8) if edge_on else 1 - 0.35 * (1 - apparent),
        disk_length=length,
        disk_ratio=float(apparent),
        angle=rng.uniform(0, np.pi),
        edge_on=edge_on,
        boxy=bool(edge_on and rng.random() < 0.12),
        bar=rng.uniform(0.4, 0.75) if barred else 0.0,
        bar_angle=rng.uniform(0, np.pi),
        arms=arms,
        pitch=pitch,
        contrast=contrast * (0.6 if red else 1.0),
        oddity=str(oddity),
    )


def _elliptical(galaxy: Galaxy, radius: float, rng: np.random.Generator) -> Shape:
    red = galaxy.activity in ("passive", "weak")
    ratio = float(np.clip(rng.beta(5.2, 1.6) if red else rng.beta(4.0, 2.4), 0.25, 1.0))
    index = float(np.clip(rng.normal(3.6 if red else 1.8, 0.6), 1.0, 4.5))
    oddity = str(rng.choice(["", "m", "o"], p=[0.95, 0.04, 0.01]))
    return Shape(
        radius, radius, index, ratio, 0.0, 1.0, rng.uniform(0, np.pi), False, False, 0.0, 0.0, 0, 0.0, 0.0, oddity
    )


def _arms(galaxy: Galaxy, rng: np.random.Generator) -> tuple[int, float, float]:
    """Draw number, pitch angle (radian) and contrast of the spiral arms."""
    chance = {"passive": 0.03, "weak": 0.30, "starforming": 0.75, "starburst": 0.65}[galaxy.activity]
    if rng.random() > chance:
        return 0, 0.0, 0.0
    arms = int(rng.choice([1, 2, 3, 4, 5], p=[0.07, 0.56, 0.20, 0.09, 0.08]))
    pitch = np.radians(np.clip(rng.normal(25 - 16 * galaxy.bulge, 6), 9, 40)) * rng.choice([-1, 1])
    return arms, float(pitch), rng.uniform(0.55, 1.0)
