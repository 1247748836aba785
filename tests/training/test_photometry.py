"""Training on raw and dereddened magnitudes: what a network is shown, told, and answers."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, survey_rows, write_survey
from helpers.trained import by_hand

from common import load
from common.backend import keras
from common.data.task import task_of
from common.data.training_data import TrainingData
from common.elsewhere.description import describe
from common.judge.evaluate import validation_cost
from common.networks.augment_tables import REDDENED, Redden, table_layers
from common.options import TrainingOptions
from common.outputs.flags import Flag
from common.project import read_project
from common.serve.batch import read_batch, read_body
from common.train import train
from sdss_gs.errors import DataError, OptionError
from sdss_gs.schema import BANDS, INPUTS

COLUMNS = [f"modelMag_{band}" for band in BANDS]
PER_EBV = np.array([4.239, 3.303, 2.285, 1.698, 1.263])
OTHER = int(Flag.OTHER_MAGNITUDE)


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    """A catalogue of dereddened magnitudes."""
    folder = write_survey(tmp_path_factory.mktemp("data") / "survey", survey_rows(400))
    frame = pd.read_csv(folder / "data.csv")[["objid", "redshift", *COLUMNS]]
    return frame.assign(ebv=np.random.default_rng(0).uniform(0.01, 0.3, len(frame)))


def reddened(frame):
    return frame.assign(**{c: frame[c] + frame["ebv"] * factor for c, factor in zip(COLUMNS, PER_EBV, strict=True)})


@pytest.fixture(scope="module")
def mixed(clean):
    """A third dereddened, a third raw with E(B-V), a third raw without."""
    third = pd.Series(np.arange(len(clean)) % 3)
    frame = clean.where(third == 0, reddened(clean))
    return frame.assign(ebv=clean["ebv"].where(third < 2), photometry=np.where(third == 0, "dereddened", "raw"))


def gathered(folder, frame, **options):
    folder.mkdir(exist_ok=True)
    frame.to_csv(folder / "data.csv", index=False)
    parsed = TrainingOptions(ds=str(folder), **options)
    data = TrainingData(task_of(read_project(ROOT / "b2r"), parsed), parsed)
    everything = {part: data.gather(data.parts[part])["bands"] for part in data.parts}
    order = np.concatenate([data.objid(part) for part in data.parts])
    return data, dict(zip(order.tolist(), np.concatenate(list(everything.values())), strict=True))


@pytest.fixture(scope="module")
def told(mixed):
    model = train("b2r", mixed, epochs=8, learning_rate=0.01)
    keras.config.set_dtype_policy("float32")
    return model


def test_rows_are_dereddened_where_that_can_be_done_and_the_network_is_told(tmp_path, mixed, clean):
    data, seen = gathered(tmp_path, mixed)
    (item,) = data.inputs
    assert (item.told_apart, item.columns[-1], data.photometry("bands")) == (True, "dereddened", "dereddened or model")
    assert "corrected for the Galaxy's extinction, or not" in item.description
    expected = clean.where(pd.Series(np.arange(len(clean)) % 3 < 2), reddened(clean))
    for n, objid in enumerate(mixed["objid"]):
        np.testing.assert_allclose(seen[objid][:5], expected.loc[n, COLUMNS].astype(float), rtol=1e-6)
        assert seen[objid][-1] == (n % 3 < 2)
    assert f"{sum(n % 3 < 2 for n in range(len(mixed)))} of {len(mixed)} objects are dereddened" in data.description()
    assert len(data.extinction()) > 100


@pytest.mark.parametrize(("wanted", "of"), [("dereddened", lambda frame: frame), ("raw", reddened)])
def test_one_kind_is_made_of_the_other_and_what_cannot_be_made_is_left_out(tmp_path, mixed, clean, wanted, of):
    data, seen = gathered(
        tmp_path, mixed.assign(ebv=clean["ebv"].where(np.arange(len(clean)) % 6 < 3)), photometry=wanted
    )
    (item,) = data.inputs
    assert (item.told_apart, len(item.columns)) == (False, 5)
    kept = set(mixed["objid"]) & set(seen)
    left_out = [n for n, objid in enumerate(mixed["objid"]) if objid not in kept]
    lacking = [n for n in range(len(mixed)) if n % 6 > 2 and (n % 3 == 0) == (wanted == "raw")]
    assert left_out == lacking
    assert (
        f"{len(lacking)} objects have no {wanted} magnitudes, and no E(B-V) to make them: left out"
        in data.description()
    )
    for n, objid in enumerate(mixed["objid"]):
        if objid in kept:
            np.testing.assert_allclose(seen[objid], of(clean).loc[n, COLUMNS].astype(float), rtol=1e-6)


def test_a_data_set_that_says_nothing_is_learnt_from_as_before(tmp_path, clean):
    data, seen = gathered(tmp_path, clean.assign(photometry=""))
    assert (data.inputs[0].columns, data.photometry("bands")) == (tuple(COLUMNS), "model")
    np.testing.assert_array_equal(seen[clean["objid"][0]], clean.loc[0, COLUMNS].astype(np.float32))


@pytest.mark.parametrize(
    ("names", "options", "error"),
    [
        ("modelMag_{}", {"architecture": "reference"}, "photometry: expected raw or dereddened for a network"),
        ("modelMag_{}", {"magnitude_dropout": 0.0}, "photometry: expected raw or dereddened for a network"),
        ("psfMag_{}", {"photometry": "raw"}, "photometry: expected auto for psf magnitudes, found raw"),
    ],
)
def test_what_cannot_be_learnt_is_refused(tmp_path, mixed, names, options, error):
    renamed = mixed.rename(columns={f"modelMag_{band}": names.format(band) for band in BANDS})
    with pytest.raises(OptionError, match=error):
        gathered(tmp_path, renamed, **options)


def test_words_that_say_neither_are_problems_and_a_data_set_of_one_kind_cannot_be_the_other(tmp_path, mixed):
    data, _seen = gathered(tmp_path, mixed.assign(photometry=mixed["photometry"].mask(mixed.index == 3, "clean")))
    (problem,) = data.problems()
    assert problem.endswith("photometry: expected raw or dereddened, found 'clean'")
    with pytest.raises(DataError, match="expected objects with redshift and bands in every part of the split, found 0"):
        gathered(tmp_path, mixed.drop(columns=["ebv", "photometry"]), photometry="dereddened")


# === What a network that is told answers ===


def answers(model, frame, **options):
    found = model.predict(frame, **options)
    assert not (found["flag"] & OTHER).any()
    return found["redshift"].to_numpy()


def named(frame, names="dered_{}"):
    return frame[COLUMNS].rename(columns={f"modelMag_{band}": names.format(band) for band in BANDS})


def test_raw_and_dereddened_rows_of_one_galaxy_have_one_answer(told, clean):
    assert told.runtime.name == "onnxruntime"
    assert told.photometry() == {"bands": "dereddened or model"}
    expected = answers(told, named(clean))
    np.testing.assert_allclose(answers(told, reddened(clean)), expected, rtol=1e-3)
    np.testing.assert_allclose(answers(told, named(clean, "{}"), photometry="dereddened"), expected, rtol=1e-6)
    note = "b2r: raw magnitudes, dereddened with ebv as those that it learnt from"
    assert note in told.predict(reddened(clean)).attrs["notes"]
    again = load(told.to_bytes())
    np.testing.assert_array_equal(answers(again, named(clean)), expected)
    assert again.facts() == told.facts()


def test_what_is_said_of_the_same_numbers_matters(told, clean):
    dereddened, raw = answers(told, named(clean)), answers(told, named(clean, "{}"))
    assert np.median(np.abs(dereddened - raw)) > 1e-4
    arrays = clean[COLUMNS].to_numpy()
    for stated, expected in (("dereddened", dereddened), ("raw", raw), ("", raw)):
        np.testing.assert_allclose(answers(told, arrays, photometry=stated), expected, rtol=1e-6)
    for bit, expected in ((1.0, dereddened), (0.0, raw), (np.nan, raw)):
        column = np.full((len(arrays), 1), bit)
        np.testing.assert_allclose(answers(told, np.hstack([arrays, column])), expected, rtol=1e-6)
        # Whoever runs the network alone gets the same.
        encoded = {"bands": np.hstack([arrays, column]).astype(np.float32)}
        found = told.decided(told.views(encoded, np.ones((len(arrays), 1), bool)), len(arrays))["redshift"]
        assert np.isfinite(found).all()
    words = np.where(np.arange(len(arrays)) % 2, "raw", "dereddened")
    mixed = answers(told, named(clean, "{}").assign(photometry=words))
    np.testing.assert_allclose(mixed, np.where(words == "raw", raw, dereddened), rtol=1e-6)


def test_the_service_is_told_too(told, clean):
    def asked(content):
        return told.predict_loaded(read_batch(told, read_body(json.dumps(content).encode()), 1000))["redshift"]

    expected, raw = answers(told, named(clean)), answers(told, named(clean, "{}"))
    rows, lists = named(clean).to_dict("records"), clean[COLUMNS].to_numpy().tolist()
    np.testing.assert_allclose(asked({"rows": rows}), expected, rtol=1e-6)
    np.testing.assert_allclose(asked({"arrays": lists}), raw, rtol=1e-6)
    np.testing.assert_allclose(asked({"arrays": lists, "photometry": "dereddened"}), expected, rtol=1e-6)
    np.testing.assert_allclose(asked({"arrays": [[*row, 1] for row in lists]}), expected, rtol=1e-6)
    np.testing.assert_allclose(asked({"rows": reddened(clean).to_dict("records")}), expected, rtol=1e-3)


def test_other_programs_are_told_of_the_column(told):
    (item,) = describe(told, {}, "")["inputs"]
    assert (item["tensors"][-1], item["errors"], item["photometry"]) == ("dereddened", 1, "dereddened or model")
    assert "a last column says which" in item["description"]


def test_a_champion_of_other_magnitudes_is_not_judged_on_these(tmp_path, clean, monkeypatch):
    data, _seen = gathered(tmp_path, clean)
    monkeypatch.setattr("common.judge.evaluate.load", lambda *_arguments: by_hand(photometry="dereddened"))
    with pytest.raises(DataError, match="it learnt from dereddened magnitudes, this run from model ones"):
        validation_cost("models:/b2r/1", data)


def test_magnitudes_of_another_kind_are_flagged_still(told, clean):
    assert (told.predict(named(clean, "psfMag_{}"))["flag"] & OTHER).all()


def test_errors_and_the_kind_stand_side_by_side(tmp_path, mixed):
    errors = {f"modelMagErr_{band}": 0.02 + 0.001 * mixed.index for band in BANDS}
    data, seen = gathered(tmp_path, mixed.assign(**errors))
    (item,) = data.inputs
    assert (item.errors, len(item.magnitudes), item.columns[-1]) == (5, 5, "dereddened")
    np.testing.assert_allclose(seen[mixed["objid"][7]][5:], [*[0.027] * 5, 1], rtol=1e-5)
    model = train("b2r", mixed.assign(**errors), epochs=1)
    keras.config.set_dtype_policy("float32")
    assert model.shapes == {"bands": (11,)}
    rows = named(mixed, "{}").assign(photometry="dereddened", **errors)
    body = read_body(json.dumps({"rows": rows.to_dict("records")}).encode())
    served = model.predict_loaded(read_batch(model, body, 1000))
    pd.testing.assert_series_equal(served["redshift"], model.predict(rows)["redshift"])
    assert np.isfinite(served["redshift"]).all()


# === While training ===


def test_half_of_the_dereddened_rows_are_reddened_and_no_longer_called_so():
    extinction = np.array([[0.5, 0.4, 0.3, 0.2, 0.1], [5, 4, 3, 2, 1]], np.float32)
    bit = np.arange(4000) % 4 > 0
    values = np.concatenate([np.full((4000, 5), 18), np.full((4000, 5), 0.1), bit[:, None]], axis=1).astype(np.float32)
    layer = Redden(extinction, 0)
    np.testing.assert_array_equal(layer(values), values)
    found = np.asarray(layer(values, training=True))
    changed = (found[:, :5] != values[:, :5]).any(axis=1)
    assert not changed[~bit].any()
    np.testing.assert_array_equal(found[:, -1] > 0, bit & ~changed)
    assert changed[bit].mean() == pytest.approx(REDDENED, abs=0.05)
    added = found[changed, :5] - 18
    for row in extinction:
        assert np.isclose(added, row, atol=1e-5).all(axis=1).mean() == pytest.approx(0.5, abs=0.05)
    np.testing.assert_array_equal(found[:, 5:10], values[:, 5:10])


def test_layers_leave_what_is_said_of_a_row_alone():
    item = replace(
        INPUTS["bands"], gaps=True, told_apart=True, shape=(6,), columns=(*INPUTS["bands"].columns, "dereddened")
    )
    values = np.concatenate([np.full((500, 5), 18), np.ones((500, 1))], axis=1).astype(np.float32)
    layers = table_layers(item, 1.0, 0, np.empty((0, 5), np.float32))
    for layer in layers:
        values = np.asarray(layer(values, training=True))
    assert [type(layer).__name__ for layer in layers] == ["HideMagnitudes"]
    assert np.isnan(values[:, :5]).any()
    assert (values[:, -1] == 1).all()
