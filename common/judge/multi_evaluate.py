"""Judge a stored model with several inputs on any data set: ``mlflow run x2y -e evaluate -P ds=<folder>``."""

from __future__ import annotations

from collections.abc import Mapping

from common.backend import keras
from common.data.multi_data import MultiData
from common.judge.multi_card import card_of, record_card
from common.judge.multi_judge import covered, figures, judge, predict_shown, rivals_of, table
from common.models.opening import calibrations_from
from common.project import ModelFolder
from common.runs.record import Run


def evaluate_several(
    project: ModelFolder, record: Run, address: str, model: keras.Model, facts: Mapping, part: str, options: dict
) -> str:
    """Judge a stored model.

    Parameters
    ----------
    project : ModelFolder
    record : Run
    address : str
        Of the model, as MLflow writes it.
    model : keras.Model
    facts : mapping
        What was kept with it.
    part : str
        ``test``: the test objects of the split, beside baselines fitted to its training objects; ``all``: every
        object, for a data set the model has seen nothing of.
    options : dict
        ``ds``, ``limit`` and ``image_scale``.

    Returns
    -------
    str
        What to tell the user.
    """
    reading, whole = facts["reading"], part == "all"
    data = MultiData(facts["inputs"], facts["outputs"], project.repository, options | reading, whole)
    print(data.description(), flush=True)
    predictions = predict_shown(model, data, "test")
    rivals = {name: {} for name in data.outputs} if whole else rivals_of(data, 0)
    judged = judge(data, "test", predictions, rivals)
    measured = covered(data, "test", predictions, calibrations_from(facts["calibration"]))
    text = table(judged)
    record.metrics(judged.numbers(), 0, part="test")
    record.text(text, "scores.txt")
    drawn = figures(data, "test", predictions)
    options = {"model": address, "part": part} | reading
    card = card_of(project.name, record.id, options, data, model, judged, measured)
    page = record_card(record, card, drawn, record.pictures(drawn))
    return f"\n{address} on {data.sizes()['test']:,} galaxies of {data.folder}\n\n{text}\n\nreport  {page}"
