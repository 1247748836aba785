"""Colour pictures as servers send them: which are pictures of the sky, and how other scales come to 0.2"/pixel."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from sdss_gs.errors import BadFileError, DataError
from sdss_gs.formats import img
from sdss_gs.schema import PIXEL_SCALE

PIXELS = img.SIDE
LARGEST_BLACK_PATCH = 0.10
"""Share of a picture that may be black in one piece.

SkyServer answers a position outside the survey with a black picture that says so in white (84 % in one black piece),
and leaves black what lies beyond the edge of the imaging. The noise of the sky keeps real pictures from being exactly
black: of 201 pictures of 150 × 150 the largest black patch had 0.2 % of the picture, of 144 smaller ones 2.2 %.
"""
PS1_SCALE = 0.25
"""Of Pan-STARRS1 stacks, arcsec per pixel."""
PS1_PIXELS = round(PIXELS * PIXEL_SCALE / PS1_SCALE)
JPEG_QUALITY = 95
HTML = (b"<!doctype", b"<html", b"<?xml", b"<head", b"{", b"[")


def check_sky(path: str | Path, name: str) -> None:
    """Check that a file is a complete colour picture of the zoo's field and shows the sky.

    Parameters
    ----------
    path : path-like
        As it was fetched.
    name : str
        What errors call it.

    Raises
    ------
    NoPictureError
        If a text was sent as a picture: a page of the server, which may answer better another time.
    BadFileError
        If the file is damaged or has another size.
    DataError
        If the picture is black, or partly: the survey has no image there.
    """
    refuse_text(path, name)
    pixels = _read(path, name, (PIXELS, PIXELS))
    share = largest_black_patch(pixels)
    if share > LARGEST_BLACK_PATCH:
        raise DataError(f"{name}: expected a picture of the sky, found {share:.0%} of it black in one piece")


class NoPictureError(DataError):
    """A server sent a text where a picture was expected."""


def refuse_text(path: str | Path, name: str) -> None:
    """Raise `NoPictureError` for an HTML, XML or JSON text, with its first words."""
    with open(path, "rb") as file:
        start = file.read(2000).lstrip()
    if start[:9].lower().startswith(HTML):
        raise NoPictureError(f"{name}: expected a picture, the server sent a page: {plain_text(start)}")


def plain_text(content: bytes, length: int = 200) -> str:
    """Return the words of an HTML page or other text in one line, cut to `length` characters."""
    from html.parser import HTMLParser

    words: list[str] = []
    silent = 0

    class Words(HTMLParser):
        def handle_starttag(self, tag, _attributes):
            nonlocal silent
            silent += tag in ("script", "style")

        def handle_endtag(self, tag):
            nonlocal silent
            silent -= tag in ("script", "style") and silent > 0

        def handle_data(self, data):
            if not silent:
                words.extend(data.split())

    parser = Words()
    parser.feed(content.decode("utf-8", "replace"))
    parser.close()
    line = " ".join(words)
    return line if len(line) <= length else line[: length - 1] + "…"


def largest_black_patch(pixels: np.ndarray) -> float:
    """Measure the share of a picture's largest connected patch of pixels that are 0 in all colours."""
    from scipy.ndimage import label

    patches, count = label(~pixels.any(axis=2))
    return float(np.bincount(patches.ravel())[1:].max() / patches.size) if count else 0.0


def resample(path: Path, name: str, scale: float = PS1_SCALE) -> None:
    """Make a picture of another scale a 150 × 150 JPEG at 0.2"/pixel, by the rule of `sdss_gs.formats.img`, in place.

    Parameters
    ----------
    path : Path
    name : str
        By which an error calls it.
    scale : float
        Arcsec per pixel of the picture.

    Raises
    ------
    NoPictureError
        If a text was sent as a picture.
    BadFileError
        If the file is damaged or does not cover enough of the field.
    """
    from PIL import Image

    refuse_text(path, name)
    pixels = _read(path, name, None, scale)
    content = io.BytesIO()
    Image.fromarray(pixels).save(content, "JPEG", quality=JPEG_QUALITY)
    path.write_bytes(content.getvalue())


def _read(path: Path, name: str, *layout) -> np.ndarray:
    try:
        return img.read(path, *layout)
    except img.BlankImageError as error:
        raise DataError(f"{name}: {error.problem}") from None
    except BadFileError as error:
        raise BadFileError(name, error.problem) from None


def ps1_stacks(content: bytes) -> dict[str, str]:
    """Read the file names of the g, r and i stacks from the answer of ``ps1filenames.py``.

    Parameters
    ----------
    content : bytes
        A table with spaces between its cells and a line of column names, of which filter and filename are used.

    Returns
    -------
    dict of str to str
        File name by filter.

    Raises
    ------
    DataError
        If a filter is absent: the position is outside Pan-STARRS1 (south of -30 degrees).
    """
    lines = [line.split() for line in content.decode("utf-8", "replace").splitlines() if line.strip()]
    rows = [dict(zip(lines[0], line, strict=False)) for line in lines[1:]] if lines else []
    names = {row["filter"]: row["filename"] for row in rows if {"filter", "filename"} <= row.keys()}
    absent = [band for band in "gri" if band not in names]
    if absent:
        raise DataError(f"Pan-STARRS1 has no image in {', '.join(absent)} at this position")
    return names
