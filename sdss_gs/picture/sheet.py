"""Contact sheet: thumbnails of many objects with their ids and labels."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from sdss_gs.errors import OptionError
from sdss_gs.schema import OUTPUTS
from sdss_gs.tables.catalogue import Catalogue

THUMBNAIL, MARGIN, LINE, LINES = 150, 6, 13, 3


def caption(catalogue: Catalogue, objid: int) -> list[str]:
    """Say what the catalogue knows of an object: id, redshift and mass, classes."""
    row = int(np.flatnonzero(catalogue.objid == objid)[0])
    z, mass = catalogue.numbers["redshift"][row], catalogue.numbers["stellarmass"][row]
    numbers = [f"z {z:.4f}"] if np.isfinite(z) else []
    numbers += [f"log M {math.log10(mass):.2f}"] if np.isfinite(mass) else []
    classes = [OUTPUTS[name].classes[values[row]] for name, values in catalogue.labels.items() if values[row] >= 0]
    return [str(objid), "  ".join(numbers), "  ".join(classes)]


def draw_sheet(thumbnails: list[tuple[Path, list[str]]], columns: int) -> tuple[Image.Image, list[str]]:
    """Draw thumbnails in rows; a file that is no image gives an empty frame and is named.

    Parameters
    ----------
    thumbnails : list of (Path, list of str)
        Image file and up to three lines of text.
    columns : int

    Returns
    -------
    sheet : PIL.Image.Image
    problems : list of str

    Raises
    ------
    OptionError
        If there is nothing to draw or `columns` is below 1.
    """
    if columns < 1 or not thumbnails:
        raise OptionError(f"expected at least 1 column and 1 image, found {columns} and {len(thumbnails)}")
    columns = min(columns, len(thumbnails))
    width, height = THUMBNAIL + MARGIN, THUMBNAIL + LINES * LINE + MARGIN
    size = columns * width + MARGIN, math.ceil(len(thumbnails) / columns) * height + MARGIN
    sheet, problems = Image.new("RGB", size, "white"), []
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    for number, (path, lines) in enumerate(thumbnails):
        x, y = MARGIN + number % columns * width, MARGIN + number // columns * height
        try:
            with Image.open(path) as image:
                small = image.convert("RGB")
            small.thumbnail((THUMBNAIL, THUMBNAIL))
            sheet.paste(small, (x + (THUMBNAIL - small.width) // 2, y + (THUMBNAIL - small.height) // 2))
        except (OSError, SyntaxError, ValueError) as error:
            problems.append(f"{path}: expected an image, found an unreadable file ({error})")
            pen.rectangle((x, y, x + THUMBNAIL - 1, y + THUMBNAIL - 1), outline="red")
        for line, text in enumerate(lines[:LINES]):
            pen.text((x, y + THUMBNAIL + line * LINE), text, "black", font)
    return sheet, problems
