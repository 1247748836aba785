"""Several models, one answer per galaxy and output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby

import numpy as np
import pandas as pd

from common.models.model import Model
from common.outputs.flags import Flag
from common.outputs.kinds import kind_of
from sdss_gs.errors import OptionError
from sdss_gs.schema import OUTPUTS

WAYS = ("one2one", "best")


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
            if _what(other) != _what(members[0]):
                raise OptionError(
                    f"{other.name}: expected {output.name} with the classes of {members[0].name}, found others: they "
                    "cannot be combined"
                )
        parts.append(_combined(members, frames, way))
    return pd.concat(parts, axis=1)


def _place(model: Model) -> tuple[int, str]:
    """Order outputs as in the schema, users' own at the end."""
    name = model.output.name
    return (list(OUTPUTS).index(name) if name in OUTPUTS else len(OUTPUTS), name)


def _what(model: Model) -> tuple:
    return model.output.kind, model.output.classes, model.output.tree


def _combined(members: Sequence[Model], frames: Mapping[str, pd.DataFrame], way: str) -> pd.DataFrame:
    """Combine models of one output."""
    kind = kind_of(members[0].output)

    def column(name: str) -> np.ndarray:
        return np.stack([frames[model.name][name].to_numpy(float) for model in members], axis=1)

    usable = ~np.isnan(column(kind.value_columns[0]))
    if way == "best":
        weights, left_out = (usable & (np.cumsum(usable, axis=1) == 1)).astype(float), np.zeros(len(usable), bool)
    else:
        weights, left_out = kind.weights(column, usable)
    total = weights.sum(axis=1)
    none = total == 0
    share = np.divide(weights, total[:, None], out=np.zeros_like(weights), where=total[:, None] > 0)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.where(none, np.nan, np.nansum(np.where(share > 0, share * values, 0), axis=1))

    labels, name = np.array([model.name for model in members], object), kind.output.name
    return pd.DataFrame(
        kind.averaged(column, mean)
        | {
            f"{name}_models": ["|".join(labels[row > 0]) for row in weights],
            f"{name}_flag": np.where(none, int(Flag.MISSING), left_out * int(Flag.DISAGREEMENT)).astype(np.int32),
        }
    )
