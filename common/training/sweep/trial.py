"""The trials of a sweep and the last training of the best, each a nested MLflow run."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator

import numpy as np
import optuna
from mlflow import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from optuna.trial import TrialState

from common.backend import forget_networks, keras, tf
from common.runs.dead_runs import SWEEP_TAG, close
from common.runs.record import Run
from common.training.fit import require_best
from common.training.keeping import finish, validate
from common.training.sweep.report import EPOCH, RUN, SCORES, SECONDS, in_words, ranked, shown
from common.training.sweep.space import swept
from common.training.sweep.storage import NUMBER, results
from common.training.sweep.study import Begun, Sweep, silenced
from common.training.together import train_together
from sdss_gs.errors import ZooError

TRIAL_TAG = "zoo.trial"


def run_trial(sweep: Sweep, trial: optuna.Trial) -> float:
    """Train with the options of one trial, if it is not trained yet, and return its cost on the validation objects."""
    # A helper whose starter was killed stops; otherwise two sets of processes would share the machine.
    if sweep.helper and os.getppid() != int(sweep.helper):
        raise KeyboardInterrupt
    begun, now = sweep.begun.pop(trial.number, None) or _begin(sweep, trial), time.perf_counter()
    began, session = now - begun.seconds, begun.session
    begun.record.go_on()
    with begun.ending:
        try:
            with silenced():
                if begun.error:
                    raise begun.error
                if not session.progress.epoch:
                    if sweep.pruned_by:
                        session.callbacks.append(_Prune(trial, sweep.pruned_by))
                    session.train()
                require_best(session.best)
                cost, scores = validate(session)
        except optuna.TrialPruned:
            begun.record.tags({"zoo.pruned": f"after epoch {session.progress.epoch}"})
            _say(sweep, trial, f"pruned after epoch {session.progress.epoch}", began)
            raise
        except (ZooError, tf.errors.ResourceExhaustedError) as error:
            memory = isinstance(error, tf.errors.ResourceExhaustedError)
            problem = f"out of memory ({error.message.splitlines()[0][:200]})" if memory else str(error)
            _say(sweep, trial, f"failed: {problem}", began)
            raise ZooError(problem) from None
        numbers = {f"validation_{name.removeprefix('validation_')}": value for name, value in scores.items()}
        begun.record.metrics(numbers, 0, part="test")
        trial.set_user_attr(SCORES, scores)
        trial.set_user_attr(EPOCH, session.progress.best_epoch)
        trial.set_user_attr(SECONDS, time.perf_counter() - began)
    _say(sweep, trial, f"validation {sweep.metrics[0]} {scores[sweep.metrics[0]]:.5g}", began)
    return cost


def _begin(sweep: Sweep, trial: optuna.Trial) -> Begun:
    """Begin a trial's MLflow run, which then waits, and its session if its options allow one."""
    began, ending = time.perf_counter(), contextlib.ExitStack()
    name = f"trial-{trial.user_attrs[NUMBER]:02d}"
    begun = Begun(ending.enter_context(_nested_run(sweep, trial, name, f"{trial.number}")), ending)
    try:
        with silenced():
            begun.session = sweep.begin(begun.record, trial.params)
    except ZooError as error:
        begun.error = error
    except BaseException as error:
        # Ends its run.
        with ending:
            raise error
    begun.record.pause()
    begun.seconds = time.perf_counter() - began
    return begun


def train_alike(sweep: Sweep, trials: list[optuna.Trial]) -> None:
    """Train like trials as one program, where that can be; `run_trial` then judges each, in their order."""
    now, begun = time.perf_counter(), []
    for trial in trials:
        sweep.begun[trial.number] = _begin(sweep, trial)
        begun.append(sweep.begun[trial.number])
    if len(sessions := [one.session for one in begun if one.session]) > 1:
        with silenced():
            train_together(sessions)
    for one in begun:
        one.seconds = (time.perf_counter() - now) / len(trials)


def refit(sweep: Sweep, trial: optuna.Trial) -> float:
    """Train the winner for longer, judge it on the test objects and register it."""
    best = ranked(results(sweep.study))[0]
    number, chosen = best.user_attrs[NUMBER], best.params | {"epochs": sweep.options.refit_epochs}
    options = "  ".join(f"{name}={value}" for name, value in chosen.items())
    print(f"\nbest: trial {number}; trained again with {options}", flush=True)
    with _nested_run(sweep, trial, "best", f"best {trial.number}", **{"zoo.refit": str(number)}) as record:
        session = sweep.begin(record, chosen)
        session.train()
        trial.set_user_attr(SCORES, finish(session))
    return 0.0


@contextlib.contextmanager
def _nested_run(sweep: Sweep, trial: optuna.Trial, name: str, number: str, **tags: str) -> Iterator[Run]:
    """Begin the MLflow run of a trial under the sweep's; end it as the trial ends."""
    close_dead_trials(sweep)
    record = Run(
        sweep.main, nested=True, run_name=f"{sweep.main.name}-{name}", parent_run_id=sweep.parent,
        tags={TRIAL_TAG: number, SWEEP_TAG: sweep.name, **tags},
    )  # fmt: skip
    try:
        trial.set_user_attr(RUN, record.id)
        yield record
    except optuna.TrialPruned:
        record.end("FINISHED")
        raise
    except BaseException as error:
        record.end("KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED", str(error) or "interrupted")
        raise
    finally:
        # The next trial runs in this process too: a new one would take 8 s to start, longer than many a trial.
        forget_networks()
    record.end("FINISHED")


def close_dead_trials(sweep: Sweep) -> None:
    """Mark the MLflow runs of processes that have died: of trials, or before the sweep was theirs."""
    dead = {
        f"{prefix}{trial.number}"
        for study, prefix in ((sweep.study, ""), (sweep.final, "best "))
        for trial in study.get_trials(deepcopy=False, states=(TrialState.FAIL,))
    }
    client = MlflowClient()
    query = f"tags.`{SWEEP_TAG}` = '{sweep.name}' and attributes.status = 'RUNNING'"
    for run in client.search_runs([client.get_run(sweep.parent).info.experiment_id], query):
        began = MLFLOW_PARENT_RUN_ID not in run.data.tags and run.info.run_id != sweep.parent
        if began or run.data.tags.get(TRIAL_TAG) in dead:
            close(run.info.run_id, run.data.tags, "its process died; what it did is done again in another run")


def _say(sweep: Sweep, trial: optuna.Trial, text: str, began: float) -> None:
    """Print a line about a trial that has ended, and about how long the others will take."""
    options = "  ".join(f"{name}={shown(trial.params[name])}" for name in swept(sweep.space))
    trials = sweep.study.get_trials(deepcopy=False)
    ended, running = len(results(sweep.study)) + 1, sum(other.state == TrialState.RUNNING for other in trials)
    seconds = [other.user_attrs[SECONDS] for other in trials if SECONDS in other.user_attrs]
    lasted = time.perf_counter() - began
    line = f"trial {trial.user_attrs[NUMBER]:>3}/{len(sweep.cells)}  {options}  {text}  {lasted:.1f} s"
    if seconds:
        rounds = (len(sweep.cells) - ended) / max(1, running)
        last = sweep.options.refit_epochs / sweep.options.epochs
        line += f", about {in_words(np.mean(seconds) * (rounds + last))} left"
    print(line, flush=True)


class _Prune(keras.callbacks.Callback):
    """Reports each epoch to Optuna and ends a trial that is behind."""

    def __init__(self, trial: optuna.Trial, watched: str):
        super().__init__()
        self.trial, self.watched = trial, watched

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.trial.report(float(logs[self.watched]), epoch + 1)
        if self.trial.should_prune():
            raise optuna.TrialPruned
