"""Ids of objects: they stay integers of 64 bits or text, and never pass through a float."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sdss_gs.errors import DataError
from sdss_gs.tables.cells import MISSING
from sdss_gs.tables.names import ID_COLUMNS, same_name
from sdss_gs.tables.readers.table import OpenTable, listed

ROW = "row"
"""What rows are called that are numbered, from 0."""
NO_ID = "none"
"""What a user says to have them numbered."""
LARGEST_WHOLE = {16: 2.0**11, 32: 2.0**24, 64: 2.0**53}
"""Up to which a float of so many bits holds every integer."""
_INTEGER = r"^(0|-?[1-9][0-9]*)$"
_ROUNDED = r"^([0-9]([.,][0-9]+)?[eE]\+?[0-9]+|-?[0-9]{16,}\.0*)$"
_WITH_POINT = r"^(-?[0-9]{1,15})\.0*$"
"""A whole number as programs write it that have made a float of it."""
WAY_OUT = f"write the ids as integers or text, or say --id {NO_ID} to have the rows numbered"


def id_column(table: OpenTable, named: str = "") -> str:
    """Find the column of ids; empty where rows are to be numbered.

    Parameters
    ----------
    table : OpenTable
    named : str
        What the user says; `NO_ID` for no column.

    Raises
    ------
    DataError
        If there are two of the name.
    """
    if named == NO_ID and NO_ID not in table.names:
        return ""
    for candidate in [named] if named else ID_COLUMNS:
        if same := same_name(table.names, candidate):
            if len(same) > 1:
                found = len(same) if len(set(same)) == 1 else f"{listed(same)}; say --id NAME"
                raise DataError(f"{table.where}: expected one column {candidate}, found {found}")
            return same[0]
    return ""


def id_type(table: OpenTable, name: str) -> pa.DataType:
    """Decide, from all rows, as what a column of ids is kept.

    Parameters
    ----------
    table : OpenTable
    name : str

    Returns
    -------
    DataType
        int64, uint64 where one is above 2^63 - 1, else string.

    Raises
    ------
    DataError
        If the ids are floats that no longer are what they were.
    """
    kind = table.column(name).type
    if pa.types.is_integer(kind):
        return kind
    if pa.types.is_floating(kind):
        _refuse_rounded(table, name)
        return pa.int64()
    if not pa.types.is_string(kind):
        raise DataError(f"{table.where}: column {name}: expected ids as integers or text, found {kind}; {WAY_OUT}")
    possible = [pa.int64(), pa.uint64()]
    for piece in table.batches([name], 0):
        cells = pc.drop_null(piece[name])
        if not (whole := _are_integers(cells)):
            cells = pc.drop_null(_cleared(cells))
            _refuse_rounded_text(table, name, cells)
            whole = _are_integers(cells)
            _refuse_comment(table, name, cells)
        possible = [kind for kind in possible if whole and _fits(cells, kind)]
    return possible[0] if possible else pa.string()


def _fits(cells: pa.ChunkedArray, kind: pa.DataType) -> bool:
    try:
        cells.cast(kind)
    except pa.ArrowInvalid:
        return False
    return True


def _refuse_rounded(table: OpenTable, name: str) -> None:
    limit = LARGEST_WHOLE[table.column(name).type.bit_width]
    for piece in table.batches([name], 0):
        values = pc.drop_null(piece[name]).to_numpy().astype(np.float64)
        wrong = ~(np.abs(values) < limit) | (values != np.floor(values))
        if wrong.any():
            raise DataError(
                f"{table.where}: column {name}: expected ids as integers or text, found floats such as "
                f"{values[wrong][0]:.0f}, whose last digits are lost; {WAY_OUT}"
            )


def _are_integers(cells: pa.ChunkedArray) -> bool:
    # Of an id with a leading zero, an integer would lose that.
    return pc.all(pc.match_substring_regex(cells, _INTEGER)).as_py() is not False


def _refuse_rounded_text(table: OpenTable, name: str, cells: pa.ChunkedArray) -> None:
    rounded = pc.filter(cells, pc.match_substring_regex(cells, _ROUNDED))
    if len(rounded):
        raise DataError(
            f"{table.where}: column {name}: expected ids with all their digits, found {rounded[0].as_py()}, as "
            f"spreadsheets write them; {WAY_OUT}"
        )


def _refuse_comment(table: OpenTable, name: str, cells: pa.ChunkedArray) -> None:
    """Refuse a row that somebody has commented out among integers, of which it would make text."""
    is_comment = pc.match_substring_regex(cells, r"^#\s*[0-9]+$")
    comments = pc.filter(cells, is_comment)
    if len(comments) and _are_integers(pc.filter(cells, pc.invert(is_comment))):
        found = f"found {comments[0].as_py()}, a row that is a comment; delete it"
        raise DataError(f"{table.where}: column {name}: expected an id in each row, {found}")


def _cleared(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Bring text that may be integers to their form: 5.0 is 5, and words for a missing value are null."""
    without_point = pc.replace_substring_regex(cells, _WITH_POINT, r"\1")
    no_id = pc.is_in(pc.utf8_lower(cells), value_set=pa.array(MISSING))
    return pc.if_else(no_id, pa.scalar(None, pa.string()), without_point)


def as_ids(cells: pa.ChunkedArray, kind: pa.DataType) -> pa.Array:
    """Bring ids to the type that `id_type` chose; null where there is none.

    Parameters
    ----------
    cells : pyarrow.ChunkedArray
    kind : pyarrow.DataType
    """
    if not cells.num_chunks:
        return pa.array([], kind)
    try:
        cells = cells.cast(kind)
    except pa.ArrowInvalid:
        cells = _cleared(cells).cast(kind)
    return pa.concat_arrays(cells.chunks)
