"""One training run's record: numbers, text and pictures to MLflow and TensorBoard at once."""

from __future__ import annotations

import logging
import tempfile
import time
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import mlflow
import numpy as np
from mlflow.data.dataset_source_registry import resolve_dataset_source
from mlflow.data.meta_dataset import MetaDataset
from mlflow.entities import Metric, RunTag
from mlflow.utils.mlflow_tags import MLFLOW_RUN_NAME
from mlflow.utils.string_utils import quote
from tensorboard.plugins.image.metadata import create_summary_metadata

from common.backend import keras, tf
from common.project import ModelFolder
from common.runs.dead_runs import FAILURE_TAG, LOGS, LOGS_TAG, hold, let_go, lock_of
from common.runs.mlflow_plugin import ZooRunContext
from common.runs.provenance import code_version, packages
from common.runs.store_location import MODEL_TAG, choose_store

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLOTS, PACKAGES = "plots", "packages.txt"
DOTS_PER_INCH = 110


class Run:
    """An active MLflow run with a TensorBoard folder of its own, ``<model>/logs/<run name>-<id>/``.

    Parameters
    ----------
    project : ModelFolder
    **start
        What `mlflow.start_run` is told: name, parent, first tags, ``nested`` for a child of the active run.
    """

    def __init__(self, project: ModelFolder, **start: object):
        # The last one prints the traceback of an error that is raised, and told, anyway.
        for name, level in {"mlflow": "WARNING", "alembic": "WARNING", "mlflow.store.db.utils": "CRITICAL"}.items():
            logging.getLogger(name).setLevel(level)
        choose_store(project.repository)
        # `mlflow run` creates its runs without asking the context providers; a run started here has asked them.
        about = {**ZooRunContext().tags(), MODEL_TAG: project.name, "zoo.code": code_version()}
        info = mlflow.start_run(**start).info
        self.id, self.name = info.run_id, info.run_name
        if project.name not in self.name:
            # All models share one list of runs: a name that MLflow made up does not say whose run it is.
            self.name = f"{project.name}-{self.name}"
        self.logs = project.folder / LOGS / f"{self.name}-{self.id[:8]}"
        self._lock = lock_of(self.logs, self.id)
        hold(self._lock)
        self._writers: dict[str, tf.summary.SummaryWriter] = {}
        # At once: killed before, nobody could tell that it died.
        mlflow.set_tags({**about, MLFLOW_RUN_NAME: self.name, LOGS_TAG: str(self.logs)})
        self.text(packages(), PACKAGES)

    def parameters(self, values: dict[str, object]) -> None:
        """Record what the run works with.

        ``mlflow run`` has recorded what was typed, and MLflow never changes a parameter: where a resumed run goes on
        with another value, that stands under ``resumed_<name>``.
        """
        recorded, new = mlflow.get_run(self.id).data.params, {}
        for name, value in values.items():
            if name not in recorded:
                new[name] = value
            elif not _same(recorded[name], value):
                new[f"resumed_{name}"] = value
        mlflow.log_params(new)

    def data(self, folder: Path, fingerprint: str) -> None:
        """Record the data set, with the hash of what the model sees as its digest."""
        with warnings.catch_warnings():
            # MLflow 3.17 registers its source for local folders twice, and warns that it must choose.
            warnings.simplefilter("ignore", UserWarning)
            source = resolve_dataset_source(str(folder))
        mlflow.log_input(MetaDataset(source, name=folder.name, digest=fingerprint), context="training")

    def tags(self, values: dict[str, object]) -> None:
        """Record facts about the run, which need not be the active one."""
        mlflow.MlflowClient().log_batch(self.id, tags=[RunTag(name, str(value)) for name, value in values.items()])

    def metrics(self, values: dict[str, float], epoch: int, part: str = "") -> None:
        """Record numbers of an epoch in MLflow and, under `part`, in TensorBoard.

        Names that begin with ``val_`` go to TensorBoard's ``validation`` run under the name without it, so that both
        curves share a chart.

        Parameters
        ----------
        values : dict of str to float
        epoch : int
        part : str
            Run of TensorBoard that shows them.
        """
        finite = {name: value for name, value in values.items() if np.isfinite(value)}
        now = int(time.time() * 1000)
        # Not `mlflow.log_metrics`, which asks the store for the run each time.
        entries = [Metric(name, value, now, epoch) for name, value in finite.items()]
        mlflow.MlflowClient().log_batch(self.id, metrics=entries)
        for name, value in finite.items():
            writer = part or ("validation" if name.startswith("val_") else "train")
            with self._writer(writer).as_default(step=epoch):
                tf.summary.scalar(f"{part or 'epoch'}/{name.removeprefix('val_')}", value)

    def pictures(self, figures: dict[str, Figure]) -> dict[str, bytes]:
        """Record pictures as ``plots/<name>.png`` and TensorBoard images; return them as PNG files by name."""
        with tempfile.TemporaryDirectory() as folder:
            paths = {name: Path(folder) / f"{name}.png" for name in figures}
            for name, figure in figures.items():
                figure.savefig(paths[name], dpi=DOTS_PER_INCH)
                width, height = (figure.get_size_inches() * DOTS_PER_INCH).astype(int).astype(str)
                # As `tf.summary.image` writes it, which would encode the pixels once more.
                encoded = tf.constant([width, height, paths[name].read_bytes()])
                with self._writer("plots").as_default(step=0):
                    tf.summary.write(name, encoded, metadata=create_summary_metadata(name, ""))
            mlflow.log_artifacts(folder, PLOTS)
            return {name: path.read_bytes() for name, path in paths.items()}

    def text(self, text: str, name: str) -> None:
        """Record a text file."""
        mlflow.log_text(text, name)

    def file(self, content: bytes, name: str) -> None:
        """Record a file."""
        with tempfile.TemporaryDirectory() as folder:
            (Path(folder) / name).write_bytes(content)
            mlflow.log_artifact(f"{folder}/{name}")

    def artifacts(self) -> str:
        """Return where the run's files are: a path for a local store, else an address."""
        return mlflow.get_artifact_uri().removeprefix("file://")

    def pause(self) -> None:
        """Let another run be MLflow's active one; of this one only metrics and tags are recorded until `go_on`."""
        mlflow.end_run("RUNNING")

    def go_on(self) -> None:
        """Be the active run again."""
        mlflow.start_run(run_id=self.id, nested=True)

    def end(self, status: str, reason: str = "") -> None:
        """Close the run as ``FINISHED``, ``FAILED`` or ``KILLED``; `reason` is kept as a tag."""
        if reason:
            mlflow.set_tag(FAILURE_TAG, reason[:5000])
        for writer in self._writers.values():
            writer.close()
        mlflow.end_run(status)
        let_go(self._lock)

    def _writer(self, part: str):
        if part not in self._writers:
            self._writers[part] = tf.summary.create_file_writer(str(self.logs / part))
        return self._writers[part]


def _same(recorded: str, value: object) -> bool:
    """Tell whether a recorded text is a value: ``mlflow run`` records what was typed as the shell is to read it."""
    if recorded in (str(value), quote(str(value))):
        return True
    try:
        return isinstance(value, int | float) and float(recorded) == value
    except ValueError:
        return False


def logs_of(run_id: str) -> Path | None:
    """Find the TensorBoard folder of an earlier run; None if the store does not know the run."""
    try:
        logs = mlflow.get_run(run_id).data.tags.get(LOGS_TAG)
    except mlflow.MlflowException:
        return None
    return Path(logs) if logs else None


def is_fold(run_id: str) -> bool:
    """Tell whether a run that the store knows is one of a cross-validation's."""
    return "fold" in mlflow.get_run(run_id).data.params


class LogEpochs(keras.callbacks.Callback):
    """Records each epoch's metrics."""

    def __init__(self, run: Run):
        super().__init__()
        self.run = run

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Record the epoch that has just ended, counted from 1."""
        values = {name: float(value) for name, value in logs.items()}
        self.run.metrics(values | {"learning_rate": float(np.asarray(self.model.optimizer.learning_rate))}, epoch + 1)
