"""A user's own column: found out, learnt, judged, stored under its own name, and predicted by that name."""

import json

import mlflow
import numpy as np
import pytest
from conftest import survey_rows, write_survey
from helpers.cards import only_output
from helpers.folders import architectures_of
from helpers.light import leave_out
from helpers.stores import new_store
from mlflow import MlflowClient

from common import train
from common.backend import keras
from common.data.sources import open_source
from common.models.library import champions
from common.models.opening import load
from common.outputs.kinds import kind_of
from common.predict.choose import choose_models
from common.predict.predict import predict
from sdss_gs.errors import DataError
from sdss_gs.schema import OUTPUTS, Output
from sdss_gs.tables.catalogue import read_catalogue
from sdss_gs.tables.own import own_output, own_truth, read_columns, read_published

HEIGHT = Output("height", "s", "height", "", "own column height", "data.csv", kind="number", centre=5e6, spread=2e5)


def add_column(folder, name, values):
    """Add a column to a data set's table."""
    path = folder / "data.csv"
    header, *rows = path.read_text().splitlines()
    lines = [f"{header},{name}", *(f"{row},{value}" for row, value in zip(rows, values, strict=True))]
    path.write_text("\n".join(lines) + "\n")


def test_published_values_are_read_by_id_without_what_is_missing_or_impossible(tmp_path):
    folder = write_survey(tmp_path / "survey", survey_rows(5))
    add_column(folder, "redshift_published", ["0.1", "-9999", "", "42", "0.25"])
    objid, path = read_catalogue(folder).objid, folder / "data.csv"
    found = read_published(path, OUTPUTS["redshift"], objid[::-1])
    np.testing.assert_array_equal(found, [0.25, np.nan, np.nan, np.nan, 0.1])
    for name in ("smass", "subclass"):
        assert np.isnan(read_published(path, OUTPUTS[name], objid)).all()


def own(folder, column):
    text = read_columns(folder / "data.csv", (column,), read_catalogue(folder).objid)[column]
    output = own_output(folder / "data.csv", column, text, "s")
    return output, own_truth(output, text)


def test_rows_of_one_object_that_disagree_on_a_label_say_none(tmp_path):
    rows = survey_rows(4)
    folder = write_survey(tmp_path / "ds", [*rows, rows[1], rows[2]])
    add_column(folder, "shape", ["ring", "bar", "", "bar", "ring", "ring"])
    assert own(folder, "shape")[1].tolist() == [1, -1, 1, 0]
    numbers = write_survey(tmp_path / "numbers", [*rows, rows[1], rows[2]])
    add_column(numbers, "height", ["1.5", "0.50", "2.5", "3.5", "0.5", "2.6"])
    np.testing.assert_array_equal(own(numbers, "height")[1], [1.5, 0.5, np.nan, 3.5])


@pytest.mark.parametrize(
    ("values", "classes", "truth"),
    [
        (["ring", "", "bar", "ring"], ("bar", "ring"), [1, -1, 0, 1]),
        (["10", "9", "-9999", "nan"], ("9", "10"), [1, 0, -1, -1]),
        (["1", "2.5", "", "-9999"], (), [1, 2.5, np.nan, np.nan]),
        (["1", "2.5", "x", "1"], ("1", "2.5", "x"), [0, 1, 2, 0]),
    ],
)
def test_column_says_itself_what_it_is(tmp_path, values, classes, truth):
    folder = write_survey(tmp_path, survey_rows(4))
    add_column(folder, "shape", values)
    output, found = own(folder, "shape")
    assert (output.name, output.column, output.classes) == ("shape", "shape", classes)
    assert output.kind == ("classes" if classes else "number")
    np.testing.assert_array_equal(found, truth)


def test_column_follows_the_ids_not_the_order(tmp_path):
    rows = survey_rows(6)
    folder = write_survey(tmp_path, rows)
    add_column(folder, "shape", "abcdef")
    objid = np.array([int(row["objid"]) for row in rows])
    text = read_columns(folder / "data.csv", ("shape",), np.array([*objid[::-1], 17]))["shape"]
    assert text.to_pylist() == [*"fedcba", ""]


@pytest.mark.parametrize(
    ("column", "name"), [("my shape (1)", "my_shape_1"), ("ra", "ra"), ("subclass", "own_subclass")]
)
def test_name_is_one_that_tables_and_networks_can_have(tmp_path, column, name):
    folder = write_survey(tmp_path, survey_rows(4))
    if column != "subclass":
        add_column(folder, column, "abab")
    else:
        add_column(folder, "spare", "abab")
        path = folder / "data.csv"
        path.write_text(path.read_text().replace("subclass", "other").replace("spare", "subclass"))
    assert own(folder, column)[0].name == name


def test_columns_that_cannot_be_learnt_are_named(tmp_path):
    folder = write_survey(tmp_path, survey_rows(120))
    add_column(folder, "same", ["a"] * 120)
    add_column(folder, "counts", range(120))
    add_column(folder, "names", [f"n{number}" for number in range(120)])
    with pytest.raises(DataError, match=r"column same: expected at least two different values, found only 'a'"):
        own(folder, "same")
    with pytest.raises(DataError, match=r"at most 100 classes, found 120 different values, whole numbers \(write them"):
        own(folder, "counts")
    with pytest.raises(DataError, match=r"found 120 different values, for example 'n0'"):
        own(folder, "names")
    with pytest.raises(DataError, match=r"expected a column shape, found objid, class, .*, …"):
        own(folder, "shape")


def test_head_of_a_number_works_in_standard_units():
    inputs = keras.Input((3,))
    kind = kind_of(HEIGHT)
    network = keras.Model(inputs, kind.attach_head(inputs))
    target = np.array([[4.9e6], [5.3e6]], np.float32)
    kind.head_of(network).bias.assign(kind.constant_bias(target))
    assert abs(float(np.ravel(kind.head_of(network).bias)[0])) < 1
    np.testing.assert_allclose(network.predict(np.ones((2, 3)), verbose=0), 5.1e6, rtol=1e-6)
    assert network.layers[-1].name == "height"


def test_intervals_of_a_number_are_in_its_own_unit():
    truth = np.random.default_rng(0).normal(-5, 2, 1000)
    kind = kind_of(HEIGHT)
    low, high = kind.bounds(kind.fit_calibration(truth, np.full(1000, -5.0)), np.array([100.0]), 0.68)
    assert (low[0], high[0]) == (pytest.approx(98, abs=0.4), pytest.approx(102, abs=0.4))


# === Runs ===


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    rows = survey_rows(400)
    folder = write_survey(tmp_path_factory.mktemp("own") / "data", rows)
    redshift = np.array([float(row["redshift"]) for row in rows])
    add_column(folder, "shape", np.where(redshift > 0.2, "far", np.where(redshift > 0.1, "middle", "near")))
    add_column(folder, "height", [f"{5e6 + 2e6 * z:.1f}" for z in redshift])
    add_column(folder, "rare", ["a"] * 398 + ["b", "c"])
    return folder


@pytest.fixture(scope="module")
def trained(data, repository, tmp_path_factory):
    """Train b2s on three columns; return the store."""
    uri = new_store(tmp_path_factory.mktemp("store"))
    mlflow.set_tracking_uri(uri)
    with pytest.MonkeyPatch.context() as patch:
        leave_out(patch)
        for target in ("", "shape", "height"):
            arguments = ["--ds", str(data), "--epochs", "12", "--learning_rate", "0.01", "--target", target]
            assert train._run(repository / "b2s", architectures_of("b2s"), arguments) == 0
    return uri


@pytest.fixture
def store(trained, monkeypatch, tmp_path):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", trained)
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(trained)


def test_own_labels_are_models_of_their_own(store):
    """A network for a user's column must never become the champion of sub-classes."""
    assert [entry.name for entry in champions()] == ["b2s", "b2s-height", "b2s-shape"]
    assert [output.name for output in load("b2s").outputs] == ["subclass"]
    assert [entry.score.split()[0] for entry in champions()] == ["macro_f1", "rmse", "macro_f1"]


def test_own_classes_are_named_in_every_prediction(store, data):
    model = load("b2s-shape")
    found = model.predict(str(data))
    columns = ["shape", "shape_set_90", "shape_far", "shape_middle", "shape_near", "flag"]
    assert [column for column in found.columns if column not in ("objid", "problem")] == columns
    redshift = np.array([float(row["redshift"]) for row in survey_rows(400)])
    expected = np.where(redshift > 0.2, "far", np.where(redshift > 0.1, "middle", "near"))
    assert (found["shape"] == expected).mean() > 0.9


def test_own_numbers_come_with_intervals_in_their_unit(store, data):
    found = load("b2s-height").predict(str(data))
    height = 5e6 + 2e6 * np.array([float(row["redshift"]) for row in survey_rows(400)])
    assert np.std(found["height"] - height) < 0.3 * np.std(height)
    held = (found["height_low_90"] <= height) & (height <= found["height_high_90"])
    assert held.mean() > 0.8


def test_all_champions_together_give_each_output(store, data, tmp_path):
    models, together = choose_models(["one2one"])
    predict(models, open_source([data], ["bands"], progress=False), tmp_path / "out.csv", together=together)
    header = (tmp_path / "out.csv").read_text().split("\n")[0].split(",")
    assert {"subclass", "shape", "shape_models", "height", "height_low_90"} < {name.strip('"') for name in header}


def test_card_and_evaluation_speak_of_the_own_column(store, data, repository):
    entry = next(entry for entry in champions() if entry.name == "b2s-shape")
    card = json.loads(mlflow.artifacts.load_text(f"runs:/{entry.run_id}/card.json"))
    output = only_output(card)
    assert (card["model"], output["classes"]) == ("b2s-shape", ["far", "middle", "near"])
    arguments = ["evaluate", "--model", "models:/b2s-shape@champion", "--ds", str(data)]
    assert train._run(repository / "b2s", {}, arguments) == 0
    (run,) = MlflowClient().search_runs(["0"], order_by=["attributes.start_time DESC"], max_results=1)
    assert run.data.metrics["test_accuracy"] == pytest.approx(output["scores"]["b2s-shape"]["accuracy"])


def test_own_model_is_judged_on_other_data(store, data, repository, tmp_path):
    """Other numbers and classes than those it has learnt change nothing about the model."""
    rows = survey_rows(60, seed=3)
    other = write_survey(tmp_path / "other", rows)
    add_column(other, "height", [f"{5e6 + 2e6 * float(row['redshift']):.1f}" for row in rows])
    add_column(other, "shape", ["far" if float(row["redshift"]) > 0.2 else "new" for row in rows])
    for name, metric in (("height", "test_r2"), ("shape", "test_accuracy")):
        for part in ("all", "test"):
            arguments = ["evaluate", "--model", f"models:/b2s-{name}@champion", "--ds", str(other), "--part", part]
            assert train._run(repository / "b2s", {}, arguments) == 0
            (run,) = MlflowClient().search_runs(["0"], order_by=["attributes.start_time DESC"], max_results=1)
            assert run.data.metrics[metric] > 0.8


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--target", "rare"], "no validation object of b"),
        (
            ["--target", "height", "--class_weights", "balanced"],
            "class_weights: expected none for the numbers of height",
        ),
        (["--target", "mine"], "expected a column mine, found objid"),
    ],
)
def test_columns_that_cannot_be_used_are_one_clear_line(store, data, repository, capsys, options, problem):
    arguments = ["--ds", str(data), "--epochs", "1", *options]
    assert train._run(repository / "b2s", architectures_of("b2s"), arguments) == 1
    (line,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert problem in line


def test_one_class_is_nothing_to_learn(store, data, repository, capsys):
    """All objects of a data set of galaxies are GALAXY: a perfect score would mean nothing."""
    assert train._run(repository / "b2c", architectures_of("b2c"), ["--ds", str(data), "--epochs", "1"]) == 1
    assert "expected objects of at least two class3, found only GALAXY" in capsys.readouterr().err
