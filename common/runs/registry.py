"""The store, open to be read: from MLflow's SQLite file where that is safe, else through MLflow's client.

MLflow takes a second to import, its file a millisecond to read.
"""

from __future__ import annotations

import os
import socket
import sys
from urllib.parse import urlsplit
from urllib.request import getproxies

from common.runs.sqlite_registry import open_sqlite
from common.runs.store_location import sqlite_file, store_address
from common.runs.stored import Registry
from sdss_gs.errors import ZooError, first_line

PORTS = {"http": 80, "https": 443}
SECONDS = 5
"""After which a server is taken to be gone."""


def registry() -> Registry:
    """Open the store that MLflow was told of, else that of the current folder, else that of the repository.

    A SQLite store that is not there is not made: it holds nothing.

    Raises
    ------
    ZooError
        If it cannot be read.
    """
    found = quick_registry()
    return found if found is not None else _through_mlflow()


def quick_registry() -> Registry | None:
    """Open the store as `registry` does; None where that takes MLflow."""
    address = store_address()
    file = sqlite_file(address)
    return open_sqlite(file, _through_mlflow) if file and _plain(address) else None


def _through_mlflow() -> Registry:
    try:
        from common.runs.mlflow_registry import MlflowRegistry

        _check_server(store_address())
        return MlflowRegistry()
    except ModuleNotFoundError as error:
        problem = f"store: expected MLflow to read {store_address()}, found no module {error.name}"
        raise ZooError(f"{problem}; in the zoo's folder: pip install .") from None


def _check_server(address: str) -> None:
    """Ask once whether a store's server is there: MLflow would go on asking for minutes, without a word.

    Raises
    ------
    ZooError
        If nobody answers.
    """
    server = urlsplit(address)
    if server.scheme not in PORTS or server.scheme in getproxies():
        return
    place = server.hostname or "", server.port or PORTS[server.scheme]
    try:
        socket.create_connection(place, timeout=SECONDS).close()
    except OSError as error:
        # Not the address, which may hold a password.
        raise ZooError(
            f"store: expected MLflow's server at {place[0]}:{place[1]}, found {first_line(error)}; start it, or name "
            "another store by MLFLOW_TRACKING_URI"
        ) from None


def _plain(address: str) -> bool:
    """Tell whether models and runs are in the same place, and in no workspaces."""
    mlflow = sys.modules.get("mlflow")
    if mlflow:
        models = mlflow.get_registry_uri()
        # Where nobody has told it of a store, it has a default that the zoo does not use.
        same = models in (address, mlflow.get_tracking_uri())
    else:
        same = os.environ.get("MLFLOW_REGISTRY_URI") in (None, "", address)
    return same and not os.environ.get("MLFLOW_ENABLE_WORKSPACES")
