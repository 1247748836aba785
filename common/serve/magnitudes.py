"""Magnitudes in a request: rows of them by name, or in the order of an input's columns."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache

import numpy as np
import pyarrow as pa
from fastapi import HTTPException

from common.data.sources import Loaded
from common.data.sources.magnitudes import LIMIT_ERROR, read_photometry, taken_as_limits
from common.data.sources.memory import in_order
from common.models.model import Model
from common.outputs.flags import Flag
from common.serve.refusals import refused
from sdss_gs.errors import ZooError
from sdss_gs.schema import QUANTITIES, Input
from sdss_gs.tables.cells import expected_number
from sdss_gs.tables.columns import Choice, Chosen, Extras, choose_columns
from sdss_gs.tables.names import meaning_of, short_name
from sdss_gs.tables.readers.table import Column, OpenTable
from sdss_gs.tables.units import NO_FLUX

KEPT_CHOICES, KEPT_CHARACTERS = 64, 1000
"""How many sets of names are remembered, and how long one may be: nobody fills the memory with names."""


def named_rows(model: Model, rows: list, name: str, extras: Extras) -> dict[str, Loaded]:
    """Read rows of named magnitudes; a model with several inputs takes those that a row has.

    Parameters
    ----------
    model : Model
        With at least one input of magnitudes.
    rows : list
    name : str
        Of the list, for messages.
    extras : Extras
        What the model can use, and the user says of magnitudes.

    Raises
    ------
    HTTPException
        422 for what is no magnitude.
    """
    items = [item for item in model.inputs if item.columns]
    for position, row in enumerate(rows):
        if not isinstance(row, dict):
            raise refused(f"{name}[{position}]", "an object with a magnitude by name", row)
    choice = _choice(model, items, rows, name, extras)
    if extras.limits:
        rows = _limited(rows, choice, [item for item in items if item.errors])
    loaded = {}
    for item in items:
        chosen = {column: choice.columns.get(column, Chosen(column)) for column in item.magnitudes}
        cells = [
            [*_cells(model, item, choice, chosen, f"{name}[{position}]", row), *_errors(item, choice, row)]
            for position, row in enumerate(rows)
        ]
        loaded[item.name] = _table(item, cells, name)
        loaded[item.name].photometry = read_photometry(_dust(rows, choice), choice, item)
    return loaded


def _dust(rows: list[dict], choice: Choice) -> pa.Table:
    """Return the cells that say how much light the Galaxy's dust took, and whether magnitudes are corrected for it."""
    names = choice.extinction.names if choice.extinction else ()
    cells = {name: pa.array([_number(row.get(name)) for row in rows], from_pandas=True) for name in names}
    if choice.statement:
        cells[choice.statement] = pa.array([str(row.get(choice.statement, "")) for row in rows])
    return pa.table(cells)


def columns_named(row: Iterable[str]) -> set[str]:
    """Return the zoo's names of the magnitudes that a row's names stand for."""
    return {meaning.column for meaning in map(meaning_of, row) if meaning}


def plain_rows(item: Input, rows: list, name: str, extras: Extras) -> Loaded:
    """Read lists of an input's magnitudes, and errors, in its order.

    Parameters
    ----------
    item : Input
        As the model has it.
    rows, name, extras
        As for `named_rows`.
    """
    for position, row in enumerate(rows):
        if not isinstance(row, list) or len(row) not in (len(item.columns), len(item.magnitudes)):
            expected = f"{len(item.columns)} numbers ({', '.join(item.columns)})"
            raise refused(f"{name}[{position}]", expected, row)
    choice = in_order(item, len(item.columns), extras.stated)
    if extras.limits and item.errors:
        named = [dict(zip(item.columns, row, strict=False)) for row in rows]
        rows = [list(row.values()) for row in _limited(named, choice, [item])]
    loaded = _table(item, rows, name)
    loaded.photometry = read_photometry(pa.table({}), choice, item)
    return loaded


def _choice(model: Model, items: list[Input], rows: list[dict], name: str, extras: Extras) -> Choice:
    """Find the magnitudes by name, as in a catalogue that has the columns of all rows."""
    names = tuple(dict.fromkeys(key for row in rows for key in row))
    chosen = _chosen_of if sum(map(len, names)) <= KEPT_CHARACTERS else _chosen_of.__wrapped__
    inputs, learnt = tuple(item.name for item in items), tuple(model.photometry().items())
    try:
        return chosen(name, names, inputs, learnt, extras)
    except ZooError as error:
        raise HTTPException(422, str(error)) from None


@lru_cache(KEPT_CHOICES)
def _chosen_of(
    where: str, names: tuple[str, ...], inputs: tuple[str, ...], photometry: tuple[tuple[str, str], ...], extras: Extras
) -> Choice:
    # Remembered, because nearly all requests have the same names, and this takes longer than a small network.
    columns = tuple(Column(name, pa.float64()) for name in names)
    table = OpenTable(where, columns, 0, lambda _names, _first: iter(()))
    return choose_columns(table, inputs, None, dict(photometry), extras)


def _limited(rows: list[dict], choice: Choice, items: Sequence[Input]) -> list[dict]:
    """Put limits, where `taken_as_limits` finds them, in the place of magnitudes that were not detected."""
    rows = [dict(row) for row in rows]
    for column in (column for item in items for column in item.magnitudes if column in choice.errors):
        name, error = choice.columns[column].name, choice.errors[column].name
        cells = {key: pa.array([_number(row.get(key)) for row in rows], from_pandas=True) for key in (name, error)}
        for row, limit in zip(rows, taken_as_limits(pa.table(cells), choice, column).tolist(), strict=True):
            if not math.isnan(limit):
                row[name], row[error] = limit, LIMIT_ERROR
    return rows


def _cells(model: Model, item: Input, choice: Choice, chosen: dict[str, Chosen], where: str, row: dict) -> list[object]:
    """Return an input's magnitudes of a row; a model of several inputs takes those that the row has."""
    present = [column for column in chosen if chosen[column].name in row]
    if not present and len(model.inputs) > 1:
        known = [choice.columns[column].name for column in choice.columns]
        if not set(known) & set(row):
            names = [column for other in model.inputs for column in other.columns]
            raise refused(where, f"some of {', '.join(names)}", ", ".join(row))
        return [None] * len(chosen)
    if len(present) < len(chosen) and not (item.gaps and present):
        # Some may be named and not chosen: too few of one kind.
        known = columns_named(row).union(present)
        column = next((column for column in chosen if column not in known), next(iter(chosen)))
        raise refused(where, f"{column} (or {short_name(column)})", ", ".join(row))
    return [_converted(one, row.get(one.name)) for one in chosen.values()]


def _errors(item: Input, choice: Choice, row: dict) -> list[float]:
    """Return the errors of a row's magnitudes, NaN where one is unknown or absurd."""
    found = []
    for column in item.magnitudes if item.errors else ():
        error, value = choice.errors.get(column), np.nan
        if error is not None:
            cell, of = (np.array([_number(row.get(name))]) for name in (error.name, choice.columns[column].name))
            value = float(error.magnitudes(cell, of)[0])
        found.append(value)
    return found


def _converted(chosen: Chosen, value: object) -> object:
    if chosen.convert is None or math.isnan(number := _number(value)):
        return value
    if number in NO_FLUX:
        return None
    magnitude = float(chosen.convert(np.array([number]))[0])
    return magnitude if math.isfinite(magnitude) else None


def _table(item: Input, rows: list[list[object]], name: str) -> Loaded:
    values = np.full((len(rows), len(item.columns)), np.nan, item.dtype)
    flags, problems = np.zeros(len(rows), np.int32), {}
    for position, row in enumerate(rows):
        # Errors may be left out.
        for column, (key, value) in enumerate(zip(item.columns, row, strict=False)):
            quantity = QUANTITIES[key]
            if key not in item.magnitudes:
                known = _is_number(value) and quantity.low < value < quantity.high and value not in quantity.sentinels
                values[position, column] = value if known else np.nan
                continue
            if value is None or (_is_number(value) and value in quantity.sentinels):
                flags[position] |= Flag.MISSING
            elif not _is_number(value):
                raise refused(f"{name}[{position}].{key}", "a number or null", value)
            elif not quantity.low < value < quantity.high:
                flags[position] |= Flag.BAD_INPUT
                text = f"{key}: expected {expected_number(quantity, False)}, found {value}"
                problems[position] = "; ".join(filter(None, (problems.get(position), text)))
            else:
                values[position, column] = value
    if item.errors:
        measured, errors = values[:, : item.errors], values[:, item.errors : 2 * item.errors]
        errors[np.isnan(measured)] = np.nan
    return Loaded(values, flags, problems)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _number(value: object) -> float:
    """Return a number; NaN for what is none, or too large for a float."""
    try:
        return float(value) if _is_number(value) else math.nan
    except OverflowError:
        return math.nan
