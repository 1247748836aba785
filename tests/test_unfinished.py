"""Runs whose process was killed: who is told, what goes on, and what is never touched."""

import os
import subprocess
import sys

import mlflow
import pytest
from conftest import ROOT, survey_rows, write_survey
from mlflow import MlflowClient
from test_networks import architectures_of

from common import train
from common.unfinished import LOCK, LOGS_TAG, MODEL_TAG, STATE, close_dead_runs, dead_runs, how_to_go_on
from common.where import make_store

BEGIN = f"""
import json, sys
from pathlib import Path
from mlflow import MlflowClient
from common.unfinished import hold
logs, tags = Path(sys.argv[1]), json.loads(sys.argv[2])
run = MlflowClient().create_run("0", tags={{"{LOGS_TAG}": str(logs), "{MODEL_TAG}": "b2r", **tags}}, run_name=logs.name)
lock = hold(logs)
print(run.info.run_id, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def begin(tmp_path, monkeypatch):
    """Begin a run in a process of its own; `kill` kills that."""
    store = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(store)
    make_store(store)
    processes = {}

    def begin(name="first", tags="{}"):
        command = [sys.executable, "-c", BEGIN, str(tmp_path / "logs" / name), tags]
        pipe = subprocess.PIPE
        process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT, env=os.environ)
        run_id = process.stdout.readline().strip()
        processes[run_id] = process
        return run_id

    def kill(*runs):
        for run_id in runs:
            process = processes.pop(run_id)
            process.kill()
            process.communicate()

    begin.kill = kill
    yield begin
    kill(*processes)


def status(run_id):
    return MlflowClient().get_run(run_id).info.status


def test_only_runs_whose_process_is_gone_are_closed(begin, tmp_path):
    dies, lives, other = begin(), begin("second"), begin("third", '{"zoo.model": "i2r"}')
    elsewhere = MlflowClient().create_run("0", tags={LOGS_TAG: "/another/machine", MODEL_TAG: "b2r"}).info.run_id
    assert not dead_runs()
    begin.kill(dies, other)
    assert {run.info.run_id for run in dead_runs()} == {dies, other}
    assert [run.info.run_id for run in close_dead_runs("b2r")] == [dies]
    assert [status(run) for run in (dies, lives, other, elsewhere)] == ["KILLED", "RUNNING", "RUNNING", "RUNNING"]
    assert not (tmp_path / "logs" / "first").exists()
    assert (tmp_path / "logs" / "second" / LOCK).is_file()


def test_way_on_leads_to_the_last_run_that_has_a_state(begin, tmp_path):
    first = begin()
    begin.kill(first)
    client = MlflowClient()
    assert how_to_go_on(client.get_run(first)) == ""
    (tmp_path / "logs" / "first" / STATE).write_bytes(b"")
    second = begin("second", f'{{"zoo.resumed_from": "{first}"}}')
    begin.kill(second)
    for run in (first, second):
        assert how_to_go_on(client.get_run(run)) == f"mlflow run b2r -P resume={first} --no-conda"


def test_sweep_is_told_of_and_left_to_itself(begin):
    sweep = begin("sweep", '{"zoo.sweep": "b2r-sweep-0123"}')
    begin.kill(sweep)
    (dead,) = dead_runs()
    assert how_to_go_on(dead) == f"mlflow run b2r -e sweep -P resume={sweep} --no-conda"
    assert not close_dead_runs("b2r")
    assert status(sweep) == "RUNNING"


def test_next_training_tells_how_the_killed_one_goes_on(begin, tmp_path, repository, capsys):
    data = write_survey(tmp_path / "data", survey_rows(100))
    first = begin()
    begin.kill(first)
    (tmp_path / "logs" / "first" / STATE).write_bytes(b"")
    arguments = ["--ds", str(data), "--epochs", "1"]
    for said in (1, 0):
        assert train._run(repository / "b2r", architectures_of("b2r"), arguments) == 0
        errors = capsys.readouterr().err
        assert errors.count("its process died") == errors.count(f"resume={first}") == said
    assert status(first) == "KILLED"
