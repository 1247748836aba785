"""Where trained models are kept: the store, and what the zoo notes there. Loads no TensorFlow."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
from pathlib import Path

from sdss_gs.errors import ZooError

REPOSITORY = Path(__file__).resolve().parents[2]
DATABASE = "mlflow.db"
WEIGHTS = "data/model.keras"
"""File of a stored model, in its folder."""
CHAMPION = "champion"
HASH_TAG = "zoo.sha256"


def choose_store(repository: Path) -> None:
    """Use ``mlflow.db`` at the root of the repository, unless the user (or ``mlflow run``) has chosen a store."""
    import mlflow

    if os.environ.get("MLFLOW_TRACKING_URI") or mlflow.is_tracking_uri_set():
        return make_store(mlflow.get_tracking_uri())
    mlflow.set_tracking_uri(f"sqlite:///{repository / DATABASE}")
    # A new store puts its files into ./mlruns, which belongs beside the data base.
    with contextlib.chdir(repository):
        make_store(mlflow.get_tracking_uri())
        mlflow.search_experiments()


def make_store(uri: str) -> None:
    """Make the tables of a SQLite store that has none, in one transaction: all of them, or none if killed.

    MLflow makes them in many steps, and can never open a data base that was left in between. Here it makes them in a
    temporary file, out of which they are copied. The files of the store's runs will be in ``mlruns`` of the current
    folder, as with MLflow. Other stores, and those that have tables, are left alone.

    Parameters
    ----------
    uri : str
        As MLflow takes it, such as ``"sqlite:///mlflow.db"``.

    Raises
    ------
    sqlite3.Error, ZooError
        If the file is none of SQLite's, or cannot be written.
    """
    if not uri.startswith("sqlite"):
        return
    from sqlalchemy.engine import make_url

    path = make_url(uri).database
    if not path or path.startswith((":", "file:")) or _has_tables(path):
        return
    try:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            _make_tables(Path(folder) / DATABASE, path)
    except OSError as error:
        raise ZooError(f"store {path}: expected a place for a data base, found {error}") from error


def _make_tables(temporary, path):
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    SqlAlchemyStore(f"sqlite:///{temporary}", "./mlruns").engine.dispose()
    with _connected(temporary) as source, _connected(path) as store:
        store.execute("BEGIN EXCLUSIVE")
        # Another process may have been here first.
        if not _tables(store):
            for statement in source.iterdump():
                if statement not in ("BEGIN TRANSACTION;", "COMMIT;"):
                    store.execute(statement)
        store.execute("COMMIT")


def _has_tables(path):
    if not os.path.exists(path):
        return False
    with _connected(path) as store:
        return _tables(store)


def _connected(path):
    # Only what is said begins and ends a transaction.
    return contextlib.closing(sqlite3.connect(path, timeout=60, isolation_level=None))


def _tables(store):
    return bool(store.execute("SELECT count(*) FROM sqlite_master").fetchone()[0])


def store_folder() -> Path:
    """Return the folder whose store is used where MLflow was told of none: the current one, else the repository."""
    here = Path.cwd()
    return here if (here / DATABASE).is_file() else REPOSITORY


def use_store() -> None:
    """Use the store that MLflow was told of, else that of the current folder, else that of the repository."""
    choose_store(store_folder())
