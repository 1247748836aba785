"""The tables of astronomy that astropy reads whole, nulls kept: VOTable, ECSV, IPAC and machine-readable ones."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from sdss_gs.errors import DataError
from sdss_gs.formats.compressed import read_unpacked
from sdss_gs.tables.readers.arrays import elements
from sdss_gs.tables.readers.table import OpenTable, in_memory

if TYPE_CHECKING:
    from astropy.table import Table

VOTABLE_ENDINGS = (".vot", ".xml", ".votable")
ROWS_ELSEWHERE = re.compile(rb"<FITS|<STREAM[^>]*\bhref")


def open_votable_tables(path: Path) -> list[OpenTable]:
    """Open every table of a VOTable that has rows or columns, however its resources are nested.

    Parameters
    ----------
    path : Path

    Raises
    ------
    DataError
        If it has no table, or its rows are elsewhere or in a form that astropy does not read.
    """
    from astropy.io.votable import parse

    content = read_unpacked(path)
    if elsewhere := ROWS_ELSEWHERE.search(content):
        found = "rows as FITS" if elsewhere[0] == b"<FITS" else "rows in another file"
        raise DataError(
            f"{path}: expected a VOTable with its rows in it, found {found}; save it as BINARY2 or TABLEDATA"
        )
    tables = [one for one in parse(io.BytesIO(content)).iter_tables() if one.fields]
    if not tables:
        raise DataError(f"{path}: expected a table, found a VOTable without one")
    return [
        from_astropy(f"{path}[{number}]", one.to_table(use_names_over_ids=True), one.name or one.ID or "")
        for number, one in enumerate(tables)
    ]


def open_ascii_table(path: Path, kind: str, encoding: str = "utf-8") -> OpenTable:
    """Open an ECSV or IPAC table, or one of the others that `dialect.astropy_format` knows.

    Parameters
    ----------
    path : Path
    kind : str
        ``ecsv``, ``ipac``, …
    encoding : str
    """
    from astropy.table import Table

    return from_astropy(str(path), Table.read(read_unpacked(path).decode(encoding), format=f"ascii.{kind}"))


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
        array = _side_by_side(np.ma.array(np.asarray(values), mask=False if mask is None else mask))
        for element, cells in elements(name, array):
            columns[element], units[element] = cells, str(getattr(table[name], "unit", None) or "")
    return in_memory(where, pa.table(columns), units, title)


def _side_by_side(values: np.ma.MaskedArray) -> np.ma.MaskedArray | None:
    """Stack arrays of variable length that all have one; None for any others, which no table of numbers holds."""
    rows = values.data.tolist() if values.dtype.kind == "O" else []
    if not any(isinstance(row, np.ndarray) for row in rows):
        return values
    lengths = {np.shape(row) for row in rows}
    return np.ma.stack(rows) if len(lengths) == 1 and len(lengths.pop()) == 1 else None
