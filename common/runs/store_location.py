"""Where trained models are kept: the store, and what the zoo notes there. Loads no TensorFlow."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

from sdss_gs.files import temporary_path

REPOSITORY = Path(__file__).resolve().parents[2]
DATABASE = "mlflow.db"
WEIGHTS = "data/model.keras"
"""File of a stored model, in its folder."""
CHAMPION = "champion"
HASH_TAG, MODEL_TAG = "zoo.sha256", "zoo.model"
"""Of a version: the hash of its file; of a run: the model folder whose command it was."""
LIGHT_TAG = "zoo.light"
"""Tag of a version: SHA-256 of the files of its light form, beside the weights, as JSON."""
ORIGIN_TAG = "zoo.origin"
"""Tag of a version that learnt from no real objects: from what, as `sdss_gs.origin` calls it."""
REPORT = "report.html"
PICTURE = "card.png"
"""What a model learnt from, in histograms; stands in its card."""


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
    """Make a SQLite store that is not there yet, in one step: with all of its tables, or not at all if killed.

    MLflow needs seconds for its tables, and can never open a data base that it was interrupted in, by Ctrl-C in the
    first run of all, for instance. So it makes them in a file beside, which then gets its name. The files of the
    store's runs will be in ``mlruns`` of the current folder, as with MLflow. Other stores are left alone.

    Raises
    ------
    OSError
        If its folder cannot be written.
    """
    if not uri.startswith("sqlite"):
        return
    from sqlalchemy.engine import make_url

    path = make_url(uri).database
    if not path or path.startswith((":", "file:")) or os.path.exists(path):
        return
    from mlflow.store.tracking.sqlalchemy_store import SqlAlchemyStore

    Path(path).parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_path(path)
    try:
        # MLflow would try for minutes to open a file where none can be written.
        temporary.touch()
        SqlAlchemyStore(f"sqlite:///{temporary}", "./mlruns").engine.dispose()
        # Not renamed: another process may have made it by now, and begun a run. Where there are no hard links, MLflow
        # makes its tables in place after all.
        with contextlib.suppress(OSError):
            os.link(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def store_folder() -> Path:
    """Return the folder whose store is used where MLflow was told of none: the current one, else the repository."""
    return Path.cwd() if Path(DATABASE).is_file() else REPOSITORY


def store_address() -> str:
    """Return the address of the store that `use_store` would use, without importing MLflow or making that store."""
    mlflow = sys.modules.get("mlflow")
    if mlflow and mlflow.is_tracking_uri_set():
        return mlflow.get_tracking_uri()
    return os.environ.get("MLFLOW_TRACKING_URI") or f"sqlite:///{store_folder() / DATABASE}"


def sqlite_file(address: str) -> Path | None:
    """Return the file of a SQLite store; None for another store, and for an address that says more than a file."""
    kind, _, file = address.partition(":///")
    # SQLAlchemy reads % as the beginning of a coded character, ? as that of options.
    plain = kind == "sqlite" and file and not set("%?") & set(file) and not file.startswith((":", "file:"))
    return Path(file) if plain else None


def use_store() -> None:
    """Use the store that MLflow was told of, else that of the current folder, else that of the repository."""
    choose_store(store_folder())
