"""How far the flags and intervals of a model can be relied on, on the test objects."""

from __future__ import annotations

import numpy as np

from common.data.novelty import FALSE_ALARMS, Novelty
from common.data.training_data import TrainingData
from common.judge.selection import BRIGHTNESS, R_MAGNITUDE
from common.models.model import Model
from common.outputs.calibration import LEVELS, fewest_objects
from common.outputs.flags import Flag
from common.outputs.kinds import kind_of
from common.outputs.kinds.number import Scalar
from common.outputs.reliability import coverage_in_bins, found_by
from sdss_gs.schema import Output


def novelty_margins(model: Model, data: TrainingData) -> dict[str, np.ndarray]:
    """Measure how far each test object is beyond the threshold of OUTSIDE_TRAINING, by input.

    Returns
    -------
    dict of str to ndarray of float64, shape (n,)
        Above 0 where it is flagged; −inf where the object lacks the input.
    """
    found = {}
    for item, has in zip(model.inputs, data.present("test").T, strict=True):
        found[item.name] = np.full(len(has), -np.inf)
        chunks = data.chunks("test", item.name)
        margins = [model.training_ranges[item.name].margins(item, chunk) for chunk in chunks]
        if margins:
            found[item.name][has] = np.concatenate(margins)
    return found


def novelty_summary(model: Model, margins: dict[str, np.ndarray]) -> dict[str, dict]:
    """Say of each input what share of usual objects OUTSIDE_TRAINING is to flag, and what it flags.

    Returns
    -------
    dict of str to dict
        ``stated`` and ``flagged``, shares; ``objects``, validation objects that the threshold comes from. An input of a
        model from before it had a stated share is left out.
    """
    found = {}
    for name, values in margins.items():
        test, seen = model.training_ranges[name], values[values > -np.inf]
        if isinstance(test, Novelty) and len(seen):
            enough = test.objects >= fewest_objects(1 - FALSE_ALARMS, 1)
            stated = FALSE_ALARMS if enough else 1 / (test.objects + 1)
            found[name] = {"stated": stated, "flagged": float((seen > 0).mean()), "objects": test.objects}
    return found


def reliability(
    model: Model, data: TrainingData, output: Output, predicted: np.ndarray, margins: dict[str, np.ndarray]
) -> tuple[dict[str, list[dict]], dict]:
    """Judge the flags and intervals of one output.

    Parameters
    ----------
    model : Model
    data : TrainingData
    output : Output
    predicted : ndarray
        Of all test objects, as `Kind.decode` gives them, with all that they have.
    margins : dict of str to ndarray
        From `novelty_margins`.

    Returns
    -------
    bins : dict of str to list of dict
        Of numbers, `reliability.coverage_in_bins` by magnitude, truth and the width of the 68 % interval.
    flags : dict
        ``what`` counts as wrong, in words; ``share`` of the objects that are; ``UNSURE`` and
        ``OUTSIDE_TRAINING``, as `reliability.found_by` returns them. Empty for votes.
    """
    kind, known = kind_of(output), data.known("test", output.name)
    truth, predicted = data.truth("test", output.name), predicted[known]
    wrong, what = kind.wrong(truth, predicted)
    if not what:
        return {}, {}
    used = model.names_of(data.present("test"))[known]
    doubt, unsure = np.empty(len(truth)), np.zeros(len(truth), bool)
    held, number = {level: np.zeros(len(truth), bool) for level in LEVELS}, isinstance(kind, Scalar)
    for key in np.unique(used.astype(str)):
        chosen = used == key
        calibration, seen = model.calibration(key, output), predicted[chosen]
        unsure[chosen], doubt[chosen] = kind.values(calibration, seen)[1], kind.doubt(calibration, seen)
        for level in LEVELS if number else ():
            held[level][chosen] = kind.held(calibration, truth[chosen], seen, level)[0]
    bins = {}
    if number:
        (brightness,) = data.magnitudes("test", [BRIGHTNESS])[known].T
        quantities = {R_MAGNITUDE: brightness, f"true {output.name}": truth}
        bins = coverage_in_bins(held, quantities | {"width of the 68 % interval": doubt})
    beyond = np.max([values[known] for values in margins.values()], axis=0)
    return bins, {
        "what": what,
        "share": float(wrong.mean()),
        Flag.UNSURE.name: found_by(unsure, doubt, wrong),
        Flag.OUTSIDE_TRAINING.name: found_by(beyond > 0, beyond, wrong),
    }
