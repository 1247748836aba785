"""A model is taken to another survey: by zero points, by labels, without any; and remembers where it came from."""

import json
from dataclasses import replace

import mlflow
import numpy as np
import pytest
from conftest import survey_rows, write_survey
from helpers.trained import by_hand, untried
from mlflow import MlflowClient

from common import train
from common.backend import keras
from common.models.light_export import write_light
from common.models.opening import load
from common.networks.build import build_flat
from common.networks.colour_terms import ColourTerms
from common.outputs.calibration import fit_intervals
from common.project import functions_of
from common.training.adaptation import ways
from sdss_gs.schema import INPUTS, OUTPUTS

OFFSET = 0.3
"""By which the other survey's g is fainter."""
TERMS = ColourTerms(
    INPUTS["bands"].columns, (0.1, -0.2, 0.0, 0.05, 0.0), (0.03, 0.0, -0.02, 0.0, 0.01), (1.2, 0.8, 0.4, 0.3, 0.3)
)


@pytest.fixture(scope="module")
def surveys(tmp_path_factory):
    """The old survey, the new one with another zero point in g, and that one without any label."""
    home = tmp_path_factory.mktemp("surveys")
    moved = survey_rows(300, seed=1)
    for row in moved:
        row["modelMag_g"] = f"{float(row['modelMag_g']) + OFFSET:.4f}"
        row["objid"] = str(int(row["objid"]) + 10**6)
    unlabelled = [row | {"redshift": ""} for row in moved]
    old = survey_rows(400)
    return {
        name: write_survey(home / name, rows)
        for name, rows in (("old", old), ("new", moved), ("unlabelled", unlabelled), ("few", moved[:20]))
    }


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db"


@pytest.fixture
def launch(repository, store, surveys, monkeypatch, tmp_path):
    """Run an entry point of b2r; return exit code and the run."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.chdir(tmp_path)
    # Fewer networks than a user would have judged by.
    monkeypatch.setattr(ways, "FOLDS", 2)
    mlflow.set_tracking_uri(store)

    def launch(*words, **options):
        arguments = [text for key, value in options.items() for text in (f"--{key}", str(value))]
        code = train._run(repository / "b2r", functions_of(repository / "b2r"), [*words, *arguments])
        runs = MlflowClient().search_runs(["0"], order_by=["attributes.start_time DESC"])
        return code, next(run for run in runs if "mlflow.parentRunId" not in run.data.tags)

    if not MlflowClient().search_registered_models():
        code, _ = launch(ds=surveys["old"], epochs=12, learning_rate=0.01)
        assert code == 0
    yield launch
    keras.config.set_dtype_policy("float32")


def test_a_zero_point_that_moved_is_found_from_labels_and_told(launch, surveys, capsys):
    code, run = launch("adapt", start="b2r/1", ds=surveys["new"], labels=60, epochs=2)
    assert (code, run.info.status) == (0, "FINISHED")
    printed = capsys.readouterr().out
    assert "colour terms" in printed
    (version,) = MlflowClient().search_model_versions(f"run_id='{run.info.run_id}'")
    model = load(f"b2r/{version.version}")
    facts = model.adapted
    assert facts["way"].startswith("colour terms")
    (terms,) = facts["colour_terms"]
    # What is added to g, against what is added to its neighbours: a shift of all bands says no redshift here.
    offsets = dict(zip(terms["columns"], terms["offsets"], strict=True))
    assert offsets["modelMag_g"] - np.mean([offsets["modelMag_u"], offsets["modelMag_r"]]) < -0.1
    assert (facts["start"], facts["survey"], facts["labels"]) == ("b2r/1", "new", 60)
    assert facts["sha256"] == load("b2r/1").sha256
    assert run.data.tags["zoo.adapted.start"] == "b2r/1"
    before, after = (run.data.metrics[name] for name in ("baseline_before_fine-tuning_nmad", "test_nmad"))
    assert after < 0.5 * before
    card = json.loads(mlflow.artifacts.load_text(f"{run.info.artifact_uri}/card.json"))
    assert card["adapted"]["way"] == facts["way"]
    # Another survey's model does not take the place of the one that everybody uses.
    assert load("b2r").version == "1"


def test_without_labels_old_galaxies_are_weighed_and_intervals_too(launch, surveys, capsys):
    code, run = launch("adapt", start="b2r/1", ds=surveys["unlabelled"], epochs=1)
    printed = capsys.readouterr().out
    assert code == 0
    assert "no labels" in printed
    assert "old objects that are weighed like the new ones" in printed
    (version,) = MlflowClient().search_model_versions(f"run_id='{run.info.run_id}'")
    assert load(f"b2r/{version.version}").adapted["labels"] == 0


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"ds": "few"}, "labels: expected at least 20 training objects with redshift"),
        ({"ds": "new", "start": "b2r/99"}, "b2r/99"),
        ({"start": "b2r/1"}, "ds: expected the data set of the survey to adapt to, found none"),
        ({"ds": "new", "labels": "-2"}, "labels: expected a whole number of at least -1, found '-2'"),
    ],
)
def test_mistakes_are_one_clear_line(launch, surveys, capsys, options, expected):
    options = {name: surveys.get(value, value) for name, value in options.items()}
    code, run = launch("adapt", **({"start": "b2r/1"} | options))
    assert (code, run.info.status) == (1, "FAILED")
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert expected in line


# === Colour terms in a network ===


def test_terms_go_there_and_back_and_leave_gaps_and_what_is_behind_them_alone():
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(17, 1, (50, 5)), rng.uniform(0, 0.1, (50, 5))], axis=1)
    values[3, 1] = np.nan
    there = TERMS.apply(values)
    np.testing.assert_allclose(TERMS.invert(there), values, atol=1e-9)
    np.testing.assert_array_equal(there[:, 5:], values[:, 5:])
    assert np.isnan(there).tolist() == np.isnan(values).tolist()
    # By hand: u of the first galaxy by its colour u - g.
    colour = values[0, 0] - values[0, 1]
    assert there[0, 0] == pytest.approx(values[0, 0] + 0.1 + 0.03 * (colour - 1.2))


def test_a_network_with_terms_says_of_moved_magnitudes_what_it_said_before_in_every_runtime(tmp_path):
    item, output = replace(INPUTS["bands"], gaps=True), OUTPUTS["redshift"]

    def features(x):
        return keras.layers.Dense(3, activation="tanh", dtype="float32")(
            keras.ops.where(keras.ops.isnan(x), 0.0, x) / 20
        )

    keras.utils.set_random_seed(0)
    bare, moved = (build_flat(item, output, (5,), features, "b2r", terms=terms) for terms in ((), (TERMS,)))
    moved.set_weights(bare.get_weights())
    for network in (bare, moved):
        network.get_layer("redshift").kernel.assign(np.full((3, 1), 0.1, np.float32))
    values = np.random.default_rng(1).normal(17, 1, (20, 5)).astype(np.float32)
    values[1, 2] = np.nan
    expected = bare.predict({"bands": TERMS.apply(values).astype(np.float32)}, verbose=0)
    np.testing.assert_allclose(moved.predict({"bands": values}, verbose=0), expected, rtol=1e-4)
    from common.models.serving import serving_network

    light = write_light(untried(serving_network(moved, [item]), [item], [output]), {"bands": values}, tmp_path)
    assert light.files, light.said


# === Weighted intervals ===


def test_weighted_intervals_hold_what_they_say_where_errors_grow_with_what_is_more_frequent():
    """Of the old survey few galaxies are faint, of the new one most: its errors are larger."""
    rng = np.random.default_rng(0)

    def survey(n, faint):
        hard = rng.random(n) < faint
        return hard, rng.normal(0, np.where(hard, 0.05, 0.01))

    hard, errors = survey(6000, 0.1)
    weights = np.where(hard, 0.8 / 0.1, 0.2 / 0.9)
    _, new = survey(20_000, 0.8)
    predicted = np.full(len(errors), 0.1)
    plain, weighed = fit_intervals(errors, predicted), fit_intervals(errors, predicted, weights)
    for level in (0.68, 0.9, 0.95):
        held = [np.mean((new >= one.low[str(level)][0]) & (new <= one.high[str(level)][0])) for one in (plain, weighed)]
        assert held[1] == pytest.approx(level, abs=0.03)
        assert held[0] < level - 0.1


def test_a_model_keeps_where_it_came_from(tmp_path):
    model = replace(by_hand(), adapted={"start": "b2r/1", "way": "colour terms"})
    assert load(model.to_bytes(), "keras").adapted == model.adapted
