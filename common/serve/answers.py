"""What a service answers about an object."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from fastapi import HTTPException

from common.data.sources import Loaded
from common.data.sources.chunk import problems_of
from common.models.model import NOT_FINITE, Model
from common.outputs.flags import NO_PREDICTION, Flag, words
from sdss_gs.errors import OptionError

DIGITS = 7
"""Significant digits of a number: those of float32."""


def predicted(model: Model, loaded: Mapping[str, Loaded]) -> list[dict]:
    """Predict objects from what was loaded of them, by input.

    Returns
    -------
    list of dict
        ``prediction`` with the columns of `Model.columns`, null where there is none, lists of numbers where these are
        distributions; ``flag``, ``flags`` in words and ``problem``.
    """
    with np.errstate(over="ignore", invalid="ignore"):
        columns = model.columns_of(loaded)
    flags = columns.pop("flag").tolist()
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    answers = []
    for cells, flag, problem in zip(rows, flags, problems_of(loaded, len(flags)), strict=True):
        values = [_plain(value) for value in cells]
        if not flag & NO_PREDICTION and None in values:
            values, flag, problem = [None] * len(values), flag | int(Flag.BAD_INPUT), NOT_FINITE
        prediction = dict(zip(columns, values, strict=True))
        answers.append({"prediction": prediction, "flag": flag, "flags": words(flag), "problem": problem})
    return answers


def signed(model: Model, content: dict) -> dict:
    """Add which model answers, and what the numbers of its distributions stand for."""
    return {"model": model.name, "version": model.version, "weights": model.sha256} | model.axes() | content


def with_pdf(model: Model, form: str) -> Model:
    """Have a model answer with distributions, if a form of them is asked for.

    Raises
    ------
    HTTPException
        422 for a form that the model does not have.
    """
    try:
        return model.with_pdf(form) if form else model
    except OptionError as error:
        raise HTTPException(422, str(error)) from None


def _plain(value: object) -> object:
    if isinstance(value, list):
        # Of one galaxy either all numbers of a distribution are there or none is.
        return [number(one) for one in value] if math.isfinite(value[0]) else None
    return number(value) if isinstance(value, float) else value


def number(value: float) -> float | None:
    """Round a number as far as it is known; None where it is not finite, which JSON cannot say."""
    return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
