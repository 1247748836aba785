"""A user's own label or number: any column of ``data.csv`` as what a model predicts."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sdss_gs.errors import DataError
from sdss_gs.schema import INPUTS, OUTPUTS, QUANTITIES, Output, Quantity
from sdss_gs.tables.catalogue import Problem, keep_good_ids, read_strings
from sdss_gs.tables.cells import MISSING, NUMBER_PATTERN, read_numbers
from sdss_gs.tables.readers.text import column_names
from sdss_gs.tables.repeats import merge_repeats

MOST_CLASSES = 100
NOT_MEASURED = "-9999"
"""The one sentinel that no survey uses for anything else; 99 may well be somebody's number."""
RESERVED = ("objid", "id", "flag", "problem", "model", "version", "weights", "position", "present", *INPUTS, *OUTPUTS)
"""Names that stand for something else in a table of predictions or inside a network."""
_WHOLE = r"^[+-]?[0-9]+$"
PUBLISHED = "_published"
"""Ends the name of a column with what others say of what is learnt."""
_SHOWN = 12


def read_columns(path: Path, columns: tuple[str, ...], objid: np.ndarray) -> pa.Table:
    """Read columns of a table by the ids of objects.

    Parameters
    ----------
    path : Path
        Comma-separated, with a column ``objid``.
    columns : tuple of str
    objid : ndarray of int64, shape (n,)

    Returns
    -------
    Table
        ``n`` rows of stripped text in the order of `objid`; empty where the table has no such object, or its rows
        contradict each other.

    Raises
    ------
    DataError
        If the file is none, or lacks a column.
    """
    problems: list[Problem] = []
    table, known = keep_good_ids(read_strings(path, ("objid", *columns), problems), problems)
    for column in columns:
        if column not in table.column_names:
            found = column_names(path)
            more = ", …" if len(found) > _SHOWN else ""
            raise DataError(f"{path}: expected a column {column}, found {', '.join(found[:_SHOWN])}{more}")
    if not len(known):
        raise DataError(f"{path}: expected at least one row with a usable objid, found none")
    table = merge_repeats(table, known, {}).table
    known = pc.cast(table["objid"], pa.int64()).to_numpy()
    order = np.argsort(known)
    rows = order[np.minimum(np.searchsorted(known, objid, sorter=order), len(known) - 1)]
    rows = pa.array(np.where(known[rows] == objid, rows, -1))
    rows = pc.if_else(pc.less(rows, 0), pa.scalar(None, pa.int64()), rows)
    return pa.table({name: pc.fill_null(table[name].take(rows), "") for name in columns})


def own_output(path: Path, column: str, text: pa.ChunkedArray, code: str) -> Output:
    """Find out what a column holds: classes (text or whole numbers) or numbers with decimals.

    Parameters
    ----------
    path : Path
        Of the table, for messages.
    column : str
    text : ChunkedArray of str, shape (n,)
        The column's cells.
    code : str
        Of the output whose model folder is used.

    Raises
    ------
    DataError
        If there is nothing in the column, one value only, or too many classes.
    """
    values = [value for value in pc.unique(text).to_pylist() if not _is_missing(value)]
    if len(values) < 2:
        found = f"only {values[0]!r}" if values else "none"
        raise DataError(f"{path}: column {column}: expected at least two different values, found {found}")
    name = re.sub(r"\W+", "_", column, flags=re.ASCII).strip("_") or "label"
    name = f"own_{name}" if name in RESERVED else name
    whole = all(re.match(_WHOLE, value) for value in values)
    strange = [value for value in values if not re.match(NUMBER_PATTERN, value)]
    description = f"own column {column}"
    if not whole and not strange:
        return Output(name, code, column, "", description, path.name, kind="number")
    if len(values) > MOST_CLASSES:
        hint = "whole numbers (write them with decimals to learn a number)" if whole else f"for example {strange[0]!r}"
        raise DataError(
            f"{path}: column {column}: expected numbers, or at most {MOST_CLASSES} classes, found {len(values):,} "
            f"different values, {hint}"
        )
    return Output(name, code, column, "", description, path.name, tuple(sorted(values, key=int if whole else None)))


def own_truth(output: Output, text: pa.ChunkedArray) -> np.ndarray:
    """Turn the column's cells into class numbers, int16, or numbers, float64, ``(n,)``; -1 or NaN where missing."""
    if output.kind == "number":
        return read_numbers(text, Quantity(output.column, -np.inf, np.inf, (float(NOT_MEASURED),), "")).values
    return np.asarray(
        pc.fill_null(pc.index_in(text, value_set=pa.array(output.classes)), -1).to_numpy(), dtype=np.int16
    )


def read_published(path: Path, output: Output, objid: np.ndarray) -> np.ndarray:
    """Read what others say of a number that is learnt: a column such as ``redshift_published``.

    Parameters
    ----------
    path : Path
        Of the table.
    output : Output
    objid : ndarray of int64, shape (n,)

    Returns
    -------
    ndarray of float64, shape (n,)
        In the catalogue's unit. NaN where a cell is empty or impossible, and everywhere if there is no such column or
        the output is no number.
    """
    column = f"{output.column}{PUBLISHED}"
    if output.classes or output.answers or column not in column_names(path):
        return np.full(len(objid), np.nan)
    quantity = QUANTITIES.get(output.column, Quantity(output.column, -np.inf, np.inf, (float(NOT_MEASURED),), ""))
    return read_numbers(read_columns(path, (column,), objid)[column], quantity).values


def is_own(output: Output) -> bool:
    """Tell a user's own output from the zoo's."""
    return output.name not in OUTPUTS


def _is_missing(value: str) -> bool:
    return value.lower() in (*MISSING, "nan") or value == NOT_MEASURED
