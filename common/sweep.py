"""Explore a model's training options: ``mlflow run <model> -e sweep``.

Trials are nested MLflow runs under one parent, judged on the validation objects. The best is trained again for more
epochs, judged once on the test objects and registered as any other run. The same command goes on where it was, and
joins where the sweep is running.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable

import mlflow
import optuna
from joblib import cpu_count
from mlflow import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID
from optuna.trial import TrialState

from sdss_gs import __version__
from sdss_gs.errors import OptionError, ZooError

from .backend import keras, tf
from .project import ModelFolder, parse_options
from .session import Session
from .sweep_report import (
    EPOCH,
    RUN,
    SCORES,
    SECONDS,
    csv_text,
    end_of,
    markdown,
    parallel_coordinates,
    ranked,
    rows,
    shown_metrics,
)
from .sweep_space import cells_of, limits, parse_space, suggest, swept
from .sweep_study import NUMBER, beside, open_storage, pruner_of, results, sampler_of, work
from .sweep_time import Unrecorded, estimate, in_words, measure, quiet
from .tracking import FAILURE_TAG, Run, choose_store

STUDY_TAG, TRIAL_TAG = "zoo.sweep", "zoo.trial"
PARENT, SETTINGS = "run", "settings"
"""Attributes of a study: the parent's MLflow run, the options of the sweep."""
STARTED_BY = "ZOO_SWEEP_WORKER"
"""Variable with the id of the process that started this one to help."""
MINE = ("workers", "storage", "resume", "ds")
"""Options in which the processes of one sweep may differ."""


class Sweep:
    """One process of a sweep.

    Parameters
    ----------
    main, project : ModelFolder
        The model folder with the defaults of its entry points ``main`` and ``sweep``.
    session_type : type of Session
    architectures : dict of str to callable
        The model folder's functions.
    arguments : list of str
        Command line of the entry point.

    Raises
    ------
    ZooError
        For an option or a data set that cannot be used.
    """

    def __init__(
        self,
        main: ModelFolder,
        project: ModelFolder,
        session_type: type[Session],
        architectures: dict[str, Callable],
        arguments: list[str],
    ):
        self.main, self.record = main, None
        self.helper = os.environ.get(STARTED_BY, "")
        choose_store(main.repository)
        given = parse_options(project, arguments)
        self.storage_url = str(given["storage"]) or beside(mlflow.get_tracking_uri(), main.repository)
        if self.storage_url == mlflow.get_tracking_uri():
            raise OptionError("storage: expected another data base than MLflow's own, found the same")
        self.storage = open_storage(self.storage_url)
        try:
            self._prepare(given, project, session_type, architectures)
        except BaseException:
            self.storage.close()
            raise

    def _prepare(
        self, given: dict, project: ModelFolder, session_type: type[Session], architectures: dict[str, Callable]
    ) -> None:
        """Check everything that may be wrong before the sweep is there."""
        main = self.main
        self.options = self._resumed(given, project) if given["resume"] else given
        self.space = parse_space(str(self.options["space"]), main)
        self.cells = cells_of(self.space, *(self.options[name] for name in ("search", "trials", "seed")))
        self.pruned_by = pruned_by(main, str(self.options["prune"]), swept(self.space))
        self._begin = lambda record, options: session_type(main, record, options, architectures)
        with tempfile.TemporaryDirectory() as folder:
            self.data = self._begin(Unrecorded(folder), self._options(self._fixed())).data
        self.size = sum(self.data.sizes().values())
        self.metrics = shown_metrics(main)
        self._join()

    def _resumed(self, given: dict, project: ModelFolder) -> dict:
        """Take the options of the sweep that is to go on."""
        try:
            name = mlflow.get_run(str(given["resume"])).data.tags[STUDY_TAG]
            stored = optuna.load_study(study_name=name, storage=self.storage).user_attrs[SETTINGS]
        except (mlflow.MlflowException, KeyError):
            raise OptionError(f"resume: expected the parent run of a sweep, found {given['resume']!r}") from None
        for key, value in given.items():
            if key not in MINE and value not in (stored[key], project.defaults[key]):
                raise OptionError(f"resume: the sweep goes on with {key}={stored[key]}, found {key}={value}")
        return stored | {key: given[key] for key in MINE if given[key] or key != "ds"}

    def _options(self, chosen: dict) -> dict:
        """Give the options of a training run."""
        own = {name: self.options[name] for name in ("epochs", "seed", "ds", "limit")}
        return (
            self.main.defaults | own | chosen | {"resume": ""} | ({"folds": 0} if "folds" in self.main.defaults else {})
        )

    def _fixed(self) -> dict:
        return {name: suggested.choices[0] for name, suggested in self.space.items() if suggested.single()}

    def _join(self) -> None:
        """Find the sweep of these options in the storage, or begin it."""
        settings = {key: value for key, value in self.options.items() if key not in MINE}
        whole = settings | {"version": __version__, "data": self.data.fingerprint, "defaults": self._options({})}
        whole["defaults"].pop("ds")
        digest = hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:12]
        self.name = f"{self.main.name}-sweep-{digest}"
        if self.options["resume"] and mlflow.get_run(str(self.options["resume"])).data.tags[STUDY_TAG] != self.name:
            raise OptionError("resume: the data, the defaults or the zoo are not those that the sweep began with")
        pruner = pruner_of(str(self.options["prune"]), int(self.options["epochs"]))
        try:
            self.study = optuna.create_study(study_name=self.name, storage=self.storage, pruner=pruner)
            self.begins = True
        except optuna.exceptions.DuplicatedStudyError:
            self.study = optuna.load_study(study_name=self.name, storage=self.storage, pruner=pruner)
            self.begins = False
        self.final = optuna.create_study(study_name=f"{self.name}-final", storage=self.storage, load_if_exists=True)
        if self.begins or mlflow.environment_variables.MLFLOW_RUN_ID.get():
            self.record = Run(self.main, tags={STUDY_TAG: self.name})
        if self.begins:
            self.study.set_user_attr(SETTINGS, settings)
            self.study.set_user_attr(PARENT, self.record.id)
            self.record.parameters(
                {key: value for key, value in self.options.items() if value != "" and key != "storage"}
            )
            self.record.data(self.data.folder, self.data.fingerprint)
        self.parent = self._parent()
        if self.record and self.parent != self.record.id:
            # The run that `mlflow run` has made for this process shows only that it joined: trials are the parent's.
            self.record.tags({MLFLOW_PARENT_RUN_ID: self.parent, "zoo.joined": self.parent})
            self.record.end("FINISHED")
            self.record = None

    def _parent(self) -> str:
        """Return the parent run, once the process that began the sweep has said which it is."""
        for _ in range(60):
            if PARENT in (found := self.study.user_attrs):
                return found[PARENT]
            time.sleep(0.5)
        # That process died before it could: this one takes its place.
        self.record = self.record or Run(self.main, tags={STUDY_TAG: self.name})
        settings = {key: value for key, value in self.options.items() if key not in MINE}
        self.study.set_user_attr(SETTINGS, settings)
        self.study.set_user_attr(PARENT, self.record.id)
        return self.record.id

    # === Trials ===

    def run(self) -> None:
        """Do what is left of the sweep, with helpers where asked for; print and keep what came out."""
        if not self.helper:
            self._announce()
        if self.options["workers"] > 1:
            _with_helpers(self.main, self.options, self.storage_url, self.parent)
        work(self.study, self.cells, self._trial, self._bury, self._choose_sampler)
        if self.helper:
            return
        if not any(trial.state == TrialState.COMPLETE for trial in results(self.study)):
            failures = {end_of(trial) for trial in results(self.study)}
            raise ZooError(f"sweep: expected a trial with a score, found none ({'; '.join(sorted(failures))})")
        work(self.final, [{}], self._refit, self._bury)
        self._publish()

    def _announce(self) -> None:
        left = len(self.cells) - len(results(self.study))
        word = "sweep" if self.begins else f"goes on: {left} of {len(self.cells)} trials left of sweep"
        print(f"{self.main.name}: {word} {self.parent}, {len(self.cells)} trials; {self.options['space']}")
        if not left:
            return
        sizes = limits(self.space, "batch_size", self.main.defaults["batch_size"])
        options = self._options(self._fixed())
        paces = [measure(self._begin, options | {"batch_size": size}) for size in sizes]
        missing = self.cells[len(self.cells) - left :]
        trials, last = estimate(paces, missing, self.space, options, self.options["refit_epochs"])
        together = min(int(self.options["workers"]), cpu_count())
        shared = f" ({in_words(trials)} of work by {self.options['workers']} workers)" if together > 1 else ""
        print(
            f"about {in_words(trials / together + last)}{shared}: {left} trials on {self.size:,} galaxies, then "
            f"{self.options['refit_epochs']} epochs of the best; measured with the default network in a few seconds",
            flush=True,
        )

    def _choose_sampler(self) -> None:
        # A helper whose starter was killed stops; otherwise two sets of processes would share the machine.
        if self.helper and os.getppid() != int(self.helper):
            raise KeyboardInterrupt
        self.study.sampler = sampler_of(str(self.options["search"]), int(self.options["seed"]), self.study)

    def _trial(self, trial: optuna.Trial) -> float:
        """Train with the options of one trial and return its cost on the validation objects."""
        chosen, number, began = suggest(trial, self.space), trial.user_attrs[NUMBER], time.perf_counter()
        record = Run(
            self.main, nested=True, run_name=f"{self.main.name}-trial-{number:02d}", parent_run_id=self.parent,
            tags={TRIAL_TAG: str(trial.number), STUDY_TAG: self.name},
        )  # fmt: skip
        trial.set_user_attr(RUN, record.id)
        try:
            with quiet():
                session = self._begin(record, self._options(chosen))
                if self.pruned_by:
                    session.callbacks.append(_Prune(trial, self.pruned_by))
                session.train()
                cost, scores = session.validate()
        except optuna.TrialPruned:
            record.tags({"zoo.pruned": f"after epoch {session.progress.epoch}"})
            self._say(trial, f"pruned after epoch {session.progress.epoch}", began)
            record.end("FINISHED")
            raise
        except ZooError as error:
            record.end("FAILED", str(error))
            self._say(trial, f"failed: {error}", began)
            raise
        except tf.errors.ResourceExhaustedError as error:
            record.end("FAILED", problem := f"out of memory ({error.message.splitlines()[0][:200]})")
            raise ZooError(problem) from None
        except BaseException as error:
            record.end("KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED", str(error) or "interrupted")
            raise
        finally:
            # The next trial runs in this process too: a new one would take 8 s to start, longer than many a trial.
            keras.utils.clear_session()
        record.metrics(
            {f"validation_{name.removeprefix('validation_')}": v for name, v in scores.items()}, 0, part="test"
        )
        for key, value in (
            (SCORES, scores),
            (EPOCH, session.progress.best_epoch),
            (SECONDS, time.perf_counter() - began),
        ):
            trial.set_user_attr(key, value)
        record.end("FINISHED")
        self._say(trial, f"validation {self.metrics[0]} {scores[self.metrics[0]]:.5g}", began)
        return cost

    def _say(self, trial: optuna.Trial, text: str, began: float) -> None:
        options = "  ".join(f"{name}={trial.params[name]:.4g}" if isinstance(trial.params[name], float) else
                            f"{name}={trial.params[name]}" for name in swept(self.space))  # fmt: skip
        number, seconds = trial.user_attrs[NUMBER], time.perf_counter() - began
        print(f"trial {number:>3}/{len(self.cells)}  {options}  {text}  {seconds:.1f} s", flush=True)

    def _bury(self, running: set[int]) -> None:
        """Mark the MLflow runs of trials whose process has died."""
        client = MlflowClient()
        experiment = client.get_run(self.parent).info.experiment_id
        query = f"tags.`{STUDY_TAG}` = '{self.name}' and attributes.status = 'RUNNING'"
        alive = {trial.number for trial in self.final.get_trials(deepcopy=False) if trial.state == TrialState.RUNNING}
        for run in client.search_runs([experiment], query):
            number, last = run.data.tags.get(TRIAL_TAG), "zoo.refit" in run.data.tags
            if number is not None and int(number) not in (alive if last else running):
                client.set_tag(run.info.run_id, FAILURE_TAG, "its process died; the trial is done again in another run")
                client.set_terminated(run.info.run_id, "KILLED")

    # === Result ===

    def _refit(self, trial: optuna.Trial) -> float:
        """Train the winner for longer, judge it on the test objects and register it."""
        best = ranked(results(self.study))[0]
        chosen = dict(best.params) | {"epochs": self.options["refit_epochs"]}
        options = "  ".join(f"{name}={value}" for name, value in chosen.items())
        print(f"\nbest: trial {best.user_attrs[NUMBER]}; trained again with {options}", flush=True)
        record = Run(
            self.main, nested=True, run_name=f"{self.main.name}-best", parent_run_id=self.parent,
            tags={TRIAL_TAG: str(trial.number), STUDY_TAG: self.name, "zoo.refit": str(best.user_attrs[NUMBER])},
        )  # fmt: skip
        try:
            session = self._begin(record, self._options(chosen))
            session.train()
            scores = session.finish()
        except BaseException as error:
            record.end("KILLED" if isinstance(error, KeyboardInterrupt) else "FAILED", str(error) or "interrupted")
            raise
        record.end("FINISHED")
        trial.set_user_attr(SCORES, scores)
        trial.set_user_attr(RUN, record.id)
        return 0.0

    def _publish(self) -> None:
        """Print the tables; keep them, the picture and the numbers with the parent run."""
        client, trials = MlflowClient(), results(self.study)
        (last,) = results(self.final)
        if last.state != TrialState.COMPLETE:
            raise ZooError(f"sweep: the last training of the best trial {end_of(last)}")
        text, best = markdown(self.main.name, trials, self.space, self.metrics), ranked(trials)[0]
        lines = rows(trials, self.space, self.metrics)
        client.log_text(self.parent, text, "sweep.md")
        client.log_text(self.parent, csv_text(lines), "sweep.csv")
        figure = parallel_coordinates(trials, self.space, self.metrics[0])
        client.log_figure(self.parent, figure, "sweep.png")
        scores = {
            name if name.startswith("test_") else f"test_{name}": v for name, v in last.user_attrs[SCORES].items()
        }
        numbers = {f"best_validation_{name}": value for name, value in best.user_attrs[SCORES].items()}
        for name, value in (scores | numbers).items():
            client.log_metric(self.parent, name, value)
        client.set_tag(self.parent, "zoo.best_trial", best.user_attrs[RUN])
        client.set_tag(self.parent, "zoo.best_run", last.user_attrs[RUN])
        client.delete_tag(self.parent, FAILURE_TAG) if FAILURE_TAG in client.get_run(self.parent).data.tags else None
        client.set_terminated(self.parent, "FINISHED")
        where = client.get_run(self.parent).info.artifact_uri.removeprefix("file://")
        print(f"\n{text}\nsweep   {self.parent}\ntables  {where}/sweep.md, sweep.csv\npicture {where}/sweep.png")
        shown = "  ".join(f"{name} {value:.5g}" for name, value in scores.items())
        print(f"best    run {last.user_attrs[RUN]}, once on the test objects: {shown}", flush=True)


class _Prune(keras.callbacks.Callback):
    """Reports each epoch to Optuna and ends a trial that is behind."""

    def __init__(self, trial: optuna.Trial, watched: str):
        super().__init__()
        self.trial, self.watched = trial, watched

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.trial.report(float(logs[self.watched]), epoch + 1)
        if self.trial.should_prune():
            raise optuna.TrialPruned


def pruned_by(main: ModelFolder, prune: str, names: list[str]) -> str:
    """Choose the number of each epoch that is alike for all trials: another loss has another unit."""
    if prune == "none":
        return ""
    single = hasattr(main, "output")
    other = [
        name for name in names if name in (("target", "label_smoothing") if single else ("loss", "label_smoothing"))
    ]
    if other:
        raise OptionError(f"prune: expected none where {other[0]} is explored (it changes what an epoch's loss means)")
    return "val_mae" if "loss" in names else "val_loss"


def _with_helpers(main: ModelFolder, options: dict, storage: str, parent: str) -> None:
    """Start processes that join the sweep and wait for them; one that dies is made up for by the others."""
    count = int(options["workers"])
    command = [
        sys.executable,
        "train.py",
        "sweep",
        "--resume",
        parent,
        "--storage",
        storage,
        "--ds",
        str(options["ds"]),
    ]
    threads = str(max(1, cpu_count() // count))
    environment = os.environ | {STARTED_BY: str(os.getpid()), "TF_NUM_INTRAOP_THREADS": threads}
    started = [subprocess.Popen(command, cwd=main.folder, env=environment) for _ in range(count)]
    try:
        for process in started:
            process.wait()
    except BaseException:
        for process in started:
            process.terminate()
        for process in started:
            process.wait()
        raise


def sweep(
    main: ModelFolder,
    project: ModelFolder,
    session_type: type[Session],
    architectures: dict[str, Callable],
    arguments: list[str],
) -> int:
    """Run the entry point ``sweep`` of a model folder; parameters as for `Sweep`; return the exit code."""
    found = None
    try:
        found = Sweep(main, project, session_type, architectures, arguments)
        found.run()
    except ZooError as error:
        _end(main, found, "FAILED", str(error))
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        _end(main, found, "KILLED", "interrupted")
        if found and not found.helper:
            print("\ninterrupted; what is finished is kept; go on with the same command, or", file=sys.stderr)
            print(f"mlflow run {main.name} -e sweep -P resume={found.parent} --no-conda", file=sys.stderr)
        return 130
    except BaseException as error:
        _end(main, found, "FAILED", f"{type(error).__name__}: {error}")
        traceback.print_exc()
        return 1
    _end(main, found, "FINISHED", "")
    return 0


def _end(main: ModelFolder, found: Sweep | None, status: str, reason: str) -> None:
    """Close this process's MLflow run; one that `mlflow run` made is there before the sweep is."""
    record = found.record if found else None
    if found:
        found.storage.close()
    if record is None and mlflow.environment_variables.MLFLOW_RUN_ID.get():
        record = Run(main)
    if record:
        record.end(status, reason)
