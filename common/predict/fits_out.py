"""Predictions as a FITS table: what is missing is TNULL, NaN or an empty text."""

from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from common.outputs.column import LONGEST, Vector
from common.predict.rows import (
    ABOVE_SIGNED,
    FOREIGN,
    TABLE_NAME,
    Rows,
    escaped,
    is_number,
    is_vector,
    number_type,
    printable,
    vector_values,
)
from sdss_gs.errors import DataError

if TYPE_CHECKING:
    from astropy.io import fits

BLOCK = 2880
"""Bytes; every part of a FITS file is filled up to a multiple of it (FITS standard 4.0, section 3.1)."""
MOST_COLUMNS = 999
"""Of a table (standard 4.0, section 7.2.1)."""


def write_fits(rows: Rows, path: Path) -> None:
    """Write a binary table piece by piece: however long it is, one piece is in memory.

    What the numbers of a column of vectors stand for is a table of its own, named like it (``REDSHIFT_PDF_GRID``).
    """
    from astropy.io import fits

    columns = _fits_columns(rows)
    table = fits.BinTableHDU.from_columns([column for _, column, _ in columns], name=TABLE_NAME)
    table.header["NAXIS2"] = rows.count
    for number, (name, _, _) in enumerate(columns, 1):
        # Not in the standard, but what TOPCAT, STILTS and gnuastro write and read.
        for key, text in (("TCOMM", rows.column(name).description), ("TUCD", rows.column(name).ucd)):
            if text:
                table.header[f"{key}{number}"] = printable(text)[:LONGEST]
    dtype = np.dtype([(name, kind) for name, _, kind in columns])
    with open(path, "wb") as file:
        for header in (fits.PrimaryHDU().header, table.header):
            file.write(header.tostring().encode("ascii"))
        for piece in rows.pieces():
            block = np.zeros(len(piece), dtype)
            for name, column, _ in columns:
                block[name] = _fits_values(piece[name], column.null or 0, column.bzero)
            file.write(block.tobytes())
        file.write(bytes(-rows.count * dtype.itemsize % BLOCK))
        for name, column in rows.columns.items():
            if column.vector is not None:
                file.write(_fits_axes(f"{name}_{column.vector.ending}".upper(), column.vector))


def _fits_axes(name: str, vector: Vector) -> bytes:
    from astropy.io import fits

    values = np.rec.fromarrays(list(vector.axes.values()), [(axis, ">f8") for axis in vector.axes])
    table = fits.BinTableHDU(values, name=name)
    table.header["COMMENT"] = f"a row for each number of a vector: {printable(vector.scale)}"
    return table.header.tostring().encode("ascii") + values.tobytes() + bytes(-values.nbytes % BLOCK)


def _fits_columns(rows: Rows) -> list[tuple[str, fits.Column, np.dtype]]:
    """List names, how astropy describes each column, and how it lies in the file: a text as wide as the longest."""
    from astropy.io import fits

    widths, ends, nulls = defaultdict(lambda: 1), defaultdict(set), Counter()
    for piece in rows.pieces():
        for name, cells in zip(piece.column_names, piece.columns, strict=True):
            if is_vector(cells.type):
                continue
            if not is_number(cells.type):
                widths[name] = max(widths[name], pc.max(pc.binary_length(escaped(cells, FOREIGN))).as_py() or 1)
            elif pa.types.is_integer(cells.type):
                nulls[name] += cells.null_count
                ends[name] |= set(pc.min_max(cells).as_py().values())
    described = []
    for one in piece.schema:
        name, unit = one.name, rows.column(one.name).unit or None
        if is_vector(one.type):
            size = one.type.list_size
            described.append((name, fits.Column(printable(name), f"{size}E", unit), np.dtype((">f4", (size,)))))
            continue
        if not is_number(one.type):
            column = fits.Column(printable(name), f"{widths[name]}A", unit)
            described.append((name, column, np.dtype(f"S{widths[name]}")))
            continue
        form, _, plain = number_type(one.type)
        # TZERO only where a number needs it: gnuastro 0.19 opens no file with such a column.
        large = pa.types.is_uint64(one.type) and max(ends[name] - {None}, default=0) >= ABOVE_SIGNED
        zero = ABOVE_SIGNED if large else None
        null = _fits_null(ends[name], zero or 0) if nulls[name] else None
        column = fits.Column(printable(name), form, unit, null, bzero=zero)
        described.append((name, column, np.dtype(plain).newbyteorder(">")))
    return described


def _fits_null(ends: set[int | None], zero: int) -> int:
    """Choose an integer, as it stands in the file, that no object has: first what gnuastro takes for blank anyway."""
    for null in (ABOVE_SIGNED - 1, -ABOVE_SIGNED) if zero else (-ABOVE_SIGNED, ABOVE_SIGNED - 1):
        if null + zero not in ends:
            return null
    raise DataError("a column of integers with the smallest and the largest of 64 bits leaves FITS none for a null")


def _fits_values(cells: pa.ChunkedArray, null: int, zero: int | None) -> np.ndarray:
    if is_vector(cells.type):
        return vector_values(cells)
    if not is_number(cells.type):
        return escaped(cells, FOREIGN).to_numpy().astype(np.bytes_)
    if pa.types.is_floating(cells.type):
        return cells.to_numpy()
    if zero:
        # Less 2^63, in 64 bits.
        return (pc.fill_null(cells, null + zero).to_numpy() ^ np.uint64(zero)).view(np.int64)
    return pc.fill_null(cells if cells.type == pa.int32() else cells.cast(pa.int64()), null).to_numpy()
