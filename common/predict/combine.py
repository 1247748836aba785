"""Several models, one answer per galaxy and output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

import numpy as np
import pandas as pd

from common.models.model import Model
from common.outputs.calibration import LEVELS, error_of, moved
from common.outputs.columns import percent
from common.outputs.flags import Flag
from sdss_gs.decision_tree import TREES
from sdss_gs.errors import OptionError
from sdss_gs.gz2_class import summaries
from sdss_gs.schema import OUTPUTS, Output

WAYS = ("one2one", "best")
WILD = 4.0
"""A model so many of its own standard errors away from the others' median is left out."""
LEAST_WIDTH = 1e-6


def combine(models: Sequence[Model], frames: Mapping[str, pd.DataFrame], way: str) -> pd.DataFrame:
    """Combine the predictions of models with the same output.

    Parameters
    ----------
    models : sequence of Model
        For ``best``, the better ones first.
    frames : mapping of str to DataFrame
        Predictions by model, all of the same objects.
    way : str
        ``one2one``: numbers are averaged with weights 1 / σ², σ being half of the 68 % interval, without a model that
        lies over 4 σ from the weighted median of at least three; class probabilities and votes are averaged. Intervals
        are as wide as the weighted mean of the models' own: the models look at the same galaxy and err alike, so that
        their number makes nobody surer. ``best``: the first model that has a prediction.

    Returns
    -------
    DataFrame
        By output: the prediction, its intervals or probabilities, ``<output>_models`` (names joined by ``|``) and
        ``<output>_flag``.

    Raises
    ------
    OptionError
        If models have an own output of the same name with different classes.
    """
    parts = []
    for _, group in groupby(sorted(models, key=_place), _place):
        members = list(group)
        output = members[0].output
        for other in members:
            if (other.output.kind, other.output.classes, other.output.tree) != (
                output.kind,
                output.classes,
                output.tree,
            ):
                raise OptionError(
                    f"{other.name}: expected {output.name} with the classes of {members[0].name}, found others: they "
                    "cannot be combined"
                )
        usable = np.stack([frames[m.name][_first(output)].notna().to_numpy() for m in members], axis=1)
        if way == "best":
            weights = usable & (np.cumsum(usable, axis=1) == 1)
            wild = np.zeros(len(usable), bool)
        else:
            weights, wild = _weights(output, members, frames, usable)
        parts.append(_averaged(output, members, frames, weights.astype(float), wild))
    return pd.concat(parts, axis=1)


def _place(model: Model) -> tuple[int, str]:
    """Order outputs as in the schema, users' own at the end."""
    name = model.output.name
    return (list(OUTPUTS).index(name) if name in OUTPUTS else len(OUTPUTS), name)


def _first(output: Output) -> str:
    labels = output.classes or output.answers
    return f"{output.name}_{labels[0]}" if labels else output.name


def _columns(frames: Mapping[str, pd.DataFrame], members: Sequence[Model], column: str) -> np.ndarray:
    """Gather a column of every model, float64 ``(n, models)``; NaN without a prediction."""
    return np.stack([frames[model.name][column].to_numpy(float) for model in members], axis=1)


def _weights(output, members, frames, usable) -> tuple[np.ndarray, np.ndarray]:
    """Weigh each model for each object; tell for which objects a model was left out."""
    if output.classes or output.answers:
        return usable.astype(float), np.zeros(len(usable), bool)
    value = _columns(frames, members, output.name)
    width = _sigma(output, members, frames)
    weights = np.where(usable, 1 / np.maximum(width, LEAST_WIDTH) ** 2, 0.0)
    middle = _weighted_median(value, weights)
    distance = np.abs(error_of(output, value, middle[:, None]))
    wild = usable & (distance > WILD * np.maximum(width, LEAST_WIDTH)) & (usable.sum(axis=1) > 2)[:, None]
    return np.where(wild, 0.0, weights), wild.any(axis=1)


def _sigma(output, members, frames) -> np.ndarray:
    low, high = (_columns(frames, members, f"{output.name}_{end}_{percent(LEVELS[0])}") for end in ("low", "high"))
    value = _columns(frames, members, output.name)
    return np.nan_to_num(error_of(output, high, value) - error_of(output, low, value)) / 2


def _weighted_median(value: np.ndarray, weights: np.ndarray) -> np.ndarray:
    filled = np.where(weights > 0, value, np.inf)
    order = np.argsort(filled, axis=1)
    heights = np.cumsum(np.take_along_axis(weights, order, axis=1), axis=1)
    place = (heights >= heights[:, -1:] / 2).argmax(axis=1)
    return np.take_along_axis(filled, order, axis=1)[np.arange(len(value)), place]


def _averaged(output, members, frames, weights, wild) -> pd.DataFrame:
    total = weights.sum(axis=1)
    share = np.divide(weights, total[:, None], out=np.zeros_like(weights), where=total[:, None] > 0)
    name, found = output.name, {}
    none = total == 0

    def mean(values: np.ndarray) -> np.ndarray:
        return np.where(none, np.nan, np.nansum(np.where(share > 0, share * values, 0), axis=1))

    if output.classes:
        chances = {label: mean(_columns(frames, members, f"{name}_{label}")) for label in output.classes}
        best = np.array(output.classes, object)[np.nan_to_num(np.stack(list(chances.values()))).argmax(axis=0)]
        found[name] = np.where(none, None, best)
        found |= {f"{name}_{label}": values for label, values in chances.items()}
    elif output.answers:
        columns = [f"{name}_{answer}{end}" for end in ("", "_low_90", "_high_90") for answer in output.answers]
        shares = {column: mean(_columns(frames, members, column)) for column in columns}
        votes = np.stack([shares[f"{name}_{answer}"] for answer in output.answers], axis=1)
        words = np.array(summaries(TREES[output.tree], np.nan_to_num(votes)), object)
        found |= {name: np.where(none, None, words)} | shares
    else:
        value = _columns(frames, members, name)
        # Masses are averaged as they err, in dex.
        middle = mean(np.log10(value)) if output.kind == "mass" else mean(value)
        found[name] = 10**middle if output.kind == "mass" else middle
        for level in LEVELS:
            for end in ("low", "high"):
                column = f"{name}_{end}_{percent(level)}"
                found[column] = moved(
                    output, found[name], mean(error_of(output, _columns(frames, members, column), value))
                )
    labels = np.array([model.name for model in members], object)
    found[f"{name}_models"] = ["|".join(labels[row > 0]) for row in weights]
    found[f"{name}_flag"] = np.where(none, int(Flag.MISSING), wild * int(Flag.DISAGREEMENT)).astype(np.int32)
    return pd.DataFrame(found)
