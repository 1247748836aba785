"""The tables of astronomy: FITS, VOTable, ECSV and IPAC, read by astropy, nulls kept."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from sdss_gs.errors import DataError
from sdss_gs.formats.compressed import MODULES, read_unpacked
from sdss_gs.formats.fits_units import open_fits
from sdss_gs.tables.readers.table import ROWS_PER_BATCH, WIDEST_ARRAY, Column, OpenTable, in_memory

if TYPE_CHECKING:
    from astropy.table import Table

FITS_ENDINGS = (".fits", ".fit", ".fts", ".fz")
VOTABLE_ENDINGS = (".vot", ".xml", ".votable")


def open_fits_tables(path: Path) -> list[OpenTable]:
    """Open every table of a FITS file, compressed as a whole or not.

    A value is null where the number that stands in the file is the column's TNULL (FITS standard 4.0, section 7.3.2),
    whether the column is scaled or not, where a float is NaN and where text is blank.

    Parameters
    ----------
    path : Path

    Raises
    ------
    DataError
        If the file has no table, or one that fpack has compressed.
    """
    from astropy.io import fits

    with open(path, "rb") as file:
        packed = file.read(6).startswith(tuple(MODULES))
    content = read_unpacked(path) if packed else None

    @contextmanager
    def opened(**how: object):
        # astropy leaves a file open that it opened and refuses.
        with io.BytesIO(content) if content is not None else open(path, "rb") as file, open_fits(file, **how) as units:
            yield units

    tables = []
    with opened() as units:
        for number, unit in enumerate(units):
            if not isinstance(unit, fits.BinTableHDU | fits.TableHDU):
                continue
            if unit.header.get("ZTABLE", False):
                raise DataError(f"{path}: expected a FITS table, found one compressed by fpack; unpack it with funpack")
            columns = _fits_columns(unit)
            where = f"{path}[{number}]"
            rows = int(unit.header["NAXIS2"])
            tables.append(OpenTable(where, columns, rows, _fits_batches(opened, number, rows), title=unit.name))
    if not tables:
        raise DataError(f"{path}: expected a table, found a FITS file without one")
    return tables


def _fits_columns(unit) -> tuple[Column, ...]:
    columns = []
    _name_all(unit)
    # No row is read: the types follow from those of an empty piece.
    piece = unit.data[:0]
    for column in unit.columns:
        for name, cells in _elements(column.name, _masked(piece, column)):
            columns.append(Column(name, cells.type, str(column.unit or "")))
    return tuple(columns)


def _name_all(unit) -> None:
    """Give columns without a name one, which astropy needs of all or cannot cut rows out."""
    for number, column in enumerate(unit.columns, 1):
        if not column.name:
            column.name = f"column {number}"


def _fits_batches(opened, number: int, count: int):
    def batches(wanted: Sequence[str], first: int) -> Iterator[pa.Table]:
        with opened(memmap=True) as units:
            _name_all(units[number])
            data = units[number].data
            known = {column.name: column for column in units[number].columns}
            for start in range(first, count, ROWS_PER_BATCH):
                # Cut first: astropy scales whole columns.
                piece = data[start : start + ROWS_PER_BATCH]
                yield _table(wanted, known, lambda column, piece=piece: _masked(piece, column))

    return batches


def _table(wanted: Sequence[str], known: dict, values) -> pa.Table:
    """Gather the wanted columns, elements of arrays among them."""
    bases = dict.fromkeys(name if name in known else name.rpartition("[")[0] for name in wanted)
    cells = {element: one for base in bases for element, one in _elements(base, values(known[base]))}
    return pa.table({name: cells[name] for name in wanted})


def _masked(piece, column) -> np.ma.MaskedArray | None:
    """Return a column of some rows of a FITS table, masked where the file says null; None where it has no width."""
    if column.format.lstrip("0123456789")[:1] in ("P", "Q") or column.format.startswith("0"):
        return None
    values = piece[column.name]
    if isinstance(values, np.char.chararray):
        values = np.asarray(values)
    if column.null in (None, ""):
        return np.ma.asarray(values)
    # astropy masks by the value after scaling in some columns, and not at all in others.
    raw = piece.view(np.ndarray)[column.name]
    null = raw == column.null if raw.dtype.kind in "iu" else np.char.strip(raw.astype(str)) == str(column.null).strip()
    return np.ma.array(values, mask=null)


def _elements(name: str, values: np.ma.MaskedArray | None) -> Iterator[tuple[str, pa.Array]]:
    """Bring a column to Arrow, one for each element of an array."""
    if values is None:
        return
    if values.ndim == 1:
        cells = _arrow(values)
        if cells is not None:
            yield name, cells
    elif values.ndim == 2 and values.shape[1] <= WIDEST_ARRAY:
        for element in range(values.shape[1]):
            cells = _arrow(values[:, element])
            if cells is not None:
                yield f"{name}[{element}]", cells


def _arrow(values: np.ma.MaskedArray) -> pa.Array | None:
    """Bring one column to Arrow; None for what is neither text nor number."""
    data, null = np.asarray(values.data), np.ma.getmaskarray(values)
    kind = data.dtype.kind
    if kind in "SUO":
        texts = [_text(value) for value in data.tolist()]
        return pa.array(
            [None if gone or not text else text for text, gone in zip(texts, null, strict=True)], pa.string()
        )
    if kind == "f":
        wide = np.ascontiguousarray(data, data.dtype.newbyteorder("="))
        return pa.array(wide, mask=null | np.isnan(wide))
    if kind in "iu":
        wide = data.astype(np.uint64 if data.dtype == np.uint64 else np.int64)
        return pa.array(wide, mask=null)
    return pa.array(data.astype(bool), mask=null) if kind == "b" else None


def _text(value: object) -> str:
    if value is None or value is np.ma.masked:
        return ""
    return (value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)).strip().strip("\0")


def open_votable_tables(path: Path) -> list[OpenTable]:
    """Open every table of a VOTable that has rows or columns, however its resources are nested.

    Parameters
    ----------
    path : Path
    """
    from astropy.io.votable import parse

    elements = [one for one in parse(io.BytesIO(read_unpacked(path))).iter_tables() if one.fields]
    if not elements:
        raise DataError(f"{path}: expected a table, found a VOTable without one")
    return [
        from_astropy(f"{path}[{number}]", one.to_table(use_names_over_ids=True), one.name or one.ID or "")
        for number, one in enumerate(elements)
    ]


def open_ascii_table(path: Path, kind: str) -> OpenTable:
    """Open an ECSV or IPAC table.

    Parameters
    ----------
    path : Path
    kind : str
        ``ecsv`` or ``ipac``.
    """
    from astropy.table import Table

    return from_astropy(str(path), Table.read(read_unpacked(path).decode(), format=f"ascii.{kind}"))


def from_astropy(where: str, table: Table, title: str = "") -> OpenTable:
    """Take an `astropy.table.Table` as one that was opened.

    Parameters
    ----------
    where : str
        What messages call it.
    table : astropy.table.Table
        Masked values are null; columns of sky coordinates or times are left out.
    title : str
        What its file calls it.
    """
    columns, units = {}, {}
    for name in table.colnames:
        values = getattr(table[name], "value", table[name])
        values = getattr(values, "unmasked", values)
        if not isinstance(values, np.ndarray):
            continue
        mask = getattr(table[name], "mask", None)
        array = np.ma.array(np.asarray(values), mask=False if mask is None else mask)
        for element, cells in _elements(name, array):
            columns[element], units[element] = cells, str(table[name].unit or "")
    return in_memory(where, pa.table(columns), units, title)
