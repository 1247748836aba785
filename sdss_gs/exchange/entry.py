"""How the image of another project becomes a file of the zoo's field."""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from sdss_gs.errors import OptionError
from sdss_gs.exchange.item import Item
from sdss_gs.formats.img import LARGEST, SIDE, SMALLEST, crop_or_pad, decoded, into_field, opened, refusal


@dataclass(frozen=True)
class Entry:
    """How the images of a source enter.

    Parameters
    ----------
    crop, size : int, optional
        Side of the middle square to keep, in pixels of the source, and side after resampling.
    scale : float, optional
        Arcsec per pixel of the source, in place of these.
    """

    crop: int | None = None
    size: int | None = None
    scale: float | None = None

    def check(self) -> None:
        """Raise an `OptionError` for what is impossible."""
        if any(value is not None and value < 1 for value in (self.crop, self.size)):
            raise OptionError(f"--crop {self.crop} --size {self.size}: expected at least 1 pixel")
        if self.size is not None and not SMALLEST <= self.size <= LARGEST:
            raise OptionError(f"--size {self.size}: expected {SMALLEST} to {LARGEST} pixels")
        if self.scale is not None and (self.crop or self.size):
            raise OptionError("--image-scale: expected without --crop and --size, which say the same in pixels")
        if self.scale is not None and not 1e-3 <= self.scale <= 1e3:
            raise OptionError(f"--image-scale {self.scale:g}: expected arcsec per pixel from 0.001 to 1000")


CROPPED, WHOLE = "cropped", "whole"
"""How an image entered that nobody told the scale of."""


def image_bytes(item: Item, entry: Entry) -> tuple[bytes | None, str]:
    """Make an object's JPEG.

    Without options, an RGB JPEG of 150 x 150 pixels is left alone, and another file of 100 to 300 pixels a side is
    cropped or padded at its scale, as `img.read` does. Any other image: the middle square of `crop` pixels (the
    source's own, else the shorter side) is resampled to `size` (150). With a scale, its field is cut out as `img.read`
    does.

    Parameters
    ----------
    item : Item
    entry : Entry

    Returns
    -------
    content : bytes or None
        None where the file enters the zoo as it is.
    how : str
        `CROPPED` or `WHOLE` for what was done to an image of another size without being told so, else empty.

    Raises
    ------
    BadFileError, ValueError
        If the image is absent, damaged, of colours that do not enter (`colours.to_rgb`), smaller than `crop`, of one
        colour, or larger than a machine may hold.
    """
    if isinstance(item.image, np.ndarray):
        picture, jpeg = Image.fromarray(item.image), False
    else:
        with opened(item.image) as image:
            jpeg = image.format in ("JPEG", "MPO") and image.mode == "RGB"
            picture = decoded(item.image, image)
    if all(low == high for low, high in picture.getextrema()):
        raise ValueError("expected an image that shows something, found one colour throughout")
    if entry.scale is not None:
        if problem := refusal(picture.size, entry.scale):
            raise ValueError(problem)
        return _as_jpeg(Image.fromarray(into_field(picture, entry.scale))), ""
    if isinstance(item.image, Path) and entry.crop is None and entry.size is None:
        if jpeg and picture.size == (SIDE, SIDE):
            return None, ""
        if not refusal(picture.size):
            # All images of a set must have one size, or the commonest wins and the others are refused.
            how = "" if picture.size == (SIDE, SIDE) else CROPPED
            return _as_jpeg(Image.fromarray(crop_or_pad(np.asarray(picture)))), how
    side, target = entry.crop or item.crop or min(picture.size), entry.size or SIDE
    if side > min(picture.size):
        raise ValueError(f"expected at least {side} pixels a side, found {picture.width}x{picture.height}")
    x, y = (picture.width - side) // 2, (picture.height - side) // 2
    box = (x, y, x + side, y + side)
    how = WHOLE if (entry.crop, entry.size, item.crop) == (None, None, None) else ""
    return _as_jpeg(picture.resize((target, target), Image.Resampling.LANCZOS, box=box)), how


def _as_jpeg(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=95)
    return buffer.getvalue()
