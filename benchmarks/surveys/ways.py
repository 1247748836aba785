"""What can be done with a new survey: a model as it is, adapted by command, fine-tuned, or trained from nothing."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from common import load
from common.data.photometry import option_of
from common.data.task import Task
from common.data.training_data import TrainingData
from common.judge.views import predict_part
from common.models.model import ANY, Model
from common.models.running import KERAS
from common.options import TrainingOptions, typed
from common.outputs.calibration import LEVELS
from common.outputs.kinds import kind_of
from common.project import read_project
from common.runs.store_location import REPOSITORY
from common.training.from_python import train
from common.training.start import pace
from sdss_gs.errors import ZooError
from sdss_gs.schema import CATALOGUE_FILE
from sdss_gs.split import COLUMN, USUAL_COLUMN, split
from sdss_gs.tables.columns import DUSTY

from .scores import Answers

STORED = re.compile(r"^model +models:/(\S+/\d+)$", re.MULTILINE)
"""How a training says what it stored."""
ONE_OF = 7
TRUTHS = ("shape", "stellarmass", "redshift")
"""Columns that may be learnt; of several the first."""


def command(model: str, entry_point: str, options: Mapping[str, object], work: Path) -> str:
    """Run an entry point of a model folder by its ``train.py``; return the version that it stored, ``b2r/2``.

    Parameters
    ----------
    model : str
        Folder.
    entry_point : str
        ``main``, ``adapt``.
    options : mapping of str to object
    work : Path
        Where it runs, and its output is kept.

    Raises
    ------
    ZooError
        If it fails, with the last line that it wrote.
    """
    first = [] if entry_point == "main" else [entry_point]
    arguments = [*first, *(f"--{name}={value}" for name, value in options.items())]
    done = subprocess.run(
        [sys.executable, str(REPOSITORY / model / "train.py"), *arguments], cwd=work, text=True, capture_output=True
    )
    lines = (done.stdout + done.stderr).strip().splitlines()
    (work / "last.log").write_text("\n".join([" ".join(arguments), *lines]))
    if done.returncode or not (found := STORED.search(done.stdout)):
        raise ZooError(f"{model} {' '.join(arguments)}: exit code {done.returncode}: {lines[-1] if lines else ''}")
    return found[1]


def with_labels(new: Path, folder: Path, count: int | None, draw: int, tested: bool = False) -> Path:
    """Write a survey of whose objects only so many have a label that may be learnt from, drawn by chance.

    Parameters
    ----------
    new : Path
        Survey with labels.
    folder : Path
        Where it is to be.
    count, draw : int
        How many, all if there are fewer or with None; which draw.
    tested : bool
        Leave those labels too that no training with ``split=hash`` learns from.
    """
    if (folder / CATALOGUE_FILE).is_file():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    table = pd.read_csv(new / CATALOGUE_FILE)
    never = split(table["objid"].to_numpy())["test"]
    others = np.setdiff1d(np.arange(len(table)), never)
    hidden = np.random.default_rng(draw).permutation(others)[len(others) if count is None else count :]
    hidden = hidden if tested else np.concatenate([hidden, never])
    for name in (name for name in TRUTHS if name in table):
        table.loc[table.index[hidden], name] = np.nan
    if (new / "img").is_dir() and not (folder / "img").exists():
        (folder / "img").symlink_to((new / "img").resolve(), target_is_directory=True)
    divided(table, draw).to_csv(folder / CATALOGUE_FILE, index=False)
    return folder


def divided(table: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Say in a column which objects train, and which choose the epoch and fit intervals: every `ONE_OF`th with a label.

    Not by ids: they decide which labels may be learnt from, see `with_labels`.
    """
    truth = next(name for name in TRUTHS if name in table)
    known = np.random.default_rng(seed).permutation(np.flatnonzero(table[truth].notna()))
    labels = table[truth].to_numpy()[known]
    part = np.full(len(table), "train", object)
    # Of classes some of each, however rare.
    for label in np.unique(labels) if labels.dtype == object else [None]:
        part[known[labels == label if label else slice(None)][::ONE_OF]] = "validation"
    return table.assign(**{USUAL_COLUMN: part})


def labels_in(new: Path, tested: bool = True) -> int:
    """Count the objects of a survey that have a label; without those `tested`, see `with_labels`."""
    table = pd.read_csv(new / CATALOGUE_FILE)
    if not tested:
        table = table.drop(index=table.index[split(table["objid"].to_numpy())["test"]])
    return int(max(table[name].notna().sum() for name in TRUTHS if name in table))


def joined(folders: list[Path], folder: Path, seed: int) -> Path:
    """Write several surveys as one; `seed` of what `divided` does."""
    if (folder / CATALOGUE_FILE).is_file():
        return folder
    folder.mkdir(parents=True)
    for one in folders:
        for path in (one / "img").glob("*.jpg"):
            (folder / "img").mkdir(exist_ok=True)
            (folder / "img" / path.name).symlink_to(path.resolve())
    table = pd.concat([pd.read_csv(one / CATALOGUE_FILE) for one in folders])
    divided(table.drop_duplicates("objid"), seed).to_csv(folder / CATALOGUE_FILE, index=False)
    return folder


def answers(model: Model, project: str, test: Path, whole: bool = True) -> Answers:
    """Predict test objects, and tell which truths the intervals hold.

    Parameters
    ----------
    model : Model
    project : str
        Its folder.
    test : Path
        Data set.
    whole : bool
        Take all its objects; else those that a model of this survey leaves for the test.
    """
    (output,) = model.outputs
    learnt = option_of(model.photometry().get(DUSTY, ""))
    options = typed(TrainingOptions, model.reading | {"ds": str(test), "photometry": learnt})
    task = Task(REPOSITORY / project, model.inputs, model.outputs, model.flat)
    data = TrainingData(task, options, whole=whole)
    predicted = predict_part(model, data, "test")[ANY][output.name][data.known("test", output.name)]
    truth, kind, calibration = data.truth("test", output.name), kind_of(output), model.calibrations[ANY][output.name]
    held = np.stack([kind.held(calibration, truth, predicted, level)[0] for level in LEVELS])
    return Answers(truth, kind.point(predicted), held)


def stored(address: str) -> Model:
    """Open a version of the store."""
    return load(address, KERAS)


def fitted(project: str, data: Path, options: Mapping[str, object]) -> Model:
    """Train a model on all labels of a data set that `divided` has divided.

    Of few labels a step has as few as where a training begins with a trained model, see `common.training.start.pace`.
    """
    defaults = read_project(REPOSITORY / project).defaults
    trained = labels_in(data) * (ONE_OF - 1) // ONE_OF
    paced = pace(typed(TrainingOptions, defaults | dict(options)), trained, defaults)
    return train(project, data, split=COLUMN, **dict(options) | {"batch_size": paced.batch_size})


def use_store(work: Path) -> None:
    """Let every training of this process and its commands be kept in a folder."""
    work.mkdir(parents=True, exist_ok=True)
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{work.resolve() / 'mlflow.db'}"
