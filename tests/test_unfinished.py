"""Runs whose process was killed: who is told, what goes on, and what is never touched."""

import subprocess
import sys

import mlflow
import pytest
from conftest import ROOT, survey_rows, write_survey
from mlflow import MlflowClient
from test_networks import architectures_of

from common import cli, train
from common.unfinished import (
    LOCK,
    LOGS_TAG,
    MODEL_TAG,
    RESUMED_TAG,
    STATE,
    SWEEP_TAG,
    close,
    close_dead_runs,
    dead_runs,
    hold,
    how_to_go_on,
    let_go,
)
from common.where import make_store

HOLD = """
import sys
from pathlib import Path
from common.unfinished import hold
lock = hold(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def begin(tmp_path, monkeypatch):
    """Begin a run whose process is another one; `kill` kills that."""
    store = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(store)
    make_store(store)
    processes = {}

    def begin(name="first", **tags):
        logs, pipe = tmp_path / "logs" / name, subprocess.PIPE
        process = subprocess.Popen([sys.executable, "-c", HOLD, str(logs)], stdin=pipe, stdout=pipe, cwd=ROOT)
        assert process.stdout.readline() == b"held\n"
        run = MlflowClient().create_run("0", tags={LOGS_TAG: str(logs), MODEL_TAG: "b2r", **tags}, run_name=name)
        processes[run.info.run_id] = process
        return run.info.run_id

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
    dies, lives, other = begin(), begin("second"), begin("third", **{MODEL_TAG: "i2r"})
    elsewhere = MlflowClient().create_run("0", tags={LOGS_TAG: "/another/machine", MODEL_TAG: "b2r"}).info.run_id
    assert not dead_runs()
    begin.kill(dies, other)
    # `mlflow run` sees that its child ended, and does not know how it goes on.
    MlflowClient().set_terminated(dies, "FAILED")
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
    second = begin("second", **{RESUMED_TAG: first})
    begin.kill(second)
    for run in (first, second):
        assert how_to_go_on(client.get_run(run)) == f"mlflow run b2r -P resume={first} --no-conda"
    # What it came from may have been removed for good (`mlflow gc`).
    client.set_tag(second, RESUMED_TAG, "0" * 32)
    assert how_to_go_on(client.get_run(second)) == ""


def test_run_that_died_before_its_first_tags_is_closed(begin):
    bare = MlflowClient().create_run("0")
    close(bare, "its process died")
    assert status(bare.info.run_id) == "KILLED"


def test_sweep_is_told_of_and_left_to_itself(begin, capsys):
    sweep = begin("sweep", **{SWEEP_TAG: "b2r-sweep-0123"})
    begin.kill(sweep)
    trial = begin("trial", **{SWEEP_TAG: "b2r-sweep-0123", "mlflow.parentRunId": sweep})
    begin.kill(trial)
    cli.main(["doctor"])
    said = capsys.readouterr().out
    assert said.count("its process died") == 1
    assert f"→ mlflow run b2r -e sweep -P resume={sweep} --no-conda" in said
    assert not close_dead_runs("b2r")
    assert status(sweep) == "RUNNING"


def test_next_training_tells_how_the_killed_one_goes_on(begin, tmp_path, repository, capsys):
    data = write_survey(tmp_path / "data", survey_rows(100))
    first = begin()
    begin.kill(first)
    (tmp_path / "logs" / "first" / STATE).write_bytes(b"")
    assert train._run(repository / "b2r", architectures_of("b2r"), ["--ds", str(data), "--epochs", "1"]) == 0
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "its process died" in line]
    assert line.startswith("run first: ")
    assert line.endswith(f"go on with: mlflow run b2r -P resume={first} --no-conda")
    assert status(first) == "KILLED"


def test_run_whose_folder_of_logs_cannot_be_written_is_begun_and_ended_all_the_same(tmp_path):
    (tmp_path / "logs").write_text("a file where the folder should be")
    lock = hold(tmp_path / "logs" / "first")
    assert lock is None
    let_go(lock)
