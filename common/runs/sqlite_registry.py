"""The store as its SQLite file holds it: what MLflow's client would answer, without MLflow.

Only for a file whose form is known (`REVISIONS`). A later MLflow may keep the same tables in another sense: then, and
wherever something is not as MLflow makes it by itself, `open_sqlite` gives way to MLflow.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from common.runs.store_location import CHAMPION
from common.runs.stored import Registry, StoredModel, StoredRun, UnknownModelError, reference_of
from sdss_gs.errors import ZooError

REVISIONS = {"dc11669786a5": "3.17", "f4a9b2c7d1e6": "3.18"}
"""Forms of MLflow's tables that are read here, as alembic names them, and which MLflow makes them. Before one is added,
compare the tables below in both versions, and run the tests with the new MLflow."""

PATIENCE = 5.0
"""Seconds to wait for another process that writes."""
VERSION = """
SELECT name, version, run_id, coalesce(nullif(storage_location, ''), source) FROM model_versions
WHERE name = ? AND version = ? AND current_stage != 'Deleted_Internal' AND workspace = 'default'
"""
LATEST = """
SELECT max(version) FROM model_versions
WHERE name = ? AND current_stage != 'Deleted_Internal' AND workspace = 'default'
"""
VERSIONS = """
SELECT version FROM model_versions
WHERE name = ? AND current_stage != 'Deleted_Internal' AND workspace = 'default' ORDER BY version
"""
PROMPT_TAG = "mlflow.prompt.is_prompt"
"""MLflow keeps prompts for language models among the registered models, and does not show them there."""
NAMES = f"""
SELECT name FROM registered_models WHERE workspace = 'default' AND name NOT IN (
    SELECT name FROM registered_model_tags WHERE key = '{PROMPT_TAG}' AND value = 'true' AND workspace = 'default'
) ORDER BY name
"""
ALIAS = "SELECT version FROM registered_model_aliases WHERE name = ? AND alias = ? AND workspace = 'default'"
VERSION_TAGS = "SELECT key, value FROM model_version_tags WHERE name = ? AND version = ? AND workspace = 'default'"
LOGGED = """
SELECT model_id, source_run_id, artifact_location FROM logged_models
WHERE model_id = ? AND lifecycle_stage != 'deleted'
"""
RUN = """
SELECT run_uuid, name, experiment_id, status, lifecycle_stage, artifact_uri FROM runs WHERE run_uuid = ?
"""
DATA = """
SELECT datasets.name FROM inputs JOIN datasets ON inputs.source_id = datasets.dataset_uuid
LEFT JOIN input_tags ON input_tags.input_uuid = inputs.input_uuid
WHERE inputs.destination_type = 'RUN' AND inputs.destination_id = ? ORDER BY inputs.destination_id
"""
"""In the order in which MLflow's own query gives them."""
METRICS = "SELECT key, CASE WHEN is_nan THEN NULL ELSE value END FROM latest_metrics WHERE run_uuid = ?"
WORKSPACES = """
SELECT 1 FROM registered_models WHERE workspace != 'default'
UNION ALL SELECT 1 FROM experiments WHERE workspace != 'default' LIMIT 1
"""

Select = Callable[..., list[tuple]]


def open_sqlite(file: Path, otherwise: Callable[[], Registry]) -> SqliteRegistry | None:
    """Open MLflow's SQLite file to be read; None where only MLflow knows what it means.

    Parameters
    ----------
    file : Path
        Need not be there: such a store holds nothing.
    otherwise : callable
        Opens the store through MLflow, for files that are not on this machine.

    Raises
    ------
    ZooError
        If it is no data base, damaged, or locked for longer than `PATIENCE`.
    """
    if file.is_dir():
        raise ZooError(f"{file}: expected a data base that MLflow can use, found a folder")
    if not file.exists() or not file.stat().st_size:
        return SqliteRegistry(None, otherwise)
    store = SqliteRegistry(file, otherwise)
    try:
        with store.reading() as select:
            known = [revision for (revision,) in select("SELECT version_num FROM alembic_version")]
            if len(known) != 1 or known[0] not in REVISIONS or select(WORKSPACES):
                return None
    except _OnlyMlflowError:
        return None
    return store


class _OnlyMlflowError(ZooError):
    """Tables that are not there, or a file that its last writer left half-way: MLflow brings them to order."""


class SqliteRegistry:
    """A SQLite store.

    Parameters
    ----------
    file : Path or None
        None for a store that is not there.
    otherwise : callable
        As for `open_sqlite`.
    """

    def __init__(self, file: Path | None, otherwise: Callable[[], Registry]):
        self.file, self.otherwise = file, otherwise

    @contextmanager
    def reading(self) -> Iterator[Select]:
        """Yield what answers a query with its rows, all from one moment; the file is not held for longer."""
        if self.file is None:
            yield lambda *_: []
            return
        try:
            with closing(_connect(self.file)) as connection:
                yield lambda query, *values: connection.execute(query, values).fetchall()
        except sqlite3.Error as error:
            text = f"{self.file}: expected a data base that MLflow can use, found {error}"
            half_way = getattr(error, "sqlite_errorname", "").startswith(("SQLITE_READONLY", "SQLITE_ERROR"))
            raise (_OnlyMlflowError if half_way else ZooError)(text) from None

    def names(self) -> list[str]:
        """List the registered models."""
        with self.reading() as select:
            return [name for (name,) in select(NAMES)]

    def versions(self, name: str) -> list[str]:
        """List the versions of a registered model, the newest last; none where there is no such model."""
        with self.reading() as select:
            return [str(version) for (version,) in select(VERSIONS, name)]

    def champions(self) -> list[StoredModel]:
        """List the champion of each registered model that has one, by name."""
        with self.reading() as select:
            found = [_version(select, name, _number(select, name, CHAMPION)) for (name,) in select(NAMES)]
        return [model for model in found if model]

    def model(self, name: str) -> StoredModel:
        """Look up a model by what `address_of` takes; raise UnknownModelError if there is none."""
        key, mark, rest = reference_of(name)
        with self.reading() as select:
            if not mark:
                found = _logged(select, key)
            else:
                found = _version(select, key, _number(select, key, rest) if mark == "@" else rest)
        if found is None:
            raise UnknownModelError(name)
        return found

    def run(self, run_id: str) -> StoredRun | None:
        """Look up a run, also one that was deleted."""
        with self.reading() as select:
            if not (rows := select(RUN, run_id)):
                return None
            ((run_id, name, experiment, status, stage, location),) = rows
            tags = dict(select("SELECT key, value FROM tags WHERE run_uuid = ?", run_id))
            metrics = {key: float("nan") if value is None else value for key, value in select(METRICS, run_id)}
            data = [name for (name,) in select(DATA, run_id)]
        return StoredRun(
            run_id, name or tags.get("mlflow.runName", ""), str(experiment), status, stage == "active",
            tags, metrics, data[0] if data else "", location,
        )  # fmt: skip

    def folder(self, model: StoredModel) -> Path:
        """Return the folder of a model's files on this machine; raise OSError if it is gone."""
        if (folder := local_path(model.location)) is None:
            return self.otherwise().folder(model)
        # Says what is wrong with it, if something is.
        os.scandir(folder).close()
        return folder

    def run_file(self, run: StoredRun, name: str) -> Path:
        """Return a file of a run on this machine; raise OSError if it is gone."""
        if (folder := local_path(run.location)) is None:
            return self.otherwise().run_file(run, name)
        os.stat(folder / name)
        return folder / name


def local_path(address: str) -> Path | None:
    """Turn an address of files into a path as MLflow does; None if they are somewhere else."""
    parts = urlsplit(address)
    if parts.scheme not in ("", "file") or parts.netloc:
        return None
    return Path(unquote(parts.path if parts.scheme else address))


def _number(select: Select, name: str, alias: str) -> str:
    """Return the version that an alias leads to; empty if there is none."""
    rows = select(LATEST, name) if alias.lower() == "latest" else select(ALIAS, name, alias)
    return str(rows[0][0]) if rows else ""


def _version(select: Select, name: str, version: str) -> StoredModel | None:
    # Compared as text: a number may be too large for SQLite.
    if not version.isdecimal() or not (rows := select(VERSION, name, version)):
        return None
    ((name, number, run_id, location),) = rows
    tags = dict(select(VERSION_TAGS, name, number))
    return None if PROMPT_TAG in tags else StoredModel(name, str(number), run_id or "", tags, location)


def _logged(select: Select, model_id: str) -> StoredModel | None:
    if not (rows := select(LOGGED, model_id)):
        return None
    ((model_id, run_id, location),) = rows
    tags = select("SELECT tag_key, tag_value FROM logged_model_tags WHERE model_id = ?", model_id)
    return StoredModel("", model_id, run_id or "", dict(tags), location)


def _connect(file: Path) -> sqlite3.Connection:
    address = f"{file.absolute().as_uri()}?mode=ro"
    try:
        return _begun(address)
    except sqlite3.OperationalError as error:
        # A data base in WAL mode wants a file beside it. Where none can be made, and its last writer left none, nobody
        # is writing: it is all there.
        beside = [file.with_name(f"{file.name}{end}") for end in ("-wal", "-journal")]
        cannot = getattr(error, "sqlite_errorname", "") in ("SQLITE_READONLY_DIRECTORY", "SQLITE_CANTOPEN")
        if not cannot or any(path.exists() for path in beside):
            raise
        return _begun(f"{address}&immutable=1")


def _begun(address: str) -> sqlite3.Connection:
    """Open a data base, and begin to read it as it is at this moment."""
    connection = sqlite3.connect(address, timeout=PATIENCE, uri=True, isolation_level=None)
    try:
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM sqlite_master")
    except sqlite3.Error:
        connection.close()
        raise
    return connection
