"""A trained network before its judges: test scores beside the baselines, and the pictures."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from sdss_gs.schema import Output

from . import report
from .backend import keras
from .baselines import baselines
from .data import TrainingData
from .metrics import normalised_difference, score
from .outputs import CLASS_LOSS, decode
from .state import Progress

PREDICTION_BATCH = 128


def predict(model: keras.Model, data: TrainingData, part: str) -> np.ndarray:
    """Predict every object of a part once, in order, in the catalogue's unit or as class probabilities."""
    return decode(data.output, model.predict(data.batches(part, PREDICTION_BATCH, with_target=False), verbose=0))


def all_scores(name: str, predicted: np.ndarray, data: TrainingData, seed: int) -> dict[str, dict[str, float]]:
    """Score the model and every baseline on the test objects, the model first."""
    tables = [data.inputs(part) if data.item.columns else None for part in ("train", "test")]
    truth, count = data.truth("test"), len(predicted)
    rivals = baselines(data.item, data.output, tables[0], data.truth("train"), tables[1], count, seed)
    return {rival: score(data.output, truth, values) for rival, values in {name: predicted, **rivals}.items()}


def figures(progress: Progress, predicted: np.ndarray, data: TrainingData) -> dict[str, Figure]:
    """Draw a run's pictures by name.

    Parameters
    ----------
    progress : Progress
    predicted : ndarray, shape (n,) or (n, classes)
        Predictions of the test objects.
    data : TrainingData
    """
    output, truth = data.output, data.truth("test")
    loss = CLASS_LOSS if output.classes else str(progress.options["loss"])
    drawn = {"loss": report.loss_curves(progress.history, progress.best_epoch, loss)}
    if output.classes:
        drawn["confusion"] = report.confusion(output, truth, predicted)
    else:
        drawn["predicted_vs_true"] = report.predicted_against_true(output, truth, predicted)
        drawn["residuals"] = report.residuals(output, truth, predicted)
    return drawn | {"worst_cases": _worst_cases(output, truth, predicted, data)}


def _worst_cases(output: Output, truth: np.ndarray, predicted: np.ndarray, data: TrainingData) -> Figure:
    if output.classes:
        error = 1 - predicted[np.arange(len(truth)), truth]
        labels, best = np.array(output.classes), predicted.argmax(axis=1)
        shown = [f"{labels[t]}, predicted {labels[p]}" for t, p in zip(truth, best, strict=True)]
    else:
        logarithmic = output.name == "smass"
        error = np.abs(np.log10(predicted / truth) if logarithmic else normalised_difference(truth, predicted))
        shown = [f"{t:.3g}, predicted {p:.3g}" for t, p in zip(truth, predicted, strict=True)]
    worst = np.argsort(-error)[: report.GALLERY_ROWS * report.GALLERY_COLUMNS]
    captions = [f"{data.objid('test')[position]}\ntrue {shown[position]}" for position in worst]
    return report.worst_cases(captions, data.images("test", worst))
