"""Runs whose process was killed: who is told, what goes on, and what is never touched."""

import subprocess
import sys

import mlflow
import pytest
from conftest import ROOT, survey_rows, write_survey
from helpers.folders import architectures_of
from helpers.stores import new_store
from mlflow import MlflowClient

from common import train
from common.cli import command as cli
from common.runs.dead_runs import (
    LOGS,
    LOGS_TAG,
    RESUMED_TAG,
    STATE,
    SWEEP_TAG,
    close_dead_runs,
    dead_runs,
    hold,
    how_to_go_on,
    let_go,
    lock_of,
)
from common.runs.registry import registry
from common.runs.store_location import MODEL_TAG

HOLD = """
import sys
from common.runs.dead_runs import hold, lock_of
lock = lock_of(*sys.argv[1:])
hold(lock)
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def begin(tmp_path, monkeypatch):
    """Begin a run whose process is another one; `kill` kills that."""
    store = new_store(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(store)
    (tmp_path / "b2r").mkdir()
    (tmp_path / "b2r" / "MLproject").touch()
    processes = {}

    def begin(name="first", folder=tmp_path / "b2r", **tags):
        logs, pipe, client = str(folder / LOGS / name), subprocess.PIPE, MlflowClient()
        run_id = client.create_run("0", run_name=name, tags={LOGS_TAG: logs, MODEL_TAG: "b2r"} | tags).info.run_id
        process = subprocess.Popen([sys.executable, "-c", HOLD, logs, run_id], stdin=pipe, stdout=pipe, cwd=ROOT)
        assert process.stdout.readline() == b"held\n"
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
    b2r, i2r = tmp_path / "b2r", tmp_path / "i2r"
    dies, lives, other = begin(), begin("second"), begin("third", i2r)
    elsewhere = MlflowClient().create_run("0", tags={LOGS_TAG: "/another/machine", MODEL_TAG: "b2r"}).info.run_id
    hold(foreign := lock_of(b2r / LOGS / "of another store", "0" * 32))
    foreign.release()
    assert not dead_runs([b2r, i2r])
    begin.kill(dies, other)
    # `mlflow run` sees that its child ended, and does not know how it goes on.
    MlflowClient().set_terminated(dies, "FAILED")
    assert {run.id for run in dead_runs([b2r, i2r])} == {dies, other}
    assert [run.id for run in close_dead_runs(b2r)] == [dies]
    assert [status(run) for run in (dies, lives, other, elsewhere)] == ["KILLED", "RUNNING", "RUNNING", "RUNNING"]
    assert {path.name for path in (b2r / LOGS).iterdir()} == {"second", "of another store"}


def test_way_on_leads_to_the_last_run_that_has_a_state(begin, tmp_path):
    first = begin()
    begin.kill(first)
    client = MlflowClient()
    assert how_to_go_on(registry().run(first)) == ""
    (tmp_path / "b2r" / LOGS / "first" / STATE).write_bytes(b"")
    second = begin("second", **{RESUMED_TAG: first})
    begin.kill(second)
    for run in (first, second):
        assert how_to_go_on(registry().run(run)) == f"mlflow run b2r -P resume={first} --no-conda"
    # What it came from may have been removed for good (`mlflow gc`).
    client.set_tag(second, RESUMED_TAG, "0" * 32)
    assert how_to_go_on(registry().run(second)) == ""


def test_fold_does_not_go_on_without_the_others(begin, tmp_path):
    fold = begin("fold", **{"mlflow.parentRunId": "0" * 32})
    begin.kill(fold)
    (tmp_path / "b2r" / LOGS / "fold" / STATE).write_bytes(b"")
    assert how_to_go_on(registry().run(fold)) == ""


def test_run_that_died_before_its_first_tags_is_closed(begin, tmp_path):
    bare = MlflowClient().create_run("0").info.run_id
    hold(lock := lock_of(tmp_path / "b2r" / LOGS / "bare", bare))
    lock.release()
    (dead,) = close_dead_runs(tmp_path / "b2r")
    assert how_to_go_on(dead) == ""
    assert status(bare) == "KILLED"


def test_sweep_is_told_of_and_left_to_itself(begin, tmp_path, capsys):
    sweep = begin("sweep", **{SWEEP_TAG: "b2r-sweep-0123"})
    trial = begin("trial", **{SWEEP_TAG: "b2r-sweep-0123", "mlflow.parentRunId": sweep})
    begin.kill(sweep, trial)
    cli.main(["doctor"])
    said = capsys.readouterr().out
    assert said.count("its process died") == 1
    assert f"→ mlflow run b2r -e sweep -P resume={sweep} --no-conda" in said
    assert not close_dead_runs(tmp_path / "b2r")
    assert status(sweep) == "RUNNING"


def test_next_training_tells_how_the_killed_one_goes_on(begin, tmp_path, repository, capsys, without_light_form):
    data = write_survey(tmp_path / "data", survey_rows(100))
    first = begin(folder=repository / "b2r")
    begin.kill(first)
    (repository / "b2r" / LOGS / "first" / STATE).write_bytes(b"")
    assert train._run(repository / "b2r", architectures_of("b2r"), ["--ds", str(data), "--epochs", "1"]) == 0
    (line,) = [line for line in capsys.readouterr().err.splitlines() if "its process died" in line]
    assert line.startswith("run first: ")
    assert line.endswith(f"go on with: mlflow run b2r -P resume={first} --no-conda")
    assert status(first) == "KILLED"


def test_run_whose_folder_of_logs_cannot_be_written_is_begun_and_ended_all_the_same(tmp_path):
    (tmp_path / "logs").write_text("a file where the folder should be")
    hold(lock := lock_of(tmp_path / "logs" / "first", "0" * 32))
    assert not lock.is_locked
    let_go(lock)
