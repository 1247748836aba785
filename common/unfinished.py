"""Runs whose process died without a word: killed, out of memory, without power. Loads no TensorFlow.

MLflow shows such a run as running for ever, or as failed. Each run holds a lock in its folder of logs, which the system
takes from a process that ends, however it ends.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING

from filelock import FileLock, Timeout

if TYPE_CHECKING:
    from mlflow.entities import Run

LOCK, STATE = "running.lock", "state.npz"
"""In a run's folder of logs: its lock, and the state from which it goes on."""
LOGS_TAG, MODEL_TAG, FAILURE_TAG = "zoo.logs", "zoo.model", "zoo.failure"
RESUMED_TAG, SWEEP_TAG = "zoo.resumed_from", "zoo.sweep"
DIED = "its process died (killed, out of memory or without power)"


def hold(logs: Path) -> FileLock | None:
    """Hold the lock of a run, until `let_go` or the end of this process; None where its folder cannot be written."""
    lock = FileLock(logs / LOCK)
    try:
        logs.mkdir(parents=True, exist_ok=True)
        # Whoever asks whether this process lives holds it for a moment.
        return lock.acquire(timeout=10).lock
    except (OSError, Timeout):
        return None


def let_go(lock: FileLock | None) -> None:
    """Remove the lock of a run that ends, and its folder if nothing else is in it."""
    if lock is None:
        return
    path = Path(lock.lock_file)
    # Removed while it is held, so that nobody takes this run, which has ended, for a dead one.
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
    lock.release()
    with contextlib.suppress(OSError):
        path.parent.rmdir()


def dead_runs() -> list[Run]:
    """List the runs of the store whose process died on this machine; `mlflow run` may have marked them as failed."""
    from mlflow import MlflowClient

    client = MlflowClient()
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    others = client.search_runs(experiments, "attributes.status != 'FINISHED'")
    return [run for run in others if LOGS_TAG in run.data.tags and _free(_lock_of(run))]


def how_to_go_on(run: Run) -> str:
    """Return the command that goes on with a run; empty if there is nothing to go on from."""
    from mlflow import MlflowClient, MlflowException

    tags = run.data.tags
    start = f"mlflow run {tags[MODEL_TAG]}"
    if SWEEP_TAG in tags:
        return f"{start} -e sweep -P resume={run.info.run_id} --no-conda"
    if Path(tags[LOGS_TAG], STATE).is_file():
        return f"{start} -P resume={run.info.run_id} --no-conda"
    # It died before the first epoch that it added to another one, which may be gone by now.
    try:
        return how_to_go_on(MlflowClient().get_run(tags[RESUMED_TAG]))
    except (KeyError, MlflowException):
        return ""


def close_dead_runs(model: str) -> list[Run]:
    """Mark a model's dead runs as killed, but for those of a sweep, which marks its own; return them."""
    dead = [run for run in dead_runs() if run.data.tags.get(MODEL_TAG) == model and SWEEP_TAG not in run.data.tags]
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
        let_go(FileLock(_lock_of(run)))


def _lock_of(run: Run) -> Path:
    return Path(run.data.tags[LOGS_TAG], LOCK)


def _free(path: Path) -> bool:
    # A run of another machine, or of an earlier version, has none here.
    if not path.is_file():
        return False
    try:
        with FileLock(path, timeout=0):
            return True
    except (OSError, Timeout):
        return False
