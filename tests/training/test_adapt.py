"""A trained model taken to another survey."""

import json
from pathlib import Path
from types import SimpleNamespace

import mlflow
import numpy as np
import pytest
from conftest import survey_rows, write_survey
from helpers.light import leave_out
from helpers.stores import new_store
from mlflow import MlflowClient

import common.train
from common.backend import keras
from common.models.champion import promote
from common.models.library import artifact, champions, export
from common.models.opening import load
from common.networks.colour_terms import ColourTerms
from common.project import functions_of
from common.training.adaptation import ways
from common.training.adaptation.choice import choose
from common.training.adaptation.terms import fit_common
from common.training.adaptation.ways import Ways
from sdss_gs.schema import INPUTS

ZERO_POINTS = (0.15, -0.1, 0.05, 0.1, -0.08)
"""What is to be added to the new survey's magnitudes."""
OTHER = 10**6
"""Added to the ids of another survey's objects."""


@pytest.fixture(scope="module")
def home(repository, tmp_path_factory):
    """Train a b2r in a store of its own; write the new survey, which has other zero points."""
    folder = tmp_path_factory.mktemp("home")
    write_survey(folder / "old", survey_rows(500))
    write_survey(folder / "new", shifted(survey_rows(150, seed=3)))
    write_survey(folder / "blank", [row | {"redshift": ""} for row in shifted(survey_rows(150, seed=3))])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", store := new_store(folder))
        patch.chdir(folder)
        mlflow.set_tracking_uri(store)
        leave_out(patch)
        learnt = {"epochs": 25, "learning_rate": 0.01, "magnitude_dropout": 0, "architecture": "reference"}
        assert launched(repository, ds=folder / "old", **learnt) == 0
    yield folder
    keras.config.set_dtype_policy("float32")


@pytest.fixture
def store(home, monkeypatch, without_light_form):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{home}/mlflow.db")
    monkeypatch.chdir(home)
    mlflow.set_tracking_uri(f"sqlite:///{home}/mlflow.db")
    monkeypatch.setattr(ways, "FOLDS", 2)
    return home


def shifted(rows):
    """Give objects other ids, and the magnitudes that a survey of other zero points measures."""
    for row in rows:
        row["objid"] = str(int(row["objid"]) + OTHER)
        for band, zero_point in zip("ugriz", ZERO_POINTS, strict=True):
            row[f"modelMag_{band}"] = f"{float(row[f'modelMag_{band}']) - zero_point:.4f}"
    return rows


def launched(repository, *point, **options):
    """Run an entry point of b2r; return the exit code."""
    arguments = [*point, *(text for key, value in options.items() for text in (f"--{key}", str(value)))]
    return common.train._run(repository / "b2r", functions_of(repository / "b2r"), arguments)


# === The command ===


def test_adapted_model_is_better_remembers_where_it_comes_from_and_is_no_champion(repository, store, capsys):
    assert launched(repository, "adapt", start="b2r/1", ds="new", epochs=4) == 0
    said = capsys.readouterr().out
    assert "champion: b2r/1 stays" in said
    assert "zoo promote b2r/2" in said
    model, before = load("b2r/2"), load("b2r/1")
    facts = model.adapted
    assert (facts["start"], facts["sha256"]) == ("b2r/1", before.sha256)
    assert (facts["survey"], facts["learnt_from"]) == ("new", "old")
    assert facts["labels"] == 128
    card = json.loads(artifact("b2r/2", "card.json").read_text())
    assert card["adapted"] == facts
    assert f"| {facts['way']} (kept) |" in artifact("b2r/2", "card.md").read_text()
    (run,) = MlflowClient().search_runs(["0"], order_by=["attributes.start_time DESC"], max_results=1)
    assert run.data.tags["zoo.adapted.start"] == "b2r/1"
    scores = card["outputs"][0]["scores"]
    assert scores["b2r"]["mae"] < scores["before fine-tuning"]["mae"] / 1.5
    assert load("b2r").version == "1"
    promote("b2r/2")
    (entry,) = champions()
    assert entry.data == "new, adapted from b2r/1"
    promote("b2r/1")
    # It travels with its folder.
    assert load(export("b2r/2", Path("exported"))).adapted == facts
    # Objects of the new survey are what it knows now.
    assert (model.predict("new")["flag"] == 0).mean() > 0.9
    assert (before.predict("new")["flag"] == 0).mean() < 0.5


def test_without_labels_the_data_set_that_the_run_recorded_is_weighed(repository, store, capsys):
    assert launched(repository, "adapt", ds="blank", epochs=2) == 0
    said = capsys.readouterr().out
    assert "no labels" in said
    assert "weighed like the new ones" in said
    assert "test galaxies" in said


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({}, "ds: expected the data set of the survey to adapt to, found none"),
        ({"ds": "new", "labels": 5}, "labels: expected at least 20 training objects with redshift, found 5 in "),
        ({"ds": "new", "start": "b2s/1"}, "b2s/1: expected a trained model, found none"),
        ({"ds": "new", "start": "last"}, "start: expected shipped, a version such as b2r/3 or a folder"),
        ({"ds": "blank", "labels": 30}, "expected objects with redshift"),
        ({"ds": "blank", "replay": "nowhere"}, "nowhere"),
    ],
)
def test_what_cannot_be_adapted_is_one_clear_line(repository, store, capsys, options, said):
    assert launched(repository, "adapt", **options) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert said in line


def test_without_labels_and_old_data_there_is_nothing_to_go_by(repository, store, capsys, monkeypatch):
    folder = export("b2r/1", Path("away"))
    # Of a store that does not know it.
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{store}/elsewhere.db")
    mlflow.set_tracking_uri(f"sqlite:///{store}/elsewhere.db")
    assert launched(repository, "adapt", start=folder, ds="new", labels=0) == 1
    assert "replay: expected the data set that b2r learnt from" in capsys.readouterr().err


def test_model_of_several_inputs_is_not_adapted(repository, store, capsys):
    assert common.train._run(repository / "x2y", functions_of(repository / "x2y"), ["adapt", "--ds", "new"]) == 1
    assert "adapt: expected a model with one input and one output, found x2y" in capsys.readouterr().err


# === The choice ===


def test_simplest_way_within_chance_of_the_best_is_kept():
    rng = np.random.default_rng(0)
    base = rng.exponential(1, 400)
    alike, better = base + rng.normal(0, 0.3, 400), base - 0.2 + rng.normal(0, 0.3, 400)
    assert choose({"as it is": base, "other": alike - (alike - base).mean() - 0.001})[0] == "as it is"
    way, tried = choose({"as it is": base, "other": better})
    assert way == "other"
    assert [one.behind > 10 * one.error for one in tried] == [True, False]
    # Objects that do not count do not decide.
    assert choose({"as it is": base, "other": better}, np.r_[1.0, np.zeros(399)])[0] in ("as it is", "other")


# === Colour terms of common objects ===


def test_zero_points_and_slopes_are_found_by_common_objects():
    rng, item = np.random.default_rng(1), INPUTS["bands"]
    ours = (18 + np.array([2, 1, 0.3, 0, -0.2]) + rng.normal(0, 0.4, (300, 5))).astype(np.float32)
    terms = ColourTerms(item.magnitudes, ZERO_POINTS, (0.05, 0, -0.04, 0, 0.02), (1.0, 0.7, 0.3, 0.2, 0.2))
    theirs = terms.apply(ours) + rng.normal(0, 0.02, (300, 5)).astype(np.float32)
    theirs[::7, 1] = np.nan
    theirs[::31] += 2
    found = fit_common(item, ours, theirs)
    np.testing.assert_allclose(found.apply(ours), terms.apply(ours), atol=0.02)
    assert fit_common(item, ours, ours + rng.normal(0, 0.02, (300, 5)).astype(np.float32)) is None
    assert fit_common(item, ours[:10], theirs[:10]) is None


def test_rare_classes_count_where_the_model_learnt_them_so():
    """Of 240 labels 60 are of the rare class: naming all the common one is cheap, unless classes are balanced."""
    truth = np.array([0] * 180 + [1] * 60)
    output = SimpleNamespace(classes=("common", "rare"))

    def balance(weights):
        stub = SimpleNamespace(
            surveys=SimpleNamespace(output=output), tuning=SimpleNamespace(class_weights=weights),
            judged=np.arange(240), truth=lambda positions: truth[positions],
        )  # fmt: skip
        return Ways.balance.func(stub)

    costs = {"as it is": np.full(240, 0.3), "fine-tuned": np.where(truth == 0, 0.05, 0.8)}
    assert choose(costs, balance("none"))[0] == "fine-tuned"
    assert choose(costs, balance("balanced"))[0] == "as it is"
