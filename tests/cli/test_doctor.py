"""What ``zoo doctor`` finds, and what it says to do about it."""

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version

import mlflow
import pytest
import sqlalchemy
from conftest import survey_rows, write_survey
from helpers.stores import new_store

from common.cli.command import main
from common.cli.doctor import machine, stored
from common.runs import store_location as where
from common.runs.failures import user_message
from sdss_gs.dataset import open_catalogue
from sdss_gs.files import sha256
from sdss_gs.packing.pack import pack


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store with a champion b2r as training leaves it, as far as files go."""
    folder = tmp_path_factory.mktemp("store")
    weights = folder / "b2r" / where.WEIGHTS
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"weights")
    address = new_store(folder)
    client = mlflow.MlflowClient(address, address)
    for name, tags in (("b2r", {where.HASH_TAG: sha256(weights)}), ("somebody-elses", {})):
        client.create_registered_model(name)
        client.create_model_version(name, str(folder / "b2r"), tags=tags)
        client.set_registered_model_alias(name, where.CHAMPION, "1")
    return folder


@pytest.fixture
def quiet_machine(monkeypatch, tmp_path):
    """A machine with nothing on it, whatever the real one has."""
    for module in (where, stored):
        monkeypatch.setattr(module, "REPOSITORY", tmp_path / "zoo")
    (tmp_path / "zoo").mkdir()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(mlflow, "is_tracking_uri_set", lambda: False)
    # Set by the doctor for its own process.
    for name, value in stored.PATIENCE.items():
        monkeypatch.setenv(name, value)
    # What another test has set counts more than the environment.
    monkeypatch.setattr("mlflow.tracking._tracking_service.utils._tracking_uri", None)
    return tmp_path


def examine(capsys, *options):
    code = main(["doctor", "--json", *options])
    answer = json.loads(capsys.readouterr().out)
    assert answer["ok"] == (code == 0)
    return code, {finding["subject"]: finding for finding in answer["findings"]}


def test_a_new_machine_is_told_how_to_begin(quiet_machine, capsys, monkeypatch):
    # Not this clone, where a training may have left its sample.
    monkeypatch.setattr("common.data.locate.REPOSITORY", quiet_machine)
    code, found = examine(capsys)
    assert code == 0
    assert found["python"]["state"] == found["zoo"]["state"] == found["packages"]["state"] == "ok"
    assert f"tensorflow {version('tensorflow')}" in found["packages"]["text"]
    assert "mlflow run b2r" in found["store"]["fix"]
    assert "zoo data download" in found["data set"]["fix"]
    # A diagnosis makes no store.
    assert not list(quiet_machine.rglob("mlflow.db"))


def test_tensorflow_is_not_loaded(quiet_machine):
    script = "import sys; from common.cli.command import main; main(['doctor']); print(*sys.modules)"
    environment = os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{quiet_machine}/mlflow.db"}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert "nothing is broken" in done.stdout
    assert not {"tensorflow", "keras", "mlflow"} & set(done.stdout.split("\n")[-2].split())


@pytest.mark.parametrize(
    ("content", "word"), [(b"weights", ""), (None, "is gone"), (b"other weights", "not the file that was stored")]
)
def test_champions_files_are_those_that_were_stored(quiet_machine, store, monkeypatch, capsys, content, word):
    weights = store / "b2r" / where.WEIGHTS
    weights.unlink(missing_ok=True)
    if content is not None:
        weights.write_bytes(content)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{store / 'mlflow.db'}")
    code, found = examine(capsys)
    assert code == (1 if word else 0)
    assert "2 models, 1 champions" in found["store"]["text"]
    assert "somebody-elses/1" not in found
    assert word in found["b2r/1"]["text"]
    assert ("train again: mlflow run b2r --no-conda" in found["b2r/1"]["fix"]) == bool(word)


def test_damaged_store_is_named_and_left_alone(quiet_machine, monkeypatch, capsys):
    path = quiet_machine / "mlflow.db"
    path.write_bytes(b"not a data base")
    code, found = examine(capsys)
    assert code == 1
    assert str(path) in found["store"]["text"]
    assert path.read_bytes() == b"not a data base"


def test_server_that_does_not_answer_is_broken_and_its_password_is_not_shown(quiet_machine, monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:9")
    assert main(["doctor"]) == 1
    out = capsys.readouterr().out
    assert "BROKEN  store" in out
    assert "unset MLFLOW_TRACKING_URI" in out
    assert "secret" not in out


@pytest.mark.parametrize("has", ["1.9.9", "99.0", None])
def test_package_out_of_range_is_broken_with_the_command_that_mends_it(quiet_machine, monkeypatch, capsys, has):
    def other(name):
        if name != "numpy":
            return version(name)
        if has is None:
            raise PackageNotFoundError(name)
        return has

    monkeypatch.setattr(machine, "version", other)
    code, found = examine(capsys)
    assert code == 1
    assert found["numpy"]["state"] == "BROKEN"
    assert found["numpy"]["text"].startswith("expected ")
    assert found["numpy"]["text"].endswith(f", found {has or 'none'}")
    assert "packages" not in found
    assert "pip install -e" in found["numpy"]["fix"]


def test_data_set_is_described_as_commands_will_find_it(quiet_machine, capsys):
    rows = survey_rows(12)
    folder = write_survey(quiet_machine / "survey", rows, ("img", "fits"))
    pack(folder, "fits", open_catalogue(folder).objid, progress=False)
    code, found = examine(capsys, "--ds", str(folder))
    assert code == 0
    assert "12 objects; img not packed, fits packed, spectra without files" in found["data set"]["text"]
    rows[0]["modelMag_u"] = "12_3"
    write_survey(folder, rows, ())
    code, found = examine(capsys, "--ds", str(folder))
    assert code == 0
    assert found["data set"]["text"] == "left out: 1 of data.csv"
    assert f"zoo data verify {folder}" in found["data set"]["fix"]


def test_absent_data_set_a_full_disk_and_a_foreign_backend_are_broken(quiet_machine, monkeypatch, capsys):
    monkeypatch.setenv("SDSS_GS", str(quiet_machine / "nowhere"))
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    usage = machine.shutil.disk_usage(quiet_machine)
    monkeypatch.setattr(machine.shutil, "disk_usage", lambda _folder: usage._replace(free=10**8))
    code, found = examine(capsys)
    assert code == 1
    assert {name for name, finding in found.items() if finding["state"] == "BROKEN"} == {
        "data set", "KERAS_BACKEND", "disk",
    }  # fmt: skip
    assert found["disk"]["text"].startswith("0.1 GB free")


def test_examination_that_fails_itself_is_a_finding(quiet_machine, monkeypatch, capsys):
    def fails():
        raise RuntimeError("nobody thought of this")

    monkeypatch.setattr(machine, "cpu_count", fails)
    code, found = examine(capsys)
    assert code == 1
    assert found["processors"]["text"] == "RuntimeError: nobody thought of this"
    assert "store" in found


def test_store_whose_making_was_killed_is_one_line(tmp_path, monkeypatch, capsys):
    """What MLflow finds when it was killed while it made its tables: some of them are there already."""
    with contextlib.closing(sqlite3.connect(tmp_path / "mlflow.db")) as half:
        half.execute("CREATE TABLE _alembic_tmp_experiments (experiment_id INTEGER)")
    monkeypatch.setattr(mlflow, "is_tracking_uri_set", lambda: False)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setattr("mlflow.tracking._tracking_service.utils._tracking_uri", None)
    assert main(["list"]) == 1
    said = capsys.readouterr().err.strip().splitlines()
    (line,) = [text for text in said if "INFO" not in text]
    assert line.startswith(
        "error: store: expected a data base that MLflow can use, found table _alembic_tmp_experiments"
    )
    assert "remove the file" in line
    code, found = examine(capsys)
    assert code == 1
    assert "remove the file" in found["store"]["text"]


def test_only_a_half_made_store_is_to_be_removed():
    locked = sqlalchemy.exc.OperationalError("SELECT", {}, sqlite3.OperationalError("database is locked"))
    assert "database is locked" in user_message(locked)
    assert "remove" not in user_message(locked)
    assert user_message(ValueError("x")) == ""
