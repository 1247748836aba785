"""The columns that a prediction of one output has, and what stands in them."""

from __future__ import annotations

import numpy as np

from common.outputs.calibration import LEVELS, Calibration
from sdss_gs.decision_tree import TREES
from sdss_gs.gz2_class import summaries
from sdss_gs.schema import Output

SET_LEVEL = 0.9


def columns_of(output: Output) -> list[str]:
    """List the columns of an output.

    For a number: the value in the output's unit, and where its 68, 90 and 95 % intervals begin and end
    (``redshift_low_68``). For classes: the most probable one, the classes of the 90 % set joined by ``|``, and the
    calibrated probability of each (``subclass_AGN``). For votes: the class that they sum up to, the weighted share of
    each answer (``votes_Class1.1``), and their 90 % intervals.
    """
    name, level = output.name, percent(SET_LEVEL)
    if output.answers:
        shares = [f"{name}_{answer}" for answer in output.answers]
        return [name, *shares, *(f"{share}_{end}_{level}" for share in shares for end in ("low", "high"))]
    if output.classes:
        return [name, f"{name}_set_{level}", *(f"{name}_{label}" for label in output.classes)]
    return [name, *(f"{name}_{end}_{percent(level)}" for level in LEVELS for end in ("low", "high"))]


def values_of(output: Output, calibration: Calibration, predicted: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
    """Fill the columns of an output.

    Parameters
    ----------
    output : Output
    calibration : Calibration
    predicted : ndarray, shape (n,), (n, classes) or (n, answers)
        As from `outputs.decode`.

    Returns
    -------
    columns : list of ndarray, shape (n,)
        In the order of `columns_of`.
    unsure : ndarray of bool, shape (n,)
    """
    if output.answers:
        words = np.array(summaries(TREES[output.tree], predicted), object)
        low, high = calibration.bounds(output, predicted, SET_LEVEL)
        ends = [end for answer in zip(low.T, high.T, strict=True) for end in answer]
        return [words, *predicted.T, *ends], calibration.unsure(predicted)
    if not output.classes:
        bounds = [end for level in LEVELS for end in calibration.bounds(output, predicted, level)]
        return [predicted, *bounds], calibration.unsure(predicted)
    predicted = calibration.probabilities(predicted)
    labels = np.array(output.classes, object)
    members = calibration.members(predicted, SET_LEVEL)
    sets = np.array(["|".join(labels[row]) for row in members], object)
    return [labels[predicted.argmax(axis=1)], sets, *predicted.T], calibration.unsure(predicted)


def percent(level: float) -> str:
    """Write a level as in the names of columns: 0.68 is ``68``."""
    return f"{100 * level:.0f}"
