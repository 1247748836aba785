"""The store of tests/fixtures/store.zip, which zoo 0.1 made, where a test wants it."""

import contextlib
import sqlite3
import sys
import zipfile
from pathlib import Path

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


def choose_store(monkeypatch, address):
    """Have a test's store, whatever MLflow was told by an earlier test of this process; without importing MLflow."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    if "mlflow" in sys.modules:
        monkeypatch.setattr("mlflow.tracking._tracking_service.utils._tracking_uri", None)
