"""Trainings of like networks as one program: each learns what it learns alone."""

import gc
import re

import mlflow
import numpy as np
import pytest
from conftest import ROOT, survey_rows, write_survey
from helpers.stores import new_store
from mlflow import MlflowClient
from mlflow.utils.mlflow_tags import MLFLOW_PARENT_RUN_ID

from common import train as door
from common.backend import keras
from common.options import TrainingOptions, typed
from common.project import read_project
from common.training import folds, one_program
from common.training.from_python import functions_of
from common.training.session import Session
from common.training.stacked import NotStackableError, Stack
from common.training.sweep import trial
from common.training.together import alike, train_together

B2R, B2S = read_project(ROOT / "b2r"), read_project(ROOT / "b2s")
SMALL = {"epochs": 3, "batch_size": 16, "magnitude_dropout": 0.0, "architecture": "reference"}


class NoRecord:
    """Stands for a run's record: only a folder is needed."""

    def __init__(self, logs):
        self.logs = logs

    def __getattr__(self, name):
        return lambda *arguments, **options: None


def session_of(folder, project=B2R, fold=None, **chosen):
    options = typed(TrainingOptions, project.defaults | SMALL | {"ds": str(folder)} | chosen)
    return Session(project, NoRecord(folder / "logs"), options, functions_of(project.folder), fold)


@pytest.mark.parametrize(
    ("project", "each"),
    [
        (B2R, [{"learning_rate": 0.01, "schedule": "constant", "seed": 5}, {"loss": "mse", "weight_decay": 0.0}]),
        (B2R, [{"fold": fold, "folds": 3, "head": "binned"} for fold in range(3)]),
        (B2R, [{"ensemble": 2, "seed": seed, "architecture": "fast"} for seed in range(2)]),
        (B2S, [{"class_weights": "balanced"}, {"label_smoothing": 0.1}]),
    ],
)
def test_each_learns_what_it_learns_alone(tmp_path, monkeypatch, project, each):
    folder = write_survey(tmp_path, survey_rows(137))
    both = [[session_of(folder, project, **chosen) for chosen in each] for _ in range(2)]
    together, alone = both
    if "folds" in each[0]:
        assert len({-(-session.data.sizes()["train"] // 16) for session in together}) > 1, "one has more steps"
    with monkeypatch.context() as short:
        short.setattr(one_program, "PAYS", 1)
        assert train_together(together)
    # Step by step: that takes no compiler.
    for session, other in zip(together, alone, strict=True):
        other.train()
        assert session.progress.epoch == 3
        assert session.progress.best_epoch == other.progress.best_epoch
        assert [set(epoch) for epoch in session.progress.history] == [set(epoch) for epoch in other.progress.history]
        for epoch, expected in zip(session.progress.history, other.progress.history, strict=True):
            # Rows are summed in another order, and one of few may go over the border between two classes.
            assert epoch == pytest.approx(expected, rel=0.02 if "accuracy" in epoch else 2e-3, abs=1e-6)
        # As a whole: Adam moves a weight whose gradient is next to nothing as far as the others, whatever its sign.
        weights, expected = (np.concatenate([one.ravel() for one in which.best]) for which in (session, other))
        assert np.linalg.norm(weights - expected) < 0.01 * np.linalg.norm(expected)
    losses = [session.progress.history[-1]["val_loss"] for session in together]
    assert len(set(losses)) == len(losses), "each has options of its own"


def test_networks_that_differ_or_convolve_are_trained_one_after_the_other(tmp_path, monkeypatch):
    monkeypatch.setattr(one_program, "PAYS", 1)
    folder = write_survey(tmp_path, survey_rows(60))
    assert not train_together([session_of(folder), session_of(folder, architecture="fast")])
    inputs = keras.Input((8, 1))
    convolves = keras.Model(inputs, keras.layers.Conv1D(2, 3)(inputs))
    with pytest.raises(NotStackableError, match="Conv1D"):
        Stack([convolves, keras.models.clone_model(convolves)])


def test_few_steps_are_trained_one_after_the_other(tmp_path):
    folder = write_survey(tmp_path, survey_rows(60))
    assert not train_together([session_of(folder), session_of(folder)])


def test_alike_are_options_that_differ_in_rates_alone():
    options = [typed(TrainingOptions, B2R.defaults | one) for one in ({}, {"learning_rate": 1.0}, {"batch_size": 8})]
    first, faster, smaller = map(alike, options)
    assert first == faster != smaller


@pytest.fixture
def launch(repository, monkeypatch, tmp_path):
    """Do what b2r's train.py does, with a store of its own; return the exit code."""
    uri = new_store(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", uri)
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(uri)
    return lambda *arguments: door._run(repository / "b2r", functions_of(ROOT / "b2r"), list(arguments))


def parent_and_children():
    runs = mlflow.search_runs(output_format="list")
    parent = next(run for run in runs if MLFLOW_PARENT_RUN_ID not in run.data.tags)
    query = f"tags.`{MLFLOW_PARENT_RUN_ID}` = '{parent.info.run_id}'"
    client = MlflowClient()
    return parent, client.search_runs([parent.info.experiment_id], query, order_by=["attributes.start_time"])


def test_a_sweep_trains_like_trials_at_once(launch, tmp_path, capsys, monkeypatch, without_light_form):
    folder = write_survey(tmp_path, survey_rows(137))
    space = "learning_rate=1e-3|1e30|1e-2,batch_size=16,architecture=reference,magnitude_dropout=0"
    arguments = ["sweep", "--ds", str(folder), "--space", space, "--epochs", "3", "--refit_epochs", "1"]
    with monkeypatch.context() as short:
        short.setattr(one_program, "PAYS", 1)
        assert launch(*arguments) == 0
    shown = capsys.readouterr().out
    assert re.search(r"trial   2/3 .* failed: training: expected a finite validation loss", shown)
    _, (first, second, third, best) = parent_and_children()
    assert [run.info.status for run in (first, second, third, best)] == ["FINISHED", "FAILED", "FINISHED", "FINISHED"]
    for run, rate in ((first, 1e-3), (third, 1e-2)):
        assert float(run.data.params["learning_rate"]) == rate
        history = MlflowClient().get_metric_history(run.info.run_id, "val_loss")
        assert [metric.step for metric in history] == [1, 2, 3]
        session = session_of(folder, learning_rate=rate)
        session.train()
        assert history[-1].value == pytest.approx(session.progress.history[-1]["val_loss"], rel=2e-3)


def interrupted(_sessions):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("where", "arguments", "children"),
    [
        (trial, ["sweep", "--space", "learning_rate=1e-3|1e-2,architecture=reference"], 2),
        (folds, ["--folds", "3", "--architecture", "reference"], 3),
    ],
)
def test_interrupted_together_all_runs_are_closed_and_no_other_begun(
    launch, tmp_path, monkeypatch, where, arguments, children
):
    folder = write_survey(tmp_path / "data", survey_rows(60))
    monkeypatch.setattr(where, "train_together", interrupted)
    assert launch(*arguments, "--ds", str(folder)) == 130
    gc.collect()
    parent, found = parent_and_children()
    assert len(found) == children
    assert {run.info.status for run in (parent, *found)} == {"KILLED"}
    assert len(mlflow.search_runs(search_all_experiments=True)) == 1 + children


def test_a_loss_that_changes_nothing_is_not_explored(launch, tmp_path, capsys):
    folder = write_survey(tmp_path, survey_rows(60))
    assert launch("sweep", "--ds", str(folder), "--space", "loss=mse|mae") == 1
    assert "space: loss: expected head=point with it" in capsys.readouterr().err
