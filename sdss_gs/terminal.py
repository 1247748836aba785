"""What a terminal is shown that a file or a pipe is not: colours, and lines no wider than it is.

A program that reads what a command prints gets plain text, whatever the terminal.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
import textwrap
import unicodedata
from collections.abc import Sequence
from typing import TextIO

BOLD, RED, GREEN, YELLOW = "1", "31", "32", "33"
_PAINT = re.compile(r"\x1b\[[0-9;]*m")
GAP, CUT = "  ", "…"
"""Between two columns; at the end of what was shortened."""
LEAST = 8
"""Columns of the terminal that a long text is left with, as long as others can be shortened."""
_NUMBER = re.compile(r"[-+−]?[\d,.]+(e[-+]?\d+)?%?|nan|-|–|", re.IGNORECASE)


def coloured(stream: TextIO) -> bool:
    """Tell whether to write colours: on terminals, unless ``NO_COLOR`` or ``TERM=dumb``; with ``FORCE_COLOR`` always.

    https://no-color.org and https://force-color.org say what these mean; any value but an empty one counts.
    """
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR") or os.environ.get("CLICOLOR_FORCE", "0") not in ("", "0"):
        return True
    return os.environ.get("TERM") != "dumb" and stream.isatty()


def paint(text: str, *styles: str, stream: TextIO | None = None) -> str:
    """Return a text in a colour, or bold, as far as a stream takes colours.

    Parameters
    ----------
    text : str
    *styles : str
    stream : file, optional
        By default what stdout is now.
    """
    if not text or not coloured(stream or sys.stdout):
        return text
    return f"\x1b[{';'.join(styles)}m{text}\x1b[0m"


def print_error(line: str) -> None:
    """Say on stderr what went wrong."""
    print(f"{paint('error:', BOLD, RED, stream=sys.stderr)} {line}", file=sys.stderr)


def columns() -> int | None:
    """Return how many characters fit on a line of the terminal; None where stdout is none."""
    return max(shutil.get_terminal_size().columns, 2) if sys.stdout.isatty() else None


def width(text: str) -> int:
    r"""Count the columns that a text takes on a terminal.

    Examples
    --------
    >>> width("Hα"), width("e\u0301"), width("星系")
    (2, 1, 4)
    """
    plain = _PAINT.sub("", text)
    if plain.isascii():
        return len(plain)
    marks = [mark for mark in plain if not unicodedata.combining(mark) and unicodedata.category(mark) != "Cf"]
    return sum(2 if unicodedata.east_asian_width(mark) in "WF" else 1 for mark in marks)


def shortened(text: str, most: int) -> str:
    """Cut a text to at most so many columns of a terminal, with a sign that something was there.

    Examples
    --------
    >>> shortened("galaxies", 8), shortened("galaxies", 5), shortened("星系星系", 4)
    ('galaxies', 'gala…', '星…')
    """
    if width(text) <= most:
        return text
    end = "\x1b[0m" if _PAINT.search(text) else ""
    while text and width(text) > most - len(CUT):
        text = text[:-1]
    return text + CUT + end


def print_table(lines: Sequence[Sequence[str]]) -> None:
    """Print a heading and lines of cells, each column as wide as its widest cell.

    On a terminal numbers stand at the right of their column, and long cells are cut to what fits. Elsewhere every
    cell is whole and begins where its column does.
    """
    terminal, cells = columns(), list(zip(*lines, strict=True))
    widths = [max(map(width, column)) for column in cells]
    numbers = [terminal is not None and all(_NUMBER.fullmatch(cell) for cell in column[1:]) for column in cells]
    if terminal is not None:
        widths = _fitted(widths, terminal)
    for number, line in enumerate(lines):
        parts = [_padded(*about) for about in zip(line, widths, numbers, strict=True)]
        text = GAP.join(parts).rstrip()
        text = text if terminal is None else shortened(text, terminal)
        print(text if number else paint(text, BOLD))


def _fitted(widths: list[int], most: int) -> list[int]:
    """Take from the last columns first, and from the first two, a name and its score, when nothing else is left."""
    widths = list(widths)
    rest = range(len(widths) - 1, 1, -1)
    for least, number in [*((LEAST, one) for one in rest), *((1, one) for one in (*rest, *range(len(widths))[1::-1]))]:
        excess = sum(widths) + len(GAP) * (len(widths) - 1) - most
        widths[number] -= max(0, min(excess, widths[number] - least))
    return widths


def _padded(cell: str, room: int, right: bool) -> str:
    text = shortened(cell, room)
    space = " " * (room - width(text))
    return space + text if right else text + space


def wrapped(text: str, indent: int) -> str:
    """Break a text that begins after so many columns into lines, on a terminal that has room for words there."""
    room = (columns() or 0) - indent
    if room < LEAST:
        return text
    lines = textwrap.wrap(text, room, break_long_words=False, break_on_hyphens=False)
    return f"\n{'':{indent}}".join(lines)


def print_lines(text: str) -> None:
    """Print a text that is laid out in columns; on a terminal lines that are too long for it are cut."""
    most = columns()
    for line in text.split("\n"):
        print(line if most is None else shortened(line, most))
