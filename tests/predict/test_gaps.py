"""Rows without all magnitudes, with errors, and with limits, as a user gives them."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner
from fastapi import HTTPException
from helpers.gaps import GAPS, NOISY, answering
from helpers.trained import MAGNITUDES, by_hand, several_by_hand

from common.data.measure import TrainingRange
from common.data.sources import open_source
from common.data.sources.magnitudes import LIMIT_ERROR
from common.outputs.flags import NO_PREDICTION, Flag
from common.serve.batch import read_batch, read_body
from sdss_gs.errors import DataError, OptionError
from sdss_gs.schema import INPUTS
from sdss_gs.tables.columns import Extras, choose_columns, extras_of, table_with_magnitudes
from sdss_gs.tables.readers import open_tables

GALAXY = dict(zip("ugriz", MAGNITUDES.tolist(), strict=True))


@pytest.fixture(scope="module")
def gaps():
    return answering(GAPS)


@pytest.fixture(scope="module")
def noisy():
    return answering(NOISY)


def frame(names="{}", rows=4, **more):
    return pd.DataFrame({names.format(band): np.full(rows, value) for band, value in GALAXY.items()} | more)


def without(*columns, table=None):
    return (frame() if table is None else table).drop(columns=[*columns])


def bits(found):
    return (found["flag"] & ~int(Flag.OUTSIDE_TRAINING)).tolist()


# === Gaps ===


def test_what_is_missing_or_wrong_is_a_gap_and_only_a_row_without_anything_has_no_answer(gaps):
    table = frame(rows=5)
    table.loc[1, "u"], table.loc[2, "g"] = -9999, 70
    table.loc[3] = [99, np.nan, -999, np.inf, 70]
    table.loc[4, ["u", "g", "r", "i"]] = np.nan
    found = gaps.predict(table)
    band = int(Flag.MISSING_BAND)
    assert bits(found) == [0, band, band, int(Flag.MISSING | Flag.BAD_INPUT), band]
    assert found["problem"].tolist()[:3] == ["", "", "g: expected 5 < value < 30, found 70.0"]
    expected = [MAGNITUDES.mean(), MAGNITUDES[1:].mean(), MAGNITUDES[[0, 2, 3, 4]].mean(), np.nan, MAGNITUDES[4]]
    np.testing.assert_allclose(found["redshift"], 0.01 * np.array(expected), rtol=1e-5)


def test_arrays_are_read_as_tables_are(gaps):
    values = np.tile(MAGNITUDES, (3, 1))
    values[0, 0], values[1] = -9999, np.nan
    found = gaps.predict(np.ma.masked_equal(values, 17.2))
    assert bits(found) == [Flag.MISSING_BAND, Flag.MISSING, Flag.MISSING_BAND]
    np.testing.assert_allclose(found["redshift"][[0, 2]], 0.01 * np.array([16.1, 16.725]), atol=1e-3)


def test_without_gaps_rows_are_whole_or_unanswered_and_a_note_says_so():
    table = frame()
    table.loc[[0, 2], "u"] = np.nan
    found = by_hand().predict(table)
    assert bits(found) == [Flag.MISSING, 0, Flag.MISSING, 0]
    assert found.attrs["notes"][-1] == "b2r: 2 rows lack a magnitude; this model answers complete rows only"
    assert not any("complete" in note for note in by_hand().predict(frame()).attrs["notes"])


def test_a_column_that_is_not_there_is_a_gap_in_every_row(gaps):
    found = gaps.predict(without("u"))
    assert bits(found) == [Flag.MISSING_BAND] * 4
    assert "bands: no column of u, answered without" in found.attrs["notes"]
    with pytest.raises(OptionError, match="expected columns modelMag_u"):
        by_hand().predict(without("u"))


def test_a_data_set_has_gaps_too(gaps, tmp_path):
    table = frame("modelMag_{}", objid=[1, 2, 3, 4], redshift=0.1)
    table.loc[1, "modelMag_u"], table.loc[2, "modelMag_z"] = -9999, 70
    table.to_csv(tmp_path / "data.csv", index=False)
    found = gaps.predict(tmp_path)
    assert bits(found) == [0, Flag.MISSING_BAND, Flag.MISSING_BAND, 0]
    assert found["problem"][2] == "modelMag_z: expected 5 < value < 30, found 70.0"
    assert bits(by_hand().predict(tmp_path)) == [0, Flag.MISSING, Flag.BAD_INPUT, 0]


def test_x2y_answers_where_a_magnitude_of_an_input_is_missing():
    model = several_by_hand()
    items = tuple(replace(item, gaps=True) for item in model.inputs)
    table = without("w3", table=frame(w1=14.0, w2=13.0, w3=12.0, w4=11.0))
    seen, present, flags = replace(model, inputs=items).usable(
        {item.name: open_memory(table, items).load(item, item.shape, "") for item in items}
    )
    assert present.all()
    assert np.isnan(seen["wise"][:, 2]).all()
    assert (flags & int(Flag.MISSING_BAND) > 0).all()
    assert not (flags & int(NO_PREDICTION)).any()


def open_memory(table, items):
    from common.data.sources import open_table_source
    from common.data.sources.memory import opened_in_memory

    source = open_table_source(opened_in_memory(table), [item.name for item in items], None, extras_of(items))
    return next(source.chunks())


def test_the_service_answers_from_the_magnitudes_it_gets(gaps, noisy):
    def sent(model, **content):
        return read_batch(model, read_body(json.dumps(content).encode()), 10)

    row = {band: value for band, value in GALAXY.items() if band != "u"}
    assert bits(gaps.predict_loaded(sent(gaps, rows=[row, GALAXY]))) == [Flag.MISSING_BAND, 0]
    with pytest.raises(HTTPException, match="modelMag_u"):
        sent(by_hand(), rows=[row])
    loaded = sent(noisy, rows=[GALAXY | {f"err_{band}": 0.1 for band in "ugri"} | {"err_z": "?"}])["bands"]
    np.testing.assert_allclose(loaded.values[0, 5:], [0.1, 0.1, 0.1, 0.1, np.nan], rtol=1e-6)
    assert np.isnan(sent(noisy, arrays=[[*GALAXY.values()]])["bands"].values[0, 5:]).all()


def test_what_looked_unusual_before_ignores_what_is_missing():
    usual = TrainingRange([15.0] * 5 + [-3.0] * 4, [25.0] * 5 + [3.0] * 4)
    rows = np.array([[18, np.nan, 17, 16, 16], [30, np.nan, 17, 16, 16], [np.nan] * 5])
    assert usual.outside(GAPS, rows).tolist() == [False, True, False]


# === Which columns ===


def chosen(tmp_path, *names, extras=None, told=None):
    (tmp_path / "in.csv").write_text(",".join(names) + "\n" + ",".join("1" for _ in names) + "\n")
    (table,) = open_tables(tmp_path / "in.csv")
    return choose_columns(table, ["bands", "wise"], told, None, extras or extras_of([NOISY, INPUTS["wise"]]))


def names_of(tmp_path, *names, **options):
    return [one.name for one in chosen(tmp_path, *names, **options).columns.values()]


def test_a_family_with_all_bands_wins_over_one_that_lacks_some(tmp_path):
    whole = [f"psfMag_{band}" for band in "ugriz"]
    assert names_of(tmp_path, "modelMag_g", "modelMag_r", "modelMag_i", *whole) == whole
    assert names_of(tmp_path, "modelMag_g", "modelMag_r", "psfMag_r") == ["modelMag_g", "modelMag_r"]


@pytest.mark.parametrize(
    "names", [["modelMag_r"], ["u", "z"], ["w1", "w2"], ["ra", "dec", "z"], ["psfMag_r", "modelMag_g"]]
)
def test_a_few_letters_or_single_bands_are_no_magnitudes(tmp_path, names):
    both = Extras(("bands", "wise"))
    assert names_of(tmp_path, *names, extras=both) == []


def test_of_incomplete_sets_none_is_guessed(tmp_path):
    names = [f"{kind}Mag_{band}" for kind in ("psf", "petro") for band in "gri"]
    with pytest.raises(DataError, match="expected one set of magnitudes for bands, found psfmag_\\*, petromag_\\*"):
        chosen(tmp_path, *names)
    with pytest.raises(DataError, match="expected one set"):
        chosen(tmp_path, "modelMag_g", "modelMag_r", *(f"psfMag_{band}" for band in "griz"))
    wise = [f"w{number}mag" for number in (1, 2, 3, 4)]
    choice = chosen(tmp_path, *names, *wise)
    assert [one.name for one in choice.columns.values()] == wise
    assert any(note.startswith("passed over: ") for note in choice.notes)


def test_the_user_may_name_some_bands(tmp_path):
    assert names_of(tmp_path, "a", "b", told={"g": "a", "r": "b"}) == ["a", "b"]
    with pytest.raises(OptionError, match="expected one for u as well"):
        chosen(tmp_path, "a", "b", told={"g": "a", "r": "b"}, extras=Extras())


def test_of_several_tables_the_one_with_all_bands_is_taken(tmp_path):
    from astropy.io import fits

    few = [fits.Column(f"modelMag_{band}", "D", array=[1.0]) for band in "gr"]
    all_five = [fits.Column(f"psfMag_{band}", "D", array=[1.0]) for band in "ugriz"]
    path = tmp_path / "in.fits"
    fits.HDUList([fits.PrimaryHDU(), *(fits.BinTableHDU.from_columns(one) for one in (few, all_five))]).writeto(path)
    _table, choice = table_with_magnitudes(path, open_tables(path), ["bands"], extras=extras_of([NOISY]))
    assert len(choice.columns) == 5


# === Errors ===


@pytest.mark.parametrize(
    ("magnitudes", "errors"),
    [
        ("modelMag_{}", "modelMagErr_{}"), ("{}", "err_{}"), ("{}", "{}_err"), ("{}mag", "e_{}mag"), ("{}", "e_{}mag"),
        ("mag_model_{}", "magErr_model_{}"), ("mag_{}_lsst", "mag_err_{}_lsst"), ("mag_{}_lsst", "mag_{}_lsst_err"),
        ("{}", "sigma_{}"), ("MAG_AUTO_{}", "MAGERR_AUTO_{}"), ("dered_{}", "modelMagErr_{}"),
        ("psfMag_{}", "psfMagErr_{}"),
        ("{}_cModelMag", "{}_cModelMagErr"),
    ],
)  # fmt: skip
def test_errors_are_found_beside_the_magnitudes(tmp_path, magnitudes, errors):
    choice = chosen(tmp_path, *(name.format(band) for name in (magnitudes, errors) for band in "ugriz"))
    assert [one.name for one in choice.errors.values()] == [errors.format(band) for band in "ugriz"]
    said = any(note.startswith(f"errors are read from {errors.format('u')}") for note in choice.notes)
    assert said


@pytest.mark.parametrize("ending", ["", "pro"])
def test_errors_of_wise(tmp_path, ending):
    names = [f"w{number}{'m' + ending if ending else 'mag'}" for number in (1, 2, 3, 4)]
    extras = Extras(errors=("wise",))
    choice = chosen(tmp_path, *names, *(f"w{number}sigm{ending}" for number in (1, 2, 3, 4)), extras=extras)
    assert choice.errors["w3mag"].name == f"w3sigm{ending}"


def test_errors_of_other_magnitudes_are_not_taken(tmp_path):
    choice = chosen(
        tmp_path, *(f"{name}_{band}" for name in ("modelMag", "psfMagErr", "cModelMag_err") for band in "ugriz")
    )
    assert not choice.errors
    assert "no columns of errors of u, g, r, i, z: taken to be unknown" in choice.notes
    both = [f"{name.format(band)}" for name in ("{}", "{}mag", "e_{}mag") for band in "ugriz"]
    told = dict(zip("ugriz", "ugriz", strict=True))
    assert not chosen(tmp_path, *both, told=told).errors
    assert chosen(tmp_path, *both, told=told | {"err_r": "e_rmag"}).errors["modelMag_r"].name == "e_rmag"


def test_errors_reach_the_network_and_absurd_ones_are_unknown(noisy):
    table = frame(**{f"err_{band}": 0.1 for band in "ugriz"})
    table.loc[1, "err_u"], table.loc[2, "err_g"] = -1, 1e9
    table.loc[3, ["err_u", "err_g", "err_r", "err_i", "err_z"]] = np.nan
    found = noisy.predict(table)
    assert bits(found) == [0] * 4
    assert found["problem"].tolist() == [""] * 4
    np.testing.assert_allclose(found["redshift"], 0.01 * MAGNITUDES.mean() + np.array([0.1, 0.1, 0.1, 0]), rtol=1e-5)
    alone = noisy.predict(np.tile(MAGNITUDES, (2, 1)))
    np.testing.assert_allclose(alone["redshift"], 0.01 * MAGNITUDES.mean(), rtol=1e-5)


@pytest.mark.parametrize("ending", ["Err", "Ivar"])
def test_errors_of_fluxes_are_propagated(noisy, ending):
    flux = {f"modelFlux_{band}": np.full(2, 10 ** (-0.4 * (value - 22.5))) for band, value in GALAXY.items()}
    sigma = {name.replace("Flux_", f"Flux{ending}_"): 0.05 * one for name, one in flux.items()}
    if ending == "Ivar":
        sigma = {name: one**-2.0 for name, one in sigma.items()}
    found = noisy.predict(pd.DataFrame(flux | sigma))
    expected = 0.01 * MAGNITUDES.mean() + 0.05 * LIMIT_ERROR
    np.testing.assert_allclose(found["redshift"], expected, rtol=1e-3)


def test_errors_in_other_units_are_scaled_or_unknown(noisy):
    from astropy.table import Table

    def predicted(unit, size):
        table = Table()
        for band, value in GALAXY.items():
            table[f"flux_{band}"] = np.full(1, 10 ** (-0.4 * (value - 23.9)))
            table[f"flux_{band}"].unit = "uJy"
            table[f"flux_err_{band}"] = table[f"flux_{band}"].data * 0.05 * size
            table[f"flux_err_{band}"].unit = unit
        return noisy.predict(table)["redshift"][0] - 0.01 * MAGNITUDES.mean()

    assert predicted("uJy", 1) == pytest.approx(0.05 * LIMIT_ERROR, rel=1e-3)
    assert predicted("nJy", 1000) == pytest.approx(0.05 * LIMIT_ERROR, rel=1e-3)
    assert predicted("m", 1) == pytest.approx(0, abs=1e-6)


# === Limits ===


def with_limits():
    table = frame("mag_{}_lsst", rows=3, **{f"mag_err_{band}_lsst": 0.1 for band in "ugriz"})
    table["mag_u_lsst"], table["mag_err_u_lsst"] = [99.0, -99.0, 99.0], [21.5, 21.5, np.nan]
    return table


def test_limits_are_magnitudes_with_a_signal_to_noise_ratio_of_one(noisy):
    found = noisy.predict(with_limits(), limits=True)
    band = int(Flag.MISSING_BAND)
    assert bits(found) == [0, band, band]
    values = [0.01 * np.mean([21.5, *MAGNITUDES[1:]]) + (0.4 + LIMIT_ERROR) / 5, 0.01 * MAGNITUDES[1:].mean() + 0.1]
    np.testing.assert_allclose(found["redshift"][:2], values, rtol=1e-5)
    assert "1 magnitudes of 99 are taken as their limits, ± 1.0857 mag" in found.attrs["notes"]
    assert "1 magnitudes of 99 are taken as missing: no limit beside them" in found.attrs["notes"]


def test_without_the_option_or_errors_99_is_a_gap(noisy, gaps):
    band = int(Flag.MISSING_BAND)
    assert bits(noisy.predict(with_limits())) == [band] * 3
    found = gaps.predict(with_limits(), limits=True)
    assert bits(found) == [band] * 3
    assert found.attrs["notes"][-1] == "2 magnitudes of 99 are taken as missing: no model here looks at errors"


def test_arrays_have_limits_too(noisy):
    values = with_limits().to_numpy()
    assert bits(noisy.predict(values, limits=True)) == [0, Flag.MISSING_BAND, Flag.MISSING_BAND]


def test_limits_of_a_data_set_are_refused_in_a_line(tmp_path):
    (tmp_path / "data.csv").write_text("objid,redshift\n1,0.1\n")
    with pytest.raises(OptionError, match=r"limits: expected a catalogue, found the data set .*; name its data\.csv"):
        open_source([tmp_path], ["bands"], extras=Extras(limits=True))


def test_zoo_predict_takes_limits(noisy, tmp_path, monkeypatch):
    from common.cli.predictions import predict
    from common.predict import choose

    monkeypatch.setattr(choose, "load", lambda *_args, **_options: noisy)
    with_limits().to_parquet(tmp_path / "in.parquet")
    given = ["b2r", "--input", str(tmp_path / "in.parquet"), "--output", str(tmp_path / "out.csv"), "--limits"]
    said = CliRunner().invoke(predict, given, catch_exceptions=False).output
    assert "1 magnitudes of 99 are taken as their limits" in said
    assert "b2r MISSING_BAND: 2" in said
