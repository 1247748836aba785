"""The zoo's own model b2r, trained by a session and opened from a store like any other."""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np

from common import load
from common.models.model import Model
from common.options import TrainingOptions, typed
from common.outputs.calibration import LEVELS, percent
from common.outputs.column import GRID
from common.project import read_project
from common.runs.record import Run
from common.training.keeping import finish
from common.training.session import Session

from ..memory import own_peak
from ..networks import network_of
from ..settings import ARCHITECTURES
from ..startup import copy_models
from .answers import Answer, Fitted
from .galaxies import Galaxies, write

MODEL = "b2r"
FEW_EPOCHS = 3


def fit(galaxies: Galaxies, options: Mapping[str, object], work: Path, quick: bool = False) -> Fitted:
    """Train b2r on a data set of its own, with a store of its own.

    The time is that of the fit itself, with the validation after each epoch and the compilation of the network; what a
    run does besides (start, scores, baselines, report, storing) is not counted.

    Parameters
    ----------
    galaxies : Galaxies
        Of all parts: the zoo divides them itself.
    options : mapping
        In which the training differs from the defaults.
    work : Path
        A new folder.
    quick : bool
        Few epochs.
    """
    project = read_project(copy_models(work / "zoo") / MODEL)
    folder = write(galaxies, work / "galaxies")
    few = {"epochs": FEW_EPOCHS} if quick else {}
    values = project.defaults | few | dict(options) | {"ds": str(folder)}
    record = Run(project)
    functions = {name: network_of(project, name) for name in ARCHITECTURES}
    session = Session(project, record, typed(TrainingOptions, values), functions)
    began = time.process_time()
    session.train()
    cpu, peak = time.process_time() - began, own_peak()
    finish(session)
    record.end("FINISHED")
    model = load(MODEL)
    size = sum(map(len, model.runtime.contents.values()))
    return Fitted(partial(answer, model), cpu, peak, size)


def answer(model: Model, galaxies: Galaxies) -> Answer:
    """Predict galaxies as `Model.predict` does, with distributions where the model has these."""
    (item,), (output,) = model.inputs, model.outputs
    values = np.hstack([galaxies.magnitudes, galaxies.errors]) if item.errors else galaxies.magnitudes
    frame = model.predict({item.name: values}, pdf=GRID if output.grid else "")
    columns = {name: frame[name].to_numpy() for name in frame if name != f"{output.name}_pdf"}
    ends = {
        level: (columns[f"{output.name}_low_{percent(level)}"], columns[f"{output.name}_high_{percent(level)}"])
        for level in LEVELS
    }
    if not output.grid:
        return Answer(columns[output.name], ends)
    shares = np.stack(frame[f"{output.name}_pdf"].to_numpy()) * np.diff(output.grid)
    return Answer(columns[output.name], ends, shares, output.grid)
