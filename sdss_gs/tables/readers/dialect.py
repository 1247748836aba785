"""How a table of text is written: what stands before its rows, what parts its cells, how it writes decimals."""

from __future__ import annotations

import csv
import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest

from sdss_gs.errors import DataError

DELIMITERS = (",", "\t", ";", "|")
BLANKS = " "
"""Stands for any number of blanks between cells."""
BYTE_BY_BYTE = "Byte-by-byte Description of file"
"""Stands in machine-readable tables of the AAS journals and the CDS (vizier.cds.unistra.fr/doc/catstd.htx)."""
SEXTRACTOR = re.compile(r"^#\s+1\s+[A-Z]\w*")
BETWEEN_BLANKS = r'"(?:[^"\\]|""|\\.)*"|[^\s"]\S*'
"""A cell between blanks, which in quotes may have some of its own."""
RULED = re.compile(r"^[-=+|:;,\s]*(---|===)[-=+|:;,\s]*$")
"""The line of dashes under the head of a table (VizieR, TST, psql, Markdown), or one around it (reStructuredText)."""
IPAC_TYPES = ("i", "int", "l", "long", "f", "float", "d", "double", "r", "real", "c", "char", "date")
"""irsa.ipac.caltech.edu/applications/DDGEN/Doc/ipac_tbl.html"""
FIXED_WIDTHS = re.compile(r"^(=+( +=+)+|-+( +-+)+) *$")
"""Such a line where it tells how wide the columns are: their cells may have blanks, or nothing, in them."""
SEPARATOR = re.compile(r"^sep=(.)$", re.IGNORECASE)
"""The line with which spreadsheets are told the delimiter."""
RDB_TYPE = re.compile(r"^\d*[SND]$")
"""Of the columns of an RDB table, in the line below their names."""
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
    the last one has the names where the first line that is none holds numbers. What stands above a line of dashes are
    the names, or names and units; whatever stands above those is a title.

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
    said = SEPARATOR.match(lines[0]) if lines else None
    at = next((n for n, line in enumerate(lines) if not (_is_comment(line) or (n == 0 and said))), len(lines))
    comments = [line for line in lines[:at] if line.startswith("#")]
    rest = list(lines[at:])
    if not rest:
        # A head and no row.
        names = _commented(comments[-1], "") if comments else []
        if not names:
            raise DataError(f"{path}: expected a line of column names, found an empty file")
        return Dialect(",", tuple(names), (), at, len(comments) - 1, False)
    first, named, ruled = _head(rest)
    delimiter = said[1] if said else _delimiter([line for line in rest[named:] if not is_passed_over(line)])
    names, units, skipped = _cells(rest[first], delimiter), [], ruled + 1
    if first < named:
        units = _cells(rest[named], delimiter)
    elif 2 * sum(bool(NUMBER.match(name)) for name in names) >= max(1, sum(map(bool, names))):
        commented = _commented(comments[-1], delimiter) if comments else []
        if len(commented) != len(names):
            raise DataError(
                f"{path}: expected a line of column names, found {rest[first][:60]!r}; write one above the rows"
            )
        names, skipped, comments = commented, first, comments[:-1]
    rows = [_cells(line, delimiter) for line in rest[skipped:] if not is_passed_over(line)]
    if rows and delimiter == "\t" and len(rows[0]) > 1 and all(map(RDB_TYPE.match, rows[0])):
        rows, skipped = rows[1:], skipped + 1
    names = _as_wide_as(rows, names)
    comma = delimiter != "," and _has_decimal_comma(path, rows)
    return Dialect(delimiter, tuple(names), tuple(units[: len(names)]), at + skipped, len(comments), comma)


def _is_comment(line: str) -> bool:
    return not line.strip() or line.startswith("#")


def _is_ipac(lines: Sequence[str]) -> bool:
    """Tell IPAC's tables from others with bars, in which every line begins with one."""
    head = [line for line in lines if line.startswith("|")]
    if len(head) > 1 and all(word in IPAC_TYPES for word in head[1].replace("|", " ").split()):
        return True
    return any(line.strip() and not line.startswith(("|", "\\")) for line in lines)


NO_ROW = ("#", "---", "===", "[EOD]", "\x1a")
"""One of these stands in every line that `is_passed_over`, but blank ones."""


def is_passed_over(line: str) -> bool:
    """Tell whether a line among the rows is none: a comment, a rule, or how Starlink and CP/M end a file."""
    return _is_comment(line) or bool(RULED.match(line)) or line.strip() in ("[EOD]", "\x1a")


def astropy_format(lines: Sequence[str]) -> str:
    """Name the format of a table that astropy reads better, as ``ascii.<name>``; empty for any other.

    Parameters
    ----------
    lines : sequence of str
        The first ones of a file.
    """
    first = lines[0] if lines else ""
    if first.startswith("# %ECSV"):
        return "ecsv"
    if first.startswith(("|", "\\")) and not first.startswith("\\begin") and _is_ipac(lines):
        return "ipac"
    if FIXED_WIDTHS.match(first):
        return "rst"
    if len(lines) > 1 and FIXED_WIDTHS.match(lines[1]):
        return "fixed_width_two_line"
    if any(line.startswith(BYTE_BY_BYTE) for line in lines):
        return "mrt"
    return "sextractor" if SEXTRACTOR.match(first) else ""


def _head(rest: Sequence[str]) -> tuple[int, int, int]:
    """Find the line of names, the line before the rows or the rule above them, and the last line of the head."""
    top = 1 if RULED.match(rest[0]) else 0
    rule = next((n for n, line in enumerate(rest) if n > top and RULED.match(line)), 0)
    if not rule:
        return top, top, top
    cells = [len(_cells(line, _delimiter([rest[rule - 1]]))) for line in rest[:rule]]
    first = rule - 2 if rule > top + 1 and cells[rule - 2] == cells[rule - 1] > 1 else rule - 1
    if any(count > 1 for count in cells[top:first]):
        # A row of dashes far below the names.
        return top, top, top
    return first, rule - 1, rule


def _as_wide_as(rows: Sequence[Sequence[str]], names: list[str]) -> list[str]:
    """Bring names to the width of the rows, where only these end with a delimiter, or only the names do."""
    if rows and all(len(row) == len(names) + 1 and not row[-1] for row in rows):
        return [*names, ""]
    if rows and not names[-1] and all(len(row) == len(names) - 1 for row in rows):
        return names[:-1]
    return names


def _cells(line: str, delimiter: str) -> list[str]:
    if delimiter == BLANKS:
        return [cell.strip('"') for cell in between_blanks(line)]
    try:
        cells = next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:
        # A cell longer than 131,072 letters.
        cells = line.split(delimiter)
    return [cell.strip() for cell in cells]


def between_blanks(line: str) -> list[str]:
    """Part the cells of a line, quotes kept; one in a cell is doubled, as in a CSV, where it had a backslash."""
    return [cell.replace('\\"', '""') for cell in re.findall(BETWEEN_BLANKS, line)]


def _delimiter(lines: Sequence[str]) -> str:
    """Choose what parts the names into most cells, and a row after them into as many."""
    best, most = "", 1
    for delimiter in (*DELIMITERS, BLANKS):
        count = len(_cells(lines[0], delimiter))
        same = all(len(_cells(row, delimiter)) == count for row in lines[1:4][-1:])
        # Blanks stand beside other delimiters as well.
        if count > most and same and not (best and delimiter == BLANKS):
            best, most = delimiter, count
    if best:
        return best
    # Rows of another length are named when they are read.
    likely = max(DELIMITERS, key=lambda delimiter: len(_cells(lines[0], delimiter)))
    return likely if len(_cells(lines[0], likely)) > 1 else BLANKS


def _commented(comment: str, delimiter: str) -> list[str]:
    text = comment.lstrip("#").strip()
    return _cells(text, delimiter) if delimiter else re.split(r"[,;|\s]+", text)


def _has_decimal_comma(path: object, rows: Sequence[Sequence[str]]) -> bool:
    """Tell whether decimals have a comma, which a column of another kind (a version, 17.1) does not speak against."""
    found = False
    for cells in zip_longest(*rows, fillvalue=""):
        comma = next(filter(DECIMAL_COMMA.match, cells), "")
        point = next(filter(DECIMAL_POINT.match, cells), "")
        if comma and point:
            raise DataError(
                f"{path}: expected decimals written in one way, found {comma} and {point}; write all with a point"
            )
        found |= bool(comma)
    return found
