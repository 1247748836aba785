"""The user's own lists and tables: every cell as text, so that no identifier passes through a float."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sdss_gs.build.identity import parse_id
from sdss_gs.errors import DataError, OptionError, first_line
from sdss_gs.formats.fits_units import open_fits

ENDINGS = (".csv", ".parquet", ".pq", ".fits", ".fit", ".vot", ".xml", ".votable")


def read_table(path: str | Path) -> list[dict[str, str]]:
    """Read a table: CSV, Parquet, FITS or VOTable.

    Returns
    -------
    list of dict of str to str
        Rows by column name in lower case; an empty text where there is no value.

    Raises
    ------
    DataError
        If the file is no such table.
    """
    path = Path(path)
    if not path.is_file():
        raise DataError(f"{path}: no such file (expected a table: {', '.join(ENDINGS)})")
    try:
        columns = _columns(path)
    except Exception as error:
        # pandas, Arrow and astropy raise nearly anything on a damaged file.
        raise DataError(f"{path}: expected a table ({', '.join(ENDINGS)}), found {first_line(error)}") from None
    texts = {name.lower(): [_text(value) for value in values] for name, values in columns.items()}
    if len(texts) < len(columns):
        raise DataError(f"{path}: expected columns of different names, found {', '.join(sorted(columns))}")
    return [dict(zip(texts, row, strict=True)) for row in zip(*texts.values(), strict=True)]


def _columns(path: Path) -> dict[str, np.ndarray]:
    ending = path.suffix.lower()
    if ending == ".csv":
        import pandas

        table = pandas.read_csv(path, dtype=str, keep_default_na=False, skipinitialspace=True, encoding="utf-8-sig")
        return {name: table[name].to_numpy(object) for name in table.columns}
    if ending in (".parquet", ".pq"):
        import pyarrow.parquet

        table = pyarrow.parquet.read_table(path)
        return {name: np.array(table[name].to_pylist(), object) for name in table.column_names}
    if ending not in ENDINGS:
        raise ValueError(f"a file that ends in {ending or 'nothing'}")
    from astropy.table import Table

    if ending in (".fits", ".fit"):
        with open(path, "rb") as file, open_fits(file) as units:
            table = Table.read(units, format="fits")
    else:
        table = Table.read(path, format="votable")
    return {name: np.ma.asarray(table[name]) for name in table.colnames}


def _text(value) -> str:
    if value is None or value is np.ma.masked or (isinstance(value, float | np.floating) and np.isnan(value)):
        return ""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return str(value).strip()


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
    cells = _listed_cells(path) if path.suffix.lower() not in ENDINGS else _table_cells(path)
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
