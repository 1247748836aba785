"""Samples of objects to compare: of the survey that a model learnt from, and of another one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from common.models.model import Model
from common.models.reference import Sample
from common.networks.inputs import PRESENT
from common.outputs.kinds import kind_of
from common.shift.traits import shift_traits, trait_names

if TYPE_CHECKING:
    from common.data.training_data import TrainingData

OBJECTS, ROWS = 1_000, 3_000
"""Validation objects of a stored sample, at most; of tables alone: what dust does to colours is little."""
NUMBERS = 27_000
"""Numbers that are kept of them, at most, in two bytes each: a model of many inputs keeps fewer objects."""
COMPONENTS = 8
"""Principal components of what feeds the heads."""
WIDEST = 2_048
"""Features at most of which these components are stored."""
PIECE = 256


def reference_sample(model: Model, data: TrainingData, predicted: Mapping[str, np.ndarray]) -> Sample:
    """Choose and measure validation objects, evenly along the data set.

    Parameters
    ----------
    model : Model
        With the ranges of its training objects.
    data : TrainingData
    predicted : mapping of str to ndarray
        What it makes of all validation objects, by output.
    """
    tables = all(item.columns for item in model.inputs)
    each = sum(len(item.magnitudes) or len(trait_names(item)) for item in model.inputs)
    each += sum(2 * (len(output.answers) or 1) + bool(output.classes) for output in model.outputs)
    most = min(ROWS, NUMBERS // each) if tables else min(OBJECTS, NUMBERS // (each + COMPONENTS))
    chosen = evenly(len(data.parts["validation"]), most)
    basis = embedding_basis(model, data) if looks(model) else np.empty((0, 0))
    return sample_of_part(model, data, "validation", chosen, predicted, basis)


def sample_of_part(
    model: Model,
    data: TrainingData,
    part: str,
    chosen: np.ndarray,
    predicted: Mapping[str, np.ndarray],
    basis: np.ndarray,
) -> Sample:
    """Measure some objects of a part of a data set.

    Parameters
    ----------
    model : Model
    data : TrainingData
    part : str
    chosen : ndarray of int, shape (n,)
        Their positions in the part.
    predicted : mapping of str to ndarray
        What the model makes of all objects of the part, by output.
    basis : ndarray
        See `Sample`; empty where what feeds the heads is not looked at.
    """
    objects, measured, embedded = data.parts[part][chosen], [], []
    for start in range(0, len(objects), PIECE):
        piece = data.gather(objects[start : start + PIECE])
        present = piece.pop(PRESENT) > 0
        seen = {item.name: piece[item.name][present[:, k]] for k, item in enumerate(model.inputs)}
        measured.append(measured_traits(model, seen, present))
        if basis.size:
            embedded.append(embedding(model, seen, present, basis))
    truth = {}
    for output in data.outputs:
        known = data.known(part, output.name)
        values = data.truth(part, output.name)
        whole = np.full((len(known), *values.shape[1:]), -1 if output.classes else np.nan)
        whole[known] = values
        truth[output.name] = whole[chosen].astype(int) if output.classes else whole[chosen]
    return Sample(
        traits={item.name: np.concatenate([one[item.name] for one in measured]) for item in model.inputs},
        predicted={one.name: kind_of(one).point(predicted[one.name][chosen]) for one in model.outputs},
        truth=truth,
        embedding=np.concatenate(embedded) if embedded else np.empty((0, 0)),
        basis=basis,
    )


def measured_traits(model: Model, seen: Mapping[str, np.ndarray], present: np.ndarray) -> dict[str, np.ndarray]:
    """Measure objects, float64 ``(n, k)`` by input, NaN where one lacks it.

    Parameters
    ----------
    model : Model
    seen, present
        As `Model.answers` takes them.
    """
    found = {}
    for number, item in enumerate(model.inputs):
        basis = np.asarray(getattr(model.training_ranges[item.name], "basis", ()))
        found[item.name] = np.full((len(present), len(trait_names(item))), np.nan)
        if present[:, number].any():
            found[item.name][present[:, number]] = shift_traits(item, seen[item.name], basis)
    return found


# === What feeds the heads ===


def looks(model: Model) -> bool:
    """Tell whether what feeds a model's heads says more than its traits: of magnitudes these are all there is."""
    return not all(item.columns for item in model.inputs) and model.runtime.features_width <= WIDEST


def embedding_basis(model: Model, data: TrainingData) -> np.ndarray:
    """Find the mean and the principal components of what feeds the heads, of training objects; float64 ``(1 + m, k)``.

    Of training objects: those of the sample itself would spread more along components that were fitted to them.
    """
    objects = data.parts["train"][evenly(len(data.parts["train"]), OBJECTS)]
    features = []
    for start in range(0, len(objects), PIECE):
        piece = data.gather(objects[start : start + PIECE])
        present = piece.pop(PRESENT) > 0
        seen = {item.name: piece[item.name][present[:, k]] for k, item in enumerate(model.inputs)}
        features.append(features_of(model, seen, present))
    found = np.concatenate(features)
    mean = found.mean(axis=0)
    _, _, vectors = np.linalg.svd(found - mean, full_matrices=False)
    return np.concatenate([mean[None], vectors[:COMPONENTS]])


def embedding(model: Model, seen: Mapping[str, np.ndarray], present: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Return what feeds the heads along the components of a basis, float64 ``(n, m)``.

    Parameters
    ----------
    model : Model
    seen, present
        As `Model.answers` takes them.
    basis : ndarray
        See `Sample`.
    """
    return (features_of(model, seen, present) - basis[0]) @ basis[1:].T


def features_of(model: Model, seen: Mapping[str, np.ndarray], present: np.ndarray) -> np.ndarray:
    """Compute what feeds the heads, float64 ``(n, width)``.

    Parameters
    ----------
    model, seen, present
        As `Model.answers` has them.
    """
    view = model.encoded(seen, present)
    return model.runtime.features(view, model.inputs if model.flat else ()).astype(np.float64)


def evenly(count: int, most: int) -> np.ndarray:
    """Choose at most so many of so many positions, evenly; int64, ascending."""
    return np.linspace(0, count - 1, min(count, most)).astype(int)
