"""Frames and cut-outs → pictures.

A picture's first row is its top, an array's first row its bottom: every picture of an array is turned upside down, so
that it looks as in DS9. North is where the frame has it: SDSS frames run along the scan, not along the meridian.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from sdss_gs.errors import BadFileError, DataError, OptionError, first_line
from sdss_gs.formats import fits
from sdss_gs.formats.compressed import read_unpacked
from sdss_gs.formats.fits_units import open_fits
from sdss_gs.picture import INTERVALS, STRETCHES
from sdss_gs.schema import BANDS


@dataclass(frozen=True)
class Frame:
    """One band of the sky.

    Parameters
    ----------
    pixels : ndarray of float32, shape (height, width)
        Nanomaggies per pixel in SDSS frames; the first row is the lowest.
    wcs : astropy.wcs.WCS
    """

    pixels: np.ndarray
    wcs: Any


def read_frame(path: str | Path) -> Frame:
    """Read the first image of a FITS file, packed (gzip, bzip2, xz) or not.

    Raises
    ------
    BadFileError
        If the file is unreadable, unpacks to too much, or its first image has not two axes.
    """
    import warnings

    from astropy.wcs import WCS, FITSFixedWarning

    try:
        with open_fits(io.BytesIO(read_unpacked(path)), memmap=False) as units:
            unit = next((unit for unit in units if unit.is_image and unit.data is not None), None)
            if unit is None or unit.data.ndim != 2:
                found = "none" if unit is None else f"one of shape {unit.data.shape}"
                raise BadFileError(path, f"expected an image with two axes, found {found}")
            with warnings.catch_warnings():
                # SDSS writes dates and units in old ways, which astropy mends and tells.
                warnings.simplefilter("ignore", FITSFixedWarning)
                return Frame(unit.data.astype(np.float32), WCS(unit.header, naxis=2))
    except BadFileError:
        raise
    except Exception as error:
        # astropy raises nearly anything on a damaged header.
        raise BadFileError(path, f"expected a FITS image, found an unreadable file ({first_line(error)})") from None


def read_band(path: str | Path, band: str) -> np.ndarray:
    """Read a frame, or one band of a cut-out (``.npy``), float32 ``(height, width)``."""
    if str(path).lower().endswith(".npy"):
        return fits.read_any(path)[..., BANDS.index(band)]
    return read_frame(path).pixels


def to_picture(pixels: np.ndarray, stretch: str = "asinh", interval: str = "zscale", percent: float = 99.5):
    """Turn one band into grey levels.

    Parameters
    ----------
    pixels : ndarray of float32, shape (height, width)
    stretch, interval : str
        Of `STRETCHES` and `INTERVALS`, as astropy.visualization defines them.
    percent : float
        Share of the pixels that the interval ``percentile`` keeps.

    Returns
    -------
    ndarray of uint8, shape (height, width)
        The first row is the top.

    Raises
    ------
    OptionError
        If no pixel is finite, or `percent` is not between 0 and 100.
    """
    from astropy import visualization as v

    if not 0 < percent <= 100:
        raise OptionError(f"percent {percent}: expected a number above 0 and up to 100")
    if not np.isfinite(pixels).any():
        raise OptionError("expected an image with finite pixels, found none")
    chosen = getattr(v, INTERVALS[interval])(*([percent] if interval == "percentile" else []))
    low, high = chosen.get_limits(pixels[np.isfinite(pixels)])
    scaled = np.clip((np.nan_to_num(pixels, nan=low, posinf=high, neginf=low) - low) / max(high - low, 1e-12), 0, 1)
    return np.round(255 * getattr(v, STRETCHES[stretch])()(scaled)).astype(np.uint8)[::-1]


def align(frame: Frame, onto: Frame) -> np.ndarray:
    """Resample a frame on another one's pixels by their WCS (bilinear); NaN outside.

    Returns
    -------
    ndarray of float32, shape of `onto`

    Raises
    ------
    DataError
        If the coordinates of one cannot be turned into those of the other.
    """
    from scipy.ndimage import map_coordinates

    rows, columns = np.indices(onto.pixels.shape, dtype=np.float64)
    try:
        x, y = frame.wcs.world_to_pixel_values(*onto.wcs.pixel_to_world_values(columns, rows))
    except Exception as error:
        # astropy and wcslib raise nearly anything on damaged coordinates.
        raise DataError(f"expected frames with coordinates of the sky, found {first_line(error)}") from None
    # A pixel on the border must not be outside by a rounding error.
    return map_coordinates(frame.pixels, np.round([y, x], 6), order=1, cval=np.nan, output=np.float32)
