"""What a service answers about an object."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np

from common.data.sources import Loaded
from common.models.model import Model, problems_of
from common.outputs.flags import NO_PREDICTION, Flag, words

DIGITS = 7
"""Significant digits of a number: those of float32."""
NOT_FINITE = "the network gives no finite number for this input"


def predicted(model: Model, loaded: Mapping[str, Loaded]) -> list[dict]:
    """Predict objects.

    Parameters
    ----------
    model : Model
    loaded : mapping of str to Loaded
        By input.

    Returns
    -------
    list of dict
        ``prediction`` with the columns of `Model.columns`, null where there is none; ``flag``, ``flags`` in words and
        ``problem``.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        frame = model.predict_loaded(loaded)
    columns = [column for column in frame.columns if column != "flag"]
    rows = zip(*(frame[column].tolist() for column in columns), strict=True)
    found = []
    for row, flag, problem in zip(rows, frame["flag"].tolist(), problems_of(loaded, len(frame)), strict=True):
        prediction = dict(zip(columns, map(_plain, row), strict=True))
        if not flag & NO_PREDICTION and any(value is None for value in prediction.values()):
            prediction, flag = dict.fromkeys(columns), flag | int(Flag.BAD_INPUT)
            problem = NOT_FINITE
        found.append({"prediction": prediction, "flag": flag, "flags": words(flag), "problem": problem})
    return found


def signed(model: Model, content: dict) -> dict:
    """Add which model answers."""
    return {"model": model.name, "version": model.version, "weights": model.sha256} | content


def number(value: float) -> float | None:
    """Round a number as far as it is known; None where it is not finite, which JSON cannot say."""
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None


def _plain(value: object) -> object:
    return number(value) if isinstance(value, float) else value
