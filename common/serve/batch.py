"""Objects in the JSON body of a request: rows of named magnitudes, or arrays."""

from __future__ import annotations

import json
import math

import numpy as np
from fastapi import HTTPException

from sdss_gs.cells import expected_number
from sdss_gs.schema import QUANTITIES

from ..flags import Flag
from ..model import Model
from ..sources.catalogue import WANTED

ROWS, ARRAYS = "rows", "arrays"
EXAMPLE = {"rows": [{"u": 19.5, "g": 18.1, "r": 17.3, "i": 16.9, "z": 16.6}]}
SHOWN = 60
"""Characters of a wrong value that an error repeats."""


def read_batch(model: Model, body: bytes, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Read the objects of a JSON body.

    Parameters
    ----------
    model : Model
    body : bytes
        ``{"rows": [{"u": 19.5, …}, …]}``, or ``{"arrays": [[…], …]}``. A magnitude of null, or one by which surveys
        write "not measured", is missing.
    most : int
        Objects at most.

    Returns
    -------
    values : ndarray, shape (n, *model.shape)
    flags : ndarray of int32, shape (n,)

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
    objects = content[keys[0]]
    if not isinstance(objects, list) or not objects:
        raise _refused(keys[0], "a list of at least one object", objects)
    if len(objects) > most:
        raise HTTPException(413, f"{keys[0]}: expected at most {most} objects, found {len(objects)}")
    if keys == [ARRAYS]:
        return _arrays(model, objects)
    if not model.item.columns:
        shape = " × ".join(map(str, model.shape))
        raise HTTPException(422, f'body: expected "{ARRAYS}" of {shape} numbers each for {model.name}, found "{ROWS}"')
    return _table(model, [_named(model, row, f"{ROWS}[{n}]") for n, row in enumerate(objects)], ROWS)


def _no_constant(name: str) -> None:
    raise HTTPException(422, f"body: expected finite numbers or null, found {name}")


def _named(model: Model, row: object, where: str) -> list[object]:
    """Find a row's magnitudes by their full or short names."""
    if not isinstance(row, dict):
        raise _refused(where, "an object with a magnitude by name", row)
    found = []
    for column in model.item.columns:
        key = next((key for key in (column, WANTED[column]) if key in row), None)
        if key is None:
            raise HTTPException(
                422, f"{where}: expected {column} (or {WANTED[column]}), found {_shown(', '.join(map(str, row)))}"
            )
        found.append(row[key])
    return found


def _table(model: Model, rows: list[list[object]], name: str) -> tuple[np.ndarray, np.ndarray]:
    values = np.zeros((len(rows), len(model.item.columns)), model.item.dtype)
    flags = np.zeros(len(rows), np.int32)
    for position, row in enumerate(rows):
        for column, (key, value) in enumerate(zip(model.item.columns, row, strict=True)):
            quantity = QUANTITIES[key]
            if value is None or (_is_number(value) and value in quantity.sentinels):
                flags[position] = Flag.MISSING
                continue
            where = f"{name}[{position}].{key}"
            if not _is_number(value):
                raise _refused(where, "a number or null", value)
            if not quantity.low < value < quantity.high:
                raise _refused(where, expected_number(quantity, False), value)
            values[position, column] = value
    return values, flags


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _arrays(model: Model, objects: list) -> tuple[np.ndarray, np.ndarray]:
    shape = " × ".join(map(str, model.shape))
    if model.item.columns:
        for position, row in enumerate(objects):
            if not isinstance(row, list) or len(row) != len(model.item.columns):
                raise _refused(f"{ARRAYS}[{position}]", f"{shape} numbers ({', '.join(model.item.columns)})", row)
        return _table(model, objects, ARRAYS)
    try:
        array = np.array(objects)
    except (ValueError, OverflowError):
        array = np.array([None])
    if array.dtype.kind not in "iuf":
        text = f"{ARRAYS}: expected {shape} finite numbers each, found lists of unequal length or no numbers"
        raise HTTPException(422, text)
    if array.shape[1:] != model.shape:
        found = " × ".join(map(str, array.shape[1:])) or "single numbers"
        raise HTTPException(422, f"{ARRAYS}: expected {shape} numbers each, found {found}")
    with np.errstate(over="ignore", invalid="ignore"):
        values = array.astype(model.item.dtype)
    wrong = ~np.isfinite(values) if values.dtype.kind == "f" else values != array
    if wrong.any():
        expected = "finite numbers" if values.dtype.kind == "f" else "whole numbers from 0 to 255"
        raise _refused(f"{ARRAYS}[{np.argwhere(wrong)[0][0]}]", expected, array[wrong][0].item())
    return values, np.zeros(len(values), np.int32)


def _refused(where: str, expected: str, found: object) -> HTTPException:
    return HTTPException(422, f"{where}: expected {expected}, found {_shown(found)}")


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
