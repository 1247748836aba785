"""The store of trained models, and the data set that a command would use."""

from __future__ import annotations

import logging
import os
from pathlib import Path

from common.cli.doctor.findings import BROKEN, NOTE, OK, Finding, without_password
from common.data.locate import dataset_folder
from common.models.shipped import MARK, shipped_bytes, shipped_models
from common.runs.dead_runs import DIED, PARENT_TAG, dead_runs, how_to_go_on
from common.runs.registry import registry
from common.runs.sqlite_registry import local_path
from common.runs.store_location import HASH_TAG, REPOSITORY, WEIGHTS, sqlite_file, store_address
from common.runs.stored import StoredModel
from sdss_gs.errors import ZooError
from sdss_gs.files import sha256
from sdss_gs.locate import as_typed, folder_beside
from sdss_gs.schema import INPUTS

PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "5"}
"""Of MLflow, with a server that does not answer; otherwise it takes minutes."""
TRAIN = "mlflow run b2r --no-conda trains one in a minute"


def store() -> list[Finding]:
    """Look into the store: is it there, which models does it hold, and are the champions' files what was stored."""
    address = store_address()
    shown = without_password(address)
    if file := sqlite_file(address):
        if not file.is_file():
            return [Finding("store", NOTE, f"none yet at {shown}", TRAIN)]
        # MLflow would bring a damaged or foreign file to its own form.
        with open(file, "rb") as opened:
            if opened.read(15) != b"SQLite format 3":
                return [Finding("store", BROKEN, f"{file}: expected a data base of MLflow's", f"move it away; {TRAIN}")]
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    for name, value in PATIENCE.items():
        os.environ.setdefault(name, value)
    try:
        opened = registry()
        names = opened.names()
        findings = [_champion(model) for model in opened.champions() if HASH_TAG in model.tags]
        dead = _dead_runs()
    except ZooError as error:
        text = without_password(str(error))
        return [Finding("store", BROKEN, f"{shown}: {text}", _fix(str(error), shown))]
    text = f"{shown}: {len(names)} models, {len(findings)} champions"
    return [Finding("store", OK if findings else NOTE, text, "" if findings else TRAIN), *findings, *dead]


def shipped() -> list[Finding]:
    """Count the models that come with the zoo, and compare their files with the index."""
    names, findings = list(shipped_models()), []
    for name in names:
        try:
            shipped_bytes(name)
        except ZooError as error:
            findings.append(Finding(f"{name}{MARK}", BROKEN, str(error)))
    return findings or [Finding("shipped models", OK, f"{len(names)}: {', '.join(names)}" if names else "none")]


def _fix(text: str, address: str) -> str:
    if "db upgrade" in text or "out-of-date" in text:
        return f"copy the data base, then mlflow db upgrade {address}"
    if address.startswith("sqlite"):
        return ""
    return "start its server, or unset MLFLOW_TRACKING_URI for the store of this folder"


def _dead_runs() -> list[Finding]:
    folders = {file.parent for place in (Path.cwd(), REPOSITORY) for file in place.glob("*/MLproject")}
    return [
        Finding(f"run {run.name}", NOTE, DIED, how_to_go_on(run) or "begin anew: no epoch of it was kept")
        for run in dead_runs(folders)
        if PARENT_TAG not in run.tags
    ]


def _champion(model: StoredModel) -> Finding:
    name = f"{model.name}/{model.version}"
    if (folder := local_path(model.location)) is None:
        return Finding(name, OK, "kept elsewhere, its files were not looked at")
    file = folder / WEIGHTS
    again = f"bring {folder} back, or train again: mlflow run {model.name} --no-conda"
    if not file.is_file():
        return Finding(name, BROKEN, f"{file}: the file of this champion is gone", again)
    if sha256(file) != model.tags[HASH_TAG]:
        return Finding(name, BROKEN, f"{file}: not the file that was stored (another sha256)", again)
    return Finding(name, OK, "champion, its file is what was stored")


def dataset(ds: str = "") -> list[Finding]:
    """Look at the data set that a command would use."""
    try:
        if (folder := dataset_folder(ds, lambda _text: None)) is None:
            text = f"none in $SDSS_GS or {folder_beside(REPOSITORY)}: training generates a sample"
            return [Finding("data set", NOTE, text, "zoo data download brings the SDSS Galaxy Subset")]
        # Only here: what reads tables takes half a second to import.
        from sdss_gs.info import summarise

        summary = summarise(folder)
    except ZooError as error:
        return [Finding("data set", BROKEN, str(error), "name another one; zoo data download, or zoo data verify it")]
    inputs = {name: facts for name, facts in summary["inputs"].items() if INPUTS[name].suffix}
    states = ", ".join(f"{name} {facts['state'].replace('none', 'without files')}" for name, facts in inputs.items())
    findings = [Finding("data set", OK, f"{as_typed(str(folder))}: {summary['objects']:,} objects; {states}")]
    refused = {"data.csv": summary["problems"]} | {name: facts["rejected"] for name, facts in inputs.items()}
    text = ", ".join(f"{count:,} of {name}" for name, count in refused.items() if count)
    if text:
        findings.append(Finding("data set", NOTE, f"left out: {text}", f"zoo data verify {folder} says why"))
    return findings


def models_open() -> list[Finding]:
    """Load TensorFlow, and open every champion."""
    from common.models.library import champions
    from common.models.opening import load
    from common.models.running import KERAS
    from common.training.device import select_device

    findings = [Finding("TensorFlow", OK, select_device("float32").line())]
    for entry in champions():
        try:
            load(entry.address, KERAS)
            findings.append(Finding(f"{entry.name}/{entry.version}", OK, "opens"))
        except ZooError as error:
            again = f"train it again: mlflow run {entry.name} --no-conda"
            findings.append(Finding(entry.name, BROKEN, str(error), again))
    return findings
