"""Train a model from Python: on a table, without a command and without a store."""

from __future__ import annotations

import contextlib
import io
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

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
from sdss_gs.logs import LOG
from sdss_gs.schema import CATALOGUE_FILE
from sdss_gs.tables.columns import TABLES, choose_columns
from sdss_gs.tables.identifiers import id_column
from sdss_gs.tables.readers import OpenTable, open_tables, split_number

if TYPE_CHECKING:
    from common.judge.judged import Judged

NEVER = ("ds", "resume", "folds")
"""Options that only a command has, which keeps a record."""


def train(name: str | Path, table: object, **options: object) -> Model:
    """Train a model on a table, as the command does, and return it.

    Nothing is recorded, judged or stored: test objects, if the split leaves any, are the caller's to judge it on, or
    `train_and_judge` does it.

    Parameters
    ----------
    name : str or path-like
        Model folder of the repository, such as ``b2r``, or another one.
    table : table or path-like
        A table of pandas, polars, pyarrow or astropy, or a dict of columns, with what ``data.csv`` has: the model's
        magnitudes, their errors (``modelMagErr_u``), what it learns (``redshift``), and ``objid``, an integer by whose
        hash the parts are chosen; without ids rows are numbered. Or a file of such a table; or a data set's folder.
    **options
        Those of ``train.py``, see ``docs/reference/options.md``: ``epochs=5``, ``split="all"``.

    Returns
    -------
    Model
        Run by onnxruntime where its network has a light form, else by Keras; see `Model.to_bytes` to keep it.

    Raises
    ------
    ZooError
        If the folder, an option or the table cannot be used.
    """
    return _trained(name, table, options, _kept)


def train_and_judge(name: str | Path, table: object, **options: object) -> Judged:
    """Train a model as `train` does, and judge it on the test objects beside its baselines.

    Parameters
    ----------
    name, table, **options
        As for `train`; a `split` that leaves test objects.

    Returns
    -------
    Judged
        The model, its scores with intervals, the pictures and the report.

    Raises
    ------
    ZooError
        As for `train`, and if there are no test objects.
    """
    return _trained(name, table, options, _judged)


def _trained(name: str | Path, table: object, options: Mapping[str, object], end: Callable) -> Model | Judged:
    """Train on what `train` takes; return what `end` makes of the session and a folder for what is in between."""
    folder = model_folder(name, "name")
    if never := [key for key in options if key in NEVER]:
        raise OptionError(f"{never[0]}: expected an option of a training in Python, found one of the command")
    functions = functions_of(folder)
    project = (read_folder if FUSE in functions else read_project)(folder)
    parsed = parse_options(project, [f"--{key}={value}" for key, value in options.items()])
    with TemporaryDirectory(prefix="zoo-train-") as place:
        given = _is_dataset(table)
        # As the program says it, whose folder need not be the one in which MLflow's process began.
        data = Path(table).absolute() if given else Path(place) / WHERE
        try:
            if not given:
                data.mkdir()
                _write(table, project, parsed, data)
            with _quietly(project.name):
                record = Silent(Path(place) / "logs")
                session = Session(project, record, replace(parsed, ds=str(data)), functions)
                return end(session, Path(place))
        except ZooError as error:
            if given:
                raise
            # Nobody but this function knows the copy.
            raise ZooError(str(error).replace(f"{data}/{CATALOGUE_FILE}", WHERE).replace(str(data), WHERE)) from None


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


@contextlib.contextmanager
def _quietly(name: str) -> Iterator[None]:
    """Print nothing: what a command tells whoever typed it goes to the log."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        yield
    for line in said.getvalue().splitlines():
        LOG.info("%s: %s", name, line.strip())


def _kept(session: Session, folder: Path) -> Model:
    """Train, and make the model of the best epoch."""
    session.train()
    # Only here and below, as in `common.train`: it draws and judges.
    from common.training.keeping import best_model

    model, _ = best_model(session)
    return _light(session, model, folder)


def _judged(session: Session, folder: Path) -> Judged:
    """Train, and judge the model of the best epoch on the test objects."""
    data = session.data
    if not data.tested:
        raise OptionError(f"split: expected one that leaves test objects to judge by, found {session.options.split}")
    session.train()
    from common.judge.judged import Judged
    from common.judge.views import validation_scores
    from common.training.keeping import best_model, summarise

    model, predicted = best_model(session)
    summary = summarise(session, model, validation_scores(data, predicted))
    # A report is sent to others, and the copy of a table is gone.
    description = data.description().replace(str(data.folder), data.folder.name)
    summary = replace(summary, data=summary.data | {"description": description})
    return Judged(_light(session, model, folder), summary)


def _light(session: Session, model: Model, folder: Path) -> Model:
    """Open a model as `to_bytes` and `load` make it: by its light form where it has one."""
    (file,) = model.runtime.files().values()
    light = write_light(model, session.data.gather(session.data.parts["train"][:OBJECTS]), folder)
    files = open_light(folder, light.files).files() if light.files else {MODEL_FILE: file}
    return load(pack(model.name, "", sha256(file).hexdigest(), model.facts() | {"light": light.said}, files))
