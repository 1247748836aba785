"""A model beside boosting, and beside what others published, in bins of magnitude and redshift."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from common.data.training_data import TrainingData
from common.judge.card import BOOSTING, PUBLISHED
from common.judge.selection import BRIGHTNESS, R_MAGNITUDE, REDSHIFT
from common.outputs.kinds import kind_of
from common.outputs.metrics import FEWEST_IN_BIN, scores_in_bins
from sdss_gs.schema import Output

R_LIMITS = (-np.inf, 14, 16, 17, 17.8, 19, 20, 21, np.inf)
"""Of bins of the r magnitude; the main sample of SDSS ends at 17.77."""
EVERYWHERE = (-np.inf, np.inf)

Bins = dict[str, list[dict]]


def in_bins(
    data: TrainingData, output: Output, own: Mapping[str, np.ndarray], rivals: Mapping[str, np.ndarray]
) -> tuple[Bins, Bins]:
    """Score predictions of the test objects that have an output's truth, see `metrics.scores_in_bins`.

    Parameters
    ----------
    data : TrainingData
    output : Output
    own : mapping of str to ndarray
        The model's predictions, by its row in the card's tables.
    rivals : mapping of str to ndarray
        Those of the baselines.

    Returns
    -------
    bins : dict of str to list of dict
        Of the model and boosting, by r magnitude, redshift and truth.
    published : dict of str to list of dict
        The same of the objects of which a value is published, whose scores stand beside; first, by the empty name, of
        all of them. Empty where fewer than 10 have one.
    """
    truth, values = data.truth("test", output.name), data.published("test", output.name)
    rows = dict(own) | ({BOOSTING: rivals[BOOSTING]} if BOOSTING in rivals else {})
    quantities, has = _quantities(data, output, truth), np.isfinite(values)
    published = {}
    if has.sum() >= FEWEST_IN_BIN:
        seen = {row: predicted[has] for row, predicted in rows.items()} | {PUBLISHED: values[has]}
        some = {name: (numbers[has], limits) for name, (numbers, limits) in quantities.items()}
        published = scores_in_bins(output, truth[has], seen, {"": (values[has], EVERYWHERE)} | some)
    return scores_in_bins(output, truth, rows, quantities), published


def _quantities(data: TrainingData, output: Output, truth: np.ndarray) -> dict[str, tuple[np.ndarray, Sequence[float]]]:
    known, limits = data.known("test", output.name), kind_of(output).bin_edges
    brightness, redshift = data.magnitudes("test", (BRIGHTNESS, REDSHIFT.column))[known].T
    found = {R_MAGNITUDE: (brightness, R_LIMITS)}
    if output.name != REDSHIFT.name:
        found[REDSHIFT.name] = (redshift, kind_of(REDSHIFT).bin_edges)
    return found | ({f"true {output.name}": (truth, limits)} if limits else {})
