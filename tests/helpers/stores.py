"""Stores where a test wants them: a new one, and that of tests/fixtures/store.zip, which zoo 0.1 made."""

import contextlib
import functools
import sqlite3
import sys
import tempfile
import zipfile
from pathlib import Path

from common.runs.store_location import make_store

ARCHIVE = Path(__file__).resolve().parent.parent / "fixtures" / "store.zip"
ADDRESSES = {
    "experiments": "artifact_location", "runs": "artifact_uri", "logged_models": "artifact_location",
    "model_versions": "storage_location",
}  # fmt: skip
"""Where MLflow keeps absolute paths: column by table."""


def unpack_store(folder):
    """Unpack the store, and bring its addresses to where it is now; return its data base."""
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(folder)
    with contextlib.closing(sqlite3.connect(folder / "mlflow.db")) as store, store:
        for table, column in ADDRESSES.items():
            store.execute(f"UPDATE {table} SET {column} = replace({column}, '/old/zoo', ?)", [str(folder)])
    return folder / "mlflow.db"


@functools.cache
def _empty():
    """Make an empty store, and keep its bytes for this process: MLflow needs a second for its tables."""
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        make_store(f"sqlite:///{folder}/mlflow.db")
        return Path("mlflow.db").read_bytes()


def new_store(folder):
    """Put an empty store into a folder, its files to be there too; return its address."""
    file = folder / "mlflow.db"
    file.write_bytes(_empty())
    with contextlib.closing(sqlite3.connect(file)) as store, store:
        store.execute("UPDATE experiments SET artifact_location = ?", [str(folder / "mlruns" / "0")])
    return f"sqlite:///{file}"


def choose_store(monkeypatch, address):
    """Have a test's store, whatever MLflow was told by an earlier test of this process; without importing MLflow."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    if "mlflow" in sys.modules:
        monkeypatch.setattr("mlflow.tracking._tracking_service.utils._tracking_uri", None)
