"""A reference sample from a data set: for models that are stored without one, or to have more objects."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np

from common.data.photometry import option_of
from common.data.task import Task
from common.data.training_data import TrainingData
from common.judge.views import predict_part
from common.models.model import ANY, Model
from common.models.reference import Sample
from common.options import TrainingOptions, typed
from common.shift.sample import embedding_basis, evenly, looks, sample_of_part
from sdss_gs.errors import DataError
from sdss_gs.tables.columns import DUSTY

ROWS, OTHERS = 10_000, 1_000
"""Objects of each part that are looked at, at most: of tables, and of images or spectra."""


def reference_of_folder(model: Model, folder: Path) -> Sample:
    """Take the validation and test objects of a data set, by the split that the model learnt by.

    Parameters
    ----------
    model : Model
    folder : Path
        An SDSS-GS folder with true values.

    Raises
    ------
    ZooError
        If there is no such folder, it has no such objects, or its column holds something else.
    """
    asked = dict(model.reading) | {"ds": str(folder), "photometry": option_of(model.photometry().get(DUSTY, ""))}
    task = Task(Path(model.name.partition("-")[0]), model.inputs, model.outputs, model.flat)
    data = TrainingData(task, typed(TrainingOptions, asked))
    for learnt, there in zip(model.outputs, data.outputs, strict=True):
        if there != learnt:
            raise DataError(f"{folder}: expected {learnt.name} like {learnt.column}, found {there.column}")
    most = ROWS if all(item.columns for item in model.inputs) else OTHERS
    basis, parts = embedding_basis(model, data) if looks(model) else np.empty((0, 0)), []
    for part in ("validation", "test"):
        if count := len(data.parts[part]):
            chosen = evenly(count, most)
            parts.append(sample_of_part(model, data, part, chosen, predict_part(model, data, part)[ANY], basis))
    return joined(parts)


def joined(parts: list[Sample]) -> Sample:
    """Join samples of the same model."""
    first = parts[0]
    return replace(
        first,
        traits={name: np.concatenate([one.traits[name] for one in parts]) for name in first.traits},
        predicted={name: np.concatenate([one.predicted[name] for one in parts]) for name in first.predicted},
        truth={name: np.concatenate([one.truth[name] for one in parts]) for name in first.truth},
        embedding=np.concatenate([one.embedding for one in parts]) if first.embedding.size else first.embedding,
    )
