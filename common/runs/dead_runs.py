"""Runs whose process died without a word: killed, out of memory, without power. Loads no TensorFlow.

MLflow shows such a run as running for ever, or as failed. Each run holds a lock in its folder of logs, which the system
takes from a process that ends, however it ends. The lock has the run's id as its name: who looks for dead runs asks the
store about these alone, not about every run that ever failed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

if TYPE_CHECKING:
    from mlflow.entities import Run

LOGS, STATE = "logs", "state.npz"
"""Folder of a model that has a folder for each run; in that, the state from which the run goes on."""
LOGS_TAG, MODEL_TAG, FAILURE_TAG = "zoo.logs", "zoo.model", "zoo.failure"
RESUMED_TAG, SWEEP_TAG = "zoo.resumed_from", "zoo.sweep"
DIED = "its process died (killed, out of memory or without power)"


def lock_of(logs: Path | str, run_id: str) -> FileLock:
    """Return the lock of a run, not held yet."""
    return FileLock(Path(logs, f"{run_id}.lock"))


def hold(lock: FileLock) -> None:
    """Hold the lock of a run, until `let_go` or the end of this process; not where its folder cannot be written."""
    with contextlib.suppress(OSError, Timeout):
        Path(lock.lock_file).parent.mkdir(parents=True, exist_ok=True)
        # Whoever asks whether this process lives holds it for a moment.
        lock.acquire(timeout=10)


def let_go(lock: FileLock) -> None:
    """Remove the lock of a run that ends, and its folder if nothing else is in it."""
    path = Path(lock.lock_file)
    # Removed while it is held, so that nobody takes this run, which has ended, for a dead one.
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
    lock.release()
    with contextlib.suppress(OSError):
        path.parent.rmdir()


def dead_runs(folders: Iterable[Path]) -> list[Run]:
    """List the runs of model folders whose process died; `mlflow run` may have marked them as failed."""
    from mlflow import MlflowClient, MlflowException

    ended = []
    for path in sorted(path for folder in folders for path in folder.glob(f"{LOGS}/*/*.lock")):
        # Its process lives; or it is a run of another store, which is not known in this one.
        with contextlib.suppress(OSError, Timeout, MlflowException), FileLock(path, timeout=0):
            ended.append(MlflowClient().get_run(path.stem))
    return [run for run in ended if run.info.status in ("RUNNING", "FAILED") and run.info.lifecycle_stage == "active"]


def how_to_go_on(run: Run) -> str:
    """Return the command that goes on with a run; empty if there is nothing to go on from."""
    from mlflow import MlflowClient, MlflowException
    from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

    tags = run.data.tags
    if SWEEP_TAG in tags:
        parent = tags.get(MLFLOW_PARENT_RUN_ID, run.info.run_id)
        return f"mlflow run {tags[MODEL_TAG]} -e sweep -P resume={parent} --no-conda"
    # A fold is nothing without the others; a run may have died before its first tags.
    if MLFLOW_PARENT_RUN_ID in tags or LOGS_TAG not in tags:
        return ""
    if Path(tags[LOGS_TAG], STATE).is_file():
        return f"mlflow run {tags[MODEL_TAG]} -P resume={run.info.run_id} --no-conda"
    # It died before the first epoch that it added to another one, which may be gone by now.
    try:
        return how_to_go_on(MlflowClient().get_run(tags[RESUMED_TAG]))
    except (KeyError, MlflowException):
        return ""


def close_dead_runs(folder: Path) -> list[Run]:
    """Mark a model folder's dead runs as killed, but for those of a sweep, which marks its own; return them."""
    dead = [run for run in dead_runs([folder]) if SWEEP_TAG not in run.data.tags]
    for run in dead:
        close(run, DIED)
    return dead


def close(run: Run, reason: str) -> None:
    """Mark a dead run as killed."""
    from mlflow import MlflowClient

    client = MlflowClient()
    client.set_tag(run.info.run_id, FAILURE_TAG, reason)
    client.set_terminated(run.info.run_id, "KILLED")
    if LOGS_TAG in run.data.tags:
        let_go(lock_of(run.data.tags[LOGS_TAG], run.info.run_id))
