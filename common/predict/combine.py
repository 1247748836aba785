"""Several models, one answer per galaxy and output."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from common.models.model import USED, Model
from common.outputs.flags import Flag
from common.outputs.kinds import kind_of
from common.outputs.kinds.kind import Kind
from sdss_gs.errors import OptionError
from sdss_gs.schema import OUTPUTS, Output


@dataclass(frozen=True)
class Combination:
    """How several models become one answer.

    Parameters
    ----------
    way : str
        ``one2one``: numbers are averaged with weights 1 / σ², σ being half of the 68 % interval, without a model that
        lies over 4 σ from the weighted median of at least three; class probabilities and votes are averaged. Intervals
        are as wide as the weighted mean of the models' own: the models look at the same galaxy and err alike, so that
        their number makes nobody surer. ``best``: for each galaxy the best model that has a prediction. Empty: not at
        all, each model speaks for itself.
    costs : mapping of str to mapping of str to float
        By model and output, what it reached on its validation objects, as `Metric.cost` turns it: less is better. Of a
        galaxy that lacks some of a model's inputs, its `Model.costs` say what it reaches without them.
    """

    way: str = ""
    costs: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


ALONE = Combination()
Columns = Mapping[str, np.ndarray]
"""Of a table, by name, ``(n,)`` each."""


def combine(models: Sequence[Model], columns: Mapping[str, Columns], combination: Combination) -> Columns:
    """Combine the predictions of models with the same outputs.

    Parameters
    ----------
    models : sequence of Model
    columns : mapping of str to mapping of str to ndarray
        Predictions by model, see `Model.columns_of`, all of the same objects.
    combination : Combination

    Returns
    -------
    dict of str to ndarray, shape (n,)
        By output: the prediction, its intervals or probabilities, ``<output>_models`` (names joined by ``|``) and
        ``<output>_flag``.

    Raises
    ------
    OptionError
        If models have an own output of the same name with different classes.
    """
    outputs = {output.name for model in models for output in model.outputs}
    found: dict[str, np.ndarray] = {}
    # In the order of the schema, users' own at the end.
    for name in (*(name for name in OUTPUTS if name in outputs), *sorted(outputs - set(OUTPUTS))):
        members = {model.name: output for model in models for output in model.outputs if output.name == name}
        first = next(iter(members))
        for other, output in members.items():
            if _what(output) != _what(members[first]):
                raise OptionError(
                    f"{other}: expected {name} with the classes of {first}, found others: they cannot be combined"
                )
        kind = kind_of(members[first])
        of_model = {model.name: model for model in models if model.name in members}
        best_first = sorted(members, key=lambda model: combination.costs.get(model, {}).get(name, np.inf))
        costs = [_cost(of_model[model], kind, columns[model], combination) for model in best_first]
        found |= _combined(kind, best_first, columns, np.stack(costs, axis=1) if combination.way == "best" else None)
    return found


def _cost(model: Model, kind: Kind, columns: Columns, combination: Combination) -> np.ndarray:
    """Say of each object what the model is expected to cost: that of the set of inputs that it was seen with."""
    output = kind.output.name
    usual = combination.costs.get(model.name, {}).get(output, np.inf)
    of_set = {key: by_output[output] for key, by_output in model.costs.items() if output in by_output}
    if not of_set:
        return np.full(len(columns[kind.value_columns[0]]), usual)
    return np.array([of_set.get(used, usual) for used in columns[USED]], float)


def _what(output: Output) -> tuple:
    return output.kind, output.classes, output.tree


def _combined(kind: Kind, names: Sequence[str], columns: Mapping[str, Columns], costs: np.ndarray | None) -> Columns:
    """Combine what models, the better ones first, say of one output: by the least of costs, if there are any."""

    def column(name: str) -> np.ndarray:
        return np.stack([np.asarray(columns[model][name], float) for model in names], axis=1)

    usable = ~np.isnan(column(kind.value_columns[0]))
    if costs is not None:
        # Of equal ones, unknown ones for instance, the first.
        order = np.where(usable, np.where(np.isnan(costs) | np.isinf(costs), np.finfo(float).max, costs), np.inf)
        weights, left_out = np.eye(len(names))[order.argmin(axis=1)] * usable, np.zeros(len(usable), bool)
    else:
        weights, left_out = kind.weights(column, usable)
    total = weights.sum(axis=1)
    none = total == 0
    share = np.divide(weights, total[:, None], out=np.zeros_like(weights), where=total[:, None] > 0)

    def mean(values: np.ndarray) -> np.ndarray:
        return np.where(none, np.nan, np.nansum(share * values, axis=1))

    labels, name = np.array(names, object), kind.output.name
    averaged = kind.averaged(column, mean)
    flags = np.where(none, int(Flag.MISSING), left_out * int(Flag.DISAGREEMENT))
    flags |= kind.impossible(averaged[kind.value_columns[0]]) * int(Flag.IMPOSSIBLE)
    used = np.array(["|".join(labels[row > 0]) for row in weights], object)
    return averaged | {f"{name}_models": used, f"{name}_flag": flags.astype(np.int32)}
