"""The user's own lists and tables: every cell as text, so that no identifier passes through a float."""

from __future__ import annotations

from pathlib import Path

from sdss_gs.build.identity import parse_id
from sdss_gs.errors import DataError, OptionError
from sdss_gs.tables.readers import is_table
from sdss_gs.tables.rows import read_rows


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
    _names, rows = read_rows(path)
    return [{name.lower(): cell for name, cell in row.items()} for row in rows]


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
