"""Train a model from Python: on a table, without a command and without a store."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.csv

from common.data.sources.memory import WHERE, named_columns, opened_in_memory
from common.data.task import task_of
from common.models.described import MODEL_FILE
from common.models.light import open_light
from common.models.light_export import OBJECTS, write_light
from common.models.model import Model
from common.models.opening import load
from common.models.packed import pack
from common.options import TrainingOptions
from common.project import FUSE, ModelFolder, functions_of, parse_options, read_folder, read_project
from common.training.processes import Silent, model_folder
from common.training.session import Session
from sdss_gs.errors import DataError, OptionError, ZooError
from sdss_gs.schema import CATALOGUE_FILE
from sdss_gs.tables.columns import TABLES, choose_columns
from sdss_gs.tables.identifiers import id_column
from sdss_gs.tables.readers import OpenTable, open_tables, split_number

NEVER = ("ds", "resume", "folds")
"""Options that only a command has, which keeps a record."""


def train(name: str | Path, table: object, **options: object) -> Model:
    """Train a model on a table, as the command does, and return it.

    Nothing is recorded, judged or stored: test objects, if the split leaves any, are the caller's to judge it on.

    Parameters
    ----------
    name : str or path-like
        Model folder of the repository, such as ``b2r``, or another one.
    table : table or path-like
        A table of pandas, polars, pyarrow or astropy, or a dict of columns, with what ``data.csv`` has: the model's
        magnitudes, their errors (``modelMagErr_u``), what it learns (``redshift``), and ``objid``, an integer by whose
        hash the parts are chosen; without ids rows are numbered. Or a file of such a table; or a data set's folder.
    **options
        Those of ``train.py``, see ``docs/options.md``: ``epochs=5``, ``split="all"``.

    Returns
    -------
    Model
        Run by onnxruntime where its network has a light form, else by Keras; see `Model.to_bytes` to keep it.

    Raises
    ------
    ZooError
        If the folder, an option or the table cannot be used.
    """
    folder = model_folder(name, "name")
    if never := [key for key in options if key in NEVER]:
        raise OptionError(f"{never[0]}: expected an option of a training in Python, found one of the command")
    functions = functions_of(folder)
    project = (read_folder if FUSE in functions else read_project)(folder)
    parsed = parse_options(project, [f"--{key}={value}" for key, value in options.items()])
    with TemporaryDirectory(prefix="zoo-train-") as place:
        if _is_dataset(table):
            return _trained(project, parsed, functions, Path(table), Path(place))
        try:
            _write(table, project, parsed, Path(place))
            return _trained(project, parsed, functions, Path(place), Path(place))
        except ZooError as error:
            # Nobody but this function knows the copy.
            raise ZooError(str(error).replace(f"{place}/{CATALOGUE_FILE}", WHERE).replace(place, WHERE)) from None


def _is_dataset(table: object) -> bool:
    return isinstance(table, str | os.PathLike) and (Path(table) / CATALOGUE_FILE).is_file()


def _write(table: object, project: ModelFolder, options: TrainingOptions, folder: Path) -> None:
    """Write a table as the ``data.csv`` of a data set."""
    inputs = [item.name for item in task_of(project, options).inputs]
    opened = _opened(table)
    choice = choose_columns(opened, [name for name in inputs if name in TABLES])
    for name in (one.name for one in choice.columns.values() if one.convert and opened.column(one.name).unit):
        # Text has no units: what predictions convert would be learnt as it stands.
        unit = opened.column(name).unit
        raise DataError(f"{opened.where}: column {name}: expected magnitudes to learn from, found {unit}")
    if files := [name for name in inputs if name not in TABLES]:
        raise OptionError(f"{project.name}: expected the folder of a data set with {files[0]}, found a table")
    pieces = list(opened.batches(opened.names, 0))
    if not pieces:
        raise DataError(f"{opened.where}: expected at least one row, found none")
    whole = pa.concat_tables(pieces)
    if not id_column(opened):
        whole = whole.add_column(0, "objid", pa.array(np.arange(len(whole))))
    pa.csv.write_csv(whole, folder / CATALOGUE_FILE)


def _opened(table: object) -> OpenTable:
    if isinstance(table, str | os.PathLike):
        path, number = split_number(Path(table))
        if not path.exists():
            raise DataError(f"{path}: no such file or folder")
        first, *others = open_tables(path, number)
        if others:
            raise OptionError(f"{path}: expected one table, found {len(others) + 1}; say which, as file[number]")
        return first
    opened = named_columns(table) if isinstance(table, Mapping) else opened_in_memory(table)
    if opened is None:
        raise OptionError(f"{WHERE}: expected a table or a path, found {type(table).__name__}")
    return opened


def _trained(
    project: ModelFolder, options: TrainingOptions, functions: dict[str, Callable], data: Path, folder: Path
) -> Model:
    """Train on a data set; `folder` is for what is in between."""
    session = Session(project, Silent(folder / "logs"), replace(options, ds=str(data)), functions)
    session.train()
    # Only here, as in `common.train`: it draws and judges.
    from common.training.keeping import best_model

    model, _ = best_model(session)
    (file,) = model.runtime.files().values()
    light = write_light(model, session.data.gather(session.data.parts["train"][:OBJECTS]), folder)
    files = open_light(folder, light.files).files() if light.files else {MODEL_FILE: file}
    return load(pack(model.name, "", sha256(file).hexdigest(), model.facts() | {"light": light.said}, files))
