"""Commands on models that are killed; what they need is imported once, before anything is forked."""

import hashlib
import json
import os
import re
import shutil
from pathlib import Path
from unittest.mock import patch

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from conftest import ROOT, survey_rows, write_survey

from .kill_data import predict_again
from .killing import LONGEST, Command, hashes, run_and_kill

FIXTURE = Path(__file__).resolve().parent.parent / "fixtures" / "b2r"


def _in_store(folder):
    os.chdir(folder)
    os.environ |= {"MLFLOW_TRACKING_URI": f"sqlite:///{folder}/mlflow.db", "MLFLOW_DISABLE_TELEMETRY": "true"}


def import_command(_folder):
    """Return the command that adds an exported model to an empty store."""
    from common.models import library

    def prepare(folder):
        shutil.copytree(FIXTURE, folder / "b2r")
        description = json.loads((folder / "b2r" / "zoo.json").read_text())
        for name in library.CARDS:
            (folder / "b2r" / name).write_text("{}")
            description["files"][name] = hashlib.sha256(b"{}").hexdigest()
        (folder / "b2r" / "zoo.json").write_text(json.dumps(description))

    def act(here):
        _in_store(here)
        library.import_model(here / "b2r")

    return Command(prepare, act, _in_child(_registered)), lambda: None


def export_command(_folder):
    """Return the command that writes a model of the store as a folder."""
    from common.models import library

    prepare, import_model, _ = vars(import_command(_folder)[0]).values()
    store = _folder / "store"
    store.mkdir()
    prepare(store)
    assert run_and_kill(import_model, store, LONGEST) == 0

    def act(here):
        _in_store(store)
        if not (here / "exported").exists():
            library.export("b2r", here / "exported")

    def state(here):
        found = hashes(here)
        assert all(name.startswith("exported/") for name in found), f"left over: {sorted(found)}"
        return found

    return Command(lambda _: None, act, state), lambda: None


def distributions_command(_folder):
    """Return the command that predicts distributions, those of a model that ships, in pieces of 40 rows."""
    from common.cli.predictions import predict
    from common.data.sources import chunk

    # The tests have others.
    os.environ.pop("ZOO_SHIPPED", None)

    def prepare(here):
        magnitudes = np.random.default_rng(0).normal((18.5, 17.2, 16.5, 16.1, 15.8), 0.4, (2000, 5))
        pd.DataFrame(magnitudes, columns=[*"ugriz"]).to_parquet(here / "in.parquet")

    def act(here):
        words = ["--input", str(here / "in.parquet"), "--output", str(here / "out.parquet"), "--pdf", "grid"]
        with patch.object(chunk, "ROWS_PER_CHUNK", 40):
            predict.main(["b2r@shipped", *words], standalone_mode=False)

    def state(here):
        assert {path.name for path in here.iterdir()} == {"in.parquet", "out.parquet"}
        # The file itself also names its source, which lies in another folder each time.
        table = pq.read_table(here / "out.parquet")
        assert table.schema.field("redshift_pdf").metadata[b"grid"]
        return {name: hashlib.sha256(str(table[name].to_pylist()).encode()).hexdigest() for name in table.column_names}

    return Command(prepare, predict_again(act), state), lambda: None


def _make_b2r(folder):
    write_survey(folder / "ds", survey_rows(300))
    (folder / "b2r").mkdir()
    for name in ("MLproject", "train.py"):
        shutil.copy(ROOT / "b2r" / name, folder / "b2r")


def train_command(_folder):
    """Return the command that trains b2r, or goes on with the run that was killed."""
    from helpers.folders import architectures_of

    from common import train
    from common.runs.dead_runs import dead_runs, how_to_go_on
    from common.runs.store_location import make_store

    def act(here):
        _in_store(here)
        # As the zoo's commands do; the question below would have MLflow make the store in its many steps.
        make_store(os.environ["MLFLOW_TRACKING_URI"])
        arguments = ["--ds", str(here / "ds"), "--epochs", "25", "--batch_size", "32"]
        # What `zoo doctor` tells to type; a run that was killed before its first epoch ended has to begin anew.
        advice = [command for run in dead_runs([here / "b2r"]) if (command := how_to_go_on(run))]
        goes_on = ["--resume", re.search(r"resume=(\w+)", advice[0])[1]] if advice else arguments
        return train._run(here / "b2r", architectures_of("b2r"), goes_on)

    def state(here):
        predicted = _registered(here)
        _all_ended()
        assert not list(here.glob("b2r/logs/*/*.lock"))
        return predicted

    return Command(_make_b2r, act, _in_child(state)), lambda: None


def sweep_command(_folder):
    """Return the command that sweeps b2r: four trials, and the last training of the best."""
    from helpers.folders import architectures_of

    from common import train
    from common.training.sweep import storage as sweep_storage

    def act(here):
        _in_store(here)
        # A dead trial is known by its silence, of a minute.
        sweep_storage.HEARTBEAT, sweep_storage.GRACE, sweep_storage.POLL = 1, 3, 0.1
        options = {"ds": here / "ds", "epochs": 2, "refit_epochs": 2, "space": "batch_size=32|64,optimizer=adam|sgd"}
        arguments = [text for key, value in options.items() for text in (f"--{key}", str(value))]
        return train._run(here / "b2r", architectures_of("b2r"), ["sweep", *arguments])

    def state(here):
        predicted = _registered(here)
        runs = _all_ended()
        (parent,) = [run for run in runs if "zoo.best_run" in run.data.tags]
        table = pd.read_csv(Path(parent.info.artifact_uri.removeprefix("file://"), "sweep.csv"))
        return json.dumps([predicted, table.drop(columns=["seconds", "run"]).to_csv()])

    return Command(_make_b2r, act, _in_child(state)), lambda: None


def _all_ended():
    from mlflow import MlflowClient

    runs = MlflowClient().search_runs(["0"])
    left = [run.info.run_name for run in runs if run.info.status == "RUNNING"]
    assert not left, f"still running: {left}"
    return runs


def _registered(folder):
    """Open every version that the store lists, and the champion; return what the champion predicts."""
    from mlflow import MlflowClient

    from common.models.opening import load

    _in_store(folder)
    magnitudes = np.array([[18.5, 17.2, 16.5, 16.1, 15.8]], np.float32)
    versions = MlflowClient().search_model_versions("name='b2r'")
    assert versions, "nothing is registered"
    found = [load(f"b2r/{version.version}").predict(magnitudes) for version in versions]
    assert all(one.equals(found[0]) for one in found)
    return load("b2r").predict(magnitudes).to_json()


def _in_child(state):
    """Look at what is there in a process of its own: this one must not begin to calculate before it forks."""

    def look(folder):
        (folder / "state.json").unlink(missing_ok=True)
        code = run_and_kill(lambda here: (here / "state.json").write_text(state(here)) and 0, folder, LONGEST)
        assert code == 0, "what is there cannot be opened"
        return (folder / "state.json").read_text()

    return look
