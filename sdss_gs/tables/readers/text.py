"""Tables of text, read in pieces: comma, tab, semicolon, bar or blanks between the cells, compressed or not."""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from sdss_gs.errors import DataError, first_line
from sdss_gs.formats.compressed import largest_content, unpacking
from sdss_gs.tables.readers.dialect import (
    BLANKS,
    ENCODINGS,
    NO_ROW,
    Dialect,
    astropy_format,
    between_blanks,
    find_dialect,
    is_passed_over,
)
from sdss_gs.tables.readers.table import MOST_COLUMNS, Column, OpenTable, skipped

ENDINGS = (".csv", ".tsv", ".txt", ".dat", ".asc", ".ascii", ".tbl", ".ecsv", ".ipac", ".tst")
BLOCK = 16 * 2**20
"""Bytes that are read at a time."""
HEAD, HEAD_LINES = 2**20, 200
"""Bytes and lines that tell how a table is written."""
ANOTHER_TABLE = "#Table"
"""CasJobs begins each table of a file with it."""

OnWrongRow = Callable[[pa.csv.InvalidRow], str]


def open_text(path: Path, on_wrong_row: OnWrongRow | None = None) -> OpenTable:
    """Open a table of text; its cells are text, null where they are empty.

    Parameters
    ----------
    path : Path
    on_wrong_row : callable, optional
        Takes a row with a wrong number of cells and answers ``skip``; it is an error by default.

    Raises
    ------
    DataError
        If the file is no table of text.
    """
    content = _content(path)
    encoding = content.encoding
    lines = _first_lines(path, encoding)
    if known := astropy_format(lines):
        from sdss_gs.tables.readers.astronomical import open_ascii_table

        return open_ascii_table(path, known, encoding)
    dialect = find_dialect(path, lines)
    if len(dialect.names) > MOST_COLUMNS:
        raise DataError(f"{path}: expected at most {MOST_COLUMNS:,} columns, found {len(dialect.names):,}")
    units = dialect.units[: len(dialect.names)]
    columns = tuple(Column(name, pa.string(), unit) for name, unit in zip_longest(dialect.names, units, fillvalue=""))
    notes = [] if encoding == "utf-8" else [f"{path}: not written in UTF-8, read as {encoding}"]
    notes += [f"{path}: numbers with a decimal comma"] * dialect.decimal_comma
    notes += [f"{path}: {dialect.comments} lines of comments passed over"] * bool(dialect.comments)

    def batches(wanted: Sequence[str], first: int) -> Iterator[pa.Table]:
        pieces = _read(path, dialect, content, list(wanted), on_wrong_row)
        yield from skipped((_tidy(piece, dialect) for piece in pieces), first)

    return OpenTable(str(path), columns, content.lines, batches, tuple(notes), seekable=False, exact=False)


def column_names(path: Path) -> list[str]:
    """Read the names of the columns of a table of text, and no more."""
    return list(find_dialect(path, _first_lines(path, "utf-8")).names)


def _first_lines(path: Path, encoding: str) -> list[str]:
    with _bytes(path) as file:
        head = file.read(HEAD)
    text = codecs.getincrementaldecoder(encoding)("replace").decode(head).removeprefix("\ufeff")
    # No other ends than Arrow knows: `str.splitlines` has ten.
    lines = re.split(r"\r\n|\r|\n", text)
    lines = lines if lines[-1] else lines[:-1]
    if len(head) == HEAD and len(lines) < 2:
        raise DataError(f"{path}: expected at most {MOST_COLUMNS:,} columns, found a first line of over a mebibyte")
    # The last line may be cut.
    return lines[: min(HEAD_LINES, len(lines) - (len(head) == HEAD))]


@contextmanager
def _bytes(path: Path) -> Iterator[BinaryIO]:
    """Open a file's content, which may be compressed but may not grow without bound."""
    with unpacking(path) as (raw, content):
        yield content if content is raw else io.BufferedReader(_Limited(content, largest_content(path)))


class _Limited(io.RawIOBase):
    """What is unpacked, as far as it may reach."""

    def __init__(self, content: BinaryIO, most: int):
        self._content, self._left, self._most = content, most, most

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        piece = self._content.read(len(buffer))
        self._left -= len(piece)
        if self._left < 0:
            raise ValueError(f"a file that unpacks to more than {self._most:,} bytes")
        buffer[: len(piece)] = piece
        return len(piece)


@dataclass(frozen=True)
class _Content:
    """What can be told of a file only after all of it: a byte that is no UTF-8 may stand in its last line.

    Parameters
    ----------
    encoding : str
    lines : int
        An upper bound of the rows.
    quoted : bool
        Whether a cell may have line breaks in it.
    """

    encoding: str
    lines: int
    quoted: bool


def _content(path: Path) -> _Content:
    decoder, encoding, lines, quoted, first = codecs.getincrementaldecoder("utf-8")(), "utf-8", 1, False, True
    with _bytes(path) as file:
        while block := file.read(2**20):
            if first:
                encoding = next((name for mark, name in ENCODINGS.items() if block.startswith(mark)), encoding)
                if encoding == "utf-8" and b"\0" in block.partition(b"\n")[0]:
                    raise DataError(f"{path}: expected a table of text, found binary data")
                first = False
            lines += block.count(b"\n")
            quoted = quoted or b'"' in block
            try:
                decoder.decode(block if encoding == "utf-8" else b"")
            except UnicodeDecodeError:
                encoding = "latin-1"
    # Letters of several bytes that the last one of is missing are none.
    return _Content("latin-1" if decoder.getstate()[0] else encoding, lines, quoted)


@contextmanager
def _rows(path: Path, dialect: Dialect, encoding: str) -> Iterator[tuple[BinaryIO, dict, str]]:
    """Open what Arrow is to read; cells between blanks get tabs between them."""
    with _bytes(path) as file:
        if dialect.delimiter != BLANKS:
            yield file, {"encoding": encoding, "skip_rows": dialect.skipped}, dialect.delimiter
            return
        with io.TextIOWrapper(file, encoding) as letters:
            yield io.BufferedReader(_Tabbed(letters, dialect.skipped), BLOCK), {}, "\t"


class _Tabbed(io.RawIOBase):
    """The rows of a table with blanks between its cells, as a table with tabs."""

    def __init__(self, letters: io.TextIOWrapper, skipped: int):
        self._letters, self._ready = letters, b""
        for _ in range(skipped):
            letters.readline()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer) -> int:
        while not self._ready:
            block = self._letters.read(2**20) + self._letters.readline()
            if not block:
                return 0
            lines = block.split("\n")
            if any(mark in block for mark in NO_ROW):
                lines = [line for line in lines if not is_passed_over(line)]
            # Most tables have no quotes, and are read five times as fast by what Python has for them.
            split = between_blanks if '"' in block else str.split
            self._ready = "".join("\t".join(split(line)) + "\n" for line in lines).encode()
        piece, self._ready = self._ready[: len(buffer)], self._ready[len(buffer) :]
        buffer[: len(piece)] = piece
        return len(piece)


def _read(
    path: Path, dialect: Dialect, content: _Content, wanted: list[str], on_wrong_row: OnWrongRow | None
) -> Iterator[pa.Table]:
    found: list[str] = []

    def wrong(row: pa.csv.InvalidRow) -> str:
        if row.text.startswith(ANOTHER_TABLE):
            found.append(f"expected one table, found a second one ({row.text[:40]}); save each as a file")
            return "error"
        if is_passed_over(row.text):
            return "skip"
        found.append(
            f"expected {row.expected_columns} cells in each row, found {row.actual_columns} in {row.text[:60]!r}"
        )
        return on_wrong_row(row) if on_wrong_row else "error"

    # Names that stand twice would be one column for Arrow.
    unique = [name if dialect.names.index(name) == at else f"{name}\0{at}" for at, name in enumerate(dialect.names)]
    with _rows(path, dialect, content.encoding) as (file, how, delimiter):
        try:
            with pa.csv.open_csv(
                pa.PythonFile(file, mode="r"),
                # Row numbers of skipped rows are only known to the single-threaded reader.
                pa.csv.ReadOptions(block_size=BLOCK, column_names=unique, use_threads=on_wrong_row is None, **how),
                pa.csv.ParseOptions(delimiter=delimiter, invalid_row_handler=wrong, newlines_in_values=content.quoted),
                # What a survey writes for "not measured" must not decide a column's type: everything is text.
                pa.csv.ConvertOptions(
                    include_columns=wanted, strings_can_be_null=False, column_types=dict.fromkeys(wanted, pa.string())
                ),
            ) as reader:
                yield from (pa.Table.from_batches([batch]) for batch in reader)
        except pa.ArrowException as error:
            if "Empty CSV file" in str(error):
                return
            said = found[-1] if found else f"expected a table, found {first_line(error)}"
            raise DataError(f"{path}: {said}") from None


def _tidy(piece: pa.Table, dialect: Dialect) -> pa.Table:
    """Strip blanks, write decimals with a point, and let an empty cell be null."""
    return pa.table({name: _tidy_column(piece[name], dialect) for name in piece.column_names})


def _tidy_column(cells: pa.ChunkedArray, dialect: Dialect) -> pa.ChunkedArray:
    text = pc.utf8_trim_whitespace(cells)
    if dialect.decimal_comma:
        text = pc.replace_substring_regex(text, r"^([+-]?\d+),(\d+)$", r"\1.\2")
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)
