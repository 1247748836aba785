"""Class labels as their catalogues would give them: what can be seen, not what was drawn."""

from __future__ import annotations

import numpy as np

from sdss_gs.sample.lines import LINES
from sdss_gs.sample.morphology import Shape
from sdss_gs.sample.population import Galaxy
from sdss_gs.sample.sed import Sed
from sdss_gs.sample.spectrum import line_measurements

_LINE = {name: position for position, name in enumerate(LINES)}
STARBURST_WIDTH = 50.0
"""Equivalent width of Hα, angstrom, above which a star-forming galaxy is a starburst."""
REDDEST = 9100.0


def spectroscopic_subclass(galaxy: Galaxy, sed: Sed, fractions: np.ndarray, rng: np.random.Generator) -> str:
    """Sub-class by the rules of the SDSS pipeline (Bolton et al. 2012, AJ 144, 144) on the galaxy's own lines.

    An active nucleus has log [OIII]/Hβ > 0.7 - 1.2 (log [NII]/Hα + 0.4); what lies below forms stars, and is a
    starburst where the equivalent width of Hα exceeds 50 Å.

    Parameters
    ----------
    galaxy : Galaxy
    sed : Sed
    fractions : ndarray of float64, shape (4,)
        Share of each component in the fibre.
    rng : numpy.random.Generator
        Draws the errors of the line fluxes.

    Returns
    -------
    str
        Empty where Hα or [NII] is not detected or lies outside the spectrum.
    """
    flux, error, continuum = line_measurements(sed, fractions, galaxy.redshift)
    measured = flux + error * rng.standard_normal(len(flux))
    floor = np.maximum(measured, 0.3 * error)
    halpha, nitrogen, hbeta, oxygen = (_LINE[name] for name in ("halpha", "nii_b", "hbeta", "oiii_b"))
    if LINES["nii_b"] * (1 + galaxy.redshift) > REDDEST:
        return ""
    narrow = ""
    if measured[halpha] > 3 * error[halpha] and measured[nitrogen] > 1.0 * error[nitrogen]:
        excitation = np.log10(floor[oxygen] / floor[hbeta])
        width = measured[halpha] / continuum[halpha] / (1 + galaxy.redshift)
        if excitation > 0.7 - 1.2 * (np.log10(floor[nitrogen] / floor[halpha]) + 0.4):
            narrow = "AGN"
        else:
            narrow = "STARBURST" if width > STARBURST_WIDTH else "STARFORMING"
    broad = fractions[3] * sed.broad_halpha > 10 * error[halpha]
    if not broad:
        return narrow
    return f"{narrow} BROADLINE" if narrow and rng.random() < 0.12 else "BROADLINE"


def zoo_is_available(magnitude: float, radius: float, rng: np.random.Generator) -> bool:
    """Whether Galaxy Zoo 2 showed the galaxy: bright and large enough (Willett et al. 2013).

    Parameters
    ----------
    magnitude : float
        r, mag.
    radius : float
        Arcsec.
    rng : Generator
    """
    return bool(rng.random() < 1 / (1 + np.exp((magnitude - 17.54) / 0.12)) and radius > 0.8)


def zoo_class(galaxy: Galaxy, shape: Shape, seeing: float, hidden: bool, rng: np.random.Generator) -> str:
    """Full Galaxy Zoo 2 class by the plurality path of Willett et al. 2013 (MNRAS 435, 2835).

    Parameters
    ----------
    galaxy : Galaxy
    shape : Shape
    seeing : float
        Full width at half maximum in r, arcsec: arms and bars narrower than that go unseen.
    hidden : bool
        Behind a bright star.
    rng : numpy.random.Generator
        Draws the disagreement of the volunteers.

    Returns
    -------
    str
        For example ``"SBc2m"`` or ``"Ei(m)"``.
    """
    if hidden:
        return "A"
    resolved = shape.radius / seeing + 0.15 * rng.standard_normal()
    seen = shape.oddity and resolved > 1.0 and rng.random() < 0.85
    odd = f"({shape.oddity})" if seen else ("(o)" if rng.random() < 0.008 else "")
    if shape.disk_length and shape.edge_on and resolved > 1.15:
        return _edge_on(galaxy, shape, rng) + odd
    contrast = shape.contrast + (0.45 if shape.bar else 0.0) + (0.4 if odd in ("(i)", "(d)", "(r)") else 0.0)
    blue = 0.0 if galaxy.activity in ("passive", "weak") else 0.75
    features = 1.1 * (resolved - 2.05) + 0.9 * contrast + blue - 0.8 * galaxy.bulge + 0.12 * rng.standard_normal()
    if not shape.disk_length or shape.edge_on or features < 0.45:
        return _smooth(shape, seeing, rng) + odd
    return _featured(galaxy, shape, resolved, rng) + odd


def _edge_on(galaxy: Galaxy, shape: Shape, rng: np.random.Generator) -> str:
    if galaxy.bulge + 0.03 * rng.standard_normal() < 0.10:
        return "Sen"
    return "Seb" if shape.boxy else "Ser"


def _smooth(shape: Shape, seeing: float, rng: np.random.Generator) -> str:
    ratio = shape.bulge_ratio if not shape.disk_length else shape.disk_ratio
    # The seeing rounds small galaxies.
    blur = (0.45 * seeing / shape.radius) ** 2
    apparent = np.sqrt((ratio**2 + blur) / (1 + blur)) + 0.03 * rng.standard_normal()
    return "Er" if apparent > 0.80 else "Ei" if apparent > 0.47 else "Ec"


def _featured(galaxy: Galaxy, shape: Shape, resolved: float, rng: np.random.Generator) -> str:
    bar = "B" if shape.bar * min(resolved / 2.2, 1.3) + 0.07 * rng.standard_normal() > 0.42 else ""
    bulge = galaxy.bulge + 0.03 * rng.standard_normal()
    letter = "dcba"[int(np.digitize(bulge, [0.06, 0.22, 0.52]))]
    if shape.arms == 0 or shape.contrast * min(resolved / 2.2, 1.3) + 0.06 * rng.standard_normal() < 0.48:
        return f"S{bar}{letter}"
    number = "?" if rng.random() < 0.5 / resolved else "01234+"[shape.arms]
    pitch = abs(np.degrees(shape.pitch)) + 2.0 * rng.standard_normal()
    return f"S{bar}{letter}{number}{'tml'[int(np.digitize(pitch, [16.0, 25.0]))]}"
