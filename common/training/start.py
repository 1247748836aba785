"""Fine-tuning: a training that begins with the weights of a trained model."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from common.backend import keras
from common.data.task import Task
from common.data.training_data import TrainingData
from common.judge.views import predict_part
from common.models.described import DESCRIPTION
from common.models.model import ANY, Model
from common.models.opening import load
from common.models.running import KERAS
from common.models.serving import bare_network
from common.models.shipped import MARK, VERSION
from common.networks.build import build_flat
from common.options import TrainingOptions
from common.outputs.kinds import kind_of
from common.outputs.kinds.distributed import HEADS
from common.project import ModelFolder
from common.training.state import assign
from sdss_gs.errors import DataError, OptionError
from sdss_gs.locate import as_typed
from sdss_gs.tables.names import BOTH_KINDS

if TYPE_CHECKING:
    from common.judge.judge import Baselines

BEFORE = "before fine-tuning"
"""Row of the scores of the model that a training began with."""
OF_START = ("head", "bins", "errors", "target")
"""Options that decide what the network takes and gives: those are the trained model's."""
FOLLOWED = ("head", "architecture", "photometry")
"""Options that follow the trained model where they are left to it."""
BATCH = "batch_size"
"""Option that follows the number of training objects where it is left to it."""
STEPS, SMALLEST_BATCH = 5, 8
"""Steps of an epoch that few training objects are enough for, and objects of a step at least."""
POINT, BINNED, MIXTURE = HEADS
MOST_OUTSIDE = 0.01
"""Share of the training objects that may lie outside the bins of the trained model."""


def open_start(project: ModelFolder, recorded: Mapping[str, object], task: Task) -> Model:
    """Open the model that a training begins with.

    Parameters
    ----------
    project : ModelFolder
    recorded : mapping of str to object
        Options of the run.
    task : Task
        Of the folder.

    Raises
    ------
    ZooError
        If there is no such model, it is one of other inputs or outputs, or an option wants another network than its.
    """
    model = load(address_of(project, str(recorded["start"])), KERAS)
    for what, learnt, wanted in (("inputs", model.inputs, task.inputs), ("outputs", model.outputs, task.outputs)):
        names, expected = (",".join(item.name for item in items) for items in (learnt, wanted))
        if names != expected:
            raise OptionError(f"start: expected a model with {what} {expected}, found {names} of {label(model)}")
    own = {"head": head_of(model), "target": model.reading.get("target")}
    for name in (name for name in OF_START if name in recorded):
        usual = project.defaults[name]
        expected = own.get(name, usual)
        # What is left to the trained model is not said; what its numbers mean must be the same in any case.
        if recorded[name] != expected and (name == "target" or recorded[name] != usual):
            raise OptionError(f"start: expected {name}={expected} as {label(model)} has it, found {recorded[name]}")
    return model


def address_of(project: ModelFolder, start: str) -> str:
    """Return by what name `opening.load` opens the model that the option ``start`` means.

    Raises
    ------
    OptionError
        If it is none that may be meant.
    """
    if start == VERSION:
        return f"{project.folder.name}{MARK}"
    if (as_typed(start) / DESCRIPTION).is_file():
        return str(as_typed(start))
    if re.fullmatch(r"[^/@]+/[1-9][0-9]*", start):
        return start
    wanted = f"{VERSION}, a version such as b2r/3 or a folder that zoo export wrote"
    raise OptionError(f"start: expected {wanted}, found {start!r}")


def follow(
    options: TrainingOptions, start: Model, functions: Mapping[str, Callable], defaults: Mapping[str, object]
) -> TrainingOptions:
    """Take from a trained model what the options leave to it: its head, its architecture, which magnitudes it knows.

    Parameters
    ----------
    options : TrainingOptions
    start : Model
    functions : mapping of str to callable
        The model folder's architectures.
    defaults : mapping of str to object
        Of the options: what is not the default is not left to it.
    """
    found = {"head": head_of(start)}
    if start.flat and options.architecture == defaults["architecture"]:
        found["architecture"] = _architecture_of(start, functions, options) or options.architecture
    if "photometry" in defaults and options.photometry == defaults["photometry"]:
        both = any(item.told_apart for item in start.inputs)
        found["photometry"] = BOTH_KINDS if both else options.photometry
    return replace(options, **found)


def pace(options: TrainingOptions, objects: int, defaults: Mapping[str, object]) -> TrainingOptions:
    """Choose how many objects a step has, where the options leave that to it: a power of two, the default at most.

    Few objects in large steps are few steps: a trained model that has far to go does not arrive.

    Parameters
    ----------
    options : TrainingOptions
    objects : int
        That train.
    defaults : mapping of str to object
        Of the options.
    """
    if options.batch_size != defaults[BATCH]:
        return options
    fitting = max(SMALLEST_BATCH, 2 ** int(np.log2(max(1, objects / STEPS))))
    return replace(options, batch_size=min(options.batch_size, fitting))


def _architecture_of(start: Model, functions: Mapping[str, Callable], options: TrainingOptions) -> str:
    """Name the function that builds a network of a trained model's shapes; empty if none does."""
    (item,), (output,) = start.inputs, start.outputs
    learnt = [variable.shape for variable in bare_network(start.network).variables]
    for name, function in functions.items():
        network = build_flat(
            item, output, start.shapes[item.name], function, start.name, options.stretch, options.ensemble
        )
        if [variable.shape for variable in network.variables] == learnt:
            return name
    return ""


def head_of(start: Model) -> str:
    """Return what the option ``head`` calls a trained model's."""
    if any(output.components for output in start.outputs):
        return MIXTURE
    return BINNED if any(output.grid for output in start.outputs) else POINT


def label(start: Model) -> str:
    """Name a model with its version: ``b2r@shipped``, ``b2r/3``."""
    return f"{start.name}{MARK}" if start.version == VERSION else f"{start.name}/{start.version}"


def check_data(start: Model, data: TrainingData) -> None:
    """Refuse data that a trained model's inputs and outputs do not fit.

    Raises
    ------
    DataError
        If the magnitudes are of another kind, the classes others, or more than `MOST_OUTSIDE` of the training objects
        outside the bins of its distributions.
    """
    for name, kind in start.photometry().items():
        if kind and data.photometry(name) not in ("", kind):
            raise DataError(f"{data.folder}: expected {kind} {name} as {label(start)}, found {data.photometry(name)}")
    for learnt, output in zip(start.outputs, data.outputs, strict=True):
        if output != learnt:
            raise DataError(f"{data.folder}: expected {learnt.name} as {label(start)} has it, found {output.name}")
        if not learnt.grid:
            continue
        values, low, high = kind_of(learnt).to_scale(data.truth("train", learnt.name)), learnt.grid[0], learnt.grid[-1]
        outside = float(np.mean((values < low) | (values > high)))
        if outside > MOST_OUTSIDE:
            bins = f"{learnt.name} within the bins of {label(start)}, {low:.4g} to {high:.4g}"
            raise DataError(f"{data.folder}: expected {bins}, found {100 * outside:.0f} % outside; train without start")


def begin_at(network: keras.Model, start: Model) -> None:
    """Give a new network the weights of a trained model.

    Raises
    ------
    OptionError
        If it is built otherwise.
    """
    learnt, own = bare_network(start.network).variables, network.variables
    for before, now in zip(learnt, own, strict=False):
        if before.shape != now.shape:
            shape, found = tuple(before.shape), f"{tuple(now.shape)} of {now.path}: another architecture or ensemble"
            raise OptionError(f"start: expected weights of shape {shape} as in {label(start)}, found {found}")
    if len(learnt) != len(own):
        found = f"{len(own)}: another architecture or ensemble"
        raise OptionError(f"start: expected {len(learnt)} arrays of weights as in {label(start)}, found {found}")
    assign(network, [np.asarray(variable) for variable in learnt])


def predict_before(start: Model, data: TrainingData) -> Baselines:
    """Predict the test objects with the model that a training began with, as a baseline."""
    predicted, found = predict_part(start, data, "test")[ANY], {}
    for learnt, output in zip(start.outputs, data.outputs, strict=True):
        values = predicted[output.name][data.known("test", output.name)]
        # Shares of other bins than those of the new network are no distribution to it.
        found[output.name] = {BEFORE: values if learnt == output else kind_of(learnt).point(values)}
    return found
