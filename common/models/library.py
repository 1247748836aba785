"""What the store has: the registered models, their cards and reports; and models as folders that travel."""

from __future__ import annotations

import contextlib
import json
import shutil
from dataclasses import dataclass
from pathlib import Path

from common.models.described import (
    DESCRIPTION,
    HEADLINE_TAG,
    LIGHT_ENDING,
    MODEL_FILE,
    START_TAG,
    read_description,
    write_description,
)  # fmt: skip
from common.models.names import find_model, hint
from common.models.shipped import MARK, meant_shipped, shipped_file, stands_back
from common.runs.registry import registry
from common.runs.store_location import LIGHT_TAG, MODEL_TAG, PICTURE, REPORT, WEIGHTS, use_store
from common.runs.stored import SEE, StoredRun, UnknownModelError
from sdss_gs.errors import OptionError, ZooError
from sdss_gs.files import new_folder, sha256

CARDS = ("card.md", "card.json", PICTURE, REPORT)
"""A run of an older zoo has no picture."""


@dataclass(frozen=True)
class Entry:
    """A champion of the registry.

    Parameters
    ----------
    name, version, run_id : str
    validation : dict of str to float
        Headline metrics on the validation objects, as MLflow names them without ``validation_``.
    score, data : str
        Headline metrics on the test objects, of each output where there are several; what it was trained on, and from
        which model it was adapted to that.
    address : str
        What opens it: its name, or name and version where a shipped model has the name, see `shipped.stands_back`.
    """

    name: str
    version: str
    run_id: str
    validation: dict[str, float]
    score: str
    data: str
    address: str


def champions() -> list[Entry]:
    """List the champions of all models, by name."""
    store, entries = registry(), []
    for model in store.champions():
        if (run := store.run(model.run_id)) is None:
            continue
        names = _headlines(model.name, run)
        test, validation = (
            {name: run.metrics[f"{part}_{name}"] for name in names if f"{part}_{name}" in run.metrics}
            for part in ("test", "validation")
        )
        if not test and MODEL_TAG not in run.tags:
            # Somebody else's model.
            continue
        score = ", ".join(f"{name.replace('_', ' ', len(test) > 1)} {value:.4f}" for name, value in test.items())
        start = run.tags.get(START_TAG)
        data = f"{run.data}, adapted from {start}" if start else run.data
        address = f"{model.name}/{model.version}" if stands_back(model) else model.name
        entries.append(Entry(model.name, model.version, model.run_id, validation, score, data, address))
    return entries


def _headlines(name: str, run: StoredRun) -> list[str]:
    """List the headline metrics of a model, as MLflow names them without ``test_``."""
    if HEADLINE_TAG in run.tags:
        return run.tags[HEADLINE_TAG].split(",")
    # As zoo 0.1 left it. Only here: outputs and their kinds take a second to import.
    from common.outputs.kinds import kind_of
    from sdss_gs.schema import OUTPUTS, parse_model_name

    try:
        return [kind_of(parse_model_name(name)[1]).headline]
    except OptionError:
        return [f"{output.name}_{kind_of(output).headline}" for output in OUTPUTS.values()]


def artifact(name: str, file: str) -> Path:
    """Return where a file of a model's run is: its ``card.md``, ``card.json`` or ``report.html``.

    Raises
    ------
    ZooError
        If there is no such model or file.
    """
    if (Path(name) / DESCRIPTION).is_file():
        return Path(name) / file
    shipped = meant_shipped(name)
    # No report ships; that of a trial is asked for by its name.
    if shipped and file != REPORT:
        return shipped_file(shipped, f".{file}")
    store = registry()
    with contextlib.suppress(UnknownModelError, OSError):
        if run := store.run(store.model(name).run_id):
            return store.run_file(run, file)
    if shipped:
        raise ZooError(
            f"{name}: expected a run with a {file}, found a model that ships, which has a card: zoo info {name}"
        )
    raise ZooError(f"{name}: expected a trained model with a {file}, found none{hint(name) or SEE}")


def run_page(name: str) -> str:
    """Return where ``mlflow ui`` shows the run that made a model, relative to its address; empty if there is none."""
    if (Path(name) / DESCRIPTION).is_file():
        return ""
    store = registry()
    with contextlib.suppress(UnknownModelError):
        if run := store.run(store.model(name).run_id):
            return f"#/experiments/{run.experiment_id}/runs/{run.id}"
    return ""


def export(name: str, folder: Path) -> Path:
    """Write a model as a new folder that can be copied anywhere: weights, description, card, report, checksums.

    Raises
    ------
    ZooError
        If there is no such model, or the folder exists.
    """
    # Not with the others: only this needs the network, and TensorFlow with it.
    from common.models.light import open_light
    from common.models.opening import load
    from common.models.running import KERAS

    shipped = meant_shipped(name)
    try:
        stored, place, facts = find_model(name)
    except UnknownModelError:
        if shipped:
            problem = f"{name}: expected a model of the store, found {shipped}{MARK}, which every zoo has"
            raise OptionError(problem) from None
        raise
    with new_folder(folder) as temporary:
        # By Keras, so that its file is looked at; the other ones are below.
        model, light = load(stored.address, KERAS), json.loads(stored.tags.get(LIGHT_TAG, "{}"))
        for file in (MODEL_FILE, *light):
            shutil.copyfile((place / WEIGHTS).with_name(file), temporary / file)
        cards = [file for file in CARDS if file != PICTURE or _has(stored.address, file)]
        for file in cards:
            shutil.copyfile(artifact(stored.address, file), temporary / file)
        open_light(temporary, light)
        description = {
            "name": model.name,
            "version": model.version,
            "sha256": model.sha256,
            "facts": facts,
            "files": {file: sha256(temporary / file) for file in (MODEL_FILE, *light, *cards)},
        }
        write_description(temporary, description)
    return folder


def _has(name: str, file: str) -> bool:
    with contextlib.suppress(ZooError):
        return artifact(name, file).is_file()
    return False


def import_model(folder: Path) -> tuple[str, str]:
    """Add an exported model to the store, byte for byte, after checking every file.

    Returns
    -------
    address : str
    said : str
        What to tell the user of the champion: it becomes that where there is none.

    Raises
    ------
    ZooError
        If the folder is none that `export` wrote, or a file is not what it was.
    """
    import mlflow

    from common.models.champion import promote_first
    from common.models.light import Light, open_light
    from common.models.opening import load
    from common.models.running import KERAS
    from common.models.store import log_model

    description = read_description(folder)
    for file, expected in description["files"].items():
        if Path(file).name != file or not (folder / file).is_file() or sha256(folder / file) != expected:
            raise ZooError(f"{folder / file}: expected the file that was exported (sha256 {expected[:12]}…)")
    model, original = load(folder, KERAS), folder / MODEL_FILE
    light = {file: digest for file, digest in description["files"].items() if file.endswith(LIGHT_ENDING)}
    open_light(folder, light)
    use_store()
    with mlflow.start_run(run_name=f"{model.name}-imported"):
        mlflow.set_tags({MODEL_TAG: model.name, "zoo.imported": str(folder)})
        for file in set(CARDS) & set(description["files"]):
            mlflow.log_artifact(str(folder / file))
        address = log_model(
            model,
            model.example(),
            facts=description["facts"],
            light=Light(folder, light, description["facts"].get("light", "")),
            original=original,
        )
    return address, promote_first(address)
