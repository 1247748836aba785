"""Look at the drawn galaxy through atmosphere, telescope and fibre."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

from sdss_gs.formats.composite import COLOURS, SMOOTHING, compose
from sdss_gs.sample.image import FIELD, FINE_SCALE, OVERSAMPLING, sersic_map
from sdss_gs.sample.morphology import Shape
from sdss_gs.sample.photometry import GAIN, SKY_NOISE
from sdss_gs.schema import BANDS, CUTOUT_SCALE, INPUTS, PIXEL_SCALE

FIBRE_RADIUS = 1.5
"""Radius of the spectrograph's fibres, arcsec."""
STAR_SHARE = 0.004
"""Galaxies hidden behind a bright star."""
_SEEING = np.array([1.50, 1.42, 1.32, 1.26, 1.27])
_FWHM_TO_SIGMA = 1 / 2.3548
# Colours u-g, g-r, r-i, i-z of what stands beside a galaxy: blue star, red star, faint galaxies.
_NEIGHBOUR_COLOURS = np.array([
    [1.0, 0.35, 0.12, 0.05], [2.5, 1.45, 1.0, 0.55], [1.4, 0.7, 0.4, 0.3], [1.9, 1.5, 0.6, 0.35],
])  # fmt: skip
_AXIS = (np.arange(FIELD * OVERSAMPLING) - (FIELD * OVERSAMPLING - 1) / 2) * FINE_SCALE


@dataclass(frozen=True)
class Neighbour:
    """A star or galaxy beside the target.

    Parameters
    ----------
    position : tuple of float
        x and y from the centre of the field, arcsec.
    flux : ndarray of float64, shape (5,)
        Nanomaggies.
    radius : float
        Half-light radius, arcsec; 0 for a star.
    """

    position: tuple[float, float]
    flux: np.ndarray
    radius: float


def draw_seeing(rng: np.random.Generator) -> np.ndarray:
    """Draw the full width at half maximum in u g r i z, float64 (5,), arcsec."""
    return _SEEING * np.exp(0.09 * rng.standard_normal() + 0.02 * rng.standard_normal(len(BANDS)))


def draw_neighbours(
    shape: Shape, flux: np.ndarray, rng: np.random.Generator, isolated: bool = False
) -> tuple[list[Neighbour], bool]:
    """Draw faint neighbours, a merging companion or a star in front.

    Parameters
    ----------
    shape : Shape
        Its oddity decides on the companion.
    flux : ndarray of float64, shape (5,)
        Of the target, nanomaggies.
    rng : numpy.random.Generator
    isolated : bool
        Leave all neighbours out.

    Returns
    -------
    neighbours : list of Neighbour
    hidden : bool
        Whether a bright star hides the galaxy.
    """
    neighbours = []
    for _ in range(rng.poisson(1.5)):
        magnitude = 22.6 + np.log10(1 - rng.random()) / 0.55
        kind = rng.choice(4, p=[0.15, 0.25, 0.35, 0.25])
        at_r = 10 ** (-0.4 * (max(magnitude, 16.0) - 22.5))
        colour = _NEIGHBOUR_COLOURS[kind] + 0.15 * rng.standard_normal(4)
        offset = np.concatenate([[colour[0] + colour[1], colour[1], 0.0], -np.cumsum(colour[2:])])
        distance, angle = rng.uniform(3.5 + shape.radius, 21), rng.uniform(0, 2 * np.pi)
        position = (distance * np.cos(angle), distance * np.sin(angle))
        neighbours.append(Neighbour(position, at_r * 10 ** (-0.4 * offset), rng.uniform(0.5, 1.2) if kind > 1 else 0.0))
    if shape.oddity == "m":
        distance, angle = rng.uniform(1.0, 2.0) * max(shape.radius, 1.5), rng.uniform(0, 2 * np.pi)
        position = (distance * np.cos(angle), distance * np.sin(angle))
        companion = flux * rng.uniform(0.2, 0.8) * np.array([0.8, 0.9, 1, 1.05, 1.1])
        neighbours.append(Neighbour(position, companion, shape.radius * rng.uniform(0.3, 0.7)))
    hidden = rng.random() < STAR_SHARE
    if hidden:
        star = 10 ** (0.4 * (22.5 - rng.uniform(11.5, 13.5))) * np.array([0.12, 0.55, 1.0, 1.2, 1.3])
        neighbours.append(Neighbour((rng.uniform(-2, 2), rng.uniform(-2, 2)), star, 0.0))
    return ([], False) if isolated else (neighbours, hidden)


def _neighbour_map(neighbour: Neighbour) -> np.ndarray:
    x, y = _AXIS[None, :] - neighbour.position[0], _AXIS[:, None] - neighbour.position[1]
    if neighbour.radius:
        return sersic_map(x, y, neighbour.radius, 1.0, 0.7, sum(neighbour.position))
    width = 0.6 * FINE_SCALE
    point = np.exp(-0.5 * (x / width) ** 2) * np.exp(-0.5 * (y / width) ** 2)
    return point / (2 * np.pi * width**2) * FINE_SCALE**2


def render(maps: np.ndarray, flux: np.ndarray, neighbours: list[Neighbour], seeing: np.ndarray) -> np.ndarray:
    """Image the scene without noise.

    The point-spread function is a Gaussian with a tenth of the light in wings 2.8 times as wide, as in SDSS
    (Stoughton et al. 2002, AJ 123, 485).

    Parameters
    ----------
    maps : ndarray of float64, shape (4, 243, 243)
        Of ``image.component_maps``.
    flux : ndarray of float64, shape (4, 5)
        Nanomaggies by component and band.
    neighbours : list of Neighbour
    seeing : ndarray of float64, shape (5,)
        Arcsec.

    Returns
    -------
    ndarray of float32, shape (81, 81, 5)
        Nanomaggies per pixel of 0.396 arcsec; axes y, x, band.
    """
    maps = np.concatenate([maps, [_neighbour_map(neighbour) for neighbour in neighbours]]) if neighbours else maps
    flux = np.concatenate([flux, [neighbour.flux for neighbour in neighbours]]) if neighbours else flux
    scene = np.einsum("cyx,cb->byx", maps.astype(np.float32), flux.astype(np.float32))
    pixels = np.empty((FIELD, FIELD, len(BANDS)), np.float32)
    for band, (fine, width) in enumerate(zip(scene, seeing * _FWHM_TO_SIGMA, strict=True)):
        core = gaussian_filter(fine, width / FINE_SCALE, mode="nearest", truncate=3.5)
        core = core.reshape(FIELD, OVERSAMPLING, FIELD, OVERSAMPLING).sum(axis=(1, 3))
        wings = gaussian_filter(core, 2.6 * width / CUTOUT_SCALE, mode="nearest", truncate=3.0)
        pixels[..., band] = 0.9 * core + 0.1 * wings
    return pixels


def add_noise(scene: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add the noise of the sky and of the photons, at the level of calibrated frames; nanomaggies."""
    noise = np.sqrt(SKY_NOISE**2 + np.clip(scene, 0, None) / GAIN) * rng.standard_normal(scene.shape, dtype=np.float32)
    return (scene + noise + 0.05 * SKY_NOISE * rng.standard_normal(len(BANDS))).astype(np.float32)


def cutout(scene: np.ndarray) -> np.ndarray:
    """Cut the central 61 x 61 pixels out of a scene; float32 (61, 61, 5)."""
    size = INPUTS["fits"].shape[0]
    margin = (FIELD - size) // 2
    return np.ascontiguousarray(scene[margin : margin + size, margin : margin + size])


def colour_image(scene: np.ndarray) -> Image.Image:
    """Compose the colour picture as SkyServer does, see `sdss_gs.formats.composite`.

    Parameters
    ----------
    scene : ndarray of float32, shape (81, 81, 5)
        Noisy nanomaggies per pixel.

    Returns
    -------
    PIL.Image.Image
        RGB, 150 x 150, 0.2 arcsec per pixel, y upwards.
    """
    layers = [scene[..., BANDS.index(band)] for band in COLOURS]
    size = INPUTS["img"].shape[0]
    half = size / 2 * PIXEL_SCALE / CUTOUT_SCALE
    box = (FIELD / 2 - half, FIELD / 2 - half, FIELD / 2 + half, FIELD / 2 + half)
    picture = Image.fromarray(np.ascontiguousarray(compose(layers, smoothing=SMOOTHING)))
    return picture.resize((size, size), Image.Resampling.BICUBIC, box=box)


def fibre_fractions(maps: np.ndarray, offset: np.ndarray, seeing: float) -> np.ndarray:
    """Share of each component's light that falls into a fibre centred on the galaxy.

    Parameters
    ----------
    maps : ndarray of float64, shape (4, 243, 243)
    offset : ndarray of float64, shape (2,)
        Centre of the galaxy, arcsec.
    seeing : float
        Full width at half maximum in r, arcsec.

    Returns
    -------
    ndarray of float64, shape (4,)
    """
    aperture = np.hypot(_AXIS[None, :] - offset[0], _AXIS[:, None] - offset[1]) < FIBRE_RADIUS
    # The symmetric blur may as well act on the aperture: one convolution instead of four.
    blurred = gaussian_filter(aperture.astype(float), seeing * _FWHM_TO_SIGMA / FINE_SCALE, truncate=4.0)
    return np.einsum("cyx,yx->c", maps, blurred)
