"""Tables of text, read in pieces: comma, tab, semicolon, bar or blanks between the cells, compressed or not."""

from __future__ import annotations

import codecs
import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import zip_longest
from pathlib import Path
from typing import BinaryIO

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv

from sdss_gs.errors import DataError, first_line
from sdss_gs.formats.compressed import largest_content, unpacking
from sdss_gs.tables.readers.dialect import BLANKS, ECSV, ENCODINGS, IPAC, Dialect, find_dialect
from sdss_gs.tables.readers.table import MOST_COLUMNS, ROWS_PER_BATCH, Column, OpenTable, skipped

ENDINGS = (".csv", ".tsv", ".txt", ".dat", ".asc", ".ascii", ".tbl", ".ecsv", ".ipac")
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
    encoding = _encoding(path)
    lines = _first_lines(path, encoding)
    if lines and (lines[0].startswith(ECSV) or lines[0].startswith(IPAC)):
        from sdss_gs.tables.readers.astronomical import open_ascii_table

        return open_ascii_table(path, "ecsv" if lines[0].startswith(ECSV) else "ipac")
    dialect = find_dialect(path, lines)
    if len(dialect.names) > MOST_COLUMNS:
        raise DataError(f"{path}: expected at most {MOST_COLUMNS:,} columns, found {len(dialect.names):,}")
    units = dialect.units[: len(dialect.names)]
    columns = tuple(Column(name, pa.string(), unit) for name, unit in zip_longest(dialect.names, units, fillvalue=""))
    notes = [] if encoding == "utf-8" else [f"{path}: not written in UTF-8, read as {encoding}"]
    notes += [f"{path}: numbers with a decimal comma"] * dialect.decimal_comma
    notes += [f"{path}: {dialect.comments} lines of comments passed over"] * bool(dialect.comments)
    read = _read_blanks if dialect.delimiter == BLANKS else _read_delimited

    def batches(wanted: Sequence[str], first: int) -> Iterator[pa.Table]:
        pieces = read(path, dialect, encoding, list(wanted), on_wrong_row)
        yield from skipped((_tidy(piece, dialect) for piece in pieces), first)

    return OpenTable(str(path), columns, _line_breaks(path), batches, tuple(notes), seekable=False, exact=False)


def column_names(path: Path) -> list[str]:
    """Read the names of the columns of a table of text, and no more."""
    return list(find_dialect(path, _first_lines(path, "utf-8")).names)


def _first_lines(path: Path, encoding: str) -> list[str]:
    with _bytes(path) as file:
        head = file.read(HEAD)
    text = codecs.getincrementaldecoder(encoding)("replace").decode(head).removeprefix("\ufeff")
    lines = text.splitlines()
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


def _encoding(path: Path) -> str:
    """Tell how the letters of a whole file are written: a byte that is no UTF-8 may stand in its last line."""
    with _bytes(path) as file:
        head = file.read(HEAD)
    for mark, encoding in ENCODINGS.items():
        if head.startswith(mark):
            return encoding
    if b"\0" in head.partition(b"\n")[0]:
        raise DataError(f"{path}: expected a table of text, found binary data")
    decoder = codecs.getincrementaldecoder("utf-8")()
    with _bytes(path) as file:
        try:
            while block := file.read(2**20):
                decoder.decode(block)
            decoder.decode(b"", True)
        except UnicodeDecodeError:
            return "latin-1"
    return "utf-8"


def _line_breaks(path: Path) -> int:
    """Count lines: an upper bound of the rows, for the progress bar."""
    with _bytes(path) as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(2**20), b"")) + 1


def _read_delimited(
    path: Path, dialect: Dialect, encoding: str, wanted: list[str], on_wrong_row: OnWrongRow | None
) -> Iterator[pa.Table]:
    second: list[str] = []

    def wrong(row: pa.csv.InvalidRow) -> str:
        if row.text.startswith(ANOTHER_TABLE):
            second.append(row.text[:40])
            return "error"
        if row.text.startswith("#"):
            return "skip"
        return on_wrong_row(row) if on_wrong_row else "error"

    # Names that stand twice would be one column for Arrow.
    unique = [name if dialect.names.index(name) == at else f"{name}\0{at}" for at, name in enumerate(dialect.names)]
    with _bytes(path) as file:
        try:
            with pa.csv.open_csv(
                pa.PythonFile(file, mode="r"),
                pa.csv.ReadOptions(
                    # Row numbers of skipped rows are only known to the single-threaded reader.
                    block_size=BLOCK, encoding=encoding, skip_rows=dialect.skipped, column_names=unique,
                    use_threads=on_wrong_row is None,
                ),
                pa.csv.ParseOptions(delimiter=dialect.delimiter, invalid_row_handler=wrong),
                # What a survey writes for "not measured" must not decide a column's type: everything is text.
                pa.csv.ConvertOptions(
                    include_columns=wanted, strings_can_be_null=False, column_types=dict.fromkeys(wanted, pa.string())
                ),
            ) as reader:  # fmt: skip
                yield from (pa.Table.from_batches([batch]) for batch in reader)
        except pa.ArrowException as error:
            if "Empty CSV file" in str(error):
                return
            if second:
                found = f"found a second one ({second[0]}); save each as a file"
                raise DataError(f"{path}: expected one table, {found}") from None
            raise DataError(f"{path}: expected a table, found {first_line(error)}") from None


def _read_blanks(
    path: Path, dialect: Dialect, encoding: str, wanted: list[str], _on_wrong_row: OnWrongRow | None
) -> Iterator[pa.Table]:
    import pandas as pd

    with _bytes(path) as file:
        try:
            pieces = pd.read_csv(
                file, sep=r"\s+", header=None, names=list(dialect.names), usecols=wanted, skiprows=dialect.skipped,
                dtype=str, keep_default_na=False, chunksize=ROWS_PER_BATCH, encoding=encoding,
            )  # fmt: skip
            for piece in pieces:
                yield pa.table({name: pa.array(piece[name].to_numpy(object), pa.string()) for name in wanted})
        except pd.errors.EmptyDataError:
            return
        except (pd.errors.ParserError, UnicodeDecodeError) as error:
            raise DataError(f"{path}: expected a table, found {first_line(error)}") from None


def _tidy(piece: pa.Table, dialect: Dialect) -> pa.Table:
    """Strip blanks, write decimals with a point, and let an empty cell be null."""
    return pa.table({name: _tidy_column(piece[name], dialect) for name in piece.column_names})


def _tidy_column(cells: pa.ChunkedArray, dialect: Dialect) -> pa.ChunkedArray:
    text = pc.utf8_trim_whitespace(cells)
    if dialect.decimal_comma:
        text = pc.replace_substring_regex(text, r"^([+-]?\d+),(\d+)$", r"\1.\2")
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, pa.string()), text)
