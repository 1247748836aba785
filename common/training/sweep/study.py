"""The trials of a sweep in a data base that several processes share: each is done once, whoever dies.

Optuna keeps the trials and says which is next. Its own queue is not enough for "exactly once": `GridSampler` may give
two processes the same cell, `Study.ask` makes a new trial where another process has just taken the last one, and on
SQLite, which has no row locks, two processes may take the same one. So all trials are queued first, each with its
number in the plan; a process that finds its number taken lets it go; and on SQLite a lock file guards the taking.
"""

from __future__ import annotations

import contextlib
import gc
import os
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import optuna
import sqlalchemy
from filelock import FileLock
from optuna.exceptions import ExperimentalWarning
from optuna.storages import RDBStorage
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.pool import NullPool

from sdss_gs.errors import OptionError, ZooError

HEARTBEAT, GRACE, POLL = 5, 60, 1.0
"""Seconds: between a trial's signs of life; without one until it counts as dead; between looks at others' trials."""
BUSY = 120
"""Seconds to wait for another process that writes to the same SQLite file."""
NUMBER, FAILURE = "number", "failure"
"""Attributes of a trial: its number in the plan, from 1; why it ended without a score."""


class _Storage(RDBStorage):
    """Optuna's storage, in which two processes cannot take the same trial on SQLite either."""

    def __init__(self, url: str):
        address = sqlalchemy.engine.make_url(url)
        sqlite = address.get_backend_name() == "sqlite"
        self._lock = FileLock(f"{address.database}.lock") if sqlite else contextlib.nullcontext()
        with warnings.catch_warnings(), self._lock:
            warnings.simplefilter("ignore", ExperimentalWarning)
            super().__init__(
                url,
                # No pool: a connection that nobody closes would be left to the garbage collector.
                engine_kwargs={"poolclass": NullPool} | ({"connect_args": {"timeout": BUSY}} if sqlite else {}),
                heartbeat_interval=HEARTBEAT,
                grace_period=GRACE,
            )

    def close(self) -> None:
        """Give the connections back."""
        self.remove_session()
        # Optuna leaves the connection with which it asked for the schema's version to the garbage collector.
        gc.collect()
        self.engine.dispose()

    def set_trial_state_values(self, trial_id: int, state: TrialState, values=None) -> bool:
        """Change a trial's state, as one step; before it runs, it gives its first sign of life.

        Optuna gives that afterwards, and never takes a trial without one for dead: of a process that was killed in
        between, the others would wait for ever.
        """
        with self._lock:
            if state == TrialState.RUNNING:
                self.record_heartbeat(trial_id)
            return super().set_trial_state_values(trial_id, state, values)


class _SurplusError(Exception):
    """A trial that another process does, or has done."""


def open_storage(url: str) -> _Storage:
    """Open the data base of the trials; make its tables where they are missing.

    Raises
    ------
    OptionError
        If there is no such data base, or no driver for it.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    for attempt in range(5):
        try:
            return _Storage(url)
        except ImportError as error:
            raise OptionError(f'storage: {error.name or error} is missing (pip install -e ".[postgresql]")') from None
        except sqlalchemy.exc.ArgumentError:
            raise OptionError(
                f"storage: expected an SQLAlchemy address such as sqlite:///x.db, found {url!r}"
            ) from None
        except (sqlalchemy.exc.SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
            # Another process may be making the same tables at the same moment.
            problem = str(error.__cause__ or error).splitlines()[0]
            time.sleep(0.2 * 2**attempt)
    shown = sqlalchemy.engine.make_url(url).render_as_string()
    raise OptionError(f"storage: expected a data base at {shown}, found {problem}")


def beside(tracking: str, repository: Path) -> str:
    """Choose the data base for a store of MLflow: beside it if that is an SQLite file, else at the repository's root.

    Never the same one: the two packages would overwrite the number of one another's schema.
    """
    path = Path(tracking.removeprefix("sqlite:///")).parent if tracking.startswith("sqlite:///") else repository
    return f"sqlite:///{path / 'sweeps.db'}"


def done(trial: FrozenTrial) -> bool:
    """Tell whether a trial has ended with a score, pruned, or with a failure of its own options."""
    return trial.state in (TrialState.COMPLETE, TrialState.PRUNED) or FAILURE in trial.user_attrs


def results(study: optuna.Study) -> list[FrozenTrial]:
    """List the trials that are done, one for each number of the plan, in its order."""
    found: dict[int, FrozenTrial] = {}
    for trial in study.get_trials(deepcopy=False):
        if NUMBER in trial.user_attrs and done(trial):
            found.setdefault(trial.user_attrs[NUMBER], trial)
    return [found[number] for number in sorted(found)]


def work(
    study: optuna.Study,
    cells: list[dict[str, object]],
    objective: Callable[[optuna.Trial], float],
    dead: Callable[[set[int]], None] = lambda running: None,
    before: Callable[[], None] = lambda: None,
) -> None:
    """Do trials until none is left; wait for those of other processes, and do again those of dead ones.

    Parameters
    ----------
    study : optuna.Study
    cells : list of dict
        From `sweep_space.cells_of`.
    objective : callable
        Runs a trial. A `ZooError` is a result: the trial's options do not work.
    dead : callable
        Is told the numbers (Optuna's) of the trials that run, to tidy up after the others.
    before : callable
        Called before each trial.

    Raises
    ------
    ZooError
        Never for a trial; any other exception of `objective` ends the work, and its trial will be done again.
    """
    lost: set[int] = set()

    def guarded(trial: optuna.Trial) -> float:
        if _taken(study, trial):
            raise _SurplusError
        try:
            return objective(trial)
        except ZooError as error:
            if _runs(study, trial):
                trial.set_user_attr(FAILURE, str(error))
            raise
        finally:
            if not _runs(study, trial):
                lost.add(trial.number)

    while True:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ExperimentalWarning)
            optuna.storages.fail_stale_trials(study)
        trials = study.get_trials(deepcopy=False)
        running = {trial.number for trial in trials if trial.state == TrialState.RUNNING}
        planned = any(trial.state == TrialState.RUNNING and NUMBER in trial.user_attrs for trial in trials)
        dead(running)
        if _queue(study, cells, trials):
            before()
            lost.clear()
            try:
                study.optimize(guarded, n_trials=1, catch=(ZooError, _SurplusError))
            except Exception:
                # This process slept, and another one has declared it dead: the trial is that one's now, and Optuna
                # refuses this result in several ways.
                if not lost:
                    raise
        elif planned:
            time.sleep(POLL)
        else:
            return


def _queue(study: optuna.Study, cells: list[dict[str, object]], trials: list[FrozenTrial]) -> bool:
    """Queue every number of the plan that is neither waiting nor running nor done; tell whether any waits.

    Two processes may queue the same number: `_taken` lets one of them go.
    """
    planned = [trial for trial in trials if NUMBER in trial.user_attrs]
    there = {
        trial.user_attrs[NUMBER]
        for trial in planned
        if done(trial) or trial.state in (TrialState.WAITING, TrialState.RUNNING)
    }
    # What a dead trial was given by the sampler, it is given again.
    before = {trial.user_attrs[NUMBER]: trial.params for trial in planned}
    missing = [number for number in range(1, len(cells) + 1) if number not in there]
    for number in missing:
        study.enqueue_trial(cells[number - 1] or before.get(number, {}), user_attrs={NUMBER: number})
    return bool(missing) or any(trial.state == TrialState.WAITING for trial in planned)


def _taken(study: optuna.Study, mine: optuna.Trial) -> bool:
    """Tell whether a trial is no part of the plan, or its number is done, or was taken before."""
    number = mine.user_attrs.get(NUMBER)
    rivals = [trial for trial in study.get_trials(deepcopy=False) if trial.user_attrs.get(NUMBER) == number]
    return number is None or any(
        done(trial) or (trial.state == TrialState.RUNNING and trial.number < mine.number)
        for trial in rivals
        if trial.number != mine.number
    )


def _runs(study: optuna.Study, trial: optuna.Trial) -> bool:
    return study.get_trials(deepcopy=False)[trial.number].state == TrialState.RUNNING


def sampler_of(search: str, seed: int, study: optuna.Study) -> optuna.samplers.BaseSampler:
    """Make the sampler for the next trial; of grid and random searches all options are known already.

    A sampler's random numbers begin anew with each process. The trials so far, and where others run beside it the
    process, go into the seed, lest two trials be the same.
    """
    if search != "tpe":
        return optuna.samplers.RandomSampler(seed)
    trials = study.get_trials(deepcopy=False)
    others = any(trial.state == TrialState.RUNNING for trial in trials)
    mixed = (seed, sum(map(done, trials)), os.getpid() if others else 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ExperimentalWarning)
        return optuna.samplers.TPESampler(seed=hash(mixed) % 2**32, constant_liar=True)


def pruner_of(prune: str, epochs: int) -> optuna.pruners.BasePruner:
    """Make the pruner; both kinds leave the first trials alone until there is something to compare with."""
    if prune == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=max(1, epochs // 5))
    if prune == "hyperband":
        return optuna.pruners.HyperbandPruner(min_resource=1, max_resource=epochs)
    return optuna.pruners.NopPruner()
