"""Runs whose process died without a word: killed, out of memory, without power. Loads no TensorFlow.

MLflow shows such a run as running for ever, or as failed. Each run holds a lock in its folder of logs, which the system
takes from a process that ends, however it ends. The lock has the run's id as its name: who looks for dead runs asks the
store about these alone, not about every run that ever failed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from common.runs.registry import registry
from common.runs.store_location import MODEL_TAG
from common.runs.stored import StoredRun

if TYPE_CHECKING:
    from filelock import FileLock

LOGS, STATE = "logs", "state.npz"
"""Folder of a model that has a folder for each run; in that, the state from which the run goes on."""
LOGS_TAG, FAILURE_TAG = "zoo.logs", "zoo.failure"
RESUMED_TAG, SWEEP_TAG = "zoo.resumed_from", "zoo.sweep"
PARENT_TAG = "mlflow.parentRunId"
"""MLflow's, of a run within another one."""
DIED = "its process died (killed, out of memory or without power)"


def lock_of(logs: Path | str, run_id: str) -> FileLock:
    """Return the lock of a run, not held yet."""
    # Here and below, because it takes a tenth of a second to import: where nothing is locked, nobody waits for it.
    from filelock import FileLock

    return FileLock(Path(logs, f"{run_id}.lock"))


def hold(lock: FileLock) -> None:
    """Hold the lock of a run, until `let_go` or the end of this process; not where its folder cannot be written."""
    from filelock import Timeout

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


def dead_runs(folders: Iterable[Path]) -> list[StoredRun]:
    """List the runs of model folders whose process died; `mlflow run` may have marked them as failed."""
    locks, ended = sorted(path for folder in folders for path in folder.glob(f"{LOGS}/*/*.lock")), []
    if not locks:
        return []
    from filelock import FileLock, Timeout

    for path in locks:
        # Its process lives; or it is a run of another store, which is not known in this one.
        with contextlib.suppress(OSError, Timeout), FileLock(path, timeout=0):
            ended.append(path.stem)
    runs = list(map(registry().run, ended)) if ended else []
    return [run for run in runs if run and run.status in ("RUNNING", "FAILED") and run.active]


def how_to_go_on(run: StoredRun) -> str:
    """Return the command that goes on with a run; empty if there is nothing to go on from."""
    tags = run.tags
    if SWEEP_TAG in tags:
        parent = tags.get(PARENT_TAG, run.id)
        return f"mlflow run {tags[MODEL_TAG]} -e sweep -P resume={parent} --no-conda"
    # A fold is nothing without the others; a run may have died before its first tags.
    if PARENT_TAG in tags or LOGS_TAG not in tags:
        return ""
    if Path(tags[LOGS_TAG], STATE).is_file():
        return f"mlflow run {tags[MODEL_TAG]} -P resume={run.id} --no-conda"
    # It died before the first epoch that it added to another one, which may be gone by now.
    before = registry().run(tags[RESUMED_TAG]) if RESUMED_TAG in tags else None
    return how_to_go_on(before) if before else ""


def close_dead_runs(folder: Path) -> list[StoredRun]:
    """Mark a model folder's dead runs as killed, but for those of a sweep, which marks its own; return them."""
    dead = [run for run in dead_runs([folder]) if SWEEP_TAG not in run.tags]
    for run in dead:
        close(run.id, run.tags, DIED)
    return dead


def close(run_id: str, tags: Mapping[str, str], reason: str) -> None:
    """Mark a dead run as killed.

    Parameters
    ----------
    run_id, tags : str, mapping
        The run, and its tags.
    reason : str
        What its tag `FAILURE_TAG` will say.
    """
    from mlflow import MlflowClient

    client = MlflowClient()
    client.set_tag(run_id, FAILURE_TAG, reason)
    client.set_terminated(run_id, "KILLED")
    if LOGS_TAG in tags:
        let_go(lock_of(tags[LOGS_TAG], run_id))
