"""Fine-tuning: a training that begins with a trained model."""

import json
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from conftest import survey_rows, write_survey
from helpers.exported import exported_folder
from helpers.shipped import ABOUT
from helpers.stores import new_store
from helpers.trained import by_hand
from mlflow import MlflowClient

import common.train
from common.backend import keras
from common.models.library import export
from common.models.opening import load
from common.models.shipped import FOLDER, VARIABLE, ship, shipped_folder
from common.options import TrainingOptions
from common.train import train
from common.training.from_python import functions_of
from common.training.start import BEFORE, pace
from sdss_gs.errors import ZooError

TINY = 1e-12
"""A step size with which nothing is learnt."""


@pytest.fixture(scope="module")
def trained(repository, tmp_path_factory):
    """Train a b2r in a store; return its exported folder, and the data set's."""
    home = tmp_path_factory.mktemp("home")
    data = write_survey(home / "survey", survey_rows(300))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", store := new_store(home))
        patch.chdir(home)
        mlflow.set_tracking_uri(store)
        assert launched(repository, ds=data, epochs=8, learning_rate=0.01) == 0
        folder = export("b2r", home / "exported")
    yield folder, data, home
    keras.config.set_dtype_policy("float32")


@pytest.fixture
def shipped(trained, monkeypatch, without_light_form):
    """Ship that model; work in its store."""
    folder, data, home = trained
    ship(shipped_folder(), folder, **ABOUT)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{home}/mlflow.db")
    monkeypatch.chdir(home)
    mlflow.set_tracking_uri(f"sqlite:///{home}/mlflow.db")
    return data


def launched(repository, *point, **options):
    """Run an entry point of b2r; return the exit code."""
    arguments = [*point]
    arguments += [text for key, value in options.items() for text in (f"--{key}", str(value))]
    return common.train._run(repository / "b2r", functions_of(repository / "b2r"), arguments)


def card():
    """Read the card of the latest run."""
    (run,) = MlflowClient().search_runs(["0"], order_by=["attributes.start_time DESC"], max_results=1)
    return run, json.loads(mlflow.artifacts.load_text(f"{run.info.artifact_uri}/card.json"))


def test_shipped_b2r_is_fine_tuned_without_another_option(repository, shipped, monkeypatch):
    """It has another architecture than the default, and knows dereddened magnitudes as well."""
    monkeypatch.setenv(VARIABLE, str(FOLDER))
    assert launched(repository, ds=shipped, start="shipped", epochs=1, learning_rate=TINY, schedule="constant") == 0
    run, said = card()
    assert (run.data.params["architecture"], run.data.params["photometry"]) == ("wide", "both")
    (output,) = said["outputs"]
    for metric, value in output["scores"][BEFORE].items():
        assert value == pytest.approx(output["scores"]["b2r"][metric], rel=1e-3, abs=1e-5)


def test_training_begins_with_the_shipped_model_and_is_scored_beside_it(repository, shipped, capsys):
    other = write_survey(Path("other"), survey_rows(200, seed=5))
    assert launched(repository, ds=other, start="shipped", epochs=1, learning_rate=TINY, schedule="constant") == 0
    run, said = card()
    (output,) = said["outputs"]
    # Nothing was learnt: what it began with is what came out.
    for metric, value in output["scores"][BEFORE].items():
        assert output["scores"]["b2r"][metric] == pytest.approx(value, rel=1e-3), metric
    assert BEFORE in output["intervals"]
    assert BEFORE in capsys.readouterr().out
    assert run.data.params["start"] == "shipped"
    assert run.data.params["batch_size"] == "16"
    assert "baseline_before_fine-tuning_nmad" in run.data.metrics
    assert launched(repository, resume=run.info.run_id) == 0
    again, resumed = card()
    assert again.info.run_id != run.info.run_id
    assert again.data.params["batch_size"] == "16"
    assert resumed["outputs"][0]["scores"] == output["scores"]


def test_few_objects_are_learnt_in_small_steps_unless_the_options_say_otherwise():
    def steps_of(objects, batch_size=128):
        return pace(TrainingOptions(batch_size=batch_size), objects, {"batch_size": 128}).batch_size

    assert [steps_of(objects) for objects in (1, 210, 500, 5000, 10**6)] == [8, 32, 64, 128, 128]
    assert steps_of(210, batch_size=64) == 64


def test_shipped_model_is_judged_on_any_data_set(repository, shipped, capsys):
    assert launched(repository, "evaluate", ds=shipped, model="b2r@shipped") == 0
    assert "b2r@shipped on 59 galaxies" in capsys.readouterr().out


def test_what_is_known_of_input_and_output_is_the_shipped_models(shipped, trained):
    before = load("b2r@shipped", "keras")
    table = pd.read_csv(shipped / "data.csv")
    options = {"epochs": 3, "learning_rate": 0.01}
    model = train("b2r", table, start="shipped", **options)
    assert model.outputs[0].grid == before.outputs[0].grid
    assert model.inputs == before.inputs
    assert model.training_ranges == before.training_ranges
    assert model.calibrations != before.calibrations
    assert not np.allclose(model.predict(table)["redshift"], before.predict(table)["redshift"], atol=1e-6)
    # By its version and by its folder it is the same one.
    for start in ("b2r/1", trained[0]):
        same = train("b2r", table, start=start, **options)
        pd.testing.assert_frame_equal(same.predict(table), model.predict(table), check_exact=True)
    # A few objects are enough to be better than from nothing.
    few = table.head(60)
    found = (train("b2r", few, epochs=1, start=start).predict(table) for start in ("shipped", ""))
    errors = [np.abs(one["redshift"] - table["redshift"]).median() for one in found]
    assert errors[0] < errors[1] / 2


def test_ways_in_which_it_cannot_begin_are_one_clear_line(shipped, tmp_path):
    folder = exported_folder(tmp_path / "b2s", by_hand("b2s"))
    table = pd.read_csv(shipped / "data.csv")
    dereddened = table.rename(columns=lambda name: name.replace("modelMag_", "dered_"))
    for values, options, message in (
        (shipped, {"start": "b2r"}, "start: expected shipped, a version such as b2r/3 or a folder that"),
        (shipped, {"start": "b2r/77"}, "b2r/77: expected a trained model, found none"),
        (shipped, {"start": folder}, "start: expected a model with outputs redshift, found subclass"),
        (shipped, {"architecture": "reference"}, r"start: expected weights of shape \(.* as in b2r@shipped, found \("),
        (shipped, {"bins": 7}, "start: expected bins=0 as b2r@shipped has it, found 7"),
        (shipped, {"head": "point"}, "start: expected head=binned as b2r@shipped has it, found point"),
        (
            table.assign(redshift=table["redshift"] + 0.5), {},
            "table: expected redshift within the bins of b2r@shipped, 0.00.* to 0.4.*, found 100 % outside",
        ),
        (dereddened, {}, "table: expected model bands as b2r@shipped, found dereddened"),
    ):  # fmt: skip
        with pytest.raises(ZooError, match=message):
            train("b2r", values, **({"start": "shipped", "epochs": 1} | options))
    for path in shipped_folder().iterdir():
        path.unlink()
    with pytest.raises(ZooError, match=r"b2r@shipped: expected a shipped model \(none ships\), found no b2r"):
        train("b2r", shipped, start="shipped")
