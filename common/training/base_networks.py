"""The base networks that a fused one begins with: one for each input and output, from the store or trained first."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import mlflow
from mlflow import MlflowClient

from common.backend import keras
from common.data.training_data import TrainingData
from common.models.champion import FINGERPRINT_TAG, SCORE_TAG
from common.models.opening import load
from common.models.running import KERAS
from common.models.serving import bare_network
from common.networks.fused import BaseNetwork
from common.options import TrainingOptions, convert, options_of, typed
from common.project import ModelFolder, Project, functions_of, read_project
from common.runs.dead_runs import STATE
from common.runs.record import Run, logs_of
from common.training import state
from common.training.fit import require_best
from sdss_gs.errors import OptionError, ZooError
from sdss_gs.logs import LOG
from sdss_gs.schema import Input, Output

BASE_TAG = "zoo.base"
"""Of a nested run that trained a base network: what decides it."""
PACE = ("epochs", "batch_size", "optimizer", "learning_rate", "weight_decay")
"""What a folder without a sibling for an output lends to its training."""
FUSION_ALONE = ("ds", "inputs", "outputs", "input_dropout", "patience", "label_smoothing", "start", "resume")
"""Options that are not passed on to the training of base networks, whatever they are."""


def base_networks(
    project: ModelFolder,
    data: TrainingData,
    options: TrainingOptions,
    fold: int | None,
    record: Run,
    begin: Callable,
) -> dict[str, dict[str, BaseNetwork]]:
    """Find or train a network for each input and output.

    Taken are, in this order: of the versions in the store that learnt from the very same objects, the one with the best
    validation score; the network of an earlier run of this kind, with the same options; else one is trained as its own
    folder would, in a nested run.

    Parameters
    ----------
    project, data, options : ModelFolder, TrainingData, TrainingOptions
        Of the fused model. Options that are not its defaults hold for base networks too, but `FUSION_ALONE`.
    fold : int, optional
        As for `Session`.
    record : Run
        Under which nested runs are begun; with a stand-in nothing is looked for or recorded.
    begin : callable
        Begins a session with a project, a record, options, functions and a fold: `Session`.

    Returns
    -------
    dict of str to dict of str to BaseNetwork
        By input and output.
    """
    found: dict[str, dict[str, BaseNetwork]] = {item.name: {} for item in data.inputs}
    wanted = [
        (item, schema, output)
        for item in data.inputs
        for schema, output in zip(data.task.outputs, data.outputs, strict=True)
    ]
    for number, (item, schema, output) in enumerate(wanted, 1):
        base = base_project(project, item, schema)
        chosen = base_options(base, project, options)
        fingerprint = data.fingerprint_of(item.name, output.name)
        base = replace(base, output=replace(output, grid=())) if schema.column != output.column else base
        network = None
        if isinstance(record, Run) and fold is None:
            network = _registered(base.name, fingerprint, item, output)
        if network is None:
            network = _trained(base, chosen, fingerprint, fold, record, begin)
        print(f"base network {number} of {len(wanted)}: {base.name}, {network.address or 'trained now'}", flush=True)
        found[item.name][output.name] = network
    return found


def base_project(project: ModelFolder, item: Input, output: Output) -> Project:
    """Return what trains a network with one input and one output: the folder of that name, or one like it.

    Parameters
    ----------
    project : ModelFolder
        Of the fused model, beside which the others lie.
    item, output : Input, Output
    """
    folder = project.repository / f"{item.code}2{output.code}"
    if (folder / "train.py").is_file():
        found = read_project(folder)
        return replace(found, input=item)
    like = read_project(project.repository / f"{item.code}2{'s' if output.classes else 'r'}")
    options = options_of("main", item.name, output.name)
    defaults = {name: option.defaults.get(output.name, option.default) for name, option in options.items()}
    lent = {name: like.defaults[name] for name in PACE if name in like.defaults}
    return Project(like.folder, defaults | lent, "main", item, output)


def base_options(base: Project, project: ModelFolder, options: TrainingOptions) -> TrainingOptions:
    """Choose the options of a base network: its own defaults, and what the fused model was told.

    Parameters
    ----------
    base : Project
        Of the base network.
    project, options : ModelFolder, TrainingOptions
        Of the fused model.
    """
    told = {
        name: value
        for name, value in project.recorded(options).items()
        if name in base.defaults and name not in FUSION_ALONE and value != project.defaults[name]
    }
    for name, value in list(told.items()):
        try:
            convert(name, value, base.output.name)
        except OptionError:
            # The loss of votes is none of redshifts, and the other way round.
            del told[name]
    return typed(TrainingOptions, base.defaults | told | {"ds": options.ds})


def fits(network: BaseNetwork, learnt: Input, item: Input, output: Output) -> bool:
    """Tell whether a network sees an input as the fused one does, and answers what that can weigh.

    Parameters
    ----------
    network : BaseNetwork
    learnt : Input
        What it sees.
    item, output : Input, Output
        Of the fused network.
    """
    own = network.output
    alike = replace(own, grid=(), centre=0.0, spread=1.0) == replace(output, grid=(), centre=0.0, spread=1.0)
    return learnt == item and alike and bool(own.grid) == bool(output.grid) and not own.components


def _registered(name: str, fingerprint: str, item: Input, output: Output) -> BaseNetwork | None:
    """Find the best version of a model that learnt from the same objects."""
    tag = f"tags.`{FINGERPRINT_TAG}` = '{fingerprint}'"
    versions = MlflowClient().search_model_versions(f"name = '{name}' and {tag}")
    for version in sorted(versions, key=lambda version: float(version.tags.get(SCORE_TAG, "inf"))):
        address = f"{version.name}/{version.version}"
        try:
            model = load(address, KERAS)
        except ZooError as error:
            LOG.warning("%s: %s", address, error)
            continue
        network = BaseNetwork(bare_network(model.network), model.outputs[0], address)
        if fits(network, model.inputs[0], item, output):
            return network
    return None


def _trained(
    base: Project,
    options: TrainingOptions,
    fingerprint: str,
    fold: int | None,
    record: Run,
    begin: Callable,
) -> BaseNetwork:
    """Train a network, unless an earlier run did."""
    recorded = {name: value for name, value in base.recorded(options).items() if name not in ("ds", "memory_limit")}
    key = sha256(json.dumps([base.name, fingerprint, fold, recorded], sort_keys=True).encode()).hexdigest()[:16]
    functions = functions_of(base.folder)
    with _nested(base, record, key) as (run, earlier):
        with contextlib.redirect_stdout(io.StringIO()) if earlier else contextlib.nullcontext():
            training = begin(base, run, options, functions, fold)
        if earlier:
            training.best = state.best_of(state.load_state(earlier / STATE)[1])
        else:
            training.train()
        require_best(training.best)
        keras.config.set_dtype_policy("float32")
        network = training.build()
        state.assign(network, training.best)
        address = f"as an earlier run trained it ({earlier.name})" if earlier else f"run {run.id}" if run.id else ""
        return BaseNetwork(network, training.data.outputs[0], address)


@contextlib.contextmanager
def _nested(base: Project, record: Run, key: str) -> Iterator[tuple[Run, Path | None]]:
    """Begin a nested run that ends as what is done within it; or find the state that an earlier one left."""
    from common.training.processes import Silent

    if not isinstance(record, Run):
        yield Silent(record.logs / key), None
        return
    parent = mlflow.get_run(record.id).info.experiment_id
    done = f"tags.`{BASE_TAG}` = '{key}' and attributes.status = 'FINISHED'"
    for earlier in MlflowClient().search_runs([parent], done, max_results=1):
        logs = logs_of(earlier.info.run_id)
        if logs and (logs / STATE).is_file():
            yield Silent(logs), logs
            return
    run = Run(base, nested=True, run_name=f"{base.name}-base", tags={BASE_TAG: key})
    try:
        yield run, None
    except BaseException as error:
        run.end("KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED", str(error) or "interrupted")
        raise
    run.end("FINISHED")
