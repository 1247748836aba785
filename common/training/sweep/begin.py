"""A sweep before its first trial: its options and data, and the record that several processes share."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable

import mlflow
import optuna
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from common.project import ModelFolder, Project, parse_options
from common.runs.dead_runs import SWEEP_TAG
from common.runs.record import Run, choose_store
from common.training.session import Session
from common.training.sweep.pace import Unrecorded, quiet
from common.training.sweep.report import shown_metrics
from common.training.sweep.space import cells_of, parse_space, swept
from common.training.sweep.study import beside, open_storage, pruner_of
from sdss_gs import __version__
from sdss_gs.errors import OptionError

TRIAL_TAG = "zoo.trial"
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
        self.begin = lambda record, options: session_type(main, record, options, architectures)
        # What is in the data has been said by the process that started this one.
        said = quiet() if self.helper else contextlib.nullcontext()
        with tempfile.TemporaryDirectory() as folder, said:
            session = self.begin(Unrecorded(folder), self.training_options(self.fixed()))
        self.data = session.data
        self.size = sum(self.data.sizes().values())
        self.metrics = shown_metrics(session.project)
        self._join()

    def _resumed(self, given: dict, project: ModelFolder) -> dict:
        """Take the options of the sweep that is to go on."""
        try:
            name = mlflow.get_run(str(given["resume"])).data.tags[SWEEP_TAG]
            stored = optuna.load_study(study_name=name, storage=self.storage).user_attrs[SETTINGS]
        except (mlflow.MlflowException, KeyError):
            raise OptionError(f"resume: expected the parent run of a sweep, found {given['resume']!r}") from None
        for key, value in given.items():
            if key not in MINE and value not in (stored[key], project.defaults[key]):
                raise OptionError(f"resume: the sweep goes on with {key}={stored[key]}, found {key}={value}")
        return stored | {key: given[key] for key in MINE if given[key] or key != "ds"}

    def training_options(self, chosen: dict) -> dict:
        """Give the options of a training run."""
        own = {name: self.options[name] for name in ("epochs", "seed", "ds", "limit")}
        return (
            self.main.defaults | own | chosen | {"resume": ""} | ({"folds": 0} if "folds" in self.main.defaults else {})
        )

    def fixed(self) -> dict:
        """Return the options with one value."""
        return {name: suggested.choices[0] for name, suggested in self.space.items() if suggested.single()}

    def _join(self) -> None:
        """Find the sweep of these options in the storage, or begin it."""
        settings = {key: value for key, value in self.options.items() if key not in MINE}
        whole = settings | {
            "version": __version__,
            "data": self.data.fingerprint,
            "defaults": self.training_options({}),
        }
        whole["defaults"].pop("ds")
        digest = hashlib.sha256(json.dumps(whole, sort_keys=True).encode()).hexdigest()[:12]
        self.name = f"{self.main.name}-sweep-{digest}"
        if self.options["resume"] and mlflow.get_run(str(self.options["resume"])).data.tags[SWEEP_TAG] != self.name:
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
            self.record = Run(self.main, tags={SWEEP_TAG: self.name})
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
        self.record = self.record or Run(self.main, tags={SWEEP_TAG: self.name})
        settings = {key: value for key, value in self.options.items() if key not in MINE}
        self.study.set_user_attr(SETTINGS, settings)
        self.study.set_user_attr(PARENT, self.record.id)
        return self.record.id


def pruned_by(main: ModelFolder, prune: str, names: list[str]) -> str:
    """Choose the number of each epoch that is alike for all trials: another loss has another unit."""
    if prune == "none":
        return ""
    # Votes, and several outputs together, have no number beside the loss that all of their losses share.
    shared = isinstance(main, Project) and main.output.kind != "votes"
    other = [name for name in names if name in ("label_smoothing", "target" if shared else "loss")]
    if other:
        raise OptionError(f"prune: expected none where {other[0]} is explored (it changes what an epoch's loss means)")
    return "val_mae" if "loss" in names else "val_loss"
