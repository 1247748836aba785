"""A network with several inputs before its judges: with everything it can see, and with each input alone."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from matplotlib.figure import Figure

from common.backend import keras
from common.data.multi_data import MultiData
from common.judge import figures as report
from common.judge.baselines import Rivals, baselines, collapse
from common.judge.multi_views import ANY, encode_part, view
from common.outputs.calibration import Calibration
from common.outputs.kinds import kind_of
from common.outputs.metrics import score
from sdss_gs.schema import OUTPUTS, Output

ALL, AVAILABLE, ONLY = "all inputs", "as available", "only "
"""Rows of the table: objects that have every input; every object with what it has; one input, the others hidden."""
GALAXIES = "galaxies"

Predictions = dict[str, dict[str, np.ndarray]]
"""By row and output: ``(n,)`` or ``(n, classes)``, as from `outputs.decode`."""


@dataclass(frozen=True)
class Judgement:
    """Scores of a model with several inputs and outputs.

    Parameters
    ----------
    scores : dict of str to dict of str to dict of str to float
        Number of galaxies and metrics, by output and row; the baselines are rows too.
    warnings : list of str
        Outputs of which no more than a constant was learnt.
    """

    scores: dict[str, dict[str, dict[str, float]]]
    warnings: list[str] = field(default_factory=list)

    def numbers(self) -> dict[str, float]:
        """Name every score as MLflow has it: ``test_redshift_nmad``, ``test_only_bands_redshift_nmad``, ...."""
        return {
            f"{_prefix(row)}_{output}_{metric}": value
            for output, rows in self.scores.items()
            for row, values in rows.items()
            for metric, value in values.items()
        }


def _prefix(row: str) -> str:
    if row == ALL:
        return "test"
    if row == AVAILABLE:
        return "test_available"
    return f"test_only_{row.removeprefix(ONLY)}" if row.startswith(ONLY) else f"baseline_{row.replace(' ', '_')}"


def predict_shown(model: keras.Model, data: MultiData, part: str) -> Predictions:
    """Predict every object of a part with all it has and, of several inputs, with each one alone."""
    shown: dict[str, tuple[str, ...]] = {AVAILABLE: ()}
    if len(data.inputs) > 1:
        shown |= {f"{ONLY}{name}": (name,) for name in data.inputs}
    encoded = encode_part(model, data, part)
    return {row: view(model, data, encoded, only) for row, only in shown.items()}


def rivals_of(data: MultiData, seed: int) -> dict[str, dict[str, np.ndarray]]:
    """Predict, by output, the test objects that have it with the best constants and boosting on magnitudes."""
    found = {}
    for name in data.outputs:
        seen = []
        for part in ("train", "test"):
            known = data.known(part, name)
            seen.append(Rivals(int(known.sum()), data.magnitudes(part)[known]))
        found[name] = baselines(OUTPUTS[name], seen[0], data.truth("train", name), seen[1], seed)
    return found


def judge(data: MultiData, part: str, predictions: Predictions, rivals: dict[str, dict[str, np.ndarray]]) -> Judgement:
    """Score each output on the objects that have its truth and the row's inputs; a row without any is left out."""
    scores, warnings = {}, []
    present = data.present(part)
    for name in data.outputs:
        output, known, truth = OUTPUTS[name], data.known(part, name), data.truth(part, name)
        complete = present.all(axis=1)[known]
        beside = {rival: _scored(output, truth, guess) for rival, guess in rivals[name].items()}
        rows = {}
        for row, predicted in predictions.items():
            values = predicted[name][known]
            if row == AVAILABLE:
                rows[ALL] = _scored(output, truth[complete], values[complete])
                rows[AVAILABLE] = _scored(output, truth, values)
                warnings.append(collapse(output, truth, values, {name: rows[AVAILABLE], **beside}))
            else:
                has = present[:, data.inputs.index(row.removeprefix(ONLY))][known]
                rows[row] = _scored(output, truth[has], values[has])
        scores[name] = {row: values for row, values in (rows | beside).items() if values}
    return Judgement(scores, [warning for warning in warnings if warning])


def _scored(output: Output, truth: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    return {GALAXIES: float(len(truth))} | score(output, truth, predicted) if len(truth) else {}


def covered(
    data: MultiData, part: str, predictions: Predictions, calibrations: dict[str, dict[str, Calibration]]
) -> dict[str, dict[str, list[dict]]]:
    """Measure how often the intervals or class sets of each output hold the truth, by output and row.

    Returns
    -------
    dict of str to dict of str to list of dict
        See `Kind.coverage`; of the rows for which there is a calibration.
    """
    present, found = data.present(part), {}
    for name in data.outputs:
        known, truth = data.known(part, name), data.truth(part, name)
        found[name] = {}
        for row, predicted in predictions.items():
            only = row.removeprefix(ONLY)
            key, has = (ANY, known) if row == AVAILABLE else (only, known & present[:, data.inputs.index(only)])
            if name in calibrations.get(key, {}) and has.any():
                calibration = calibrations[key][name]
                found[name][row] = kind_of(OUTPUTS[name]).coverage(calibration, truth[has[known]], predicted[name][has])
    return found


def table(judgement: Judgement) -> str:
    """Lay warnings and scores out for a terminal, a table per output."""
    parts = [f"warning: {warning}" for warning in judgement.warnings]
    parts += [f"{OUTPUTS[name].description}\n{report.score_table(rows)}" for name, rows in judgement.scores.items()]
    return "\n\n".join(parts)


def champion_cost(model: keras.Model, data: MultiData) -> float:
    """Reduce the validation scores to one number of which less is better, to choose a champion by.

    Returns
    -------
    float
        Mean over the outputs of the headline metric: divided by that of the training objects' median where less is
        better, 1 minus it where more is.
    """
    predicted = view(model, data, encode_part(model, data, "validation"))
    costs = []
    for name in data.outputs:
        output, truth, metric = OUTPUTS[name], data.truth("validation", name), kind_of(OUTPUTS[name]).headline
        values = predicted[name][data.known("validation", name)]
        found = score(output, truth, values)[metric]
        if kind_of(output).metrics[metric].better == "high":
            costs.append(1 - found)
        else:
            median = np.broadcast_to(np.median(data.truth("train", name), axis=0), truth.shape)
            costs.append(found / max(score(output, truth, median)[metric], 1e-12))
    return float(np.mean(costs))


def figures(data: MultiData, part: str, predictions: Predictions) -> dict[str, Figure]:
    """Draw, for each output, all objects of a part with what they have: predicted against true, or the confusion."""
    drawn = {}
    for name in data.outputs:
        output, truth = OUTPUTS[name], data.truth(part, name)
        values = predictions[AVAILABLE][name][data.known(part, name)]
        key, figure = next(iter(kind_of(output).figures(truth, values).items()))
        drawn[f"{name}_{key}"] = figure
    return drawn
