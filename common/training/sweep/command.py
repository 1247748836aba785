"""Explore a model's training options: ``mlflow run <model> -e sweep``.

Trials are nested MLflow runs under one parent, judged on the validation objects. The best is trained again for more
epochs, judged once on the test objects and registered as any other run. The same command goes on where it was, and
joins where the sweep is running.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial

import mlflow
from joblib import cpu_count
from mlflow import MlflowClient
from optuna.trial import TrialState

from common.project import ModelFolder
from common.runs.dead_runs import FAILURE_TAG
from common.runs.failures import report, user_message
from common.runs.record import Run
from common.training.sweep.report import RUN, SCORES, end_of, markdown, ranked, slices, table
from common.training.sweep.storage import Together, results, sampler_of, work
from common.training.sweep.study import STARTED_BY, Sweep
from common.training.sweep.trial import close_dead_trials, refit, run_trial, train_alike
from common.training.together import MOST, alike
from sdss_gs.errors import ZooError


def _run(sweep: Sweep) -> None:
    """Do what is left of the sweep, with helpers where asked for; print and keep what came out."""
    count, done = len(sweep.cells), len(results(sweep.study))
    if not sweep.helper:
        word = "sweep" if sweep.begins else f"goes on: {count - done} of {count} trials left of sweep"
        print(f"{sweep.main.name}: {word} {sweep.parent}, {count} trials; {sweep.options.space}", flush=True)
    if sweep.options.workers > 1 and done < count:
        _with_helpers(sweep)
    sampler = partial(sampler_of, sweep.options.search, sweep.options.seed)
    together = None
    if sweep.together:
        # The processes of a sweep share its trials.
        most = max(1, min(MOST, count // sweep.options.workers))
        together = Together(lambda cell: alike(sweep.options_of(cell)), partial(train_alike, sweep), most)
    work(sweep.storage, sweep.study, sweep.space, sweep.cells, partial(run_trial, sweep), sampler, together)
    if sweep.helper:
        return
    if not any(trial.state == TrialState.COMPLETE for trial in results(sweep.study)):
        failures = {end_of(trial) for trial in results(sweep.study)}
        raise ZooError(f"sweep: expected a trial with a score, found none ({'; '.join(sorted(failures))})")
    work(sweep.storage, sweep.final, {}, [{}], partial(refit, sweep))
    close_dead_trials(sweep)
    _publish(sweep)


def _publish(sweep: Sweep) -> None:
    """Print the tables; keep them, the picture and the numbers with the parent run."""
    client, trials = MlflowClient(), results(sweep.study)
    (last,) = results(sweep.final)
    if last.state != TrialState.COMPLETE:
        raise ZooError(f"sweep: the last training of the best trial {end_of(last)}")
    frame, best = table(trials, sweep.space, sweep.metrics), ranked(trials)[0]
    text = markdown(sweep.main.name, frame, sweep.space, sweep.metrics)
    client.log_text(sweep.parent, text, "sweep.md")
    client.log_text(sweep.parent, frame.to_csv(index=False), "sweep.csv")
    client.log_figure(sweep.parent, slices(trials, sweep.space, sweep.metrics[0]), "sweep.png")
    scores = {name if name.startswith("test_") else f"test_{name}": v for name, v in last.user_attrs[SCORES].items()}
    numbers = {f"best_validation_{name}": value for name, value in best.user_attrs[SCORES].items()}
    for name, value in (scores | numbers).items():
        client.log_metric(sweep.parent, name, value)
    client.set_tag(sweep.parent, "zoo.best_trial", best.user_attrs[RUN])
    client.set_tag(sweep.parent, "zoo.best_run", last.user_attrs[RUN])
    if FAILURE_TAG in client.get_run(sweep.parent).data.tags:
        client.delete_tag(sweep.parent, FAILURE_TAG)
    client.set_terminated(sweep.parent, "FINISHED")
    where = client.get_run(sweep.parent).info.artifact_uri.removeprefix("file://")
    print(f"\n{text}\nsweep   {sweep.parent}\ntables  {where}/sweep.md, sweep.csv\npicture {where}/sweep.png")
    judged = "  ".join(f"{name} {value:.5g}" for name, value in scores.items())
    print(f"best    run {last.user_attrs[RUN]}, once on the test objects: {judged or 'there are none'}", flush=True)


def _with_helpers(sweep: Sweep) -> None:
    """Start processes that join the sweep and wait for them; one that dies is made up for by the others."""
    count = sweep.options.workers
    joins = ("--resume", sweep.parent, "--storage", sweep.storage_url, "--ds", sweep.options.ds)
    threads = str(max(1, cpu_count() // count))
    environment = os.environ | {STARTED_BY: str(os.getpid()), "TF_NUM_INTRAOP_THREADS": threads}
    command = (sys.executable, "train.py", "sweep", *joins)
    started = [subprocess.Popen(command, cwd=sweep.main.folder, env=environment) for _ in range(count)]
    try:
        for process in started:
            process.wait()
    except BaseException:
        for process in started:
            process.terminate()
        raise
    finally:
        for process in started:
            process.wait()


def sweep(main: ModelFolder, project: ModelFolder, functions: dict[str, Callable], arguments: list[str]) -> int:
    """Run the entry point ``sweep`` of a model folder; return the exit code.

    Parameters
    ----------
    main, project, functions, arguments
        As for `study.Sweep`.
    """
    begun = None
    try:
        begun = Sweep(main, project, functions, arguments)
        _run(begun)
    except KeyboardInterrupt:
        _end(main, begun, "KILLED", "interrupted")
        if begun and not begun.helper:
            print("\ninterrupted; what is finished is kept; go on with the same command, or", file=sys.stderr)
            print(f"mlflow run {main.name} -e sweep -P resume={begun.parent} --no-conda", file=sys.stderr)
        return 130
    except Exception as error:
        _end(main, begun, "FAILED", user_message(error) or f"{type(error).__name__}: {error}")
        return report(error)
    _end(main, begun, "FINISHED", "")
    return 0


def _end(main: ModelFolder, begun: Sweep | None, status: str, reason: str) -> None:
    """Close this process's MLflow run; one that `mlflow run` made is there before the sweep is."""
    if begun:
        begun.end_begun(KeyboardInterrupt() if status == "KILLED" else ZooError(reason))
        begun.storage.close()
    if begun and begun.record:
        begun.record.end(status, reason)
    elif mlflow.environment_variables.MLFLOW_RUN_ID.get():
        Run(main).end(status, reason)
