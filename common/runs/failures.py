"""What a user is told of an error, and how a failed run is closed. Loads no TensorFlow."""

from __future__ import annotations

import sys
import traceback
from typing import Protocol

from common.runs.store_location import DATABASE
from sdss_gs import errors
from sdss_gs.errors import first_line
from sdss_gs.terminal import print_error


class Record(Protocol):
    """What can be closed: a run's record."""

    def end(self, status: str, reason: str = "") -> None: ...  # noqa: D102


def user_message(error: BaseException) -> str:
    """Return the line that a user is told of an error, as `sdss_gs.errors.user_message`, also of the store's data base.

    MLflow makes its tables in many steps: killed in between, for the first run of all, it can never go on.
    """
    # MLflow passes some on as its own; Keras takes their cause away. What the data base said is in the innermost.
    cause = (error.__cause__ or error.__context__) if type(error).__name__ == "MlflowException" else error
    if type(cause).__module__.partition(".")[0] not in ("sqlalchemy", "sqlite3"):
        return errors.user_message(error)
    line = f"store: expected a data base that MLflow can use, found {first_line(getattr(cause, 'orig', None) or cause)}"
    # Nobody is told to remove a store that is only locked, or on a full disk.
    if "already exists" in line or "duplicate column" in line:
        line += "; if the process that made it was killed and it holds no runs yet, remove the file "
        line += f"(without MLFLOW_TRACKING_URI: {DATABASE})"
    return line


def report(error: Exception, record: Record | None = None) -> int:
    """Say in one line what went wrong, or print the traceback of a fault of the zoo; close the run; return 1."""
    line = user_message(error)
    if record:
        try:
            record.end("FAILED", line or f"{type(error).__name__}: {error}")
        except Exception as other:
            # The disk is full for the store as well: what went wrong first is what counts.
            print(f"the run stays open in the store: {first_line(other)}", file=sys.stderr)
    if line:
        print_error(line)
    else:
        traceback.print_exception(error)
    return 1
