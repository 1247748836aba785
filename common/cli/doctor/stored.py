"""The store of trained models, and the data set that a command would use."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from common.cli.doctor.findings import BROKEN, NOTE, OK, Finding, line_of, without_password
from common.data.locate import dataset_folder
from common.runs.dead_runs import DIED, dead_runs, how_to_go_on
from common.runs.store_location import CHAMPION, DATABASE, HASH_TAG, REPOSITORY, WEIGHTS, store_folder, use_store
from sdss_gs.errors import DataError, ZooError
from sdss_gs.files import sha256
from sdss_gs.locate import as_typed, folder_beside
from sdss_gs.packing.packed import packed_folder, packed_version
from sdss_gs.schema import INPUTS, VERSION

PATIENCE = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "5"}
"""Of MLflow, with a server that does not answer; otherwise it takes minutes."""
TRAIN = "mlflow run b2r --no-conda trains one in a minute"


def store() -> list[Finding]:
    """Look into the store: is it there, which models does it hold, and are the champions' files what was stored."""
    address = os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{store_folder() / DATABASE}"
    shown = without_password(address)
    file = Path(address.removeprefix("sqlite:///")) if address.startswith("sqlite:///") else None
    if file is not None and not file.is_file():
        return [Finding("store", NOTE, f"none yet at {shown}", TRAIN)]
    # MLflow would bring a damaged or foreign file to its own form.
    if file is not None and not _begins_as_sqlite(file):
        return [Finding("store", BROKEN, f"{file}: expected a data base of MLflow's", f"move it away; {TRAIN}")]
    for name in ("mlflow", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)
    with _patience():
        import mlflow
        from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

        use_store()
        try:
            client = mlflow.MlflowClient()
            models = list(client.search_registered_models(max_results=1000))
            champions = [client.get_model_version(m.name, m.aliases[CHAMPION]) for m in models if CHAMPION in m.aliases]
            found = [_champion(client, version) for version in champions if HASH_TAG in version.tags]
            folders = {file.parent for place in (Path.cwd(), REPOSITORY) for file in place.glob("*/MLproject")}
            dead = [_dead(run) for run in dead_runs(folders) if MLFLOW_PARENT_RUN_ID not in run.data.tags]
        except mlflow.MlflowException as error:
            return [Finding("store", BROKEN, f"{shown}: {line_of(error)}", _fix(str(error), shown))]
    text = f"{shown}: {len(models)} models, {len(found)} champions"
    return [Finding("store", OK if found else NOTE, text, "" if found else TRAIN), *found, *dead]


def _begins_as_sqlite(file: Path) -> bool:
    with open(file, "rb") as opened:
        return opened.read(15) == b"SQLite format 3"


@contextmanager
def _patience() -> Iterator[None]:
    mine = [name for name in PATIENCE if name not in os.environ]
    os.environ.update({name: PATIENCE[name] for name in mine})
    try:
        yield
    finally:
        for name in mine:
            del os.environ[name]


def _fix(text: str, address: str) -> str:
    if "db upgrade" in text or "out-of-date" in text:
        return f"copy the data base, then mlflow db upgrade {address}"
    return "start its server, or unset MLFLOW_TRACKING_URI for the store of this folder"


def _dead(run) -> Finding:
    return Finding(f"run {run.info.run_name}", NOTE, DIED, how_to_go_on(run) or "begin anew: no epoch of it was kept")


def _champion(client, version) -> Finding:
    name = f"{version.name}/{version.version}"
    address = client.get_model_version_download_uri(version.name, version.version)
    if urlsplit(address).scheme not in ("", "file"):
        return Finding(name, OK, "kept elsewhere, its files were not looked at")
    folder = Path(urlsplit(address).path)
    file = folder / WEIGHTS
    again = f"bring {folder} back, or train again: mlflow run {version.name} --no-conda"
    if not file.is_file():
        return Finding(name, BROKEN, f"{file}: the file of this champion is gone", again)
    if sha256(file) != version.tags[HASH_TAG]:
        return Finding(name, BROKEN, f"{file}: not the file that was stored (another sha256)", again)
    return Finding(name, OK, "champion, its file is what was stored")


def dataset(ds: str = "") -> list[Finding]:
    """Look at the data set that a command would use."""
    try:
        folder = dataset_folder(ds, lambda _text: None)
    except DataError as error:
        return [Finding("data set", BROKEN, str(error), "python -m sdss_gs download, or name another one")]
    if folder is None:
        text = f"none in $SDSS_GS or {folder_beside(REPOSITORY)}: training generates a sample"
        return [Finding("data set", NOTE, text, "python -m sdss_gs download brings the SDSS Galaxy Subset")]
    from sdss_gs.info import summarise

    try:
        summary = summarise(folder)
    except ZooError as error:
        return [Finding("data set", BROKEN, str(error), f"python -m sdss_gs verify {folder}")]
    found = [Finding("data set", OK, f"{as_typed(str(folder))}: {summary['objects']:,} objects")]
    if summary["problems"]:
        text = f"{summary['problems']:,} wrong values in data.csv, which are left out"
        found.append(Finding("data set", NOTE, text, f"python -m sdss_gs verify {folder} lists them"))
    return found + [_input(folder, name, facts) for name, facts in summary["inputs"].items() if INPUTS[name].suffix]


def _input(folder: Path, name: str, facts: dict) -> Finding:
    counts = f"{facts['available']:,} objects" + (f", {facts['rejected']:,} refused" * bool(facts["rejected"]))
    if facts["state"] == "none":
        return Finding(name, NOTE, "no files")
    if facts["state"] != "not packed":
        state = NOTE if facts["rejected"] else OK
        fix = f"python -m sdss_gs verify {folder} says why" if facts["rejected"] else ""
        return Finding(name, state, f"{facts['state']}, {counts}", fix)
    other = packed_version(packed_folder(folder) / name)
    why = f"packed as version {other}, this zoo reads {VERSION}" if other is not None else "not packed"
    return Finding(name, NOTE, f"{why}, {counts}: the first use reads all files", f"python -m sdss_gs pack {folder}")


def models_open() -> list[Finding]:
    """Load TensorFlow, and open every champion."""
    from common.models.library import champions
    from common.models.opening import load
    from common.training import device as gpu

    found = [Finding("TensorFlow", OK, gpu.prepare("float32").line())]
    for entry in champions():
        try:
            load(entry.name)
            found.append(Finding(f"{entry.name}/{entry.version}", OK, "opens"))
        except ZooError as error:
            found.append(Finding(entry.name, BROKEN, str(error), f"train it again: mlflow run {entry.name} --no-conda"))
    return found
