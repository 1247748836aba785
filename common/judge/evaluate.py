"""Judge a stored model on any data set: ``mlflow run <model> -e evaluate -P ds=<folder>``."""

from __future__ import annotations

from dataclasses import replace

from common.data.photometry import option_of
from common.data.task import Task
from common.data.training_data import TrainingData
from common.judge.judge import judge, predict_baselines, verdict
from common.judge.record_summary import record_summary
from common.judge.views import alone, champion_cost, predict_part, validation_scores
from common.models.model import ANY
from common.models.opening import load
from common.models.running import KERAS
from common.options import EvaluateOptions, TrainingOptions, typed
from common.project import ModelFolder
from common.runs.record import Run
from common.runs.store_location import CHAMPION
from sdss_gs.errors import DataError, OptionError
from sdss_gs.tables.columns import DUSTY


def evaluate(project: ModelFolder, record: Run, options: EvaluateOptions) -> str:
    """Judge a stored model.

    Parameters
    ----------
    project : ModelFolder
    record : Run
    options : EvaluateOptions
        ``model`` is ``models:/<name>/<version>`` or ``models:/<name>@champion``, empty
        for the latter; ``part`` is ``test``, the test objects of the split, beside baselines fitted to its training
        objects, or ``all``, every object, for a data set the model has seen nothing of.

    Returns
    -------
    str
        What to tell the user.
    """
    address, part = options.model or f"models:/{project.name}@{CHAMPION}", options.part
    model = replace(load(address, KERAS), tta=options.tta == "yes")
    task = Task(project.folder, model.inputs, model.outputs, model.flat)
    asked = vars(options) | model.reading | {"photometry": option_of(model.photometry().get(DUSTY, ""))}
    data = TrainingData(task, typed(TrainingOptions, asked), whole=part == "all")
    for learnt, found in zip(model.outputs, data.outputs, strict=True):
        if found != learnt:
            raise DataError(f"{data.folder}: expected {learnt.name} like {learnt.column}, found {found.column}")
    if not data.tested:
        lacking = f"a model that left no test objects (split={model.reading['split']})"
        raise OptionError(f"part: expected all, and data that are new to it, for {lacking}, found test")
    print(data.description(), flush=True)
    predictions = predict_part(model, data, "test", alone(model))
    rivals = predict_baselines(data, 0) if part == "test" else {}
    shown = {"model": address, "part": part} | ({"tta": options.tta} if "tta" in project.defaults else {})
    summary = judge(model, data, predictions, rivals, record.id, shown | model.reading)
    page = record_summary(record, summary)
    size = data.sizes()["test"]
    return f"\n{address} on {size:,} galaxies of {data.folder}\n{verdict(summary)}\n\nreport  {page}"


def validation_cost(address: str, data: TrainingData) -> float:
    """Judge a stored model on the validation objects of a run by the number that champions are chosen by."""
    model = load(address, KERAS)
    learnt, found = model.photometry().get(DUSTY, ""), data.photometry(DUSTY) if DUSTY in model.shapes else ""
    if learnt and found and learnt != found:
        raise DataError(f"it learnt from {learnt} magnitudes, this run from {found} ones")
    return champion_cost(data, validation_scores(data, predict_part(model, data, "validation")[ANY]))
