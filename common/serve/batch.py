"""Objects in the JSON body of a request: rows of named magnitudes, or arrays."""

from __future__ import annotations

import json

import numpy as np
from fastapi import HTTPException

from common.data.sources import Loaded
from common.models.model import Model
from common.outputs.column import GRID, QUANTILES
from common.serve.magnitudes import named_rows, plain_rows
from common.serve.refusals import refused
from sdss_gs.schema import Input
from sdss_gs.tables.columns import Extras, extras_of
from sdss_gs.tables.names import STATEMENTS

ROWS, ARRAYS, PDF, LIMITS, PHOTOMETRY = "rows", "arrays", "pdf", "limits", "photometry"
EXAMPLE = {ROWS: [{"u": 19.5, "g": 18.1, "r": 17.3, "i": 16.9, "z": 16.6}]}
STATED = " or ".join(f'"{word}"' for word in STATEMENTS)
PDF_SCHEMA = {
    "type": "string",
    "enum": [GRID, QUANTILES],
    "description": "give distributions too: as densities in bins, or as quantiles",
}
SCHEMA = {
    "type": "object",
    "properties": {
        ROWS: {"type": "array", "items": {"type": "object"}, "description": "magnitudes by name, null where missing"},
        ARRAYS: {
            "description": "lists in the order of a model's columns, or of its shape; by input where it has several",
            "oneOf": [{"type": "array"}, {"type": "object"}],
        },
        PDF: PDF_SCHEMA,
        LIMITS: {"type": "boolean", "description": "take 99 with a magnitude as its error as a limit"},
        PHOTOMETRY: {
            "type": "string",
            "enum": list(STATEMENTS),
            "description": "whether magnitudes are corrected for the Galaxy's extinction, where their names do not say",
        },
    },
    "oneOf": [{"required": [ROWS]}, {"required": [ARRAYS]}],
    "additionalProperties": False,
}
"""Of a body, for OpenAPI."""


def read_body(body: bytes) -> dict:
    """Read a JSON body.

    Parameters
    ----------
    body : bytes
        ``{"rows": [{"u": 19.5, …}, …]}``, or ``{"arrays": [[…], …]}``, by input where a model has several:
        ``{"arrays": {"img": […], "wise": […]}}``. Beside either, ``"pdf"``, see `Model.with_pdf`, ``"limits"`` and
        ``"photometry"``, see `Extras`.

    Returns
    -------
    dict
        By these keys, of which the last three are always there.

    Raises
    ------
    HTTPException
        400 for what is no JSON, 422 for other keys, or values that cannot be.
    """
    try:
        content = json.loads(body, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise HTTPException(400, f"body: expected JSON such as {json.dumps(EXAMPLE)}, found {error}") from None
    keys = [key for key in (ROWS, ARRAYS) if isinstance(content, dict) and key in content]
    if len(keys) != 1:
        raise refused("body", f'an object with either "{ROWS}" or "{ARRAYS}"', content)
    if unknown := [key for key in content if key not in (*keys, PDF, LIMITS, PHOTOMETRY)]:
        raise refused("body", f'no keys but "{keys[0]}", "{PDF}", "{LIMITS}" and "{PHOTOMETRY}"', unknown[0])
    content = {PDF: "", LIMITS: False, PHOTOMETRY: ""} | content
    kinds = ((PDF, str, f'"{GRID}" or "{QUANTILES}"'), (LIMITS, bool, "true or false"), (PHOTOMETRY, str, STATED))
    for key, kind, expected in kinds:
        if not isinstance(content[key], kind):
            raise refused(key, expected, content[key])
    if content[PHOTOMETRY] not in ("", *STATEMENTS):
        raise refused(PHOTOMETRY, STATED, content[PHOTOMETRY])
    return content


def read_batch(model: Model, content: dict, most: int) -> dict[str, Loaded]:
    """Read the objects of a body.

    Parameters
    ----------
    model : Model
    content : dict
        As from `read_body`. A magnitude of null, or one by which surveys write "not measured", is missing. Where a
        model has several inputs, each may be left out.
    most : int
        Objects at most.

    Returns
    -------
    dict of str to Loaded
        By input.

    Raises
    ------
    HTTPException
        413 for too many objects, 422 for values that cannot be.
    """
    extras = extras_of(model.inputs, content[LIMITS], content[PHOTOMETRY])
    if ROWS not in content:
        return _arrays_by_input(model, content[ARRAYS], most, extras)
    rows = _listed(ROWS, content[ROWS], most)
    if not any(item.columns for item in model.inputs):
        shape = _size(model.shapes[model.inputs[0].name])
        raise HTTPException(422, f'body: expected "{ARRAYS}" of {shape} numbers each for {model.name}, found "{ROWS}"')
    return named_rows(model, rows, ROWS, extras)


def _no_constant(name: str) -> None:
    raise HTTPException(422, f"body: expected finite numbers or null, found {name}")


def _listed(name: str, objects: object, most: int) -> list:
    if not isinstance(objects, list) or not objects:
        raise refused(name, "a list of at least one object", objects)
    if len(objects) > most:
        raise HTTPException(413, f"{name}: expected at most {most} objects, found {len(objects)}")
    return objects


def _arrays_by_input(model: Model, arrays: object, most: int, extras: Extras) -> dict[str, Loaded]:
    alone = len(model.inputs) == 1
    if alone:
        arrays = {model.inputs[0].name: arrays}
    elif not isinstance(arrays, dict) or not arrays or not set(arrays) <= set(model.shapes):
        raise refused(ARRAYS, f"lists by input ({', '.join(model.shapes)}) for {model.name}", arrays)
    loaded = {}
    for item in [item for item in model.inputs if item.name in arrays]:
        name = ARRAYS if alone else f"{ARRAYS}.{item.name}"
        objects = _listed(name, arrays[item.name], most)
        if item.columns:
            loaded[item.name] = plain_rows(item, objects, name, extras)
        else:
            loaded[item.name] = _arrays(item, model.shapes[item.name], objects, name)
    lengths = {len(one.flags) for one in loaded.values()}
    if len(lengths) > 1:
        raise HTTPException(422, f"{ARRAYS}: expected equally many objects of each input, found {sorted(lengths)}")
    return loaded


def _arrays(item: Input, wanted: tuple[int, ...], objects: list, name: str) -> Loaded:
    shape = _size(wanted)
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
        raise refused(f"{name}[{np.argwhere(wrong)[0][0]}]", expected, array[wrong][0].item())
    return Loaded(values, np.zeros(len(values), np.int32))


def _size(shape: tuple[int, ...]) -> str:
    return " × ".join(map(str, shape))
