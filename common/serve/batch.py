"""Objects in the JSON body of a request: rows of named magnitudes, or arrays."""

from __future__ import annotations

import json
import math
from functools import lru_cache

import numpy as np
import pyarrow as pa
from fastapi import HTTPException

from common.data.sources import Loaded
from common.models.model import Model
from common.outputs.flags import Flag
from sdss_gs.errors import ZooError
from sdss_gs.schema import QUANTITIES, Input
from sdss_gs.tables.cells import expected_number
from sdss_gs.tables.columns import Choice, Chosen, Extras, choose_columns, extras_of
from sdss_gs.tables.names import short_name
from sdss_gs.tables.readers.table import Column, OpenTable
from sdss_gs.tables.units import NO_FLUX

ROWS, ARRAYS = "rows", "arrays"
EXAMPLE = {"rows": [{"u": 19.5, "g": 18.1, "r": 17.3, "i": 16.9, "z": 16.6}]}
SHOWN = 60
"""Characters of a wrong value that an error repeats."""
KEPT_CHOICES, KEPT_CHARACTERS = 64, 1000
"""How many sets of names are remembered, and how long one may be: nobody fills the memory with names."""


def read_batch(model: Model, body: bytes, most: int) -> dict[str, Loaded]:
    """Read the objects of a JSON body.

    Parameters
    ----------
    model : Model
    body : bytes
        ``{"rows": [{"u": 19.5, …}, …]}``, or ``{"arrays": [[…], …]}``, by input where the model has several:
        ``{"arrays": {"img": […], "wise": […]}}``. A magnitude of null, or one by which surveys write "not measured",
        is missing. Where a model has several inputs, each may be left out.
    most : int
        Objects at most.

    Returns
    -------
    dict of str to Loaded
        By input.

    Raises
    ------
    HTTPException
        400 for what is no JSON, 413 for too many objects, 422 for values that cannot be.
    """
    try:
        content = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, f"body: expected JSON such as {json.dumps(EXAMPLE)}, found {error}") from None
    keys = [key for key in (ROWS, ARRAYS) if isinstance(content, dict) and key in content]
    if len(keys) != 1:
        raise _refused("body", f'an object with either "{ROWS}" or "{ARRAYS}"', content)
    if keys == [ROWS]:
        return _rows(model, _listed(ROWS, content[ROWS], most))
    return _arrays_by_input(model, content[ARRAYS], most)


def _no_constant(name: str) -> None:
    raise HTTPException(422, f"body: expected finite numbers or null, found {name}")


def _listed(name: str, objects: object, most: int) -> list:
    if not isinstance(objects, list) or not objects:
        raise _refused(name, "a list of at least one object", objects)
    if len(objects) > most:
        raise HTTPException(413, f"{name}: expected at most {most} objects, found {len(objects)}")
    return objects


def _rows(model: Model, rows: list) -> dict[str, Loaded]:
    """Read rows of named magnitudes; a model with several inputs takes those that a row has."""
    items = [item for item in model.inputs if item.columns]
    if not items:
        shape = _size(model.shapes[model.inputs[0].name])
        raise HTTPException(422, f'body: expected "{ARRAYS}" of {shape} numbers each for {model.name}, found "{ROWS}"')
    for position, row in enumerate(rows):
        if not isinstance(row, dict):
            raise _refused(f"{ROWS}[{position}]", "an object with a magnitude by name", row)
    choice = _choice(model, items, rows)
    loaded = {}
    for item in items:
        chosen = {column: choice.columns.get(column, Chosen(column)) for column in item.magnitudes}
        cells = [
            [*_cells(model, item, choice, chosen, position, row), *_errors(item, choice, row)]
            for position, row in enumerate(rows)
        ]
        loaded[item.name] = _table(item, cells, ROWS)
        learnt = model.photometry().get(item.name, "")
        if learnt and choice.photometry.get(item.name, "") not in ("", learnt):
            loaded[item.name].flags |= int(Flag.OTHER_MAGNITUDE)
    return loaded


def _choice(model: Model, items: list[Input], rows: list[dict]) -> Choice:
    """Find the magnitudes by name, as in a catalogue that has the columns of all rows."""
    names = tuple(dict.fromkeys(key for row in rows for key in row))
    chosen = _chosen_of if sum(map(len, names)) <= KEPT_CHARACTERS else _chosen_of.__wrapped__
    try:
        return chosen(names, tuple(item.name for item in items), tuple(model.photometry().items()), extras_of(items))
    except ZooError as error:
        raise HTTPException(422, str(error)) from None


@lru_cache(KEPT_CHOICES)
def _chosen_of(
    names: tuple[str, ...], inputs: tuple[str, ...], photometry: tuple[tuple[str, str], ...], extras: Extras
) -> Choice:
    # Remembered, because nearly all requests have the same names, and this takes longer than a small network.
    columns = tuple(Column(name, pa.float64()) for name in names)
    table = OpenTable(ROWS, columns, 0, lambda _names, _first: iter(()))
    return choose_columns(table, inputs, None, dict(photometry), extras)


def _cells(
    model: Model, item: Input, choice: Choice, chosen: dict[str, Chosen], position: int, row: dict
) -> list[object]:
    """Return an input's magnitudes of a row; a model of several inputs takes those that the row has."""
    present = [column for column in chosen if chosen[column].name in row]
    where = f"{ROWS}[{position}]"
    if not present and len(model.inputs) > 1:
        known = [choice.columns[column].name for column in choice.columns]
        if not set(known) & set(row):
            names = [column for other in model.inputs for column in other.columns]
            raise _refused(where, f"some of {', '.join(names)}", ", ".join(row))
        return [None] * len(chosen)
    for column in chosen:
        if column not in present and not (item.gaps and present):
            raise _refused(where, f"{column} (or {short_name(column)})", ", ".join(row))
    return [_converted(one, row.get(one.name)) for one in chosen.values()]


def _errors(item: Input, choice: Choice, row: dict) -> list[float | None]:
    """Return the errors of a row's magnitudes, None where one is unknown or absurd."""
    found = []
    for column in item.magnitudes if item.errors else ():
        error, value = choice.errors.get(column), None
        cell, of = (row.get(one.name) if one else None for one in (error, choice.columns.get(column)))
        if error is not None and _is_number(cell) and _is_number(of):
            value = float(error.magnitudes(np.array([float(cell)]), np.array([float(of)]))[0])
        found.append(value)
    return found


def _converted(chosen: Chosen, value: object) -> object:
    if chosen.convert is None or not _is_number(value):
        return value
    if value in NO_FLUX:
        return None
    magnitude = float(chosen.convert(np.array([float(value)]))[0])
    return magnitude if math.isfinite(magnitude) else None


def _table(item: Input, rows: list[list[object]], name: str) -> Loaded:
    values = np.full((len(rows), len(item.columns)), np.nan, item.dtype)
    flags = np.zeros(len(rows), np.int32)
    for position, row in enumerate(rows):
        # Errors may be left out.
        for column, (key, value) in enumerate(zip(item.columns, row, strict=False)):
            quantity = QUANTITIES[key]
            if key not in item.magnitudes:
                known = _is_number(value) and quantity.low < value < quantity.high and value not in quantity.sentinels
                values[position, column] = value if known else np.nan
                continue
            if value is None or (_is_number(value) and value in quantity.sentinels):
                flags[position] = Flag.MISSING
                continue
            where = f"{name}[{position}].{key}"
            if not _is_number(value):
                raise _refused(where, "a number or null", value)
            if not quantity.low < value < quantity.high:
                raise _refused(where, expected_number(quantity, False), value)
            values[position, column] = value
    return Loaded(values, flags)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _arrays_by_input(model: Model, arrays: object, most: int) -> dict[str, Loaded]:
    alone = len(model.inputs) == 1
    if alone:
        arrays = {model.inputs[0].name: arrays}
    elif not isinstance(arrays, dict) or not arrays or not set(arrays) <= set(model.shapes):
        raise _refused(ARRAYS, f"lists by input ({', '.join(model.shapes)}) for {model.name}", arrays)
    loaded = {}
    for item in [item for item in model.inputs if item.name in arrays]:
        name = ARRAYS if alone else f"{ARRAYS}.{item.name}"
        loaded[item.name] = _arrays(item, model.shapes[item.name], _listed(name, arrays[item.name], most), name)
    lengths = {len(one.flags) for one in loaded.values()}
    if len(lengths) > 1:
        raise HTTPException(422, f"{ARRAYS}: expected equally many objects of each input, found {sorted(lengths)}")
    return loaded


def _arrays(item: Input, wanted: tuple[int, ...], objects: list, name: str) -> Loaded:
    shape = _size(wanted)
    if item.columns:
        for position, row in enumerate(objects):
            if not isinstance(row, list) or len(row) not in (len(item.columns), len(item.magnitudes)):
                raise _refused(f"{name}[{position}]", f"{shape} numbers ({', '.join(item.columns)})", row)
        return _table(item, objects, name)
    try:
        array = np.array(objects)
    except (ValueError, OverflowError):
        array = np.array([None])
    if array.dtype.kind not in "iuf":
        text = f"{name}: expected {shape} finite numbers each, found lists of unequal length or no numbers"
        raise HTTPException(422, text)
    if array.shape[1:] != wanted:
        sent = _size(array.shape[1:]) or "single numbers"
        raise HTTPException(422, f"{name}: expected {shape} numbers each, found {sent}")
    with np.errstate(over="ignore", invalid="ignore"):
        values = array.astype(item.dtype)
    wrong = ~np.isfinite(values) if values.dtype.kind == "f" else values != array
    if wrong.any():
        expected = "finite numbers" if values.dtype.kind == "f" else "whole numbers from 0 to 255"
        raise _refused(f"{name}[{np.argwhere(wrong)[0][0]}]", expected, array[wrong][0].item())
    return Loaded(values, np.zeros(len(values), np.int32))


def _size(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))


def _refused(where: str, expected: str, sent: object) -> HTTPException:
    return HTTPException(422, f"{where}: expected {expected}, found {_shown(sent)}")


def _shown(value: object) -> str:
    if isinstance(value, list | dict):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of length {len(value)}"
    if isinstance(value, float) and math.isinf(value):
        return "a number too large for a computer"
    try:
        text = value if isinstance(value, str) else json.dumps(value)
    except ValueError:
        text = "a number of over 4300 digits"
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
