"""What intervals and class sets of x2y hold, for every set of inputs, of galaxies that nobody learnt from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from common.data.task import Task
from common.data.training_data import TrainingData
from common.judge.views import every_set, predict_part, with_set
from common.models.opening import load
from common.models.running import KERAS
from common.options import TrainingOptions, typed
from common.outputs.calibration import LEVELS
from common.outputs.kinds import kind_of
from common.runs.store_location import REPOSITORY


def coverage(address: str, folder: Path) -> dict[str, dict[str, dict[str, float]]]:
    """Count what is held.

    Parameters
    ----------
    address : str
        Of a stored model.
    folder : Path
        Data set of galaxies that it has never seen.

    Returns
    -------
    dict of str to dict of str to dict of str to float
        By set of inputs (``img|bands``), output and level (``0.68``), the share of truths that are held; under
        ``galaxies`` how many were looked at.
    """
    model = load(address, KERAS)
    task = Task(REPOSITORY / "x2y", model.inputs, model.outputs, model.flat)
    options = typed(TrainingOptions, model.reading | {"ds": str(folder)})
    data = TrainingData(
        replace(task, outputs=tuple(replace(one, grid=()) for one in model.outputs)), options, whole=True
    )
    found: dict[str, dict[str, dict[str, float]]] = {}
    for key, predicted in predict_part(model, data, "test", every_set(model)).items():
        if not key:
            continue
        has = with_set(model, data, "test", key)
        for output in model.outputs:
            known = data.known("test", output.name)
            truth, answer = data.truth("test", output.name)[has[known]], predicted[output.name][has & known]
            kind, calibration = kind_of(output), model.calibration(key, output)
            shares = {str(level): float(kind.held(calibration, truth, answer, level)[0].mean()) for level in LEVELS}
            found.setdefault(key, {})[output.name] = shares | {"galaxies": len(truth)}
    return found
