"""Reader of ``img``: a colour JPEG of the zoo's field and scale.

An image of another size enters by a stated rule, never by a silent stretch:

- same scale (0.2 arcsec per pixel, assumed when no scale is given): a larger image is cropped to its centre, a smaller
  one is padded by repeating its edge pixels; sides of 100 to 300 pixels are accepted;
- another scale, given explicitly: resampled to 0.2 arcsec per pixel first, then cropped or padded.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from sdss_gs.errors import BadFileError
from sdss_gs.files import read_bytes
from sdss_gs.schema import INPUTS, PIXEL_SCALE

SIDE = INPUTS["img"].shape[0]
SMALLEST, LARGEST = 100, 300
"""Sides in pixels at 0.2 arcsec per pixel between which an image may be cropped or padded."""
JPEG = b"\xff\xd8\xff"
LARGEST_FILE_SIDE = 4096


def probe(path: str | Path) -> tuple[int, int]:
    """Read an image's width and height in pixels from its header."""
    with _open(path) as image:
        return image.size


def read(path: str | Path, size: tuple[int, int] | None = None, scale: float = PIXEL_SCALE) -> np.ndarray:
    """Read one image into the zoo's field.

    Parameters
    ----------
    path : path-like
        JPEG (any format Pillow identifies is taken), RGB.
    size : tuple of int, optional
        Width and height all images of the set have; another size is refused.
    scale : float
        Arcsec per pixel of the file; when it is not 0.2, the image is resampled to that.

    Returns
    -------
    ndarray of uint8, shape (150, 150, 3)

    Raises
    ------
    BadFileError
        If the file is truncated, no image, not RGB, or of a size that does not enter by the rule above.
    """
    with _open(path) as image:
        if size is not None and image.size != size:
            raise BadFileError(
                path, f"expected {size[0]}x{size[1]} pixels as the rest of the set, found {_size(image)}"
            )
        if image.mode != "RGB":
            raise BadFileError(path, f"expected an RGB image, found mode {image.mode}")
        target = tuple(max(1, round(side * scale / PIXEL_SCALE)) for side in image.size)
        if not all(SMALLEST <= side <= LARGEST for side in target):
            hint = "; state the scale of the files to resample them (image_scale)" if scale == PIXEL_SCALE else ""
            raise BadFileError(
                path,
                f'expected sides of {SMALLEST} to {LARGEST} pixels at {PIXEL_SCALE}"/pixel, found {_size(image)}{hint}',
            )
        try:
            pixels = image if target == image.size else image.resize(target, Image.Resampling.LANCZOS)
            return crop_or_pad(np.asarray(pixels))
        except (OSError, SyntaxError, ValueError) as error:
            raise BadFileError(path, f"expected a complete JPEG, found a damaged one ({error})") from None


def crop_or_pad(pixels: np.ndarray, side: int = SIDE) -> np.ndarray:
    """Cut or edge-pad an image about its centre.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3)
    side : int

    Returns
    -------
    ndarray of uint8, shape (side, side, 3)
    """
    for axis in (0, 1):
        excess = pixels.shape[axis] - side
        before = abs(excess) // 2
        if excess > 0:
            pixels = np.take(pixels, range(before, before + side), axis=axis)
        elif excess < 0:
            width = [(0, 0)] * 3
            width[axis] = (before, -excess - before)
            pixels = np.pad(pixels, width, mode="edge")
    return pixels


def _open(path) -> Image.Image:
    try:
        # From memory: Pillow reads a file in small pieces otherwise.
        content = read_bytes(path)
        # Told what it is, Pillow need not ask every format in turn.
        image = Image.open(io.BytesIO(content), formats=("JPEG",) if content.startswith(JPEG) else None)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        kind = "something else" if isinstance(error, UnidentifiedImageError) else f"an unreadable file ({error})"
        raise BadFileError(path, f"expected a JPEG image, found {kind}") from None
    if max(image.size) > LARGEST_FILE_SIDE:
        found = _size(image)
        image.close()
        raise BadFileError(path, f"expected at most {LARGEST_FILE_SIDE} pixels a side, found {found}")
    return image


def _size(image: Image.Image) -> str:
    return f"{image.width}x{image.height}"
