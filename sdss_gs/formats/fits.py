"""Reader of ``fits``: the five-band cut-out stored as ``.npy``."""

from __future__ import annotations

import io
import math
from functools import lru_cache
from pathlib import Path

import numpy as np

from sdss_gs.errors import BadFileError, first_line
from sdss_gs.files import read_bytes
from sdss_gs.formats.fits_units import open_fits
from sdss_gs.schema import BANDS, INPUTS

VERSION_1 = b"\x93NUMPY\x01\x00"
HEADER_LENGTH = len(VERSION_1) + 2
"""Bytes before the header's text: magic, version, length of the text (numpy.lib.format)."""
COLOURS = ("i", "r", "g")
"""Bands shown as red, green and blue."""
PICTURE_STRETCH, PICTURE_SOFTENING = 0.5, 8.0
"""Of `compose`: nanomaggies per pixel shown linearly, and Lupton's Q."""


def read(path: str | Path) -> np.ndarray:
    """Read one cut-out.

    Parameters
    ----------
    path : path-like
        ``.npy`` file of floats; pickled arrays are refused.

    Returns
    -------
    ndarray of float32, shape (61, 61, 5)
        Nanomaggies per pixel; axes y, x, band (u g r i z).

    Raises
    ------
    BadFileError
        If the file is no array, has another shape or dtype, or holds a value that is not finite.
    """
    try:
        array = _read_array(path)
    except Exception as error:
        # numpy raises nearly anything on a damaged header.
        raise BadFileError(path, f"expected a .npy array, found an unreadable file ({first_line(error)})") from None
    shape = INPUTS["fits"].shape
    if not isinstance(array, np.ndarray) or array.shape != shape or array.dtype.kind != "f":
        found = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else "an archive"
        raise BadFileError(path, f"expected float32 {shape}, found {found}")
    return _finite(path, array)


def read_any(path: str | Path) -> np.ndarray:
    """Read a five-band cut-out of any size: ``.npy`` as for `read`, or the first image of a FITS file.

    Returns
    -------
    ndarray of float32, shape (height, width, 5)
        Nanomaggies per pixel; a FITS cube has its bands on the first axis (the last in FITS' own order).

    Raises
    ------
    BadFileError
        If the file is unreadable, no such cube, or holds a value that is not finite.
    """
    expected = "a cut-out (height, width, 5)"
    try:
        array = _read_array(path) if str(path).lower().endswith(".npy") else _read_cube(path)
    except Exception as error:
        # So do astropy and the library that takes its compressed images apart.
        raise BadFileError(path, f"expected {expected}, found an unreadable file ({first_line(error)})") from None
    if not isinstance(array, np.ndarray) or array.ndim != 3 or array.dtype.kind != "f" or array.shape[2] != len(BANDS):
        found = f"{array.dtype} {array.shape}" if isinstance(array, np.ndarray) else "no image"
        raise BadFileError(path, f"expected {expected}, found {found}")
    return _finite(path, array)


def _finite(path: str | Path, array: np.ndarray) -> np.ndarray:
    """Return pixels as float32; refuse them where one is not finite, or too large for that."""
    with np.errstate(over="ignore"):
        array = array.astype(np.float32, copy=False)
    finite = np.isfinite(array)
    if not finite.all():
        bad = array.size - int(finite.sum())
        raise BadFileError(path, f"expected finite pixels, found {bad} that are NaN or infinite")
    return array


def _read_cube(path: str | Path) -> np.ndarray | None:
    with open_fits(io.BytesIO(read_bytes(path)), memmap=False) as units:
        cube = next((unit.data for unit in units if unit.is_image and unit.data is not None), None)
    if cube is None or cube.ndim != 3:
        return cube
    native = cube.astype(cube.dtype.newbyteorder("="))
    return np.moveaxis(native, 0, 2) if native.shape[0] == len(BANDS) else native


def centre(path: str | Path, cutout: np.ndarray) -> np.ndarray:
    """Cut the middle 61 × 61 pixels out of a larger cut-out of the same scale.

    Raises
    ------
    BadFileError
        If the cut-out is smaller: missing sky cannot be made up.
    """
    shape = INPUTS["fits"].shape
    excess = [have - want for have, want in zip(cutout.shape, shape, strict=True)]
    if min(excess) < 0:
        raise BadFileError(path, f"expected at least {shape[0]}x{shape[1]} pixels, found {cutout.shape[:2]}")
    y, x = (side // 2 for side in excess[:2])
    return cutout[y : y + shape[0], x : x + shape[1]]


def _read_array(path: str | Path) -> np.ndarray:
    """Read a ``.npy`` file as `numpy.load` does, but parse a header that was seen before only once."""
    content = read_bytes(path)
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


def colour(cutout: np.ndarray) -> np.ndarray:
    """Compose i, r and g of a cut-out to a colour picture, see `compose`.

    Parameters
    ----------
    cutout : ndarray of float32, shape (height, width, 5)

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        The first row is the top.
    """
    return compose(*(cutout[..., BANDS.index(band)] for band in COLOURS))


def compose(
    red: np.ndarray,
    green: np.ndarray,
    blue: np.ndarray,
    stretch: float = PICTURE_STRETCH,
    softening: float = PICTURE_SOFTENING,
) -> np.ndarray:
    """Compose three aligned bands to a colour picture (Lupton et al. 2004, PASP 116, 133).

    An array's first row is its lowest, a picture's first row its top: the picture is the array upside down, as DS9
    shows it.

    Parameters
    ----------
    red, green, blue : ndarray of float32, shape (height, width)
        Nanomaggies per pixel; the sky is 0. A pixel that one band lacks (NaN) is black.
    stretch, softening : float
        Nanomaggies per pixel shown linearly, and Lupton's Q.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        The first row is the top.
    """
    # Reading and packing do not need astropy's pictures, which take a while to import.
    from astropy.visualization import make_lupton_rgb

    lacking = ~np.isfinite(red + green + blue)
    layers = [np.where(lacking, 0, layer) for layer in (red, green, blue)]
    # astropy divides by the intensity before it masks pixels without any.
    with np.errstate(divide="ignore", invalid="ignore"):
        return make_lupton_rgb(*layers, stretch=stretch, Q=softening)[::-1]
