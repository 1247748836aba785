"""A model folder's network, ready to train: the one place that depends on how the zoo builds its networks."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd

from common.backend import keras
from common.data.batches import EpochOrder
from common.data.training_data import TrainingData
from common.networks.build import adapt_normalisation, build_flat
from common.project import Project, read_project
from common.training import device as gpu
from common.training.compile import compile_model

from . import naive
from .settings import BATCH, ROOT, model_name

ARCHITECTURES = ("reference", "fast")


def network_of(project: Project, architecture: str) -> Callable | None:
    """Load a model folder's function for an architecture; None if the folder has no such one."""
    specification = importlib.util.spec_from_file_location(project.name, project.folder / "train.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    # A folder with one network calls it by what it makes.
    only = getattr(module, "features", None) if architecture == "reference" else None
    return getattr(module, architecture, only)


def open_project(name: str, folder: Path, **options: object) -> tuple[Project, dict, TrainingData]:
    """Open the redshift model of an input on a data set."""
    project = read_project(ROOT / model_name(name))
    settings = project.defaults | {"ds": str(folder), "batch_size": BATCH} | options
    return project, settings, TrainingData(project, settings)


def prepared(
    project: Project, options: dict, data: TrainingData, architecture: str, precision: str, naively: bool = False
) -> tuple[keras.Model, str]:
    """Build and compile a network.

    Parameters
    ----------
    precision : str
        As for the option ``precision``.
    naively : bool
        One step per execution, as in a plain `model.fit`.

    Returns
    -------
    model : keras.Model
    precision : str
        The one that was taken.
    """
    device = gpu.select_device(precision, name=project.input.name)
    network, stretch = network_of(project, architecture), str(options.get("stretch", "asinh"))
    model = build_flat(project.input, project.output, data.shape(), network, project.name, stretch)
    steps = -(-data.sizes()["train"] // BATCH)
    executed = 1 if naively else device.steps_per_execution(data.inputs("train", 1).nbytes * BATCH, steps)
    compile_model(model, project.output, options, steps, executed)
    keras.config.set_dtype_policy("float32")
    return model, device.precision


def adapt(model: keras.Model, data: TrainingData) -> None:
    """Set the normalisation's statistics from the training objects, as a training run does."""
    chunks = data.batches("train", 2048, with_target=False)
    adapt_normalisation(model, chunks.map(lambda inputs: inputs[data.item.name]))


def packed_epoch(model: keras.Model, data: TrainingData) -> Callable[[], int]:
    """Return a function that trains one epoch from the packed arrays."""
    count = data.sizes()["train"]
    order = EpochOrder(0, count)
    batches = data.batches("train", BATCH, order=order)

    def epoch() -> int:
        model.fit(batches, shuffle=False, verbose=0, callbacks=[order])
        return count

    return epoch


class NaiveBatches(keras.utils.PyDataset):
    """Batches put together object by object, the naive way.

    Parameters
    ----------
    folder : Path
        Data set.
    name : str
        Input.
    objids : ndarray of int64
    """

    def __init__(self, folder: Path, name: str, objids: np.ndarray):
        super().__init__()
        self.folder, self.name, self.objids = folder, name, objids
        self.frame = pd.read_csv(folder / "data.csv")

    def __len__(self) -> int:
        return -(-len(self.objids) // BATCH)

    def __getitem__(self, number: int):
        chosen = self.objids[number * BATCH : (number + 1) * BATCH]
        inputs, redshifts = naive.read_batch(self.folder, self.name, self.frame, chosen)
        return {self.name: inputs}, redshifts
