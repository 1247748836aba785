"""True values of another survey's objects, where it has some: by the outputs' own columns, or those the user names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from common.models.model import Model
from sdss_gs.dataset import open_catalogue, truth_of
from sdss_gs.errors import DataError, OptionError
from sdss_gs.schema import CATALOGUE_FILE, QUANTITIES, Output, Quantity
from sdss_gs.tables.cells import expected_number, read_numbers
from sdss_gs.tables.columns import table_with_magnitudes
from sdss_gs.tables.own import NOT_MEASURED, is_own, read_columns
from sdss_gs.tables.readers import OpenTable, is_table, listed, open_tables, shards, split_number
from sdss_gs.tables.readers.text import column_names

IMPOSSIBLE = 0.5
"""Share of a column's numbers from which it must be another quantity."""
_SHOWN = 8


def read_truths(
    model: Model, count: int, paths: Sequence[Path], told: Sequence[str] = (), table: str = ""
) -> tuple[dict[str, np.ndarray], list[str]]:
    """Read the true values of a survey's objects.

    Parameters
    ----------
    model : Model
    count : int
        Objects of the survey.
    paths : sequence of Path
        What it was opened from.
    told : sequence of str
        Columns: of a model with several outputs ``redshift=zspec``.
    table : str
        Which table of a file that has several.

    Returns
    -------
    truths : dict of str to ndarray, shape (count,)
        By output; NaN, or of classes −1, where there is none. Outputs without any are not there.
    notes : list of str
        Which columns they are from.

    Raises
    ------
    ZooError
        If a column that the user names is not there, or holds something else.
    """
    columns = _told(model, told)
    path, number = split_number(Path(paths[0]))
    if len(paths) == 1 and (path / CATALOGUE_FILE).is_file():
        found = _of_folder(model, path, columns)
    elif (
        len(paths) == 1
        and (is_table(path) if path.is_file() else shards(path))
        and any(item.columns for item in model.inputs)
    ):
        inputs = [item.name for item in model.inputs if item.columns]
        opened, _ = table_with_magnitudes(path, open_tables(path, table or number), inputs)
        found = _of_table(model, opened, columns)
    elif columns:
        raise OptionError(f"truth: expected a catalogue or a folder with {CATALOGUE_FILE} that has it, found {path}")
    else:
        found = {}
    truths, notes = {}, []
    for name, (where, values) in found.items():
        known = values >= 0 if values.dtype.kind == "i" else np.isfinite(values.reshape(len(values), -1)).all(axis=1)
        if not known.any():
            continue
        if len(values) != count:
            raise DataError(f"{path}: expected {count:,} rows of {where}, found {len(values):,}")
        truths[name] = values
        notes.append(f"{name}: {int(known.sum()):,} true values, column {where}")
    return truths, notes


def _told(model: Model, told: Sequence[str]) -> dict[str, str]:
    """Return the columns that the user names, by output."""
    found, names = {}, [output.name for output in model.outputs]
    for text in told:
        name, sign, column = text.partition("=")
        if not sign and len(names) == 1:
            name, column = names[0], text
        if name not in names or not column:
            expected = "a column" if len(names) == 1 else f"OUTPUT=COLUMN with one of {', '.join(names)}"
            raise OptionError(f"truth: expected {expected}, found {text!r}")
        found[name] = column
    for output in model.outputs:
        if output.answers and output.name in found:
            raise OptionError(f"truth: expected no column for {output.name}, whose votes are a table of a data set")
    return found


def _of_folder(model: Model, folder: Path, columns: Mapping[str, str]) -> dict[str, tuple[str, np.ndarray]]:
    catalogue, path, found = open_catalogue(folder), folder / CATALOGUE_FILE, {}
    there = set(column_names(path))
    for output in model.outputs:
        column = columns.get(output.name, output.column if is_own(output) else "")
        if column and (column in there or output.name in columns):
            text = read_columns(path, (column,), catalogue.objid)[column]
            found[output.name] = column, converted(path, column, output, text)[catalogue.rows]
        elif not column:
            found[output.name] = output.column, truth_of(folder, catalogue, output)[catalogue.rows]
    return found


def _of_table(model: Model, table: OpenTable, columns: Mapping[str, str]) -> dict[str, tuple[str, np.ndarray]]:
    found = {}
    for output in model.outputs:
        column = columns.get(output.name, output.column)
        if column in table.names:
            cells = pa.chunked_array([one for piece in table.batches([column], 0) for one in piece[column].chunks])
            found[output.name] = column, converted(table.where, column, output, cells)
        elif output.name in columns:
            raise OptionError(
                f"truth: expected a column of {table.where}, which has {listed(table.names)}: found {column}"
            )
    return found


def converted(where: object, column: str, output: Output, cells: pa.ChunkedArray) -> np.ndarray:
    """Read a column as an output's true values, float64 or class numbers ``(n,)``; NaN or −1 where there is none.

    Parameters
    ----------
    where, column : object, str
        The table and its column, for messages.
    output : Output
    cells : ChunkedArray

    Raises
    ------
    DataError
        If most of it is something else.
    """
    if output.classes:
        text = pc.fill_null(pc.cast(cells, pa.string()), "")
        numbers = pc.index_in(pc.utf8_trim_whitespace(text), value_set=pa.array(output.classes))
        values = np.asarray(pc.fill_null(numbers, -1).to_numpy(), np.int64)
        if (values < 0).all() and (said := [one for one in pc.unique(text).to_pylist() if one][:_SHOWN]):
            expected = f"{where}: column {column}: expected classes such as {', '.join(output.classes[:_SHOWN])}"
            raise DataError(f"{expected}, found {', '.join(said)}")
        return values
    quantity = QUANTITIES.get(output.column, Quantity(column, -np.inf, np.inf, (float(NOT_MEASURED),), ""))
    numbers = read_numbers(cells, quantity)
    wrong = numbers.impossible | numbers.unreadable
    known = int(np.isfinite(numbers.values).sum())
    if wrong.sum() > IMPOSSIBLE * (known + wrong.sum()):
        shown = cells[int(wrong.argmax())].as_py()
        unit = f" ({output.unit})" if output.unit else ""
        expected = expected_number(quantity, bool(numbers.unreadable[wrong.argmax()]))
        raise DataError(f"{where}: column {column}: expected {expected}{unit}, found {shown} and such")
    return numbers.values
