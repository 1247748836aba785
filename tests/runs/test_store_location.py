"""A new store has all of its tables or none, whoever makes it and whenever that is killed."""

import signal
import subprocess
import sys

import pytest
from conftest import ROOT
from mlflow import MlflowClient

from common.runs.store_location import make_store

KILLED = """
import os, signal, sys
from mlflow.store.db import utils
from common.runs.store_location import make_store

# The first tables are there by then, in an old form.
utils._upgrade_db = lambda _engine: os.kill(os.getpid(), signal.SIGKILL)
make_store(sys.argv[1])
"""


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A place for a store, and the current folder beside it."""
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return f"sqlite:///{tmp_path}/mlflow.db"


def opened(store, tmp_path):
    """Write to the store as MLflow does; return where its files go."""
    client = MlflowClient(store)
    run = client.create_run("0")
    assert [one.info.run_id for one in client.search_runs(["0"])] == [run.info.run_id]
    return client.get_experiment("0").artifact_location == str(tmp_path / "here" / "mlruns" / "0")


def test_new_store_is_mlflows(store, tmp_path):
    make_store(store)
    assert opened(store, tmp_path)
    before = (tmp_path / "mlflow.db").read_bytes()
    make_store(store)
    assert (tmp_path / "mlflow.db").read_bytes() == before


def test_store_killed_while_its_tables_are_made_is_made_the_next_time(store, tmp_path):
    done = subprocess.run([sys.executable, "-c", KILLED, store], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert [path.suffix for path in tmp_path.glob("mlflow.db*")] == [".part"]
    make_store(store)
    assert opened(store, tmp_path)


def test_processes_that_make_the_same_store_at_once_share_it(store, tmp_path):
    code = "import sys; from common.runs.store_location import make_store; make_store(sys.argv[1])"
    begun = [subprocess.Popen([sys.executable, "-c", code, store], cwd=ROOT) for _ in range(2)]
    assert [one.wait() for one in begun] == [0, 0]
    assert len(MlflowClient(store).search_experiments()) == 1


@pytest.mark.parametrize("uri", ["http://127.0.0.1:9", "postgresql://someone@127.0.0.1/zoo", "databricks", "./mlruns"])
def test_other_stores_are_left_to_mlflow(store, tmp_path, uri):
    make_store(uri)
    assert not list(tmp_path.rglob("*.db"))


def test_where_there_are_no_hard_links_the_store_is_left_to_mlflow(store, tmp_path, monkeypatch):
    def refuse(*_paths):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", refuse)
    make_store(store)
    assert not list(tmp_path.glob("mlflow.db*"))


def test_folder_that_does_not_exist_cannot_be_made_in_a_file(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"):
        make_store(f"sqlite:///{tmp_path}/file/mlflow.db")
