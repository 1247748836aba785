"""A data set's tables as one typed table: whole numbers stay whole, what is missing is null, nothing is left out."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sdss_gs.schema import CATALOGUE_FILE, QUANTITIES, VOTES_FILE
from sdss_gs.tables.cells import MISSING, NUMBER_PATTERN, read_numbers
from sdss_gs.tables.own import read_columns
from sdss_gs.tables.readers.text import column_names

WHOLE_PATTERN = r"^-?(0|[1-9][0-9]*)$"
"""A leading zero makes a cell a code and no number."""
EXACT_DIGITS = 15
"""Whole numbers with more digits than this are not kept by a float."""


def read_table(folder: Path, objid: np.ndarray) -> pa.Table:
    """Read every column of ``data.csv``, and of ``votes.csv`` where there is one.

    Parameters
    ----------
    folder : Path
    objid : ndarray of int64, shape (n,)
        Objects that are wanted.

    Returns
    -------
    Table
        ``n`` rows in the order of `objid`. The zoo's quantities are float64, with null for a survey's "not measured"
        and for impossible values; other columns are int64, float64 or text, as all their cells allow.

    Raises
    ------
    DataError
        If a table cannot be read.
    """
    columns: dict[str, pa.Array | pa.ChunkedArray] = {"objid": pa.array(objid, pa.int64())}
    for path in (folder / CATALOGUE_FILE, folder / VOTES_FILE):
        if not path.is_file():
            continue
        wanted = tuple(name for name in dict.fromkeys(column_names(path)) if name and name not in columns)
        text = read_columns(path, wanted, objid)
        columns |= {name: _typed(name, text[name]) for name in wanted}
    return pa.table(columns)


def _typed(name: str, text: pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    if name in QUANTITIES:
        values = read_numbers(text, QUANTITIES[name]).values
        return pa.array(values, mask=np.isnan(values))
    known = pc.invert(pc.is_in(pc.utf8_lower(text), value_set=pa.array(MISSING)))
    cells = pc.if_else(known, text, pa.scalar(None, pa.string()))
    if not pc.any(known).as_py():
        return cells
    whole = pc.match_substring_regex(cells, WHOLE_PATTERN)
    if pc.all(whole).as_py():
        try:
            return pc.cast(cells, pa.int64())
        except pa.ArrowInvalid:
            return cells
    long = pc.and_(whole, pc.greater(pc.utf8_length(cells), EXACT_DIGITS))
    code = pc.and_(pc.invert(whole), pc.match_substring_regex(cells, r"^[+-]?0?[0-9]+$"))
    numeric = pc.all(pc.match_substring_regex(cells, NUMBER_PATTERN)).as_py()
    return pc.cast(cells, pa.float64()) if numeric and not pc.any(pc.or_(long, code)).as_py() else cells
