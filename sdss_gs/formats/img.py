"""Reader of ``img``: a colour picture of the zoo's field and scale.

An image of another size enters by a stated rule, never by a silent stretch:

- same scale (0.2 arcsec per pixel, assumed when no scale is given): a larger image is cropped to its centre, a smaller
  one is padded by repeating its edge pixels; sides of 100 to 300 pixels are accepted;
- a scale that is given: the middle of the image is resampled to 0.2 arcsec per pixel, and padded where it is smaller
  than the field. However large the image, the scale is what was said; sides under 100 pixels after that are refused.

Colours enter as `sdss_gs.formats.colours` says. How a camera was held (EXIF) is not looked at.
"""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError
from simplejpeg import decode_jpeg, decode_jpeg_header

from sdss_gs.errors import BadFileError, first_line
from sdss_gs.files import read_bytes
from sdss_gs.formats.colours import to_rgb
from sdss_gs.schema import INPUTS, PIXEL_SCALE

ENDINGS = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff")
"""Of files that may hold an image; what one is, its content tells."""
FORMATS = ("JPEG", "PNG", "WEBP", "TIFF")
"""Names that Pillow has for them; it is not asked for others."""
SIDE = INPUTS["img"].shape[0]
SMALLEST, LARGEST = 100, 300
"""Sides in pixels at 0.2 arcsec per pixel between which an image may be cropped or padded where no scale is given."""
KINDS = "JPEG, PNG, WebP or TIFF"
JPEG = b"\xff\xd8\xff"
LARGEST_FILE_SIDE = 4096


class BlankImageError(BadFileError):
    """A sound file with the same colour in all pixels."""


def probe(path: str | Path) -> tuple[int, int]:
    """Read an image's width and height in pixels from its header."""
    with opened(path) as image:
        return image.size


def refusal(size: tuple[int, int], scale: float | None = None) -> str:
    """Say why an image of a size does not enter; empty where it does.

    Parameters
    ----------
    size : tuple of int
        Width and height in pixels.
    scale : float, optional
        Arcsec per pixel that was given.

    Examples
    --------
    >>> refusal((150, 150)), refusal((256, 256), 0.262)
    ('', '')
    >>> refusal((424, 424)).split("; ")[0]
    'expected sides of 100 to 300 pixels at 0.2"/pixel, found 424x424'
    """
    target = _at_scale(size, scale)
    found = f"{size[0]}x{size[1]}"
    if min(target) >= SMALLEST and (scale is not None or max(target) <= LARGEST):
        return ""
    if scale is not None:
        reach = f'{min(size) * scale:.3g}"'
        least = f'at least {SMALLEST * PIXEL_SCALE:.0f}" a side'
        return f'expected a field of {least}, found {found} pixels of {scale:g}", which is {reach}'
    problem = f'expected sides of {SMALLEST} to {LARGEST} pixels at {PIXEL_SCALE}"/pixel, found {found}'
    stating = "state the scale of the files (--image-scale; image_scale; the scale of an upload)"
    if min(target) < SMALLEST:
        return f"{problem}; {stating}, if it is another"
    whole = SIDE * PIXEL_SCALE / max(size)
    return (
        f"{problem}; {stating}; for images whose scale follows the size of the galaxy, {whole:.4g} takes them whole "
        f"({PIXEL_SCALE} x {SIDE} / {max(size)}); of files of {PIXEL_SCALE}, cut the middle out"
    )


def entering(size: tuple[int, int], scale: float | None = None) -> tuple[bool, bool]:
    """Tell whether an image of a size is resampled, and whether it is cropped or padded.

    Parameters
    ----------
    size : tuple of int
        Width and height in pixels.
    scale : float, optional
        Arcsec per pixel that was given.

    Examples
    --------
    >>> entering((150, 150)), entering((120, 120)), entering((256, 256), 0.262)
    ((False, False), (False, True), (True, True))
    """
    resampled = scale is not None and scale != PIXEL_SCALE
    return resampled, _at_scale(size, scale) != (SIDE, SIDE)


def _at_scale(size: tuple[int, int], scale: float | None) -> tuple[int, int]:
    """Return width and height in pixels of the zoo's scale."""
    factor = 1.0 if scale is None else scale / PIXEL_SCALE
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def read(path: str | Path, size: tuple[int, int] | None = None, scale: float | None = None) -> np.ndarray:
    """Read one image into the zoo's field.

    Parameters
    ----------
    path : path-like
        JPEG, PNG, WebP or TIFF.
    size : tuple of int, optional
        Width and height all images of the set have; another size is refused.
    scale : float, optional
        Arcsec per pixel of the file; where it is not 0.2, the image is resampled to that.

    Returns
    -------
    ndarray of uint8, shape (150, 150, 3)

    Raises
    ------
    BadFileError
        If the file is truncated, no image, of colours or of a size that do not enter by the rules above, or shows
        nothing.
    """
    content = _content(path)
    pixels = _plain_jpeg(content, size) if scale is None else None
    if pixels is None:
        pixels = _any_image(path, content, size, scale)
    # Seldom is the pixel in the middle what that in the corner is.
    if (pixels[SIDE // 2, SIDE // 2] == pixels[0, 0]).all() and (pixels == pixels[0, 0]).all():
        raise BlankImageError(path, "expected an image that shows something, found one colour throughout")
    return pixels


def _plain_jpeg(content: bytes, size: tuple[int, int] | None) -> np.ndarray | None:
    """Decode a sound JPEG of three colours, in half of the time that Pillow takes for the same pixels.

    None for any other file, and for one that is refused: why, `_any_image` says.
    """
    if not content.startswith(JPEG):
        return None
    try:
        height, width, colours, _ = decode_jpeg_header(content)
        if colours != "YCbCr" or size not in (None, (width, height)) or refusal((width, height)):
            return None
        return crop_or_pad(decode_jpeg(content))
    except ValueError:
        # Of the least that is wrong, too.
        return None


def _any_image(path, content, size, scale):
    with _image_in(path, content) as image:
        if size is not None and image.size != size:
            raise BadFileError(
                path, f"expected {size[0]}x{size[1]} pixels as the rest of the set, found {_size(image)}"
            )
        if problem := refusal(image.size, scale):
            raise BadFileError(path, problem)
        return into_field(decoded(path, image), scale)


def into_field(image: Image.Image, scale: float | None = None) -> np.ndarray:
    """Bring an image to the zoo's scale, and its middle to the zoo's field, as the rule at the top says.

    Parameters
    ----------
    image : Image
        RGB.
    scale : float, optional
        Arcsec per pixel.

    Returns
    -------
    ndarray of uint8, shape (150, 150, 3)
    """
    resampled, _ = entering(image.size, scale)
    if not resampled:
        return crop_or_pad(np.asarray(image))
    # Only what the field holds is resampled: an image may be many times as large.
    sides = [min(SIDE, side) for side in _at_scale(image.size, scale)]
    spans = [min(have, side * PIXEL_SCALE / scale) for have, side in zip(image.size, sides, strict=True)]
    starts = [(have - span) / 2 for have, span in zip(image.size, spans, strict=True)]
    box = (*starts, *(start + span for start, span in zip(starts, spans, strict=True)))
    return crop_or_pad(np.asarray(image.resize(tuple(sides), Image.Resampling.LANCZOS, box=box)))


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


def opened(path: str | Path) -> Image.Image:
    """Open an image file, without decoding its pixels yet.

    Raises
    ------
    BadFileError
        If it is absent, damaged, no image, or has more pixels a side than anything that is expected here.
    """
    return _image_in(path, _content(path))


def _content(path: str | Path) -> bytes:
    # Whole: Pillow reads a file in small pieces otherwise.
    try:
        return read_bytes(path)
    except FileNotFoundError:
        raise BadFileError(path, f"expected an image ({KINDS}), found no such file") from None
    except Exception as error:
        raise _unreadable(path, error) from None


def _image_in(path: str | Path, content: bytes) -> Image.Image:
    try:
        # Told what it is, Pillow need not ask every format in turn.
        image = Image.open(io.BytesIO(content), formats=("JPEG",) if content.startswith(JPEG) else FORMATS)
    except UnidentifiedImageError:
        raise BadFileError(path, f"expected an image ({KINDS}), found something else") from None
    except Exception as error:
        # Pillow raises nearly anything on a damaged header.
        raise _unreadable(path, error) from None
    if max(image.size) > LARGEST_FILE_SIDE:
        found = _size(image)
        image.close()
        raise BadFileError(path, f"expected at most {LARGEST_FILE_SIDE} pixels a side, found {found}")
    return image


def _unreadable(path, error):
    return BadFileError(path, f"expected an image ({KINDS}), found an unreadable file ({first_line(error)})")


def decoded(path: str | Path, image: Image.Image) -> Image.Image:
    """Decode an image that was opened; return it as RGB, see `colours.to_rgb`.

    Raises
    ------
    BadFileError
        If it is damaged, or of colours that do not enter.
    """
    try:
        picture = to_rgb(path, image)
        picture.load()
    except BadFileError:
        raise
    except Exception as error:
        # Here, too.
        found = f"a damaged one ({first_line(error)})"
        raise BadFileError(path, f"expected a complete {image.format}, found {found}") from None
    return picture


def _size(image: Image.Image) -> str:
    return f"{image.width}x{image.height}"
