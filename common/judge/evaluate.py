"""Judge a stored model on any data set: ``mlflow run <model> -e evaluate -P ds=<folder>``."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from common.backend import keras
from common.data.training_data import TrainingData
from common.judge.judge import PREDICTION_BATCH, rivals, summarise, verdict
from common.judge.multi_evaluate import evaluate_several
from common.judge.record_summary import record_summary
from common.models.store import facts_of, load_model, output_of, serving_inputs
from common.networks.augment import forms
from common.outputs.kinds import kind_of
from common.outputs.metrics import score
from common.project import Project
from common.runs.record import Run
from common.runs.store_location import CHAMPION
from sdss_gs.errors import DataError
from sdss_gs.schema import Input


def evaluate(project: Project, record: Run, options: dict) -> str:
    """Judge a stored model.

    Parameters
    ----------
    project : Project
    record : Run
    options : dict
        Of the entry point ``evaluate``. ``model`` is ``models:/<name>/<version>`` or ``models:/<name>@champion``, empty
        for the latter; ``part`` is ``test``, the test objects of the split, beside baselines fitted to its training
        objects, or ``all``, every object, for a data set the model has seen nothing of.

    Returns
    -------
    str
        What to tell the user.
    """
    address, part = str(options["model"]) or f"models:/{project.name}@{CHAMPION}", str(options["part"])
    model, facts = load_model(address), facts_of(address)
    if "inputs" in facts:
        return evaluate_several(project, record, address, model, facts, part, options)
    project = replace(project, output=output_of(facts, project.output))
    kind, reading = kind_of(project.output), facts["reading"]
    calibration = kind.calibration_from(facts["calibration"])
    data = TrainingData(project, options | reading, whole=part == "all")
    if data.output != project.output:
        raise DataError(f"{data.folder}: expected votes like {project.output.column}, found {data.output.column}")
    print(data.description(), flush=True)
    tta = options.get("tta") == "yes"
    raw = np.concatenate([_seen(model, project.input, chunk, tta) for chunk in data.chunks("test")])
    predictions = {project.name: kind.decode(raw, data.target)}
    if part == "test":
        predictions |= rivals(data, 0)
    options = {"model": address, "part": part} | ({"tta": options["tta"]} if "tta" in options else {}) | reading
    summary = summarise(project, record.id, model, data, predictions, options, {}, calibration)
    page = record_summary(record, summary)
    return f"\n{address} on {len(raw):,} galaxies of {data.folder}\n{verdict(summary)}\n\nreport  {page}"


def validation_cost(address: str, data: TrainingData) -> float:
    """Judge a stored model on the validation objects of a run by the number that champions are chosen by."""
    model, output = load_model(address), data.output
    raw = np.concatenate([_seen(model, data.item, chunk, tta=False) for chunk in data.chunks("validation")])
    kind = kind_of(output)
    return kind.cost(score(output, data.truth("validation"), kind.decode(raw, data.target)))


def _seen(model: keras.Model, item: Input, chunk: np.ndarray, tta: bool) -> np.ndarray:
    """Run the network on some objects, or on their eight forms, averaged."""
    views = forms(chunk) if tta else (chunk,)
    found = [model.predict(serving_inputs(item, v), batch_size=PREDICTION_BATCH, verbose=0) for v in views]
    return np.mean(found, axis=0)
