"""A small table as rows of text, so that no identifier passes through a float."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from sdss_gs.errors import DataError
from sdss_gs.tables.identifiers import id_column, id_type
from sdss_gs.tables.readers import ENDINGS, listed, open_tables, split_number


def read_rows(path: str | Path) -> tuple[list[str], list[dict[str, str]]]:
    """Read a table, of any kind that `sdss_gs.tables.readers` opens.

    Returns
    -------
    names : list of str
        Of its columns; no two differ by case only.
    rows : list of dict of str to str
        By name; an empty text where there is no value.

    Raises
    ------
    DataError
        If the file is no such table, holds several, or ids whose digits a spreadsheet has rounded.
    """
    path, chosen = split_number(Path(path))
    if not path.is_file():
        raise DataError(f"{path}: no such file (expected a table: {', '.join(ENDINGS)})")
    table, *others = open_tables(path, chosen)
    if others:
        there = listed([one.where for one in (table, *others)])
        raise DataError(f"{path}: expected one table, found {there}; say which, as {table.where}")
    names = table.names
    if len({name.lower() for name in names}) < len(names):
        raise DataError(f"{path}: expected columns of different names, found {', '.join(sorted(names))}")
    if name := id_column(table):
        id_type(table, name)
    rows = []
    for piece in table.batches(names, 0):
        cells = [_texts(piece[name]) for name in names]
        rows += [dict(zip(names, row, strict=True)) for row in zip(*cells, strict=True)]
    return names, rows


def _texts(cells: pa.ChunkedArray) -> list[str]:
    return ["" if value is None else str(value) for value in cells.to_pylist()]
