"""The page: sections of text, tables and pictures in one HTML file."""

from __future__ import annotations

import base64
import html
import io
from dataclasses import dataclass, field
from importlib.resources import files

import numpy as np
from PIL import Image

INK, ACCENT, SOFT = "#24476b", "#c8553d", "#9db4cc"
JPEG_QUALITY = 88


@dataclass(frozen=True)
class Picture:
    """A picture.

    Parameters
    ----------
    image : bytes
        JPEG, or SVG text.
    caption : str
    kind : str
        ``image/jpeg`` or ``image/svg+xml``.
    """

    image: bytes
    caption: str
    kind: str = "image/svg+xml"


@dataclass(frozen=True)
class Section:
    """A part of the page.

    Parameters
    ----------
    title, text : str
    pictures : list of Picture
    rows : list of tuple of str
        A table; the first row is its head.
    thumbnails : bool
        Whether the pictures are small ones of galaxies.
    """

    title: str
    text: str = ""
    pictures: list[Picture] = field(default_factory=list)
    rows: list[tuple[str, ...]] = field(default_factory=list)
    thumbnails: bool = False


def html_page(name: str, count: int, sections: list[Section]) -> str:
    """Write the page.

    Parameters
    ----------
    name : str
        Of the data set.
    count : int
        Objects of it.
    sections : list of Section
    """
    style = (files(__package__) / "page.css").read_text()
    links = " ".join(f'<a href="#s{n}">{html.escape(one.title)}</a>' for n, one in enumerate(sections))
    body = "\n".join(_section(number, section) for number, section in enumerate(sections))
    title = html.escape(name)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{title}</title>\n<style>\n{style}</style>\n</head>\n<body>\n"
        f"<header><h1>{title}</h1><p>{count:,} objects</p><nav>{links}</nav></header>\n"
        f"<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _section(number: int, section: Section) -> str:
    parts = [f'<section><h2 id="s{number}">{html.escape(section.title)}</h2>']
    if section.text:
        parts.append(f"<p>{html.escape(section.text)}</p>")
    if section.rows:
        head, *rows = section.rows
        cells = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
        lines = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
        parts.append(f'<div class="scroll"><table><thead><tr>{cells}</tr></thead><tbody>{lines}</tbody></table></div>')
    if section.pictures:
        figures = "".join(map(_figure, section.pictures))
        parts.append(f'<div class="{"thumbnails" if section.thumbnails else "pictures"}">{figures}</div>')
    return "\n".join([*parts, "</section>"])


def _figure(picture: Picture) -> str:
    caption, data = html.escape(picture.caption), base64.b64encode(picture.image).decode("ascii")
    source = f"data:{picture.kind};base64,{data}"
    return f'<figure><img alt="{caption}" src="{source}"><figcaption>{caption}</figcaption></figure>'


def plot(draw, caption: str, size: tuple[float, float] = (6.4, 4.0)) -> Picture:
    """Draw on the axes of a new figure; `draw` takes the axes.

    Parameters
    ----------
    draw : callable
    caption : str
    size : tuple of float
        Width and height, inches.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    draw(figure.subplots())
    buffer = io.BytesIO()
    # A fixed salt: the same data give the same page, byte for byte.
    with rc_context({"svg.hashsalt": "sdss_gs", "svg.fonttype": "none"}):
        figure.savefig(buffer, format="svg", metadata={"Date": None})
    return Picture(buffer.getvalue(), caption)


def thumbnail(pixels: np.ndarray, caption: str) -> Picture:
    """Show an image, uint8 ``(y, x, 3)``, as it is."""
    buffer = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(pixels)).save(buffer, "JPEG", quality=JPEG_QUALITY)
    return Picture(buffer.getvalue(), caption, "image/jpeg")
