"""Tables of FITS files, binary or ASCII, nulls kept."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa

from sdss_gs.errors import DataError
from sdss_gs.formats.compressed import MODULES, read_unpacked
from sdss_gs.formats.fits_units import open_fits
from sdss_gs.tables.readers.arrays import elements
from sdss_gs.tables.readers.table import ROWS_PER_BATCH, WIDEST_ARRAY, Column, OpenTable, in_memory

ENDINGS = (".fits", ".fit", ".fts", ".fz")


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
            _name_all(unit)
            # A row of no bytes is none: whole columns without rows, for instance.
            where, rows = f"{path}[{number}]", int(unit.header["NAXIS2"]) if unit.header["NAXIS1"] else 0
            if rows == 1 and _has_whole_columns(unit):
                tables.append(_of_whole_columns(where, unit))
                continue
            columns = tuple(_fits_columns(unit, rows))
            tables.append(OpenTable(where, columns, rows, _fits_batches(opened, number, rows), title=unit.name))
    if not tables:
        raise DataError(f"{path}: expected a table, found a FITS file without one")
    return tables


def _has_whole_columns(unit) -> bool:
    """Tell whether the only row holds whole columns, as TOPCAT's colfits and IDL's mwrfits of a structure write them.

    Short arrays without a second axis may as well be the magnitudes of one galaxy in several bands.
    """
    shapes = [unit.data[column.name].shape[1:] for column in unit.columns]
    if len({shape[:1] for shape in shapes}) != 1 or not shapes[0]:
        return False
    return shapes[0][0] > WIDEST_ARRAY or any(len(shape) > 1 for shape in shapes)


def _of_whole_columns(where: str, unit) -> OpenTable:
    cells, units = {}, {}
    for column in unit.columns:
        values = _masked(unit.data, column)[0]
        values = values.reshape(len(values), -1)
        for name, one in elements(column.name, values[:, 0] if values.shape[1] == 1 else values):
            cells[name], units[name] = one, str(column.unit or "")
    return in_memory(where, pa.table(cells), units, unit.name)


def from_records(where: str, records) -> OpenTable:
    """Take what astropy reads of a FITS table (`astropy.io.fits.FITS_rec`) as a table that was opened.

    Parameters
    ----------
    where : str
        What messages call it.
    records : FITS_rec
    """
    cells, units = {}, {}
    for column in records.columns:
        for name, one in elements(column.name, _masked(records, column)):
            cells[name], units[name] = one, str(column.unit or "")
    return in_memory(where, pa.table(cells), units)


def _fits_columns(unit, rows: int) -> Iterator[Column]:
    # The types follow from those of a row; astropy cannot scale none of an ASCII table.
    piece = unit.data[:1] if rows else None
    for column in unit.columns:
        if not rows:
            yield Column(column.name, pa.string(), str(column.unit or ""))
            continue
        for name, cells in elements(column.name, _masked(piece, column)):
            yield Column(name, cells.type, str(column.unit or ""))


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
    cells = {element: one for base in bases for element, one in elements(base, values(known[base]))}
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
    if values.dtype.kind == "u":
        # Of unsigned integers, astropy 8.0.2 writes as TNULL the value, not the number that stands in the file for it.
        null = null | (values == column.null)
    return np.ma.array(values, mask=null)
