"""A user's catalogue as ``data.csv``: models of magnitudes train on any table that `sdss_gs.tables.readers` opens."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv

from sdss_gs.errors import DataError, OptionError, did_you_mean
from sdss_gs.exchange.importing import objid_of
from sdss_gs.files import replacing
from sdss_gs.schema import CATALOGUE_FILE, DEREDDENED, ERRORS, OUTPUTS, QUANTITIES
from sdss_gs.tables.cells import read_numbers
from sdss_gs.tables.columns import TABLES, Choice, Chosen, table_with_magnitudes, take_errors
from sdss_gs.tables.identifiers import as_ids, id_column, id_type
from sdss_gs.tables.names import MODEL, PHOTOMETRY, UNSTATED, full_names, short_name
from sdss_gs.tables.readers import OpenTable, listed, open_tables, split_number

TRUTHS = (
    *(output.column for output in OUTPUTS.values() if output.column in QUANTITIES),
    *(output.column for output in OUTPUTS.values() if output.classes),
)
"""Columns of ``data.csv`` that models learn to predict."""
OWN_NAMES = {
    MODEL: "modelMag_{}",
    UNSTATED: "{}",
    DEREDDENED: "dered_{}",
    "psf": "psfMag_{}",
    "cmodel": "cModelMag_{}",
}
"""Names that say of which kind magnitudes of u g r i z are; ``mag_<band>_<kind>`` for any other."""


def import_catalogue(
    path: Path, folder: Path, *, id_name: str = "", table: str = "", columns: Mapping[str, str] | None = None
) -> tuple[int, list[str]]:
    """Write a catalogue as the ``data.csv`` of an SDSS-GS folder.

    Magnitudes and fluxes go to columns whose name says of which kind they are, in magnitudes, and their errors with
    them; other columns go as they are. Ids that are no integers of 63 bits become 63 bits of their SHA-256, and stay in
    a column ``name``.

    Parameters
    ----------
    path : Path
        Whatever `readers.open_tables` opens; ``stars.fits[2]``.
    folder : Path
        To make; may hold ``img/`` and other inputs, but no ``data.csv``.
    id_name : str
        Column of the ids; ``none`` numbers the rows from 1.
    table : str
        Which table of a file that has several.
    columns : mapping of str to str, optional
        Name in the file by name in the zoo: a magnitude, its error (``err_r``), or one of `TRUTHS`.

    Returns
    -------
    rows : int
    notes : list of str
        What a user should know of how it is read.

    Raises
    ------
    ZooError
        If the table cannot be read, or there is a ``data.csv`` already.
    """
    place = folder / CATALOGUE_FILE
    if place.exists():
        raise OptionError(f"{place}: expected none yet, found one; name a new folder")
    path, number = split_number(path)
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    truths = {key: name for key, name in (columns or {}).items() if key in TRUTHS}
    photometric = {key: name for key, name in (columns or {}).items() if key not in TRUTHS}
    known = full_names(errors=True)
    for key in photometric:
        if key.lower() not in known and (meant := did_you_mean(key, [*TRUTHS, *known])):
            raise OptionError(f"column {key}: expected a magnitude, an error or one of {', '.join(TRUTHS)}{meant}")
    errors = {key: name for key, name in photometric.items() if known.get(key.lower()) in ERRORS.values()}
    magnitudes = {key: name for key, name in photometric.items() if key not in errors}
    opened, choice = table_with_magnitudes(path, open_tables(path, table or number), tuple(TABLES), magnitudes)
    take_errors(opened, choice, errors)
    for key, name in truths.items():
        if name not in opened.names:
            meant = did_you_mean(name, opened.names)
            there = listed(opened.names)
            raise OptionError(f"column {key}={name}: expected a column of {path}, which has {there}{meant}")
    name = id_column(opened, id_name)
    if id_name and id_name != "none" and name != id_name:
        meant = did_you_mean(id_name, opened.names)
        raise OptionError(f"id {id_name}: expected a column of {path}, which has {listed(opened.names)}{meant}")
    kind = id_type(opened, name) if name else None
    folder.mkdir(parents=True, exist_ok=True)
    rows, writer = 0, None
    with replacing(place) as temporary:
        for piece in opened.batches(list(dict.fromkeys(opened.names)), 0):
            cells = _ids(piece[name], kind) if name else {"objid": pa.array(np.arange(rows + 1, rows + 1 + len(piece)))}
            part = pa.table(cells | _written(piece, opened, choice, truths, name))
            writer = writer or csv.CSVWriter(temporary, part.schema)
            writer.write_table(part)
            rows += len(piece)
        if writer is None:
            raise DataError(f"{opened.where}: expected at least one row, found none")
        writer.close()
    return rows, [*opened.notes, *choice.notes]


def _ids(cells: pa.ChunkedArray, kind: pa.DataType) -> dict[str, pa.Array]:
    ids = as_ids(cells, kind)
    if pa.types.is_int64(kind):
        return {"objid": ids}
    names = ids.cast(pa.string())
    made = [None if text is None else objid_of(text) for text in names.to_pylist()]
    return {"objid": pa.array(made, pa.int64()), "name": names}


def _written(
    piece: pa.Table, table: OpenTable, choice: Choice, truths: Mapping[str, str], id_name: str
) -> dict[str, pa.ChunkedArray | pa.Array]:
    """Return the columns to write, by their names in ``data.csv``."""
    written = {}
    for own, wanted in TABLES.items():
        if own in choice.photometry:
            for column in wanted:
                name = _own_name(own, column, choice.photometry[own])
                written[name] = _magnitudes(piece, choice.columns[column], column)
                if column in choice.errors:
                    written[ERRORS[column] if name == column else f"err_{name}"] = _errors(piece, choice, column)
    read = {one.name for one in (*choice.columns.values(), *choice.errors.values())}
    # Errors in a unit of which nothing is known would be magnitudes in the file.
    taken = {id_name, *read, *choice.refused_errors, *truths.values()}
    for key, name in truths.items():
        written[key] = piece[name]
    others = {name: piece[name] for name in table.names if name not in taken and name not in written}
    return written | {name: cells for name, cells in others.items() if name.lower() not in ("objid", "name")}


def _magnitudes(piece: pa.Table, chosen: Chosen, column: str) -> pa.ChunkedArray | pa.Array:
    if chosen.convert is None:
        return piece[chosen.name]
    values = read_numbers(piece[chosen.name], QUANTITIES[column], chosen.convert).values
    return pa.array(values, mask=np.isnan(values))


def _errors(piece: pa.Table, choice: Choice, column: str) -> pa.Array:
    values = choice.errors[column].read(piece, choice.columns[column].name, QUANTITIES[ERRORS[column]])
    return pa.array(values, mask=np.isnan(values))


def _own_name(own: str, column: str, photometry: str) -> str:
    if own == "wise":
        return column if photometry == PHOTOMETRY[own] else short_name(column)
    return OWN_NAMES.get(photometry, f"mag_{{}}_{photometry.replace(' ', '')}").format(short_name(column))
