"""The store, read from its SQLite file and through MLflow: both say the same, or MLflow is asked."""

import contextlib
import math
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

import mlflow
import pytest
from conftest import ROOT
from helpers.stores import unpack_store
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, LoggedModelOutput, Metric
from mlflow.store.db.utils import _get_latest_schema_revision

from common.cli.command import main
from common.models.opening import load
from common.runs import sqlite_registry
from common.runs.mlflow_registry import MlflowRegistry
from common.runs.registry import registry
from common.runs.sqlite_registry import REVISIONS, SqliteRegistry, local_path
from common.runs.store_location import CHAMPION
from common.runs.stored import UnknownModelError
from sdss_gs.errors import ZooError


class Filled:
    """A store that MLflow has filled: what is in it by the names that the tests use."""

    def __init__(self, folder):
        self.folder, self.file = folder, folder / "mlflow.db"
        self.uri = f"sqlite:///{self.file}"
        # With the runs and models of zoo 0.1 in it.
        unpack_store(folder)
        # Here MLflow asks the store of this process, whatever its client was told.
        mlflow.set_tracking_uri(self.uri)
        self.client = MlflowClient()
        self.runs = [run.info.run_id for run in self.client.search_runs(["0"])]
        self.logged = [model.model_id for model in self.client.search_logged_models(experiment_ids=["0"])]
        for name in ("b2r", "x2y"):
            self.client.delete_registered_model(name)

    def run(self, experiment="0", metrics=(), tags=None, datasets=()):
        """Add a run."""
        run_id = self.client.create_run(experiment, tags=tags or {}).info.run_id
        self.client.log_batch(run_id, metrics=[Metric(*one) for one in metrics])
        tags = [InputTag("mlflow.data.context", "training"), InputTag("part", "whole")]
        inputs = [DatasetInput(Dataset(name, name[::-1], "local", "{}"), tags) for name in datasets]
        self.client.log_inputs(run_id, inputs)
        self.runs.append(run_id)
        return run_id

    def log(self, run_id, **tags):
        """Log a model to a run."""
        model = self.client.create_logged_model(
            self.client.get_run(run_id).info.experiment_id, "model", run_id, tags=tags
        )
        self.client.log_outputs(run_id, [LoggedModelOutput(model.model_id, 0)])
        folder = Path(model.artifact_location)
        folder.mkdir(parents=True)
        (folder / "MLmodel").write_text("metadata:\n  reading: {}\n")
        self.logged.append(model.model_id)
        return model.model_id

    def register(self, name, run_id, source="", **tags):
        """Add a version of a model."""
        with contextlib.suppress(mlflow.MlflowException):
            self.client.create_registered_model(name)
        source = source or f"models:/{self.log(run_id)}"
        return self.client.create_model_version(name, source, run_id or None, tags=tags).version


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("a store's folder")
    with contextlib.chdir(folder):
        store = Filled(folder)
        client = store.client
        other = client.create_experiment("other", artifact_location=(folder / "files of others").as_uri())
        metrics = [
            ("test_nmad", 0.5, 1, 0), ("test_nmad", 0.1, 3, 2), ("test_nmad", 0.3, 2, 1), ("test_nmad", 0.2, 9, 2),
            ("back", 1.0, 5, 7), ("back", 2.0, 6, 3), ("nan", 1.0, 1, 0), ("nan", math.nan, 2, 1),
            ("inf", math.inf, 1, 0), ("minus", -math.inf, 1, 0), ("whole", 3.0, 1, 0),
        ]  # fmt: skip
        first = store.run(metrics=metrics, tags={"zoo.model": "b2r", "text": "é\n'"}, datasets=["zeta", "alpha", "mu"])
        second = store.run(other, datasets=["only"])
        bare = store.run()
        for number in range(11):
            store.register("b2r", first if number % 2 else second, **{"zoo.sha256": f"{number}", "zoo.data": ""})
        for name in ("i2r", "w2r", "x2y", "s2r", "f2r"):
            store.register(name, first, **{"zoo.sha256": name})
        client.set_registered_model_alias("b2r", CHAMPION, "2")
        client.set_registered_model_alias("b2r", CHAMPION, "10")
        client.set_registered_model_alias("b2r", "old", "2")
        client.set_model_version_tag("b2r", "10", "zoo.data", "moved")
        client.delete_model_version("b2r", "11")
        client.delete_model_version("b2r", "3")
        for name in ("i2r", "w2r", "s2r", "f2r"):
            client.set_registered_model_alias(name, CHAMPION, "1")
        client.delete_registered_model_alias("i2r", CHAMPION)
        client.delete_model_version("w2r", "1")
        client.delete_registered_model("f2r")
        client.rename_registered_model("s2r", "s2r-own")
        store.register("somebody-elses", "", str(folder / "elsewhere"))
        client.set_registered_model_alias("somebody-elses", CHAMPION, "1")
        store.register("far", second, "s3://bucket/model")
        client.set_registered_model_alias("far", CHAMPION, "1")
        client.create_registered_model("empty")
        client.register_prompt("prompt", "say {{this}}")
        client.set_prompt_alias("prompt", CHAMPION, 1)
        client.delete_run(bare)
        client.set_terminated(store.run(), "FAILED")
        alone = store.log(first, **{"zoo.sha256": "alone"})
        gone = store.log(first)
        client.delete_logged_model(gone)
        store.log(second)
        card = Path(client.get_run(first).info.artifact_uri)
        card.mkdir(parents=True, exist_ok=True)
        (card / "card.md").write_text("# b2r\n")
    store.named = {"first": first, "alone": alone, "gone": gone}
    return store


@pytest.fixture
def both(filled, monkeypatch):
    """Return both readers of the store."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", filled.uri)
    mlflow.set_tracking_uri(filled.uri)
    found = registry()
    assert isinstance(found, SqliteRegistry)
    return found, MlflowRegistry()


def answer(ask):
    """Return what a reader says, errors too; as text, because NaN is not NaN."""
    try:
        return repr(ask())
    except ZooError as error:
        return f"{type(error).__name__}: {error}"
    except OSError as error:
        return type(error).__name__


def test_lists_are_those_of_mlflow(both):
    ours, theirs = both
    assert ours.names() == theirs.names() == sorted(
        ["b2r", "empty", "far", "i2r", "s2r-own", "somebody-elses", "w2r", "x2y"]
    )  # fmt: skip
    assert ours.champions() == theirs.champions()
    assert [(one.name, one.version) for one in ours.champions()] == [
        ("b2r", "10"), ("far", "1"), ("s2r-own", "1"), ("somebody-elses", "1"),
    ]  # fmt: skip


def test_every_way_to_name_a_model_leads_where_mlflow_goes(both, filled):
    versions = (*range(13), "02", "-1", "x", "latest", "1e0", "")
    plain = (
        "b2r", "i2r", "w2r", "f2r", "s2r", "s2r-own", "somebody-elses", "empty", "prompt", "prompt/1", "nobody", "B2R",
        "", "/", "@", "b2r@champion", "b2r/1/2", "b2r' OR '1'='1", "a:b", "b2r/1%",
    )  # fmt: skip
    addresses = (
        "b2r@champion", "b2r@old", "b2r@Old", "b2r@latest", "b2r@LATEST", "b2r@%", "empty@latest", "b2r/10",
        "b2r/Production", "nobody/1", "m-0", "", "/b2r/1", *filled.logged,
    )  # fmt: skip
    ours, _ = both
    names = [*(f"b2r/{version}" for version in versions), *plain, *(f"models:/{address}" for address in addresses)]
    found, expected = ({name: answer(partial(store.model, name)) for name in names} for store in both)
    assert found == expected
    assert ours.model("b2r").version == "10"
    assert ours.model("b2r").tags == {"zoo.sha256": "9", "zoo.data": "moved"}
    assert ours.model(f"models:/{filled.named['alone']}").tags == {"zoo.sha256": "alone"}
    for name in ("b2r/3", f"b2r/{'9' * 40}", f"models:/{filled.named['gone']}"):
        with pytest.raises(UnknownModelError, match="expected a trained model, found none"):
            ours.model(name)


def test_versions_are_those_of_mlflow(both):
    ours, theirs = both
    for name in (*theirs.names(), "nobody"):
        assert ours.versions(name) == theirs.versions(name)
    assert ours.versions("b2r")[-1] == "10"


def test_runs_are_those_of_mlflow(both, filled):
    ours, theirs = both
    for run_id in [*filled.runs, "0" * 32, "", "no run", "REDACTED-RUN-ID"]:
        assert answer(partial(ours.run, run_id)) == answer(partial(theirs.run, run_id))
    metrics = ours.run(filled.named["first"]).metrics
    # Of two values of the same step, the later one.
    assert (metrics["test_nmad"], metrics["back"]) == (0.2, 1.0)
    assert math.isnan(metrics["nan"])


def test_files_are_where_mlflow_finds_them(both, filled):
    ours, theirs = both
    for name in ("b2r/1", "b2r/2", "b2r", "somebody-elses", "far", f"models:/{filled.named['alone']}"):
        model = ours.model(name)
        found, expected = (answer(partial(store.folder, model)).replace(f"{Path.cwd()}/", "") for store in both)
        assert found == expected, name
    folder = ours.folder(ours.model("b2r"))
    assert (folder / "MLmodel").is_file()
    run = ours.run(filled.named["first"])
    assert ours.run_file(run, "card.md").read_text() == theirs.run_file(run, "card.md").read_text() == "# b2r\n"
    with pytest.raises(OSError, match="none"):
        ours.run_file(run, "none.md")
    with pytest.raises(OSError, match="none"):
        theirs.run_file(run, "none.md")


@pytest.mark.parametrize(
    ("address", "path"),
    [
        ("/a/b c", "/a/b c"), ("file:///a/b%20c", "/a/b c"), ("file:/a/b", "/a/b"), ("./mlruns/0", "mlruns/0"),
        ("/a%20b", "/a b"), ("s3://a/b", None), ("mlflow-artifacts:/0", None), ("models:/m-1", None),
        ("file://host/a", None),
    ],
)  # fmt: skip
def test_only_plain_addresses_are_paths(address, path):
    assert local_path(address) == (path and Path(path))


# === Who is asked ===


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A store with a model in it, which a test may change; MLflow has been told of no other."""
    file = unpack_store(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{file}")
    monkeypatch.setattr("mlflow.tracking._tracking_service.utils._tracking_uri", None)
    return file


def change(file, *statements):
    with contextlib.closing(sqlite3.connect(file)) as changed, changed:
        for statement in statements:
            changed.execute(statement)


def test_form_of_the_installed_mlflow_is_one_that_is_read_without_it():
    revision = _get_latest_schema_revision()
    assert revision in REVISIONS, f"MLflow {mlflow.__version__} makes other tables: see REVISIONS"


def test_form_that_is_not_known_is_left_to_mlflow(store, capsys):
    change(store, "UPDATE alembic_version SET version_num = 'f00d'")
    assert main(["list"]) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()[-1:]
    assert line.startswith(
        "error: store: expected one that MLflow can read, found Detected out-of-date database schema"
    )
    with pytest.raises(ZooError, match="expected one that MLflow can read"):
        load("b2r")


def test_store_that_mlflow_was_told_of_in_this_process_counts(store, tmp_path):
    (tmp_path / "other").mkdir()
    assert registry().names() == ["b2r", "x2y"]
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/other/mlflow.db")
    assert registry().names() == []
    assert not (tmp_path / "other" / "mlflow.db").exists()


def test_another_registry_is_left_to_mlflow(store, tmp_path, monkeypatch):
    assert isinstance(registry(), SqliteRegistry)
    other = f"sqlite:///{unpack_store(tmp_path / 'other')}"
    monkeypatch.setenv("MLFLOW_REGISTRY_URI", other)
    change(tmp_path / "other" / "mlflow.db", "UPDATE registered_model_aliases SET alias = 'none' WHERE name = 'b2r'")
    assert [one.name for one in registry().champions()] == ["x2y"]
    # As where MLflow is not imported yet.
    monkeypatch.setitem(sys.modules, "mlflow", None)
    monkeypatch.delitem(sys.modules, "common.runs.mlflow_registry")
    with pytest.raises(
        ZooError, match=r"expected MLflow to read sqlite.*found no module mlflow; in the zoo's folder: pip"
    ):
        registry()
    monkeypatch.delenv("MLFLOW_REGISTRY_URI")
    assert registry().names() == ["b2r", "x2y"]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE experiments SET workspace = 'theirs'",
        "INSERT INTO registered_models (name, workspace) VALUES ('b2r', 'theirs')",
        "INSERT INTO alembic_version VALUES ('f00d')",
        "DELETE FROM alembic_version",
        "DROP TABLE alembic_version",
    ],
)
def test_what_is_not_as_mlflow_makes_it_by_itself_is_left_to_it(store, statement):
    change(store, statement)
    assert sqlite_registry.open_sqlite(store, MlflowRegistry) is None


@pytest.mark.parametrize(
    "uri", ["sqlite:///{}?timeout=3", "sqlite+pysqlite:///{}", "sqlite:///:memory:", "sqlite://", "./mlruns"]
)
def test_addresses_that_say_more_than_a_file_are_left_to_mlflow(store, monkeypatch, uri):
    asked = []
    monkeypatch.setattr("common.runs.registry._through_mlflow", lambda: asked.append("mlflow"))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri.format(store))
    registry()
    assert asked


# === Files that are not there, not whole, or in use ===


@pytest.mark.parametrize("content", [None, b""])
def test_store_that_is_not_there_is_not_made(tmp_path, monkeypatch, capsys, content):
    file = tmp_path / "none" / "mlflow.db"
    if content is not None:
        file.parent.mkdir()
        file.write_bytes(content)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{file}")
    monkeypatch.setattr("mlflow.tracking._tracking_service.utils._tracking_uri", None)
    assert main(["list"]) == 0
    assert capsys.readouterr().out.startswith("No trained model in this store yet")
    assert main(["info", "b2r"]) == 1
    assert capsys.readouterr().err.startswith("error: b2r: expected a trained model with a card.md, found none; see")
    with pytest.raises(ZooError, match="b2r: expected a trained model, found none; see zoo list"):
        load("b2r")
    assert content is None or file.read_bytes() == content
    assert file.exists() == (content is not None)


def said(capsys, *command):
    """Return the one line on stderr of a command that fails."""
    assert main(list(command)) == 1
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.parametrize("command", [["list"], ["info", "b2r"], ["report", "b2r/1"]])
def test_damaged_store_is_one_line(store, capsys, command):
    content = store.read_bytes()
    wrong = [
        (b"not a data base" * 100, "file is not a database"),
        (content[: len(content) // 3], "database disk image is malformed"),
        (content[:4096] + b"\xff" * (len(content) - 4096), "malformed"),
    ]
    for damaged, words in wrong:
        store.write_bytes(damaged)
        line = said(capsys, *command)
        assert line.startswith(f"error: {store}: expected a data base that MLflow can use, found ")
        assert words in line
        assert store.read_bytes() == damaged


def test_folder_in_its_place_is_one_line(store, capsys):
    store.unlink()
    store.mkdir()
    assert said(capsys, "list") == f"error: {store}: expected a data base that MLflow can use, found a folder"


def test_locked_store_is_one_line(store, capsys, monkeypatch):
    monkeypatch.setattr(sqlite_registry, "PATIENCE", 0.1)
    with contextlib.closing(sqlite3.connect(store, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert said(capsys, "list").endswith("expected a data base that MLflow can use, found database is locked")
    assert main(["list"]) == 0


def test_store_in_use_is_read_and_does_not_wait(store):
    with contextlib.closing(sqlite3.connect(store, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("UPDATE registered_model_aliases SET alias = 'none'")
        assert len(registry().champions()) == 2
        other.execute("COMMIT")
        assert registry().champions() == []


def test_store_in_wal_mode_is_read_with_what_its_writer_left(store, monkeypatch):
    with contextlib.closing(sqlite3.connect(store, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = WAL")
        other.execute("UPDATE registered_model_aliases SET alias = 'none' WHERE name = 'x2y'")
        assert [one.name for one in registry().champions()] == ["b2r"]
        left = shutil.copytree(store.parent, store.parent / "left")
    # The process that wrote it was killed: the change is in the file beside it only.
    assert (left / "mlflow.db-wal").stat().st_size
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{left}/mlflow.db")
    assert [one.name for one in registry().champions()] == ["b2r"]


@pytest.fixture
def read_only(store, monkeypatch):
    """The store in a folder that this process cannot write, also where the tests run as root."""
    folder = Path(tempfile.mkdtemp())
    shutil.copy(store, folder)
    (folder / "mlflow.db").chmod(0o644)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder}/mlflow.db")
    yield folder
    os.seteuid(os.getuid())
    folder.chmod(0o700)
    shutil.rmtree(folder)


def close_to_writers(folder):
    folder.chmod(0o555)
    if os.geteuid() == 0:
        os.seteuid(65534)


@pytest.mark.parametrize("mode", ["DELETE", "WAL"])
def test_store_in_a_folder_that_cannot_be_written(read_only, mode):
    with contextlib.closing(sqlite3.connect(read_only / "mlflow.db")) as other:
        assert other.execute(f"PRAGMA journal_mode = {mode}").fetchone() == (mode.lower(),)
    close_to_writers(read_only)
    assert len(registry().champions()) == 2
    assert [path.name for path in read_only.iterdir()] == ["mlflow.db"]


KILLED = """
import os, sqlite3, sys
store = sqlite3.connect(sys.argv[1], isolation_level=None)
store.execute("PRAGMA cache_size = 1")
store.execute("BEGIN IMMEDIATE")
store.execute("UPDATE registered_model_aliases SET alias = 'none'")
store.execute("CREATE TABLE filled AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2000) "
              "SELECT randomblob(1000) FROM n")
os._exit(0)
"""


def test_change_that_was_cut_short_is_taken_back_by_mlflow(store):
    """Half of it is in the file, and only who may write there can undo it."""
    subprocess.run([sys.executable, "-c", KILLED, str(store)], check=True, cwd=ROOT)
    assert Path(f"{store}-journal").stat().st_size
    assert len(registry().champions()) == 2
    assert not Path(f"{store}-journal").exists()
    assert isinstance(registry(), SqliteRegistry)


def test_server_that_is_gone_is_one_line_at_once_and_tells_no_password(monkeypatch, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://me:secret@127.0.0.1:9")
    mlflow.set_tracking_uri("http://me:secret@127.0.0.1:9")
    assert main(["list"]) == 1
    said = capsys.readouterr().err
    assert said.startswith("error: store: expected MLflow's server at 127.0.0.1:9, found ")
    assert said.endswith("Connection refused; start it, or name another store by MLFLOW_TRACKING_URI\n")
