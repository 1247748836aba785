"""The formats of a file of predictions: Parquet, CSV, FITS and VOTable, written from tables that are one in pieces.

What is missing is null in Parquet and VOTable, empty in CSV, TNULL or NaN in FITS.
"""

from __future__ import annotations

import itertools
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from common.outputs.column import LONGEST, Column
from sdss_gs.errors import DataError

if TYPE_CHECKING:
    from astropy.io import fits

FITS_BLOCK = 2880
"""Bytes; every part of a FITS file is filled up to a multiple of it (FITS standard 4.0, section 3.1)."""
TABLE_NAME = "PREDICTIONS"
ZERO = 2**63
"""What FITS adds to an unsigned integer of 64 bits (TZERO; FITS standard 4.0, table 19)."""
NOT_FITS, NOT_XML = "[^ -~]", r"[\x00-\x08\x0B\x0C\x0E-\x1F]"
"""Characters that a text in FITS (standard 4.0, section 3.3.2) or XML 1.0 cannot have."""
NUMBERS = (
    (pa.types.is_floating, "D", "double", np.float64),
    (pa.types.is_int32, "J", "int", np.int32),
    (pa.types.is_integer, "K", "long", np.int64),
)
"""How numbers are written: Arrow's type, the letter of FITS, the name in VOTable, NumPy's type."""


@dataclass(frozen=True)
class Rows:
    """A table in pieces.

    Parameters
    ----------
    pieces : callable
        Reads the pieces in order, each time it is called; all have one schema.
    count : int
        Rows of all pieces.
    columns : mapping of str to Column
        What is known of the columns, by name.
    about : mapping of str to str
        What a Parquet file's schema is to say besides.
    """

    pieces: Callable[[], Iterator[pa.Table]]
    count: int
    columns: Mapping[str, Column] = field(default_factory=dict)
    about: Mapping[str, str] = field(default_factory=dict)

    def column(self, name: str) -> Column:
        """Return what is known of a column."""
        return self.columns.get(name, Column(""))


def stored(table: pa.Table) -> pa.Table:
    """Give columns the types that all pieces have: numbers as they are, everything else as text."""
    # Text may arrive as any of Arrow's kinds of it, or as nothing where no object of the piece has a class.
    kept = [_is_number(one.type) or pa.types.is_fixed_size_list(one.type) for one in table.schema]
    fields = [one if keep else one.with_type(pa.string()) for one, keep in zip(table.schema, kept, strict=True)]
    return table.cast(pa.schema(fields))


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_floating(kind) or pa.types.is_integer(kind)


def _number(kind: pa.DataType) -> tuple:
    return next(number for is_kind, *number in NUMBERS if is_kind(kind))


# === Parquet and CSV ===


def _write_with(writer_of: Callable, rows: Rows, path: Path) -> None:
    """Write the pieces one after the other with one of Arrow's writers."""
    pieces = rows.pieces()
    first = next(pieces)
    fields = [one.with_metadata(vars(rows.columns[one.name])) if one.name in rows.columns else one
              for one in first.schema]  # fmt: skip
    schema = pa.schema(fields, dict(rows.about))
    with writer_of(path, schema) as writer:
        for piece in itertools.chain([first], pieces):
            writer.write_table(piece.cast(schema))


# === FITS ===


def _write_fits(rows: Rows, path: Path) -> None:
    """Write a binary table piece by piece: however long it is, one piece is in memory."""
    from astropy.io import fits

    columns = _fits_columns(rows)
    table = fits.BinTableHDU.from_columns([column for _, column, _ in columns], name=TABLE_NAME)
    table.header["NAXIS2"] = rows.count
    for number, (name, _, _) in enumerate(columns, 1):
        # Not in the standard, but what TOPCAT, STILTS and gnuastro write and read.
        for key, text in (("TCOMM", rows.column(name).description), ("TUCD", rows.column(name).ucd)):
            if text:
                table.header[f"{key}{number}"] = _printable(text)[:LONGEST]
    dtype = np.dtype([(name, kind) for name, _, kind in columns])
    with open(path, "wb") as file:
        for header in (fits.PrimaryHDU().header, table.header):
            file.write(header.tostring().encode("ascii"))
        for piece in rows.pieces():
            block = np.zeros(len(piece), dtype)
            for name, column, _ in columns:
                block[name] = _fits_values(piece[name], column.null or 0, column.bzero)
            file.write(block.tobytes())
        file.write(bytes(-rows.count * dtype.itemsize % FITS_BLOCK))


def _fits_columns(rows: Rows) -> list[tuple[str, fits.Column, np.dtype]]:
    """List names, how astropy describes each column, and how it lies in the file: a text as wide as the longest."""
    from astropy.io import fits

    widths, ends, nulls = defaultdict(lambda: 1), defaultdict(set), Counter()
    for piece in rows.pieces():
        for name, cells in zip(piece.column_names, piece.columns, strict=True):
            if not _is_number(cells.type):
                widths[name] = max(widths[name], pc.max(pc.binary_length(_escaped(cells, NOT_FITS))).as_py() or 1)
            elif pa.types.is_integer(cells.type):
                nulls[name] += cells.null_count
                ends[name] |= set(pc.min_max(cells).as_py().values())
    described = []
    for one in piece.schema:
        name, unit = one.name, rows.column(one.name).unit or None
        if not _is_number(one.type):
            column = fits.Column(_printable(name), f"{widths[name]}A", unit)
            described.append((name, column, np.dtype(f"S{widths[name]}")))
            continue
        form, _, plain = _number(one.type)
        # Only where a number needs it: gnuastro 0.19 opens no file with such a column.
        zero = ZERO if pa.types.is_uint64(one.type) and max(ends[name] - {None}, default=0) >= ZERO else None
        null = _fits_null(ends[name], zero or 0) if nulls[name] else None
        column = fits.Column(_printable(name), form, unit, null, bzero=zero)
        described.append((name, column, np.dtype(plain).newbyteorder(">")))
    return described


def _fits_null(ends: set[int | None], zero: int) -> int:
    """Choose an integer, as it stands in the file, that no object has: first what gnuastro takes for blank anyway."""
    for null in (ZERO - 1, -ZERO) if zero else (-ZERO, ZERO - 1):
        if null + zero not in ends:
            return null
    raise DataError("a column of integers with the smallest and the largest of 64 bits leaves FITS none for a null")


def _fits_values(cells: pa.ChunkedArray, null: int, zero: int | None) -> np.ndarray:
    if not _is_number(cells.type):
        return _escaped(cells, NOT_FITS).to_numpy().astype(np.bytes_)
    if pa.types.is_floating(cells.type):
        return cells.to_numpy()
    if zero:
        # Less 2^63, in 64 bits.
        return (pc.fill_null(cells, null + zero).to_numpy() ^ np.uint64(zero)).view(np.int64)
    return pc.fill_null(cells if cells.type == pa.int32() else cells.cast(pa.int64()), null).to_numpy()


# === VOTable ===


def _write_votable(rows: Rows, path: Path) -> None:
    """Write a VOTable, which astropy holds in memory whole."""
    from astropy.io.votable.tree import Field, Resource, TableElement, VOTableFile

    document = VOTableFile(version="1.4")
    resource, table = Resource(type="results"), TableElement(document, name=TABLE_NAME)
    document.resources.append(resource)
    resource.tables.append(table)
    whole = pa.concat_tables(rows.pieces())
    columns = [_votable_cells(cells) for cells in whole.columns]
    for name, cells in zip(whole.column_names, columns, strict=True):
        known = rows.column(name)
        entry = Field(document, name=name, ucd=known.ucd or None, unit=known.unit or None, **_votable_type(cells))
        entry.description = known.description or None
        table.fields.append(entry)
    table.create_arrays(rows.count)
    for entry, cells in zip(table.fields, columns, strict=True):
        table.array[entry.ID] = pc.fill_null(cells, 0 if _is_number(cells.type) else "").to_numpy()
        table.array.mask[entry.ID] = cells.is_null().to_numpy()
    document.to_xml(str(path))


def _votable_cells(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Turn unsigned integers into the signed ones that VOTable has, or into text where one is too large for them."""
    if pa.types.is_uint64(cells.type):
        return cells.cast(pa.string() if (pc.max(cells).as_py() or 0) >= ZERO else pa.int64())
    return cells if _is_number(cells.type) else _escaped(cells, NOT_XML, keep_nulls=True)


def _votable_type(cells: pa.ChunkedArray) -> dict[str, str]:
    if _is_number(cells.type):
        return {"datatype": _number(cells.type)[1]}
    wide = pc.any(pc.invert(pc.string_is_ascii(cells))).as_py()
    return {"datatype": "unicodeChar" if wide else "char", "arraysize": "*"}


def _escaped(cells: pa.ChunkedArray, pattern: str, keep_nulls: bool = False) -> pa.ChunkedArray:
    """Write texts that have a character which a format has not by Python's escapes: different ids stay different."""
    cells = cells if keep_nulls else pc.fill_null(cells, "")
    odd = pc.fill_null(pc.match_substring_regex(cells, pattern), False)
    if not pc.any(odd).as_py():
        return cells
    texts = zip(cells.to_pylist(), odd.to_pylist(), strict=True)
    return pa.chunked_array([[_escapes(text) if wrong else text for text, wrong in texts]], pa.string())


def _escapes(text: str) -> str:
    return text.encode("unicode_escape").decode()


def _printable(text: str) -> str:
    return text if text.isascii() and text.isprintable() else _escapes(text)


WRITERS = {
    ".parquet": partial(_write_with, partial(pq.ParquetWriter, compression="zstd")),
    ".csv": partial(_write_with, partial(pa.csv.CSVWriter, write_options=pa.csv.WriteOptions(quoting_style="needed"))),
    ".fits": _write_fits,
    ".vot": _write_votable,
    ".xml": _write_votable,
}
