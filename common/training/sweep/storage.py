"""The trials of a sweep in a data base that several processes share: each is done once, whoever dies.

Optuna keeps the trials; a process takes the next one while it alone may. A trial that gives no sign of life for a while
is dead, and its number in the plan is free again. (Optuna's own way to try again, `RetryHeartbeatStaleTrialCallback`,
loses the trial if it is interrupted itself.)
"""

from __future__ import annotations

import contextlib
import gc
import time
import warnings
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import optuna
import sqlalchemy
from filelock import FileLock
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.storages._heartbeat import get_heartbeat_thread
from optuna.trial import FrozenTrial, TrialState
from sqlalchemy.pool import NullPool

from sdss_gs.errors import OptionError, ZooError

if TYPE_CHECKING:
    from common.training.sweep.space import Space

HEARTBEAT, GRACE, POLL = 5, 60, 1.0
"""Seconds: between a trial's signs of life; without one until it counts as dead; between looks at others' trials."""
BUSY = 120
"""Seconds to wait for another process that writes to the same SQLite file, or that holds the lock and may be gone."""
SWEEP_LOCK = 20_170_001
"""Number of the lock that the processes of all sweeps in a PostgreSQL data base share."""
NUMBER, FAILURE = "number", "failure"
"""Attributes of a trial: its number in the plan, from 1; why it ended without a score."""


class Storage(RDBStorage):
    """Optuna's storage on SQLite or PostgreSQL, with a lock."""

    def __init__(self, url: str):
        address = sqlalchemy.engine.make_url(url)
        sqlite = address.get_backend_name() == "sqlite"
        self._file_lock = FileLock(f"{address.database}.lock") if sqlite else None
        with _no_warnings(), self._file_lock or contextlib.nullcontext():
            super().__init__(
                url,
                # No pool: a connection that nobody closes would be left to the garbage collector.
                engine_kwargs={"poolclass": NullPool} | ({"connect_args": {"timeout": BUSY}} if sqlite else {}),
                heartbeat_interval=HEARTBEAT,
                grace_period=GRACE,
            )

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Keep all other processes out, on this machine and on others."""
        if self._file_lock:
            with self._file_lock:
                yield
            return
        with self.engine.begin() as connection:
            # Of a machine that has lost its power.
            connection.exec_driver_sql(f"SET LOCAL idle_in_transaction_session_timeout = '{BUSY}s'")
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({SWEEP_LOCK})")
            yield

    def set_trial_state_values(self, trial_id: int, state: TrialState, values=None) -> bool:
        """Change a trial's state; before it runs, it gives its first sign of life.

        Optuna gives that afterwards, and never takes a trial without one for dead: of a process that was killed in
        between, the others would wait for ever.

        Parameters
        ----------
        trial_id, state, values
            As for Optuna's `BaseStorage`.
        """
        if state == TrialState.RUNNING:
            self.record_heartbeat(trial_id)
        return super().set_trial_state_values(trial_id, state, values)

    def close(self) -> None:
        """Give the connections back."""
        self.remove_session()
        # Optuna leaves the connection with which it asked for the schema's version to the garbage collector.
        gc.collect()
        self.engine.dispose()


def open_storage(url: str) -> Storage:
    """Open the data base of the trials; make its tables where they are missing.

    Raises
    ------
    OptionError
        If there is no such data base, it is of another kind, or its driver is missing.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        address = sqlalchemy.engine.make_url(url)
    except sqlalchemy.exc.ArgumentError:
        raise OptionError(f"storage: expected an SQLAlchemy address such as sqlite:///x.db, found {url!r}") from None
    shown = address.render_as_string()
    if address.get_backend_name() not in ("sqlite", "postgresql"):
        raise OptionError(f"storage: expected SQLite or PostgreSQL, found {shown}")
    for attempt in range(5):
        try:
            return Storage(url)
        except ImportError as error:
            raise OptionError(f'storage: {error.name or error} is missing (pip install -e ".[postgresql]")') from None
        except (sqlalchemy.exc.SQLAlchemyError, optuna.exceptions.StorageInternalError) as error:
            # Another process may be making the same tables at the same moment.
            problem = str(error.__cause__ or error).splitlines()[0]
            time.sleep(0.2 * 2**attempt)
    raise OptionError(f"storage: expected a data base at {shown}, found {problem}")


def beside(tracking: str, repository: Path) -> str:
    """Choose the data base for a store of MLflow: beside it if that is an SQLite file, else at the repository's root.

    Never the same one: the two packages would overwrite the number of one another's schema.
    """
    path = Path(tracking.removeprefix("sqlite:///")).parent if tracking.startswith("sqlite:///") else repository
    return f"sqlite:///{path / 'sweeps.db'}"


def results(study: optuna.Study) -> list[FrozenTrial]:
    """List the trials that ended with a score, pruned, or with a failure of their own options, as in the plan."""
    ended = study.get_trials(deepcopy=False, states=(TrialState.COMPLETE, TrialState.PRUNED, TrialState.FAIL))
    # One that failed without a reason was left by its process: it is done again.
    ended = [trial for trial in ended if trial.state != TrialState.FAIL or FAILURE in trial.user_attrs]
    return sorted(ended, key=lambda trial: trial.user_attrs[NUMBER])


@dataclass(frozen=True)
class Together:
    """How several trials are done at a time.

    Parameters
    ----------
    alike : callable
        Of the options of a trial, what must be equal of those that are trained together.
    train : callable
        Trains some trials; each is given to the objective afterwards, in their order.
    most : int
        Trials at a time.
    """

    alike: Callable[[dict[str, object]], Hashable]
    train: Callable[[list[optuna.Trial]], None]
    most: int


def work(
    storage: Storage,
    study: optuna.Study,
    space: Space,
    cells: list[dict[str, object]],
    objective: Callable[[optuna.Trial], float],
    sampler: Callable[[int], optuna.samplers.BaseSampler] | None = None,
    together: Together | None = None,
) -> None:
    """Do trials until none is left; wait for those of other processes, and do again those of dead ones.

    Parameters
    ----------
    storage : Storage
    study : optuna.Study
        In that storage.
    space : Space
    cells : list of dict
        From `space.cells_of`.
    objective : callable
        Runs a trial. A `ZooError` is a result: the trial's options do not work. Any other exception ends the work, and
        the trial will be done again.
    sampler : callable
        Makes the sampler for a trial from its number in the plan.
    together : Together, optional
        Takes several trials at a time.
    """
    while True:
        with storage.alone(), _no_warnings():
            trials = _take_alike(study, space, cells, sampler, together)
        if trials:
            _do(storage, study, trials, objective, together)
        elif len(results(study)) < len(cells):
            time.sleep(POLL)
        else:
            return


def _take_alike(
    study: optuna.Study,
    space: Space,
    cells: list[dict[str, object]],
    sampler: Callable | None,
    together: Together | None,
) -> list[optuna.Trial]:
    """Take the first trial of the plan, and those with it that can be trained together."""
    optuna.storages.fail_stale_trials(study)
    trials = [trial] if (trial := _take(study, space, cells, sampler)) else []
    first = trials and together and cells[trials[0].user_attrs[NUMBER] - 1]
    if first:
        key = together.alike(first)
        like = {number for number, cell in enumerate(cells, 1) if cell and together.alike(cell) == key}
        while len(trials) < together.most and (trial := _take(study, space, cells, sampler, like)):
            trials.append(trial)
    return trials


def _take(
    study: optuna.Study,
    space: Space,
    cells: list[dict[str, object]],
    sampler: Callable | None,
    among: set[int] | None = None,
) -> optuna.Trial | None:
    """Take the first trial of the plan that nobody does or has done, of those among it; None if there is none."""
    trials = study.get_trials(deepcopy=False)
    numbers = [trial.user_attrs[NUMBER] for trial in trials if trial.state == TrialState.WAITING]
    if numbers and among is not None:
        # Optuna would give that one first.
        return None
    if not numbers:
        running = [trial for trial in trials if trial.state == TrialState.RUNNING]
        others = {trial.user_attrs[NUMBER] for trial in (*running, *results(study))}
        numbers = [n for n in range(1, len(cells) + 1) if n not in others and (among is None or n in among)]
        if not numbers:
            return None
        # What a dead trial was given by the sampler, it is given again.
        before = {trial.user_attrs[NUMBER]: trial.params for trial in trials}
        cell = cells[numbers[0] - 1] or before.get(numbers[0], {})
        study.enqueue_trial(cell, user_attrs={NUMBER: numbers[0]})
    if sampler:
        study.sampler = sampler(numbers[0])
    return study.ask(space)


def _do(
    storage: Storage,
    study: optuna.Study,
    trials: list[optuna.Trial],
    objective: Callable[[optuna.Trial], float],
    together: Together | None,
) -> None:
    """Run trials and note how each ended."""
    with contextlib.ExitStack() as alive:
        for trial in trials:
            alive.enter_context(get_heartbeat_thread(trial._trial_id, storage))
        try:
            if len(trials) > 1:
                together.train(trials)
            for trial in trials:
                _do_one(study, trial, objective)
        except BaseException:
            for trial in trials:
                with contextlib.suppress(UpdateFinishedTrialError):
                    study.tell(trial, state=TrialState.FAIL, skip_if_finished=True)
            raise


def _do_one(study: optuna.Study, trial: optuna.Trial, objective: Callable[[optuna.Trial], float]) -> None:
    failure = ""
    try:
        outcome = {"values": objective(trial)}
    except optuna.TrialPruned:
        outcome = {"state": TrialState.PRUNED}
    except ZooError as error:
        outcome, failure = {"state": TrialState.FAIL}, str(error)
    except UpdateFinishedTrialError:
        return
    # Where this process slept and another one has declared it dead, the trial is that one's now.
    with contextlib.suppress(UpdateFinishedTrialError):
        if failure:
            trial.set_user_attr(FAILURE, failure)
        study.tell(trial, **outcome, skip_if_finished=True)


@contextlib.contextmanager
def _no_warnings() -> Iterator[None]:
    """Hold back Optuna's warnings that heartbeats are experimental, and meant for its own loop."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def sampler_of(search: str, seed: int, number: int) -> optuna.samplers.BaseSampler:
    """Make the sampler for a trial; of grid and random searches all options are known already.

    A sampler's random numbers begin anew with each process: the trial's number in the seed makes any two differ.

    Parameters
    ----------
    search : str
        One of `options.SEARCHES`.
    seed, number : int
        Of the sweep; of the trial.
    """
    if search != "tpe":
        return optuna.samplers.RandomSampler(seed)
    with _no_warnings():
        return optuna.samplers.TPESampler(seed=hash((seed, number - 1, 0)) % 2**32, constant_liar=True)


def pruner_of(prune: str, epochs: int) -> optuna.pruners.BasePruner:
    """Make the pruner; both kinds leave the first trials alone until there is something to compare with."""
    if prune == "median":
        return optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=max(1, epochs // 5))
    if prune == "hyperband":
        return optuna.pruners.HyperbandPruner(min_resource=1, max_resource=epochs)
    return optuna.pruners.NopPruner()
