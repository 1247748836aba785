"""How a table of text is written: what stands before its rows, what parts its cells, how it writes decimals."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass

from sdss_gs.errors import DataError

DELIMITERS = (",", "\t", ";", "|")
BLANKS = " "
"""Stands for any number of blanks between cells."""
ECSV, IPAC = "# %ECSV", ("\\", "|")
RULED = re.compile(r"^[-\s|;,\t]*-[-\s|;,\t]*$")
"""The line of dashes under the head of a table of VizieR."""
NUMBER = re.compile(r"^[+-]?(\d+[.,]?\d*|[.,]\d+)([eE][+-]?\d+)?$")
DECIMAL_COMMA = re.compile(r"^[+-]?\d+,\d+$")
DECIMAL_POINT = re.compile(r"^[+-]?\d+\.\d+$")
ENCODINGS = {b"\xff\xfe": "utf-16-le", b"\xfe\xff": "utf-16-be"}


@dataclass(frozen=True)
class Dialect:
    """How a table of text is written.

    Parameters
    ----------
    delimiter : str
        `BLANKS` for any number of them.
    names, units : tuple of str
        Of the columns; no units where the file has no line of them.
    skipped : int
        Lines before the first row.
    comments : int
        How many of them are comments.
    decimal_comma : bool
        Whether 17,35 is a number.
    """

    delimiter: str
    names: tuple[str, ...]
    units: tuple[str, ...]
    skipped: int
    comments: int
    decimal_comma: bool


def find_dialect(path: object, lines: Sequence[str]) -> Dialect:
    """Find out how a table of text is written.

    Lines that begin with ``#`` before the names of the columns are comments, as CasJobs, CrossID and VizieR write them;
    the last one has the names where the first line that is none holds numbers only.

    Parameters
    ----------
    path : path-like
        What messages name.
    lines : sequence of str
        The first ones, without their ends.

    Raises
    ------
    DataError
        If there is no line of names, or decimals are written in two ways.
    """
    at = next((number for number, line in enumerate(lines) if line.strip() and not line.startswith("#")), len(lines))
    comments = [line for line in lines[:at] if line.startswith("#")]
    rest = list(lines[at:])
    if not rest:
        # A head and no row.
        names = _commented(comments[-1], "") if comments else []
        if not names:
            raise DataError(f"{path}: expected a line of column names, found an empty file")
        return Dialect(",", tuple(names), (), at, len(comments) - 1, False)
    delimiter = _delimiter(rest)
    names, skipped = _cells(rest[0], delimiter), at + 1
    if all(NUMBER.match(name) or not name for name in names):
        commented = _commented(comments[-1], delimiter) if comments else []
        if len(commented) != len(names):
            raise DataError(
                f"{path}: expected a line of column names, found {rest[0][:60]!r}; write one above the rows"
            )
        names, skipped, comments = commented, at, comments[:-1]
    units: list[str] = []
    if skipped > at and len(rest) > 2 and RULED.match(rest[2]):
        units, skipped = _cells(rest[1], delimiter), at + 3
    rows = [_cells(line, delimiter) for line in rest[skipped - at :]]
    return Dialect(
        delimiter, tuple(names), tuple(units), skipped, len(comments), _has_decimal_comma(path, delimiter, rows)
    )


def _cells(line: str, delimiter: str) -> list[str]:
    if delimiter == BLANKS:
        return line.split()
    try:
        cells = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:
        # A cell longer than 131,072 letters.
        cells = line.split(delimiter)
    return [cell.strip() for cell in cells]


def _delimiter(rest: Sequence[str]) -> str:
    """Choose what parts the first line into most cells, and the one after it into as many."""
    best, most = "", 1
    rows = [line for line in rest[1:4] if line.strip() and not RULED.match(line)]
    for delimiter in (*DELIMITERS, BLANKS):
        count = len(_cells(rest[0], delimiter))
        same = all(len(_cells(row, delimiter)) == count for row in rows[-1:])
        # Blanks stand beside other delimiters as well.
        if count > most and same and not (best and delimiter == BLANKS):
            best, most = delimiter, count
    if best:
        return best
    # Rows of another length are named when they are read.
    return max(DELIMITERS, key=lambda delimiter: len(_cells(rest[0], delimiter)))


def _commented(comment: str, delimiter: str) -> list[str]:
    text = comment.lstrip("#").strip()
    return _cells(text, delimiter) if delimiter else re.split(r"[,;|\s]+", text)


def _has_decimal_comma(path: object, delimiter: str, rows: Sequence[Sequence[str]]) -> bool:
    if delimiter == ",":
        return False
    cells = [cell for row in rows for cell in row]
    comma = next((cell for cell in cells if DECIMAL_COMMA.match(cell)), "")
    point = next((cell for cell in cells if DECIMAL_POINT.match(cell)), "")
    if comma and point:
        raise DataError(
            f"{path}: expected decimals written in one way, found {comma} and {point}; write all with a point"
        )
    return bool(comma)
