"""Some galaxies, and what models say of them, as a table such as ``zoo predict`` writes."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from fastapi import HTTPException, Request

from common.data.sources import Loaded
from common.data.sources.files import ENDINGS, ending_of
from common.models.model import Model, columns_with_problem
from common.outputs.flags import Flag
from common.predict.formats_out import WRITERS
from common.predict.predict import described, side_by_side
from common.predict.results import ID_COLUMN
from common.predict.rows import Rows, stored
from common.serve.magnitudes import columns_named, named_rows
from common.serve.objects import Objects
from common.serve.refusals import refused
from common.serve.uploads import FIELDS, Upload, no_room, opened_form, read_upload
from sdss_gs.tables.columns import extras_of

MOST_GALAXIES = 100
"""Of one table: each is predicted by itself. ``zoo predict`` takes any number."""
FORMATS = {"csv": (".csv", "text/csv; charset=utf-8"), "votable": (".vot", "application/x-votable+xml")}
ID, GALAXIES, LISTED = "id", ("objid", "row", "file"), "row"
SCHEMA = {
    "type": "object",
    "description": f"The galaxies, {MOST_GALAXIES} at most, in their order: any of {', '.join(GALAXIES)}, repeated",
    "properties": {
        "objid": {"type": "array", "items": {"type": "string"}, "description": "galaxies of the data set"},
        "row": {
            "type": "array", "items": {"type": "string"},
            "description": f'magnitudes by name, as JSON; "{ID}" names the galaxy',
        },
        "file": {"type": "array", "items": {"type": "string", "format": "binary"}},
        "scale": {"type": "string", "description": "arcsec per pixel of the images that come after it"},
        "model": {"type": "array", "items": {"type": "string"}, "description": "by default all that take any of them"},
        "format": {"type": "string", "enum": list(FORMATS), "default": "csv"},
    },
    "additionalProperties": False,
}  # fmt: skip
"""Of the form."""
OPENAPI = {
    "openapi_extra": {"requestBody": {"required": True, "content": {"multipart/form-data": {"schema": SCHEMA}}}},
    "responses": {
        200: {"content": {media.partition(";")[0]: {"schema": {"type": "string"}} for _, media in FORMATS.values()}}
    },
}


@dataclass(frozen=True)
class Galaxy:
    """A galaxy that is asked about.

    Parameters
    ----------
    id : str
    taken_by : callable
        Tells of a model whether there is any of its inputs.
    load : callable
        Loads a model's inputs; raises HTTPException where one cannot enter.
    """

    id: str
    taken_by: Callable[[Model], bool]
    load: Callable[[Model], dict[str, Loaded]]


@dataclass(frozen=True)
class Asked:
    """What a table is to hold.

    Parameters
    ----------
    galaxies : list of Galaxy
    models : list of str
        Empty: all that take any of the galaxies.
    form : str
        One of `FORMATS`.
    id_name : str
        What the column of ids is called: ``objid`` where all galaxies are of the data set.
    """

    galaxies: list[Galaxy]
    models: list[str]
    form: str
    id_name: str


async def read_asked(request: Request, present: Callable[[], Objects]) -> Asked:
    """Read a form.

    Parameters
    ----------
    request : Request
    present : callable
        Returns the data set, or raises HTTPException where there is none.

    Raises
    ------
    HTTPException
        400, 415 or 422 for a form that is wrong, 404 for a galaxy that is not there, 507 if a file cannot be kept.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "multipart/form-data":
        raise HTTPException(415, f"content-type: expected multipart/form-data, found {kind[:60]!r}")
    galaxies, models, form, scale, kinds = [], [], "csv", "", set()
    async with opened_form(request, SCHEMA, MOST_GALAXIES, 3 * MOST_GALAXIES) as fields:
        for key, value in fields.multi_items():
            if isinstance(value, str) == (key == "file"):
                raise HTTPException(400, FIELDS)
            if key == "file":
                galaxies.append(_of_file(Upload(value.filename or "", await value.read(), scale)))
            elif key == "objid":
                galaxies.append(_of_data_set(present(), value))
            elif key == "row":
                galaxies.append(_of_row(value, len(galaxies)))
            elif key == "scale":
                scale = value.strip()
            elif key == "model":
                models.append(value)
            else:
                form = value
            kinds |= {key} & set(GALAXIES)
    if form not in FORMATS:
        raise refused("format", " or ".join(FORMATS), form)
    if not 0 < len(galaxies) <= MOST_GALAXIES:
        raise refused("form", f"1 to {MOST_GALAXIES} galaxies ({', '.join(GALAXIES)})", str(len(galaxies)))
    return Asked(galaxies, models, form, "objid" if kinds == {"objid"} else ID)


def write_table(asked: Asked, models: Mapping[str, Model]) -> tuple[bytes, str]:
    """Predict, and write a file.

    Parameters
    ----------
    asked : Asked
    models : mapping of str to Model
        Those that may answer.

    Returns
    -------
    content : bytes
    media : str
        Its media type.

    Raises
    ------
    HTTPException
        422 if no model takes any of the galaxies, 507 if there is no room for the file.
    """
    chosen = [one for one in models.values() if any(galaxy.taken_by(one) for galaxy in asked.galaxies)]
    if not chosen:
        raise refused("form", "a galaxy that a model takes", ", ".join(galaxy.id for galaxy in asked.galaxies))
    found = {}
    for model in chosen:
        each = [columns_with_problem(model, _loaded(model, galaxy)) for galaxy in asked.galaxies]
        found[model.name] = {name: np.concatenate([one[name] for one in each]) for name in each[0]}
    ids = {asked.id_name: pa.array([galaxy.id for galaxy in asked.galaxies], pa.string())}
    table = stored(side_by_side(chosen, found, ids))
    rows = Rows(lambda: iter([table]), len(table), {asked.id_name: ID_COLUMN, **described(chosen)})
    ending, media = FORMATS[asked.form]
    try:
        with tempfile.TemporaryDirectory(prefix="zoo-") as folder:
            path = Path(folder) / f"predictions{ending}"
            WRITERS[ending](rows, path)
            return path.read_bytes(), media
    except OSError as error:
        raise no_room(error) from None


def _loaded(model: Model, galaxy: Galaxy) -> dict[str, Loaded]:
    """Load a galaxy; what is missing, or cannot enter, is said in its row, as everywhere in a table."""
    if not galaxy.taken_by(model):
        return _nothing(model, Flag.MISSING)
    try:
        return galaxy.load(model)
    except HTTPException as error:
        if error.status_code not in (415, 422):
            raise
        # It is said in the galaxy's own row.
        return _nothing(model, Flag.BAD_INPUT, str(error.detail).removeprefix(f"{LISTED}[0]").lstrip(".: "))


def _nothing(model: Model, flag: Flag, problem: str = "") -> dict[str, Loaded]:
    item = model.inputs[0]
    values = np.full((1, *model.shapes[item.name]), np.nan if item.columns else 0, item.dtype)
    return {item.name: Loaded(values, np.array([int(flag)], np.int32), {0: problem} if problem else {})}


def _of_data_set(objects: Objects, objid: str) -> Galaxy:
    has = objects.about(objid)["inputs"]
    return Galaxy(
        objid, lambda model: any(has[item.name] for item in model.inputs), lambda model: objects.load(model, objid)
    )


def _of_file(upload: Upload) -> Galaxy:
    name, ending = Path(upload.name.replace("\\", "/")).name, ending_of(upload.name)
    inputs = set(ENDINGS.get(ending, ()))
    return Galaxy(
        name[: len(name) - len(ending)],
        lambda model: bool(inputs & {item.name for item in model.inputs}),
        lambda model: read_upload(model, upload),
    )


def _of_row(text: str, position: int) -> Galaxy:
    try:
        row = json.loads(text)
        # Half of a character, which JSON can escape, can be written to no file.
        json.dumps(row, ensure_ascii=False).encode()
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict):
        raise refused("row", 'magnitudes by name, as JSON: {"u": 19.5, "g": 18.1, …}', text)
    name = position + 1 if (given := row.pop(ID, None)) is None else given
    named = columns_named(row)

    def load(model: Model) -> dict[str, Loaded]:
        return named_rows(model, [row], LISTED, extras_of(model.inputs, False, ""))

    return Galaxy(str(name), lambda model: any(named & set(item.magnitudes) for item in model.inputs), load)
