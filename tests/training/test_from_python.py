"""Training from Python, without a store."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from astropy import units
from astropy.table import QTable
from conftest import survey_rows, write_survey

from common import load
from common.backend import keras
from common.train import train, train_and_judge
from common.training import pool
from sdss_gs.errors import OptionError, ZooError
from sdss_gs.split import split

BANDS = [f"modelMag_{band}" for band in "ugriz"]
WISE = [f"w{number}mag" for number in (1, 2, 3, 4)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return write_survey(tmp_path_factory.mktemp("data") / "survey", survey_rows(300))


@pytest.fixture
def frame(folder, tmp_path, monkeypatch):
    """The data set's table, in a folder where nothing is to appear."""
    here = tmp_path / "here"
    here.mkdir()
    monkeypatch.chdir(here)
    yield pd.read_csv(folder / "data.csv")
    assert not list(here.iterdir())
    keras.config.set_dtype_policy("float32")


def test_table_in_memory_trains_as_the_data_set_does(frame, folder):
    options = {"epochs": 6, "learning_rate": 0.01, "split": "all"}
    model = train("b2r", frame, **options)
    predicted = model.predict(frame)
    truth = frame["redshift"]
    error = (predicted["redshift"] - truth) / (1 + truth)
    assert 1.4826 * np.median(np.abs(error)) < 0.25 * truth.std()
    assert model.runtime.name == "onnxruntime"
    assert model.reading["split"] == "all"
    assert len(model.sha256) == 64
    of_folder = train("b2r", folder, **options)
    pd.testing.assert_frame_equal(of_folder.predict(frame), predicted, check_exact=True)
    assert (of_folder.sha256, model.version) != ("", "1")
    again = load(model.to_bytes())
    pd.testing.assert_frame_equal(again.predict(frame), predicted, check_exact=True)


def test_rows_without_ids_are_numbered_and_other_tables_are_taken(frame, tmp_path_factory, without_light_form):
    columns = ["redshift", *BANDS]
    options = {"epochs": 1, "architecture": "reference"}
    of_pandas = train("b2r", frame[columns], **options).predict(frame)
    file = tmp_path_factory.mktemp("table") / "galaxies.parquet"
    frame[columns].to_parquet(file)
    for table in (pa.table(frame[columns]), {name: frame[name].to_numpy() for name in columns}, str(file)):
        pd.testing.assert_frame_equal(train("b2r", table, **options).predict(frame), of_pandas, check_exact=True)


def test_model_of_several_inputs_and_one_of_an_own_column(frame, monkeypatch, without_light_form):
    # Of so few objects a pool is chosen in fewer steps.
    monkeypatch.setattr(pool, "STEPS", 40)
    several = train("x2y", frame, inputs="bands,wise", outputs="redshift", epochs=1)
    assert several.predict({"wise": frame[WISE].to_numpy()})["redshift"].notna().all()
    frame["shape"] = np.where(frame["redshift"] > 0.15, "round", "flat")
    own = train("b2s", frame, target="shape", epochs=1)
    assert set(own.predict(frame)["shape"]) <= {"round", "flat"}


def test_judged_beside_baselines_on_objects_it_has_not_seen(frame, tmp_path, capsys):
    judged = train_and_judge("b2r", frame, epochs=6, learning_rate=0.01)
    assert capsys.readouterr().out == ""
    scores = judged.scores()
    assert list(scores.index) == ["b2r", "mean", "median", "gradient boosting", "boosting on the same input"]
    assert scores.loc["b2r", "nmad"] < 0.25 * scores.loc["mean", "nmad"]
    assert (scores["nmad_low"] <= scores["nmad"]).all()
    assert (scores["nmad"] <= scores["nmad_high"]).all()
    unseen = frame.iloc[split(frame["objid"].to_numpy())["test"]]
    error = judged.model.predict(unseen)["redshift"] - unseen["redshift"]
    assert scores.loc["b2r", "mae"] == pytest.approx(error.abs().mean(), rel=1e-3)
    assert {"predicted_vs_true", "loss", "worst_cases"} <= set(judged.figures)
    page = judged.write_report(tmp_path / "report.html").read_text()
    assert f"{scores.loc['b2r', 'nmad']:.3g}"[:5] in page
    assert "data table</p>" in page
    assert "zoo-train" not in page
    with pytest.raises(ZooError, match=r"^split: expected one that leaves test objects to judge by, found all"):
        train_and_judge("b2r", frame, split="all")


def test_what_cannot_be_used_is_raised_in_one_line(frame):
    luminous = QTable({name: frame[name].to_numpy() for name in ("redshift", *BANDS)})
    for band in BANDS:
        luminous[band] = 10 ** (-0.4 * (luminous[band] - 22.5)) * units.nmgy
    for name, table, options, error, message in (
        ("b9r", frame, {}, OptionError, "name: expected a model folder of the repository, such as b2r, found 'b9r'"),
        ("b2r", frame, {"epoch": 3}, OptionError, "epoch: unknown option; did you mean epochs"),
        ("b2r", frame, {"epochs": 0}, OptionError, "epochs: expected a whole number of at least 1"),
        ("b2r", frame, {"folds": 3}, OptionError, "folds: expected an option of a training in Python"),
        ("b2r", frame, {"ds": "x"}, OptionError, "ds: expected an option of a training in Python"),
        ("b2r", 3, {}, ZooError, "table: expected a table or a path, found int"),
        ("b2r", "nowhere.csv", {}, ZooError, "nowhere.csv: no such file or folder"),
        ("b2r", frame[:3], {}, ZooError, "^table: expected objects with redshift and bands in every part of the split"),
        ("b2r", frame[:0], {}, ZooError, "^table: expected at least one row, found none"),
        ("i2r", frame, {}, ZooError, "i2r: expected the folder of a data set with img, found a table"),
        ("b2r", luminous, {}, ZooError, "column modelMag_u: expected magnitudes to learn from, found nmgy"),
    ):
        with pytest.raises(error, match=message) as raised:
            train(name, table, **options)
        assert "\n" not in str(raised.value)
        assert "zoo-train" not in str(raised.value)
