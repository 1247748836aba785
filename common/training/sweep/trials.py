"""The trials of a sweep and the last training of the best, each a nested MLflow run."""

from __future__ import annotations

import time

import optuna
from mlflow import MlflowClient
from optuna.trial import TrialState

from common.backend import forget_networks, keras, tf
from common.runs.dead_runs import SWEEP_TAG, close
from common.runs.record import Run
from common.training.sweep.begin import TRIAL_TAG, Sweep
from common.training.sweep.pace import quiet
from common.training.sweep.report import EPOCH, RUN, SCORES, SECONDS, ranked
from common.training.sweep.space import suggest, swept
from common.training.sweep.study import NUMBER, results
from sdss_gs.errors import ZooError


def run_trial(sweep: Sweep, trial: optuna.Trial) -> float:
    """Train with the options of one trial and return its cost on the validation objects."""
    chosen, number, began = suggest(trial, sweep.space), trial.user_attrs[NUMBER], time.perf_counter()
    record = Run(
        sweep.main, nested=True, run_name=f"{sweep.main.name}-trial-{number:02d}", parent_run_id=sweep.parent,
        tags={TRIAL_TAG: str(trial.number), SWEEP_TAG: sweep.name},
    )  # fmt: skip
    trial.set_user_attr(RUN, record.id)
    try:
        with quiet():
            session = sweep.begin(record, sweep.training_options(chosen))
            if sweep.pruned_by:
                session.callbacks.append(_Prune(trial, sweep.pruned_by))
            session.train()
            cost, scores = session.validate()
    except optuna.TrialPruned:
        record.tags({"zoo.pruned": f"after epoch {session.progress.epoch}"})
        _say(sweep, trial, f"pruned after epoch {session.progress.epoch}", began)
        record.end("FINISHED")
        raise
    except ZooError as error:
        record.end("FAILED", str(error))
        _say(sweep, trial, f"failed: {error}", began)
        raise
    except tf.errors.ResourceExhaustedError as error:
        record.end("FAILED", problem := f"out of memory ({error.message.splitlines()[0][:200]})")
        raise ZooError(problem) from None
    except BaseException as error:
        record.end("KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED", str(error) or "interrupted")
        raise
    finally:
        # The next trial runs in this process too: a new one would take 8 s to start, longer than many a trial.
        forget_networks()
    record.metrics({f"validation_{name.removeprefix('validation_')}": v for name, v in scores.items()}, 0, part="test")
    for key, value in (
        (SCORES, scores),
        (EPOCH, session.progress.best_epoch),
        (SECONDS, time.perf_counter() - began),
    ):
        trial.set_user_attr(key, value)
    record.end("FINISHED")
    _say(sweep, trial, f"validation {sweep.metrics[0]} {scores[sweep.metrics[0]]:.5g}", began)
    return cost


def _say(sweep: Sweep, trial: optuna.Trial, text: str, began: float) -> None:
    options = "  ".join(f"{name}={trial.params[name]:.4g}" if isinstance(trial.params[name], float) else
                        f"{name}={trial.params[name]}" for name in swept(sweep.space))  # fmt: skip
    number, seconds = trial.user_attrs[NUMBER], time.perf_counter() - began
    print(f"trial {number:>3}/{len(sweep.cells)}  {options}  {text}  {seconds:.1f} s", flush=True)


def bury(sweep: Sweep, running: set[int]) -> None:
    """Mark the MLflow runs of trials whose process has died."""
    client = MlflowClient()
    experiment = client.get_run(sweep.parent).info.experiment_id
    query = f"tags.`{SWEEP_TAG}` = '{sweep.name}' and attributes.status = 'RUNNING'"
    alive = {trial.number for trial in sweep.final.get_trials(deepcopy=False) if trial.state == TrialState.RUNNING}
    for run in client.search_runs([experiment], query):
        number, last = run.data.tags.get(TRIAL_TAG), "zoo.refit" in run.data.tags
        if number is not None and int(number) not in (alive if last else running):
            close(run, "its process died; the trial is done again in another run")


def refit(sweep: Sweep, trial: optuna.Trial) -> float:
    """Train the winner for longer, judge it on the test objects and register it."""
    best = ranked(results(sweep.study))[0]
    chosen = dict(best.params) | {"epochs": sweep.options["refit_epochs"]}
    options = "  ".join(f"{name}={value}" for name, value in chosen.items())
    print(f"\nbest: trial {best.user_attrs[NUMBER]}; trained again with {options}", flush=True)
    record = Run(
        sweep.main, nested=True, run_name=f"{sweep.main.name}-best", parent_run_id=sweep.parent,
        tags={TRIAL_TAG: str(trial.number), SWEEP_TAG: sweep.name, "zoo.refit": str(best.user_attrs[NUMBER])},
    )  # fmt: skip
    try:
        session = sweep.begin(record, sweep.training_options(chosen))
        session.train()
        scores = session.finish()
    except BaseException as error:
        record.end("KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED", str(error) or "interrupted")
        raise
    record.end("FINISHED")
    trial.set_user_attr(SCORES, scores)
    trial.set_user_attr(RUN, record.id)
    return 0.0


class _Prune(keras.callbacks.Callback):
    """Reports each epoch to Optuna and ends a trial that is behind."""

    def __init__(self, trial: optuna.Trial, watched: str):
        super().__init__()
        self.trial, self.watched = trial, watched

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.trial.report(float(logs[self.watched]), epoch + 1)
        if self.trial.should_prune():
            raise optuna.TrialPruned
