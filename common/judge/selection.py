"""What a model learnt from and is judged on: which magnitudes and true values, as a table and a picture."""

from __future__ import annotations

import numpy as np

from common.data.training_data import TrainingData
from common.outputs.kinds import kind_of
from sdss_gs.schema import OUTPUTS

BRIGHTNESS, R_MAGNITUDE = "modelMag_r", "r magnitude"
REDSHIFT = OUTPUTS["redshift"]
PARTS = ("train", "test")
SHARES = {"low": 0.01, "middle": 0.5, "high": 0.99}

Selection = dict[str, dict[str, np.ndarray]]
"""By quantity and part, finite numbers or names of classes, ``(n,)``."""


def selection(data: TrainingData) -> Selection:
    """Gather r magnitudes, redshifts and what is learnt of the training and the test objects, as far as known."""
    found: Selection = {}
    for part in PARTS:
        brightness, redshift = data.magnitudes(part, (BRIGHTNESS, REDSHIFT.column)).T
        values = {R_MAGNITUDE: brightness, REDSHIFT.name: redshift}
        for output in data.outputs:
            kind, truth = kind_of(output), data.truth(part, output.name)
            if output.classes:
                found.setdefault(output.name, {})[part] = np.array(kind.labels(truth), object)
            elif not output.answers and output.name != REDSHIFT.name:
                values[kind.axis_label] = kind.to_scale(truth)
        for name, numbers in values.items():
            found.setdefault(name, {})[part] = numbers[np.isfinite(numbers)]
    some = {name: {part: values for part, values in parts.items() if len(values)} for name, parts in found.items()}
    return {name: parts for name, parts in some.items() if parts}


def described(found: Selection) -> dict[str, dict[str, dict]]:
    """Describe a `selection`, by quantity and part: ``count``, and ``low``, ``middle`` and ``high`` or ``classes``.

    These are the values that 1, 50 and 99 % of the objects lie below, and the number of objects by class.
    """
    return {name: {part: _described(values) for part, values in parts.items()} for name, parts in found.items()}


def _described(values: np.ndarray) -> dict:
    if values.dtype == object:
        names, counts = np.unique(values.astype(str), return_counts=True)
        return {"count": len(values), "classes": dict(zip(names.tolist(), counts.tolist(), strict=True))}
    ends = np.quantile(values, list(SHARES.values())).tolist()
    return {"count": len(values)} | dict(zip(SHARES, ends, strict=True))
