"""What a build knows and has done, kept in one SQLite file beside the data: a killed build goes on from it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sdss_gs.errors import DataError

NAME = "build.sqlite"
REFUSED, FAILED, BUILT = "refused", "failed", "built"
"""Never tried again; tried again by the next run; there."""
TABLES = """
CREATE TABLE IF NOT EXISTS catalogue (objid INTEGER PRIMARY KEY, row TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS answered (question TEXT PRIMARY KEY);
CREATE TABLE IF NOT EXISTS settings (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS outcome (
    object TEXT, input TEXT, status TEXT NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (object, input)
);
"""


@dataclass(frozen=True)
class Outcome:
    """What became of one input of one object.

    Parameters
    ----------
    object : str
        Decimal objid, or what names a row that has none.
    input : str
        ``img``, ``fits``, ``spectra`` or ``catalogue``.
    status : str
        ``built``, ``refused`` (for good) or ``failed`` (tried again by the next run).
    reason : str
    """

    object: str
    input: str
    status: str
    reason: str = ""


class Ledger:
    """The file; use it from one thread.

    Parameters
    ----------
    folder : path-like
        The data set; created where it does not exist.

    Raises
    ------
    DataError
        If the folder or file cannot be written, or another build works in it.
    """

    def __init__(self, folder: str | Path):
        self.path = Path(folder) / NAME
        with self._errors():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._connection = sqlite3.connect(self.path, timeout=0.5)
            # Held until the end: two builds of one folder would fetch everything twice.
            self._connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            self._connection.executescript(f"BEGIN EXCLUSIVE; {TABLES} COMMIT;")

    def __enter__(self) -> Ledger:
        """Return the ledger."""
        return self

    def __exit__(self, *_) -> None:
        """Close the file."""
        self._connection.close()

    def add_rows(self, rows: Iterable[dict[str, str]], question: str = "") -> None:
        """Keep rows of the catalogue, and that a question has been answered with them, or neither."""
        with self._errors(), self._connection as connection:
            texts = ((int(row["objid"]), json.dumps(row)) for row in rows)
            connection.executemany("INSERT OR REPLACE INTO catalogue VALUES (?, ?)", texts)
            if question:
                connection.execute("INSERT OR IGNORE INTO answered VALUES (?)", (question,))

    def rows(self) -> list[dict[str, str]]:
        """Return all rows of the catalogue, by objid."""
        with self._errors():
            return [
                json.loads(text) for (text,) in self._connection.execute("SELECT row FROM catalogue ORDER BY objid")
            ]

    def has_answer(self, question: str) -> bool:
        """Tell whether a question has been answered before."""
        with self._errors():
            query = self._connection.execute("SELECT 1 FROM answered WHERE question = ?", (question,))
            return query.fetchone() is not None

    def setting(self, name: str, value: str) -> str:
        """Keep the first value a setting was given; return it."""
        with self._errors(), self._connection as connection:
            connection.execute("INSERT OR IGNORE INTO settings VALUES (?, ?)", (name, value))
            return connection.execute("SELECT value FROM settings WHERE name = ?", (name,)).fetchone()[0]

    def record(self, outcomes: Iterable[Outcome]) -> None:
        """Keep what became of some inputs."""
        with self._errors(), self._connection as connection:
            values = ((o.object, o.input, o.status, o.reason) for o in outcomes)
            connection.executemany("INSERT OR REPLACE INTO outcome VALUES (?, ?, ?, ?)", values)

    def outcomes(self, *statuses: str) -> list[Outcome]:
        """Return what became of the inputs that have one of some statuses."""
        marks = ", ".join("?" * len(statuses))
        query = f"SELECT object, input, status, reason FROM outcome WHERE status IN ({marks}) ORDER BY input, object"
        with self._errors():
            return [Outcome(*row) for row in self._connection.execute(query, statuses)]

    @contextmanager
    def _errors(self):
        try:
            yield
        except sqlite3.OperationalError as error:
            problem = "another build is at work in this folder" if "locked" in str(error) else f"cannot write: {error}"
            raise DataError(f"{self.path}: {problem}") from None
        except (OSError, sqlite3.DatabaseError) as error:
            raise DataError(f"{self.path}: expected the ledger of a build, found: {error}") from None
