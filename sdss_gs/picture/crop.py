"""Cut the object in the middle out of an image: threshold, connected components, padding, square.

Pure functions, arrays in and arrays out; `sdss_gs.picture.command` reads and writes the files.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from PIL import Image

from sdss_gs.errors import OptionError
from sdss_gs.picture import THRESHOLDS
from sdss_gs.schema import INPUTS

SIDE = INPUTS["img"].shape[0]
GREY = np.array([0.299, 0.587, 0.114])
"""Weights of R, G and B in luma (ITU-R BT.601)."""
NARROWEST = 3
"""A component less wide and high than this, in pixels, is noise and not an object."""
BRIGHT_ENOUGH = 0.1
"""Share of the brightest component's light that another one needs to be the object, where it is nearer the middle."""


@dataclass(frozen=True)
class Region:
    """A square in an image, in pixels; it may reach beyond the edges.

    Parameters
    ----------
    x, y : int
        Column and row of its first pixel.
    side : int
    found : bool
        False where nothing stood out and the square is the middle of the image.
    """

    x: int
    y: int
    side: int
    found: bool = True


def find_region(pixels: np.ndarray, threshold: str = "otsu", sigma: float = 5.0, padding: float = 0.1) -> Region:
    """Find the object: of the connected regions brighter than the background, the one nearest the middle of the image.

    Regions with less than a tenth of the light of the brightest one are passed over.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width) or (height, width, 3)
    threshold : str
        ``otsu`` (Otsu 1979, IEEE Trans. SMC 9, 62) or ``sigma``: so many standard deviations above the clipped median.
    sigma : float
    padding : float
        Free space on each side as a fraction of the longer side of the region.

    Returns
    -------
    Region
        Centred on the box of the region; the largest square in the middle where nothing is found.

    Raises
    ------
    OptionError
        If the threshold has another name or a number is impossible.
    """
    from scipy import ndimage

    if threshold not in THRESHOLDS:
        raise OptionError(f"threshold {threshold!r}: expected one of {', '.join(THRESHOLDS)}")
    if not (padding >= 0 and sigma > 0):
        raise OptionError(f"expected padding >= 0 and sigma > 0, found {padding} and {sigma}")
    grey = _grey(pixels)
    level = _otsu(grey) if threshold == "otsu" else _above_background(grey, sigma)
    labels, count = ndimage.label(grey > level, structure=np.ones((3, 3)))
    if count:
        rows, columns = ndimage.find_objects(labels)[_nearest(labels, np.maximum(grey - level, 0), count) - 1]
        extent = max(rows.stop - rows.start, columns.stop - columns.start)
        if extent >= NARROWEST:
            side = extent + 2 * round(padding * extent)
            return Region((columns.start + columns.stop - side) // 2, (rows.start + rows.stop - side) // 2, side)
    side = min(grey.shape)
    return Region((grey.shape[1] - side) // 2, (grey.shape[0] - side) // 2, side, found=False)


def crop(pixels: np.ndarray, region: Region, side: int = SIDE, grey: bool = False) -> np.ndarray:
    """Cut a region out, repeating edge pixels where it reaches beyond the image, and resample it.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width) or (height, width, 3)
    region : Region
    side : int
        Side of the result in pixels.
    grey : bool

    Returns
    -------
    ndarray of uint8, shape (side, side) for grey, else (side, side, 3)
    """
    if grey:
        pixels = np.round(_grey(pixels)).astype(np.uint8)
    elif pixels.ndim == 2:
        pixels = np.repeat(pixels[..., None], 3, axis=2)
    rows = np.clip(np.arange(region.y, region.y + region.side), 0, pixels.shape[0] - 1)
    columns = np.clip(np.arange(region.x, region.x + region.side), 0, pixels.shape[1] - 1)
    square = Image.fromarray(np.ascontiguousarray(pixels[rows][:, columns]))
    # Shrinking by averages keeps faint light that bicubic sampling with a fixed kernel would miss.
    smaller = side < region.side
    return np.asarray(square.resize((side, side), Image.Resampling.BOX if smaller else Image.Resampling.BICUBIC))


def _grey(pixels: np.ndarray) -> np.ndarray:
    return pixels.astype(np.float64) if pixels.ndim == 2 else pixels @ GREY


def _nearest(labels: np.ndarray, light: np.ndarray, count: int) -> int:
    """Return the label of the component nearest the middle among those that are bright enough."""
    from scipy import ndimage

    numbers = np.arange(1, count + 1)
    lights = ndimage.sum_labels(light, labels, numbers)
    y, x = np.indices(labels.shape)
    distance = np.hypot(y - (labels.shape[0] - 1) / 2, x - (labels.shape[1] - 1) / 2)
    nearest = ndimage.minimum(distance, labels, numbers)
    # A merger or a galaxy with a neighbour may have two regions: of equally near ones the brighter.
    bright = lights >= BRIGHT_ENOUGH * lights.max()
    return int(numbers[np.lexsort((-lights, np.where(bright, nearest, np.inf)))[0]])


def _otsu(grey: np.ndarray) -> float:
    """Split the histogram where the variance between both sides is largest."""
    counts = np.bincount(np.round(grey).astype(int).ravel(), minlength=256).astype(float)
    weight, total = np.cumsum(counts), np.cumsum(counts * np.arange(256))
    below, above = weight[:-1], weight[-1] - weight[:-1]
    with np.errstate(invalid="ignore", divide="ignore"):
        between = below * above * (total[:-1] / below - (total[-1] - total[:-1]) / above) ** 2
    return float(np.argmax(np.nan_to_num(between))) + 0.5 if (between > 0).any() else float("inf")


def _above_background(grey: np.ndarray, sigma: float) -> float:
    from astropy.stats import sigma_clipped_stats

    _, median, deviation = sigma_clipped_stats(grey)
    # An 8-bit background can be exactly flat; half a grey level is what rounding hides.
    return float(median + sigma * max(deviation, 0.5))
