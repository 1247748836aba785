"""The columns that a prediction of one output has, and what stands in them."""

from __future__ import annotations

import numpy as np

from sdss_gs.decision_tree import TREES
from sdss_gs.gz2_class import summaries
from sdss_gs.schema import Output

from .calibrate import LEVELS, Calibration

SET_LEVEL = 0.9


def columns_of(output: Output) -> list[str]:
    """List the columns of an output.

    For a number: the value in the output's unit, and where its 68, 90 and 95 % intervals begin and end
    (``redshift_low_68``). For classes: the most probable one, the classes of the 90 % set joined by ``|``, and the
    calibrated probability of each (``subclass_AGN``). For votes: the class that they sum up to, the weighted share of
    each answer (``votes_Class1.1``), and where their 90 % intervals begin and end.
    """
    name = output.name
    if output.answers:
        shares = [f"{name}_{answer}" for answer in output.answers]
        return [name, *shares, *(f"{share}_{end}_{percent(SET_LEVEL)}" for end in ("low", "high") for share in shares)]
    if output.classes:
        return [name, f"{name}_set_{percent(SET_LEVEL)}", *(f"{name}_{label}" for label in output.classes)]
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
        bounds = [side.T for side in calibration.bounds(output, predicted, SET_LEVEL)]
        return [words, *predicted.T, *bounds[0], *bounds[1]], calibration.unsure(predicted)
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
