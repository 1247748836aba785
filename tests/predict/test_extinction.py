"""Magnitudes with and without the extinction by the Galaxy's dust, to models that learnt from one of them."""

import json

import numpy as np
import pandas as pd
import pytest
from astropy.table import Table
from click.testing import CliRunner
from helpers.trained import MAGNITUDES, by_hand

from common.data.sources import open_source
from common.outputs.flags import Flag
from common.serve.batch import read_batch, read_body
from sdss_gs.errors import OptionError
from sdss_gs.schema import BANDS
from sdss_gs.tables.columns import extras_of

PER_EBV = np.array([4.239, 3.303, 2.285, 1.698, 1.263])
EBV = np.array([0.0, 0.03, 0.4])
CLEAN = MAGNITUDES + np.array([[0.0], [0.3], [-0.5]])
RAW = CLEAN + EBV[:, None] * PER_EBV
OTHER = int(Flag.OTHER_MAGNITUDE)


def table(values, names="modelMag_{}", **more):
    return pd.DataFrame({names.format(band): values[:, n] for n, band in enumerate(BANDS)} | more)


def bits(found):
    return (found["flag"] & OTHER).tolist()


def extinction(names="extinction_{}"):
    return {names.format(band): EBV * factor for band, factor in zip(BANDS, PER_EBV, strict=True)}


@pytest.fixture(scope="module")
def models():
    return {kind: by_hand(photometry=kind) for kind in ("model", "dereddened")}


@pytest.mark.parametrize("names", ["modelMag_{}", "{}"])
@pytest.mark.parametrize(
    "more", [{"ebv": EBV}, {"E(B-V)": EBV}, {"EBV": EBV}, extinction(), extinction("EXTINCTION_{}")]
)
def test_raw_magnitudes_with_their_reddening_are_dereddened_exactly(models, names, more):
    expected = models["dereddened"].predict(table(CLEAN, "dered_{}"))
    found = models["dereddened"].predict(table(RAW, names, **more))
    np.testing.assert_allclose(found["redshift"], expected["redshift"], rtol=1e-6)
    assert bits(found) == bits(expected) == [0, 0, 0]
    (note,) = [note for note in found.attrs["notes"] if "dereddened" in note]
    assert note.startswith("b2r: raw magnitudes, dereddened with ")
    assert note.endswith(" as those that it learnt from")


def test_dereddened_magnitudes_are_reddened_for_a_model_of_raw_ones(models):
    expected = models["model"].predict(table(RAW))
    found = models["model"].predict(table(CLEAN, "dered_{}", ebv=EBV))
    np.testing.assert_allclose(found["redshift"], expected["redshift"], rtol=1e-6)
    assert bits(found) == [0, 0, 0]
    assert "b2r: dereddened magnitudes, reddened with ebv as those that it learnt from" in found.attrs["notes"]
    assert not any("learnt from" in note for note in expected.attrs["notes"])


@pytest.mark.parametrize(
    ("kind", "names", "wanted"), [("dereddened", "{}", "raw"), ("model", "dered_{}", "dereddened")]
)
def test_without_reddening_they_are_flagged_and_a_line_says_what_to_do(models, kind, names, wanted):
    found = models[kind].predict(table(RAW, names))
    assert bits(found) == [OTHER] * 3
    np.testing.assert_allclose(found["redshift"], 0.01 * RAW.mean(axis=1), rtol=1e-5)
    (note,) = [note for note in found.attrs["notes"] if "E(B-V)" in note]
    assert f"found {wanted} ones without E(B-V): flag 128; a column ebv converts them, or say --photometry" in note


@pytest.mark.parametrize("value", [np.nan, -999.0, 70.0])
def test_rows_whose_reddening_is_unknown_stay_as_they_are(models, value):
    found = models["dereddened"].predict(table(RAW, ebv=np.where(EBV == 0.4, value, EBV)))
    assert bits(found) == [0, 0, OTHER]
    np.testing.assert_allclose(found["redshift"], 0.01 * np.r_[CLEAN[:2].mean(axis=1), RAW[2].mean()], rtol=1e-5)


@pytest.mark.parametrize("ending", ["csv", "parquet", "fits"])
def test_empty_columns_are_not_said_to_be_read(models, tmp_path, ending):
    path, nothing = tmp_path / f"in.{ending}", np.full(3, np.nan)
    rows = table(RAW, "{}", ebv=nothing, photometry=["", "", "unknown"])
    if ending == "fits":
        Table.from_pandas(rows).write(path)
    else:
        getattr(rows, f"to_{ending}")(path, index=False)
    found = models["dereddened"].predict(path)
    assert bits(found) == [OTHER] * 3
    notes = found.attrs["notes"]
    assert "ebv: expected the Galaxy's extinction, found no row that has it" in notes
    assert "photometry: expected raw or dereddened in each row, found no row that says so" in notes
    assert any("found raw ones without E(B-V): flag 128" in note for note in notes)
    assert not any("dereddened with" in note for note in notes)


def test_one_row_that_says_it_is_enough(models):
    found = models["dereddened"].predict(table(RAW, ebv=[np.nan, np.nan, EBV[2]]))
    assert bits(found) == [OTHER, OTHER, 0]
    assert "b2r: raw magnitudes, dereddened with ebv as those that it learnt from" in found.attrs["notes"]
    assert not any("found no row" in note for note in found.attrs["notes"])


def test_a_user_says_what_names_do_not(models):
    found = models["dereddened"].predict(table(CLEAN, "{}", ebv=EBV), photometry="dereddened")
    assert bits(found) == [0, 0, 0]
    np.testing.assert_allclose(found["redshift"], 0.01 * CLEAN.mean(axis=1), rtol=1e-5)
    for stated, expected in (("dereddened", 0), ("raw", OTHER)):
        assert bits(models["dereddened"].predict(CLEAN, photometry=stated)) == [expected] * 3
    assert bits(models["model"].predict(table(CLEAN, "psfMag_{}", ebv=EBV), photometry="dereddened")) == [OTHER] * 3
    with pytest.raises(OptionError, match=r"photometry: expected dereddened for dered_u, .*, found raw"):
        models["model"].predict(table(CLEAN, "dered_{}"), photometry="raw")
    with pytest.raises(OptionError, match="photometry: expected raw or dereddened, found 'clean'"):
        models["model"].predict(table(CLEAN), photometry="clean")


@pytest.mark.parametrize(
    ("column", "words"),
    [
        ("photometry", ["dereddened", " Dereddened", "raw"]),
        ("dereddened", [1, 1, 0]),
        ("DEREDDENED", [True, True, False]),
    ],
)
def test_a_column_says_it_of_each_row(models, column, words):
    mixed = np.where(EBV[:, None] > 0.1, RAW, CLEAN)
    found = models["dereddened"].predict(table(mixed, ebv=EBV, **{column: words}))
    assert bits(found) == [0, 0, 0]
    np.testing.assert_allclose(found["redshift"], 0.01 * CLEAN.mean(axis=1), rtol=1e-5)
    assert any(
        f"raw and dereddened (column {column}) magnitudes, dereddened with ebv" in note for note in found.attrs["notes"]
    )
    assert bits(models["dereddened"].predict(table(mixed, **{column: words}))) == [0, 0, OTHER]


def test_dereddened_columns_that_the_user_names_are_what_their_names_say(tmp_path):
    table(CLEAN, "dered_{}").to_parquet(tmp_path / "in.parquet")
    named = {band: f"dered_{band}" for band in BANDS}
    assert open_source([tmp_path / "in.parquet"], ["bands"], columns=named).photometry == {"bands": "dereddened"}


def test_of_both_kinds_the_one_that_was_learnt_is_read(models):
    both = pd.concat([table(RAW), table(CLEAN, "dered_{}")], axis=1)
    for kind, values in (("model", RAW), ("dereddened", CLEAN)):
        found = models[kind].predict(both)
        np.testing.assert_allclose(found["redshift"], 0.01 * values.mean(axis=1), rtol=1e-5)
        assert bits(found) == [0, 0, 0]


def test_a_folder_is_read_as_a_catalogue_is(models, tmp_path):
    table(RAW, objid=[1, 2, 3], ebv=EBV).to_csv(tmp_path / "data.csv", index=False)
    for _again in range(2):
        found = models["dereddened"].predict(tmp_path)
        np.testing.assert_allclose(found["redshift"], 0.01 * CLEAN.mean(axis=1), rtol=1e-5)
        assert bits(found) == [0, 0, 0]
        assert "b2r: raw magnitudes, dereddened with ebv as those that it learnt from" in found.attrs["notes"]
    with pytest.raises(
        OptionError, match=r"photometry: expected a catalogue .* found the data set .*; name its data.csv"
    ):
        open_source([tmp_path], ["bands"], extras=extras_of([], stated="raw"))


def test_the_service_reads_rows_and_lists_as_catalogues_are_read(models):
    def predicted(content):
        body = read_body(json.dumps(content).encode())
        return models["dereddened"].predict_loaded(read_batch(models["dereddened"], body, 10))

    found = predicted({"rows": table(RAW, ebv=EBV).to_dict("records")})
    np.testing.assert_allclose(found["redshift"], 0.01 * CLEAN.mean(axis=1), rtol=1e-5)
    assert bits(found) == [0, 0, 0]
    assert bits(predicted({"rows": table(RAW).to_dict("records")})) == [OTHER] * 3
    assert bits(predicted({"rows": table(CLEAN, dereddened=1).to_dict("records")})) == [0, 0, 0]
    for key, values in (("rows", table(CLEAN).to_dict("records")), ("arrays", CLEAN.tolist())):
        assert bits(predicted({key: values, "photometry": "dereddened"})) == [0, 0, 0]
        assert bits(predicted({key: values})) == [OTHER] * 3


def test_zoo_predict_says_what_it_does(models, tmp_path, monkeypatch):
    from common.cli.command import zoo

    monkeypatch.setattr("common.predict.choose.load", lambda *_arguments: models["dereddened"])
    table(RAW, ebv=EBV).to_parquet(tmp_path / "in.parquet")
    given = ["predict", "b2r", "--input", str(tmp_path / "in.parquet"), "--output", str(tmp_path / "out.csv")]
    said = CliRunner().invoke(zoo, given)
    assert "b2r: raw magnitudes, dereddened with ebv as those that it learnt from" in said.output, said.output
    assert "OTHER_MAGNITUDE" not in said.output
    first = pd.read_csv(tmp_path / "out.csv")
    said = CliRunner().invoke(zoo, [*given, "--overwrite", "--photometry", "dereddened"])
    assert said.exit_code == 0
    assert "learnt from" not in said.output
    assert (pd.read_csv(tmp_path / "out.csv")["redshift"] > first["redshift"] + 1e-3)[2]
