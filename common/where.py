"""Where trained models are kept: the store, and what the zoo notes there. Loads no TensorFlow."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from sdss_gs.errors import first_line

REPOSITORY = Path(__file__).resolve().parent.parent
DATABASE = "mlflow.db"
WEIGHTS = "data/model.keras"
"""File of a stored model, in its folder."""
CHAMPION = "champion"
HASH_TAG = "zoo.sha256"


def choose_store(repository: Path) -> None:
    """Use ``mlflow.db`` at the root of the repository, unless the user (or ``mlflow run``) has chosen a store."""
    import mlflow

    if os.environ.get("MLFLOW_TRACKING_URI") or mlflow.is_tracking_uri_set():
        return
    mlflow.set_tracking_uri(f"sqlite:///{repository / DATABASE}")
    # A new store puts its files into ./mlruns, which belongs beside the data base.
    with contextlib.chdir(repository):
        mlflow.search_experiments()


def store_folder() -> Path:
    """Return the folder whose store is used where MLflow was told of none: the current one, else the repository."""
    here = Path.cwd()
    return here if (here / DATABASE).is_file() else REPOSITORY


def use_store() -> None:
    """Use the store that MLflow was told of, else that of the current folder, else that of the repository."""
    choose_store(store_folder())


def store_problem(error: BaseException) -> str:
    """Say in one line what is wrong with the store's data base; empty for any other error.

    MLflow makes its tables in many steps: killed in between, for the first run of all, it can never go on.
    """
    if type(error).__module__.partition(".")[0] != "sqlalchemy":
        return ""
    found = f"store: expected a data base that MLflow opens, found {first_line(error)}"
    # Nobody is told to remove a store that is only locked, or on a full disk.
    if not any(sign in found for sign in ("already exists", "duplicate column")):
        return found
    return (
        f"{found}; if the process that made it was killed and it holds no runs yet, remove the file "
        f"(without MLFLOW_TRACKING_URI: {DATABASE})"
    )
