"""Draw a galaxy on a fine grid, one map per component of its light.

All maps are in fractions of the component's flux per fine pixel; positions are arcsec from the galaxy's centre.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.special import gamma, gammainc, gammaincinv

from sdss_gs.sample.morphology import Shape
from sdss_gs.schema import CUTOUT_SCALE

FIELD, OVERSAMPLING = 81, 3
FINE_SCALE = CUTOUT_SCALE / OVERSAMPLING
"""Arcsec per fine pixel."""
_AXIS = (np.arange(FIELD * OVERSAMPLING) - (FIELD * OVERSAMPLING - 1) / 2) * FINE_SCALE


def sersic(radius: np.ndarray, half_light: float, index: float) -> np.ndarray:
    """Sérsic profile of unit total flux for a round galaxy (Graham & Driver 2005, PASA 22, 118).

    Parameters
    ----------
    radius : ndarray of float64
        Arcsec.
    half_light : float
        Arcsec.
    index : float

    Returns
    -------
    ndarray of float64
        Per square arcsec, shape of `radius`.
    """
    b = gammaincinv(2 * index, 0.5)
    total = 2 * np.pi * index * half_light**2 * np.exp(b) * b ** (-2 * index) * gamma(2 * index)
    return np.exp(-b * ((radius / half_light) ** (1 / index) - 1)) / total


def _rotated(x: np.ndarray, y: np.ndarray, angle: float, ratio: float) -> tuple[np.ndarray, np.ndarray]:
    """Coordinates along the major axis and, stretched by the axis ratio, along the minor one."""
    return x * np.cos(angle) + y * np.sin(angle), (y * np.cos(angle) - x * np.sin(angle)) / ratio


def sersic_map(
    x: np.ndarray, y: np.ndarray, half_light: float, index: float, ratio: float, angle: float, power: float = 2.0
) -> np.ndarray:
    """Sérsic profile on elliptical isophotes, or boxy ones where `power` exceeds 2 (Athanassoula et al. 1990).

    Parameters
    ----------
    x, y : ndarray of float64
        Arcsec; they broadcast to the shape of the map.
    half_light : float
        Half-light radius along the major axis, arcsec.
    index, ratio, angle : float
        Sérsic index, axis ratio, position angle from the x axis (radian).
    power : float
        Exponent of the isophotes.

    Returns
    -------
    ndarray of float64
        Fraction of the total flux per fine pixel.
    """
    along, across = _rotated(x, y, angle, ratio)
    radius = np.hypot(along, across) if power == 2 else (abs(along) ** power + abs(across) ** power) ** (1 / power)
    # A cusp sampled at its tip outshines the mean over the pixel; what error remains goes into the scale.
    flux = sersic(np.maximum(radius, 0.3 * FINE_SCALE), half_light, index)
    edge = 0.9 * _AXIS[-1]
    inside = gammainc(2 * index, gammaincinv(2 * index, 0.5) * (edge / half_light) ** (1 / index))
    return flux * (inside / flux[radius < edge].sum())


def _disk_map(x: np.ndarray, y: np.ndarray, shape: Shape) -> np.ndarray:
    """Smooth disk: exponential seen under its inclination, or with a sech² layer if edge on (van der Kruit 1981)."""
    if not shape.edge_on:
        return sersic_map(x, y, 1.678 * shape.disk_length, 1.0, shape.disk_ratio, shape.angle)
    along, across = _rotated(x, y, shape.angle, 1.0)
    height = max(0.62 * shape.disk_ratio * shape.disk_length, 0.12)
    flux = np.exp(-abs(along) / shape.disk_length) / np.cosh(across / height) ** 2
    if shape.oddity == "u":
        flux = flux * (1 - 0.85 * np.exp(-0.5 * (across / (0.45 * height)) ** 2))
    return flux * FINE_SCALE**2 / (4 * shape.disk_length * height)


def _pattern(x: np.ndarray, y: np.ndarray, shape: Shape, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Factors by which arms, rings and clumps redistribute the old and the young light of a disk."""
    along, across = _rotated(x, y, shape.angle, shape.disk_ratio)
    radius = np.hypot(along, across) / shape.disk_length
    coarse = gaussian_filter(rng.standard_normal((FIELD, FIELD)), 1.6)
    clumps = np.kron(coarse / coarse.std(), np.ones((OVERSAMPLING, OVERSAMPLING)))
    clumpy = 0.9 if shape.oddity in ("i", "d") else 0.5
    old, young = np.ones_like(radius), np.exp(clumpy * clumps)
    if shape.arms:
        phase = np.arctan2(across, along) - np.log(radius + 0.05) / np.tan(shape.pitch)
        ridge = np.exp(3.0 * (np.cos(shape.arms * phase) - 1))
        # Arms start where the bulge or the bar ends.
        strength = shape.contrast * (1 - np.exp(-((radius / 0.7) ** 2)))
        old = old * (1 - 0.6 * strength + 2.3 * strength * ridge)
        young = young * (1 - 0.85 * strength + 4.2 * strength * ridge)
    else:
        young = young * (1 - np.exp(-((radius / 0.5) ** 2)))
    if shape.oddity == "r":
        ring = np.exp(-0.5 * ((radius - 2.0) / 0.22) ** 2)
        old, young = old * (0.75 + 2.5 * ring), young * (0.3 + 8.0 * ring)
    if shape.oddity in ("d", "i", "o"):
        lopsided = 1 + 0.8 * np.tanh(along / shape.disk_length)
        old, young = old * lopsided, young * lopsided
    return old, young


def _redistribute(flux: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Multiply by a factor but keep the total."""
    changed = flux * factor
    return changed * (flux.sum() / changed.sum())


def component_maps(shape: Shape, offset: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Draw where the light of each component comes from, before the atmosphere.

    Parameters
    ----------
    shape : Shape
    offset : ndarray of float64, shape (2,)
        Centre of the galaxy in the field (x, y), arcsec.
    rng : numpy.random.Generator
        Draws the clumps of young stars.

    Returns
    -------
    ndarray of float64, shape (4, 243, 243)
        In the order of ``sed.COMPONENTS``; axes y, x.
    """
    x, y = _AXIS[None, :] - offset[0], _AXIS[:, None] - offset[1]
    power = 5.0 if shape.boxy else 2.0
    bulge = sersic_map(x, y, shape.bulge_radius, shape.bulge_index, shape.bulge_ratio, shape.angle, power)
    nucleus = np.exp(-0.5 * (x**2 + y**2) / (0.6 * FINE_SCALE) ** 2)
    nucleus /= nucleus.sum()
    if shape.disk_length == 0:
        return np.stack([bulge, bulge, bulge, nucleus])
    disk = _disk_map(x, y, shape)
    if shape.bar:
        along, across = _rotated(x, y, shape.angle, shape.disk_ratio)
        bar = sersic_map(along, across, 0.62 * shape.disk_length, 0.45, 0.26, shape.bar_angle, 2.6)
        bulge = (1 - shape.bar) * bulge + shape.bar * bar
    old, young = (1.0, 1.0) if shape.edge_on else _pattern(x, y, shape, rng)
    return np.stack([bulge, _redistribute(disk, old), _redistribute(disk, young), nucleus])
