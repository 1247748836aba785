"""A model folder's network, ready to train: the one place that depends on how the zoo builds its networks."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from common.backend import keras
from common.data.batches import EpochOrder
from common.data.task import task_of
from common.data.training_data import TrainingData
from common.models.keras_runtime import KerasRuntime
from common.models.model import Model
from common.models.serving import serving_network
from common.networks.build import build_flat
from common.networks.training_wrappers import training_model
from common.options import TrainingOptions, typed
from common.project import Project, read_project
from common.training import device as gpu
from common.training.compile import begin_at_constants, compile_model
from common.training.one_program import run_as_programs, steps_of_program
from sdss_gs.schema import Input, Output

from . import naive
from .settings import BATCH, ROOT, model_name


def network_of(project: Project, architecture: str) -> Callable | None:
    """Load a model folder's function for an architecture; None if the folder has no such one."""
    specification = importlib.util.spec_from_file_location(project.name, project.folder / "train.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    # A folder with one network calls it by what it makes.
    only = getattr(module, "features", None) if architecture == "reference" else None
    return getattr(module, architecture, only)


def open_project(name: str, folder: Path, **options: object) -> tuple[Project, TrainingOptions, TrainingData]:
    """Open the redshift model of an input on a data set."""
    project = read_project(ROOT / model_name(name))
    # A number is what the predecessor's networks, and the naive loop, learn.
    chosen = {"ds": str(folder), "batch_size": BATCH, "head": "point"} | options
    settings = typed(TrainingOptions, project.defaults | chosen)
    return project, settings, TrainingData(task_of(project, settings), settings)


def prepared(
    project: Project,
    options: TrainingOptions,
    data: TrainingData,
    architecture: str,
    precision: str,
    naively: bool = False,
    training: bool = False,
) -> tuple[keras.Model, str]:
    """Build and compile a network.

    Parameters
    ----------
    precision : str
        As for the option ``precision``.
    naively : bool
        One step per execution, as in a plain `model.fit`.
    training : bool
        Begin at the best constants, and make of the network what a training run trains.

    Returns
    -------
    model : keras.Model
    precision : str
        The one that was taken.
    """
    device = gpu.select_device(precision, name=project.input.name)
    network = network_of(project, architecture)
    (shape,) = data.shapes().values()
    model = build_flat(project.input, project.output, shape, network, project.name, options.stretch)
    if training:
        begin_at_constants(model, data)
        model = training_model(model, rewrite=not device.compiled)
    steps = -(-data.sizes()["train"] // BATCH)
    executed = 1 if naively else device.steps_per_execution(data.bytes_of_one() * BATCH, steps)
    compile_model(model, data.outputs, options, steps, executed)
    keras.config.set_dtype_policy("float32")
    return model, device.precision


def stored_of(network: keras.Model, data: TrainingData) -> Model:
    """Make of a network what is stored and used, but for how sure it is."""
    return stored(network, data.inputs, data.outputs, data.shapes())


def stored(
    network: keras.Model,
    inputs: tuple[Input, ...],
    outputs: tuple[Output, ...],
    shapes: Mapping[str, tuple[int, ...]],
) -> Model:
    """Make the same of a network that no data set goes with."""
    return Model(
        name=network.name,
        version="",
        sha256="",
        inputs=inputs,
        outputs=outputs,
        runtime=KerasRuntime(serving_network(network, inputs), outputs),
        shapes=shapes,
        reading={},
        calibrations={},
        training_ranges={},
    )


def packed_epoch(model: keras.Model, data: TrainingData, programs: bool = False) -> Callable[[], int]:
    """Return a function that trains one epoch from the packed arrays, as programs of many steps or step by step."""
    count = data.sizes()["train"]
    order = EpochOrder(0, count)
    if programs:
        blocks = data.blocks("train", BATCH, steps_of_program(model, BATCH), order)
        run_as_programs(model, blocks, blocks)
        batches = blocks.numbers()
    else:
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
