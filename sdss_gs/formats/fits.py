"""Reader of ``fits``: the five-band cut-out, a ``.npy`` array or a FITS file."""

from __future__ import annotations

import io
import math
from functools import lru_cache
from pathlib import Path

import numpy as np

from sdss_gs.errors import BadFileError, first_line
from sdss_gs.formats.compressed import read_content
from sdss_gs.formats.cube import StatedError, cube_of
from sdss_gs.formats.fits_units import open_fits
from sdss_gs.schema import BANDS, INPUTS

VERSION_1 = b"\x93NUMPY\x01\x00"
HEADER_LENGTH = len(VERSION_1) + 2
"""Bytes before the header's text: magic, version, length of the text (numpy.lib.format)."""


def probe(path: str | Path) -> tuple[int, int]:
    """Read a cut-out's width and height in pixels."""
    height, width, _ = read_pixels(path).shape
    return width, height


def read(path: str | Path) -> np.ndarray:
    """Read one cut-out as networks see it: the middle 61 × 61 pixels of what `read_any` finds.

    Returns
    -------
    ndarray of float32, shape (61, 61, 5)
        Nanomaggies per pixel; axes y, x, band (u g r i z).

    Raises
    ------
    BadFileError
        As `read_any` does, and if the cut-out is smaller, or a band of it has one value throughout.
    """
    return centre(path, read_pixels(path))


def read_any(path: str | Path) -> np.ndarray:
    """Read a cut-out as `read_pixels` does, and refuse it where any pixel is not finite."""
    return _finite(path, read_pixels(path))


def read_pixels(path: str | Path) -> np.ndarray:
    """Read a five-band cut-out of any size: a ``.npy`` array of floats, or a FITS file (`sdss_gs.formats.cube`).

    Parameters
    ----------
    path : path-like
        Compressed or not; what it is, its content tells. Pickled arrays are refused.

    Returns
    -------
    ndarray of float32, shape (height, width, 5)
        Nanomaggies per pixel; axes y, x, band (u g r i z). What is too large for float32 is infinite.

    Raises
    ------
    BadFileError
        If the file is unreadable, or no such cut-out.
    """
    expected = "a cut-out (height, width, 5) of u g r i z"
    try:
        array = _read_content(read_content(path))
    except StatedError as error:
        raise BadFileError(path, str(error)) from None
    except Exception as error:
        # numpy and astropy raise nearly anything on a damaged header; so does what takes compressed images apart.
        raise BadFileError(path, f"expected {expected}, found an unreadable file ({first_line(error)})") from None
    if not isinstance(array, np.ndarray) or array.ndim != 3 or array.dtype.kind != "f" or array.shape[2] != len(BANDS):
        found = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else "no array of pixels"
        raise BadFileError(path, f"expected {expected}, floating-point nanomaggies, found {found}")
    with np.errstate(over="ignore"):
        return array.astype(np.float32, copy=False)


def _read_content(content: bytes) -> np.ndarray | None:
    if content.startswith(b"SIMPLE"):
        with open_fits(io.BytesIO(content), memmap=False) as units:
            return cube_of(units)
    return _read_array(content)


def _finite(path: str | Path, array: np.ndarray) -> np.ndarray:
    """Refuse pixels of which one is not finite."""
    finite = np.isfinite(array)
    if not finite.all():
        bad = array.size - int(finite.sum())
        raise BadFileError(path, f"expected finite pixels, found {bad} that are NaN or infinite")
    return array


def centre(path: str | Path, cutout: np.ndarray) -> np.ndarray:
    """Cut the middle 61 × 61 pixels out of a larger cut-out of the same scale.

    Raises
    ------
    BadFileError
        If the cut-out is smaller: missing sky cannot be made up. If one of the middle's pixels is not finite, or a band
        has one value throughout: nothing was seen.
    """
    shape = INPUTS["fits"].shape
    excess = [have - want for have, want in zip(cutout.shape, shape, strict=True)]
    if min(excess) < 0:
        raise BadFileError(path, f"expected at least {shape[0]}x{shape[1]} pixels, found {cutout.shape[:2]}")
    y, x = (side // 2 for side in excess[:2])
    middle = _finite(path, cutout[y : y + shape[0], x : x + shape[1]])
    # Seldom is a pixel of the middle what that in the corner is.
    if (middle[shape[0] // 2, shape[1] // 2] != middle[0, 0]).all():
        return middle
    empty = (middle == middle[0, 0]).all(axis=(0, 1))
    if empty.any():
        names = "".join(band for band, same in zip(BANDS, empty, strict=True) if same)
        raise BadFileError(path, f"expected a picture of the sky in each band, found one value throughout in {names}")
    return middle


def _read_array(content: bytes) -> np.ndarray:
    """Read a ``.npy`` file as `numpy.load` does, but parse a header that was seen before only once."""
    start = HEADER_LENGTH + int.from_bytes(content[HEADER_LENGTH - 2 : HEADER_LENGTH], "little")
    known = _shape_of(content[:start]) if content.startswith(VERSION_1) else None
    if known is None or len(content) != start + known[0].itemsize * math.prod(known[1]):
        return np.load(io.BytesIO(content), allow_pickle=False)
    dtype, shape = known
    return np.frombuffer(content, dtype, offset=start).reshape(shape)


@lru_cache(maxsize=16)
def _shape_of(header: bytes) -> tuple[np.dtype, tuple[int, ...]] | None:
    """Parse a header; None for what the caller had better leave to numpy."""
    stream = io.BytesIO(header[len(VERSION_1) :])
    shape, fortran_order, dtype = np.lib.format.read_array_header_1_0(stream)
    return None if fortran_order or dtype.hasobject else (dtype, shape)
