"""What a model makes of a part of the data, shown all that the objects have or some of their inputs only."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from common.data.training_data import TrainingData
from common.models.model import ANY, Calibrations, Model
from common.networks.inputs import PRESENT
from common.outputs.calibration import fewest_objects, percent
from common.outputs.kinds import kind_of
from common.outputs.metrics import score

FEWEST = 100
"""Objects that a calibration needs."""
ROWS_PER_PIECE, IMAGES_PER_PIECE = 8192, 512

Predictions = dict[str, dict[str, np.ndarray]]
"""By set of inputs that were shown (``img|bands``; `model.ANY`) and output, of all objects of a part: ``(n,)`` or
``(n, size)``, as from `Kind.decode`; anything where an object has none of the inputs."""


def alone(model: Model) -> list[str]:
    """List the sets of one input each, of a model with several."""
    return [item.name for item in model.inputs] if len(model.inputs) > 1 else []


def every_set(model: Model) -> list[str]:
    """List all sets of inputs that a model may be shown; none for a flat one."""
    names = [item.name for item in model.inputs]
    sizes = range(1, len(names) + 1) if not model.flat else ()
    return ["|".join(chosen) for size in sizes for chosen in combinations(names, size)]


def predict_part(model: Model, data: TrainingData, part: str, sets: Sequence[str] = ()) -> Predictions:
    """Predict every object of a part once, in order, with all it has and with each of some sets of inputs.

    The encoders, where the arithmetic is, see each object once for all sets. Of a part without objects, nothing.

    Parameters
    ----------
    model : Model
        Its calibrations are not needed.
    data : TrainingData
    part : str
    sets : sequence of str
        Besides `ANY`; of a model that is not flat.
    """
    if not len(data.parts[part]):
        return {}
    size = ROWS_PER_PIECE if all(item.columns for item in model.inputs) else IMAGES_PER_PIECE
    answers: dict[str, list[dict[str, np.ndarray]]] = {key: [] for key in (ANY, *sets)}
    for piece in data.pieces(part, size):
        present = piece.pop(PRESENT) > 0
        seen = {item.name: piece[item.name][present[:, k]] for k, item in enumerate(model.inputs)}
        views = list(model.views(seen, present))
        for key, of_set in answers.items():
            shown = present & has_set(model, key) if key else present
            hidden = {PRESENT: shown.astype(np.float32)} if not model.flat else {}
            of_set.append(model.decided([view | hidden for view in views], len(present)))
    return {
        key: {output.name: np.concatenate([one[output.name] for one in of_set]) for output in model.outputs}
        for key, of_set in answers.items()
    }


def has_set(model: Model, key: str) -> np.ndarray:
    """Tell which inputs belong to a set, bool ``(inputs,)``."""
    return np.array([item.name in key.split("|") for item in model.inputs])


def with_set(model: Model, data: TrainingData, part: str, key: str) -> np.ndarray:
    """Tell which objects of a part have all inputs of a set, bool ``(n,)``.

    Parameters
    ----------
    model : Model
    data : TrainingData
    part, key : str
        A part of the objects; the set of inputs.
    """
    return data.present(part)[:, has_set(model, key)].all(axis=1)


def fit_calibrations(model: Model, data: TrainingData, predictions: Predictions) -> Calibrations:
    """Fit how sure a model is to the validation objects.

    Parameters
    ----------
    model : Model
    data : TrainingData
    predictions : dict
        Of the validation objects, from `predict_part` with `every_set`.

    Returns
    -------
    dict of str to dict of str to Calibration
        A set that fewer than `FEWEST` validation objects with an output have is left out for it; `ANY`, objects with
        whatever they have, never is.
    """
    calibrations: Calibrations = {}
    for key, predicted in predictions.items():
        has = with_set(model, data, "validation", key)
        for output in data.outputs:
            known, name = data.known("validation", output.name), output.name
            if key == ANY or (has & known).sum() >= FEWEST:
                truth, weights = data.truth("validation", name)[has[known]], data.likeness("validation")
                own = None if weights is None else weights[has & known]
                calibration = kind_of(output).fit_calibration(truth, predicted[name][has & known], own)
                calibrations.setdefault(key, {})[name] = calibration
    return calibrations


def costs_of_sets(model: Model, data: TrainingData, predictions: Predictions) -> dict[str, dict[str, float]]:
    """Compute what a model reaches on the validation objects that it is shown with a set of inputs.

    Parameters
    ----------
    model, data, predictions
        As for `fit_calibrations`.

    Returns
    -------
    dict of str to dict of str to float
        By set and output, as `Metric.cost` turns the headline metric; without what fewer than `FEWEST` objects have.
    """
    costs: dict[str, dict[str, float]] = {}
    for key, predicted in predictions.items():
        has = with_set(model, data, "validation", key)
        for output in data.outputs:
            known, name, kind = data.known("validation", output.name), output.name, kind_of(output)
            if key != ANY and (has & known).sum() >= FEWEST:
                found = score(output, data.truth("validation", name)[has[known]], predicted[name][has & known])
                costs.setdefault(key, {})[name] = kind.metrics[kind.headline].cost(found[kind.headline])
    return costs


def too_few_validation_objects(data: TrainingData) -> list[str]:
    """Say of each output which intervals or class sets `fit_calibrations` had too few validation objects for."""
    found = []
    for output in data.outputs:
        kind, count = kind_of(output), int(data.known("validation", output.name).sum())
        levels = kind.not_held(count)
        if levels:
            what = "class sets" if output.classes else "intervals"
            needs = ", ".join(f"{percent(level)} % (needs {fewest_objects(level, kind.sides)})" for level in levels)
            told = (
                "whether these hold the truth as often as they say cannot be checked"
                if output.grid
                else "these end at the largest error seen, and hold the truth less often than they say"
            )
            found.append(f"{output.name}: {count:,} validation galaxies are too few for {what} of {needs}: {told}")
    return found


def untested(data: TrainingData, scores: dict[str, dict[str, float]]) -> list[str]:
    """Say that there are no test scores where there are no test objects.

    Parameters
    ----------
    data : TrainingData
    scores : dict of str to dict of str to float
        From `validation_scores`.
    """
    if data.tested:
        return []
    said = []
    for output in data.outputs:
        # A score may be undefined on these objects.
        values = [(name, scores[output.name][name]) for name in kind_of(output).compared if name in scores[output.name]]
        said.append(f"{output.name} " + ", ".join(f"{name} {value:.4g}" for name, value in values))
    few = f"no test galaxies, so no test scores; of {data.sizes()['validation']:,} validation galaxies, which chose the"
    return [f"{few} epoch: {'; '.join(said)}"]


def validation_scores(data: TrainingData, predicted: dict[str, np.ndarray]) -> dict[str, dict[str, float]]:
    """Score predictions of the validation objects, by output."""
    scores = {}
    for output in data.outputs:
        values = predicted[output.name][data.known("validation", output.name)]
        scores[output.name] = score(output, data.truth("validation", output.name), values)
    return scores


def champion_cost(data: TrainingData, scores: dict[str, dict[str, float]]) -> float:
    """Reduce validation scores to one number of which less is better, to choose a champion by.

    That is the headline metric as `Metric.cost` turns it. Of several outputs the mean: divided by that of the training
    objects' median where less is better, 1 minus it where more is.
    """
    costs = []
    for output in data.outputs:
        kind, truth = kind_of(output), data.truth("validation", output.name)
        metric, value = kind.metrics[kind.headline], scores[output.name][kind.headline]
        if len(data.outputs) == 1:
            return metric.cost(value)
        if metric.better == "high":
            costs.append(1 - value)
        else:
            median = np.broadcast_to(np.median(data.truth("train", output.name), axis=0), truth.shape)
            costs.append(value / max(score(output, truth, median)[kind.headline], 1e-12))
    return float(np.mean(costs))
