"""A sweep before its first trial: its options and data, and the record that several processes share."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import mlflow
import optuna
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from common.options import SweepOptions, TrainingOptions, typed
from common.project import ModelFolder, Project, parse_options
from common.runs.dead_runs import SWEEP_TAG
from common.runs.record import Run, choose_store
from common.training.session import Session
from common.training.sweep.report import shown_metrics
from common.training.sweep.space import cells_of, parse_space, swept
from common.training.sweep.storage import beside, open_storage, pruner_of
from common.training.together import suits
from sdss_gs import __version__
from sdss_gs.errors import OptionError

PARENT, SETTINGS = "run", "settings"
"""Attributes of a study: the parent's MLflow run, the options of the sweep."""
STARTED_BY = "ZOO_SWEEP_WORKER"
"""Variable with the id of the process that started this one to help."""
MINE = ("workers", "storage", "resume", "ds")
"""Options in which the processes of one sweep may differ."""


@dataclass
class Begun:
    """A trial that has begun: its MLflow run, what was made for it or why that failed, and how long it took so far."""

    record: Run
    ending: contextlib.ExitStack
    session: Session | None = None
    error: Exception | None = None
    seconds: float = 0.0


class Sweep:
    """One process of a sweep.

    Parameters
    ----------
    main, project : ModelFolder
        The model folder with the defaults of its entry points ``main`` and ``sweep``.
    functions : dict of str to callable
        The model folder's functions.
    arguments : list of str
        Command line of the entry point.

    Attributes
    ----------
    parent : str
        Id of the MLflow run under which the trials are.
    record : Run or None
        That run, in the process that began it or goes on with it through `mlflow run`.
    together : bool
        Whether like trials may be trained at once.
    begun : dict of int to Begun
        Trials that were trained together and are not judged yet, by their number in the study.

    Raises
    ------
    ZooError
        For an option or a data set that cannot be used.
    """

    def __init__(
        self, main: ModelFolder, project: ModelFolder, functions: dict[str, Callable], arguments: list[str]
    ):  # fmt: skip
        self.main, self.functions, self.record = main, functions, None
        self.begun: dict[int, Begun] = {}
        self.helper = os.environ.get(STARTED_BY, "")
        choose_store(main.repository)
        given = parse_options(project, arguments)
        self.storage_url = given.storage or beside(mlflow.get_tracking_uri(), main.repository)
        if self.storage_url == mlflow.get_tracking_uri():
            raise OptionError("storage: expected another data base than MLflow's own, found the same")
        self.storage = open_storage(self.storage_url)
        try:
            self._prepare(given, project)
            self._join()
        except BaseException:
            self.storage.close()
            raise

    def begin(self, record: Run, chosen: dict) -> Session:
        """Begin a training run with the options of a trial."""
        return Session(self.main, record, self.options_of(chosen), self.functions)

    def options_of(self, chosen: dict) -> TrainingOptions:
        """Return all options of a trial."""
        own = {name: getattr(self.options, name) for name in ("epochs", "seed", "ds", "limit")}
        return typed(TrainingOptions, self.main.defaults | own | chosen | {"resume": "", "folds": 0})

    def end_begun(self, error: BaseException) -> None:
        """Close the MLflow runs of trials that have begun and will not be judged, because of an error."""
        for one in self.begun.values():
            one.record.go_on()
            with contextlib.suppress(BaseException), one.ending:
                raise error
        self.begun.clear()

    def _prepare(self, given: SweepOptions, project: ModelFolder) -> None:
        """Check everything that may be wrong before the sweep is there."""
        self.options = self._resumed(given, project) if given.resume else given
        self.space = parse_space(self.options.space, self.main)
        self.cells = cells_of(self.space, self.options.search, self.options.trials, self.options.seed)
        self.pruned_by = pruned_by(self.main, self.options.prune, swept(self.space))
        fixed = {name: suggested.choices[0] for name, suggested in self.space.items() if suggested.single()}
        # What is in the data has been said by the process that started this one.
        with silenced() if self.helper else contextlib.nullcontext():
            session = self.begin(_NoRecord(), fixed)
        self.data, self.metrics = session.data, shown_metrics(session.data.outputs)
        # Pruning compares a trial with those before it.
        self.together = suits(session) and not self.pruned_by
        explored = set(swept(self.space))
        if (
            "loss" in explored
            and not explored & {"head", "architecture"}
            and all(output.grid for output in self.data.outputs)
        ):
            raise OptionError("space: loss: expected head=point with it (a distribution has a loss of its own)")

    def _resumed(self, given: SweepOptions, project: ModelFolder) -> SweepOptions:
        """Take the options of the sweep that is to go on."""
        try:
            name = mlflow.get_run(given.resume).data.tags[SWEEP_TAG]
            stored = optuna.load_study(study_name=name, storage=self.storage).user_attrs[SETTINGS]
        except (mlflow.MlflowException, KeyError):
            raise OptionError(f"resume: expected the parent run of a sweep, found {given.resume!r}") from None
        for key, value in vars(given).items():
            if key not in MINE and value not in (stored[key], project.defaults[key]):
                raise OptionError(f"resume: the sweep goes on with {key}={stored[key]}, found {key}={value}")
        return replace(given, **stored)

    def _join(self) -> None:
        """Find the sweep of these options in the storage, or begin it."""
        settings = {key: value for key, value in vars(self.options).items() if key not in MINE}
        whole = settings | {"version": __version__, "data": self.data.fingerprint, "defaults": self.main.defaults}
        digest = hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:12]
        self.name = f"{self.main.name}-sweep-{digest}"
        if self.options.resume and mlflow.get_run(self.options.resume).data.tags[SWEEP_TAG] != self.name:
            raise OptionError("resume: the data, the defaults or the zoo are not those that the sweep began with")
        pruner = pruner_of(self.options.prune, self.options.epochs)
        with self.storage.alone():
            self.study, self.final = (
                optuna.create_study(study_name=name, storage=self.storage, pruner=pruner, load_if_exists=True)
                for name in (self.name, f"{self.name}-final")
            )
            self.begins = PARENT not in self.study.user_attrs
            if self.begins:
                self._begin_record(settings)
        self.parent = self.study.user_attrs[PARENT]
        if not self.begins and mlflow.environment_variables.MLFLOW_RUN_ID.get():
            self.record = Run(self.main)
        if self.record and self.record.id != self.parent:
            # The run that `mlflow run` has made for this process shows only that it joined: trials are the parent's.
            self.record.tags({MLFLOW_PARENT_RUN_ID: self.parent, "zoo.joined": self.parent, SWEEP_TAG: self.name})
            self.record.end("FINISHED")
            self.record = None

    def _begin_record(self, settings: dict) -> None:
        self.record = Run(self.main, tags={SWEEP_TAG: self.name})
        self.record.parameters(
            {key: value for key, value in vars(self.options).items() if value != "" and key != "storage"}
        )
        self.record.data(self.data.folder, self.data.fingerprint)
        self.study.set_user_attr(SETTINGS, settings)
        self.study.set_user_attr(PARENT, self.record.id)


class _NoRecord:
    """Stands for a run's record where nothing is to be recorded."""

    def __getattr__(self, name: str) -> Callable:
        return lambda *arguments, **options: None


@contextlib.contextmanager
def silenced() -> Iterator[None]:
    """Hold back what a training run prints."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


def pruned_by(main: ModelFolder, prune: str, names: list[str]) -> str:
    """Choose the number of each epoch that is alike for all trials; empty if none is to end early.

    Parameters
    ----------
    main : ModelFolder
    prune : str
        One of `options.PRUNERS`.
    names : list of str
        The options that are explored: another loss has another unit.

    Raises
    ------
    OptionError
        If there is no such number.
    """
    if prune == "none":
        return ""
    # Votes, and several outputs together, have no number beside the loss that all of their losses share.
    shared = isinstance(main, Project) and main.output.kind != "votes"
    other = [name for name in names if name in ("label_smoothing", "class_weights", "target" if shared else "loss")]
    if other:
        raise OptionError(f"prune: expected none where {other[0]} is explored (it changes what an epoch's loss means)")
    return "val_mae" if "loss" in names else "val_loss"
