"""The user's own lists and tables: every cell as text, so that no identifier passes through a float."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from sdss_gs.build.identity import parse_id
from sdss_gs.errors import DataError, OptionError
from sdss_gs.tables.identifiers import id_column, id_type
from sdss_gs.tables.readers import ENDINGS, is_table, listed, open_tables, split_number


def read_table(path: str | Path) -> list[dict[str, str]]:
    """Read a table, of any kind that `sdss_gs.tables.readers` opens.

    Returns
    -------
    list of dict of str to str
        Rows by column name in lower case; an empty text where there is no value.

    Raises
    ------
    DataError
        If the file is no such table.
    """
    path, chosen = split_number(Path(path))
    if not path.is_file():
        raise DataError(f"{path}: no such file (expected a table: {', '.join(ENDINGS)})")
    table, *others = open_tables(path, chosen)
    if others:
        there = listed([one.where for one in (table, *others)])
        raise DataError(f"{path}: expected one table, found {there}; say which, as {table.where}")
    lower = [name.lower() for name in table.names]
    if len(set(lower)) < len(lower):
        raise DataError(f"{path}: expected columns of different names, found {', '.join(sorted(table.names))}")
    if name := id_column(table):
        # Refuses ids whose digits a spreadsheet has rounded.
        id_type(table, name)
    rows = []
    for piece in table.batches(table.names, 0):
        cells = [_texts(piece[name]) for name in table.names]
        rows += [dict(zip(lower, row, strict=True)) for row in zip(*cells, strict=True)]
    return rows


def _texts(cells: pa.ChunkedArray) -> list[str]:
    return ["" if value is None else str(value) for value in cells.to_pylist()]


def read_ids(path: str | Path) -> list[int]:
    """Read object identifiers: one on each line, or the column ``objid`` of a table.

    Returns
    -------
    list of int
        Distinct, in the order of the file.

    Raises
    ------
    OptionError
        If there is anything else than integers, or nothing.
    DataError
        If the file is unreadable.
    """
    path = Path(path)
    cells = _listed_cells(path) if not is_table(path) or path.suffix.lower() == ".txt" else _table_cells(path)
    ids = []
    for place, text in cells:
        number = parse_id(text)
        if number is None:
            raise OptionError(f"--ids {path}: expected an integer in {place}, found {text[:60]!r}")
        ids.append(number)
    if not ids:
        raise OptionError(f"--ids {path}: expected object identifiers, found none")
    return list(dict.fromkeys(ids))


def _listed_cells(path: Path) -> list[tuple[str, str]]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: expected a text with one objid on each line: {error}") from None
    texts = [(f"line {number}", line.partition("#")[0].strip()) for number, line in enumerate(lines, 1)]
    filled = [cell for cell in texts if cell[1]]
    return filled[1:] if filled and filled[0][1].lower() == "objid" else filled


def _table_cells(path: Path) -> list[tuple[str, str]]:
    rows = read_table(path)
    if rows and "objid" not in rows[0]:
        raise OptionError(f"--ids {path}: expected a column objid, found {', '.join(list(rows[0])[:8])}")
    return [(f"row {number}", row["objid"]) for number, row in enumerate(rows, 1)]
