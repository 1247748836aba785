"""Pictures of every kind → red, green and blue of 8 bits, where that loses nothing; anything else is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from sdss_gs.errors import BadFileError

AS_THEY_ARE = ("RGB", "RGBX", "L", "1", "P")
"""Modes of Pillow that turn into RGB without loss: three colours, grey, two tones, a palette."""
SIXTEEN_BITS = ("I", "I;16", "I;16L", "I;16B", "I;16N")
PNG_DEPTH = "the 8 lower bits of its colours would be lost"
SAVE_AS = "save it as RGB of 8 bits"


def to_rgb(path: str | Path, image: Image.Image) -> Image.Image:
    """Turn an opened image into RGB.

    Grey, two-tone and palette images, and those with an alpha channel that is opaque throughout, enter as they look;
    16-bit grey where it is a stretched 8-bit grey (every value a multiple of 257 or of 256); CMYK without black ink,
    which is RGB upside down.

    Parameters
    ----------
    path : path-like
        What an error names.
    image : Image

    Returns
    -------
    Image
        Mode ``RGB``.

    Raises
    ------
    BadFileError
        If there is a choice to be made, or the file holds several pictures.
    OSError, SyntaxError, ValueError
        If the file is damaged.
    """
    frames = getattr(image, "n_frames", 1)
    if frames > 1 and image.format not in ("JPEG", "MPO"):
        raise BadFileError(path, f"expected one picture in a file, found {frames}; save the one that is meant")
    if image.mode == "RGB" and "transparency" not in image.info and not _deep(image):
        return image
    if _deep(image):
        raise BadFileError(path, f"expected 8 bits a colour, found 16; {SAVE_AS} ({PNG_DEPTH})")
    if image.mode in SIXTEEN_BITS:
        return _from_sixteen_bits(path, image)
    if image.mode == "CMYK":
        return _from_cmyk(path, image)
    if image.has_transparency_data:
        return _from_opaque(path, image.convert("RGBA"))
    if image.mode in AS_THEY_ARE:
        return image.convert("RGB")
    raise BadFileError(path, f"expected an RGB image, found mode {image.mode}; {SAVE_AS}")


def _deep(image: Image.Image) -> bool:
    """Tell a PNG with 16 bits a colour, of which Pillow silently gives the upper 8."""
    tiles = image.tile if image.format == "PNG" else ()
    return any(";16B" in str(tile[3]) for tile in tiles) and image.mode not in SIXTEEN_BITS


def _from_sixteen_bits(path, image):
    values = np.asarray(image)
    for step in (257, 256):
        if values.min() >= 0 and values.max() <= 255 * step and not (values % step).any():
            return Image.fromarray((values // step).astype(np.uint8)).convert("RGB")
    expected = "256 levels of grey from black to white, of 8 or 16 bits"
    found = f"numbers from {values.min()} to {values.max()}"
    raise BadFileError(path, f"expected {expected}, found {found}; choose black and white, {SAVE_AS}")


def _from_cmyk(path, image):
    inks = np.asarray(image)
    if inks[..., 3].any():
        raise BadFileError(
            path, f"expected an RGB image, found CMYK with black ink, whose colours depend on the printer; {SAVE_AS}"
        )
    return Image.fromarray(255 - inks[..., :3])


def _from_opaque(path, image):
    clear = int((np.asarray(image)[..., 3] < 255).sum())
    if clear:
        raise BadFileError(
            path, f"expected an opaque image, found {clear:,} transparent pixels; put it on its background first"
        )
    return image.convert("RGB")
