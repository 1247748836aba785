from dataclasses import replace

import numpy as np
import pytest
from conftest import survey_rows, write_survey

from sdss_gs import dataset as dataset_module
from sdss_gs.dataset import open_catalogue, open_dataset
from sdss_gs.errors import DataError, OptionError
from sdss_gs.schema import QUANTITIES, SSEL_INDEX


def opened(folder, *inputs):
    return open_dataset(folder, inputs, progress=False)


def test_inputs_of_an_object_belong_together(survey):
    data = opened(survey, "img", "fits", "spectra", "bands")
    chosen = np.array([7, 2, 11])
    redshift = data.target("redshift", chosen)
    np.testing.assert_allclose(data.load("fits", chosen)[:, 0, 0, 0], redshift, rtol=1e-6)
    np.testing.assert_allclose(data.load("img", chosen)[:, 0, 0, 0], (40 + 600 * redshift).astype(int), atol=2)
    np.testing.assert_allclose(data.load("spectra", chosen)[:, 1000], redshift * 5.036, rtol=0.01)
    assert data.load("bands", chosen).shape == (3, 5)


def test_selection_is_cut_out_of_the_spectra(survey):
    data = opened(survey, "spectra", "ssel")
    objects = np.array([4, 1])
    np.testing.assert_array_equal(data.load("ssel", objects), data.load("spectra", objects)[:, SSEL_INDEX])
    assert data.shape("ssel") == (1423,)
    assert data.shape("spectra") == (3522,)
    assert not (survey / "packed" / "ssel").exists()


def test_selection_files_serve_a_set_without_spectra(tmp_path):
    full = write_survey(tmp_path / "full", survey_rows(5), ("spectra",))
    only = write_survey(tmp_path / "only", survey_rows(5), ("ssel",))
    objects = np.arange(5)
    cut, stored = opened(full, "ssel"), opened(only, "ssel")
    np.testing.assert_array_equal(cut.load("ssel", objects), stored.load("ssel", objects))
    np.testing.assert_allclose(stored.wavelengths("ssel"), cut.wavelengths("ssel"))


def test_observed_flux_is_there_beside_the_best_fit(survey):
    data = opened(survey, "spectra")
    objects = np.arange(3)
    difference = data.load("spectra", objects, "Flux") - data.load("spectra", objects, "BestFit")
    np.testing.assert_allclose(difference, 0.5, atol=1e-3)


def test_usable_objects_have_every_input_and_the_output(survey):
    rows = survey_rows(12)
    rows[0]["modelMag_u"] = "-9999"
    rows[1]["redshift"] = ""
    rows[2]["subclass"] = ""
    write_survey(survey, rows)
    (survey / "img" / f"{rows[3]['objid']}.jpg").unlink()
    data = opened(survey, "img", "bands")
    assert data.usable(["bands"]).tolist() == list(range(1, 12))
    assert data.usable(["img", "bands"], "redshift").tolist() == [2, *range(4, 12)]
    assert data.usable(["img"], "subclass").tolist() == [0, 1, *range(4, 12)]


def test_no_value_that_is_not_finite_is_ever_loaded(survey):
    rows = survey_rows(12)
    rows[5]["w3mag"] = "nan"
    write_survey(survey, rows)
    data = opened(survey, "wise")
    assert np.isfinite(data.load("wise", data.usable(["wise"]))).all()


def test_batches_open_no_raw_file(survey, monkeypatch):
    opened(survey, "img")
    monkeypatch.setattr(dataset_module, "read_catalogue", None)
    data = opened(survey, "img")
    for path in (survey / "img").iterdir():
        path.unlink()
    assert data.load("img", np.arange(12)).shape == (12, 150, 150, 3)


def test_fingerprint_follows_content_not_dates(survey, tmp_path):
    def fingerprint(folder):
        data = opened(folder, "img")
        return data.fingerprint(["img"], ["redshift"], np.arange(12))

    first = fingerprint(survey)
    copy = write_survey(tmp_path / "copy", survey_rows(12), ("img",))
    assert fingerprint(copy) == first
    rows = survey_rows(12)
    rows[4]["redshift"] = "0.1111"
    write_survey(copy, rows)
    assert fingerprint(copy) != first


@pytest.mark.parametrize("content", [b"", b"junk", b"PK\x03\x04"])
def test_damaged_copy_of_the_catalogue_is_made_again(survey, content):
    open_catalogue(survey)
    (survey / "packed" / "catalogue.npz").write_bytes(content)
    assert len(open_catalogue(survey)) == 12
    assert len((survey / "packed" / "catalogue.npz").read_bytes()) > 100


def test_changed_catalogue_is_read_again(survey):
    assert len(open_catalogue(survey)) == 12
    write_survey(survey, survey_rows(15))
    assert len(open_catalogue(survey)) == 15


def test_stored_catalogue_equals_the_one_read(survey):
    rows = survey_rows(12)
    rows[0]["w1mag"], rows[1]["subclass"] = "junk", "QUASAR"
    write_survey(survey, rows)
    first, second = open_catalogue(survey), open_catalogue(survey)
    assert first.problems == second.problems
    assert len(first.problems) == 2
    assert first.missing == second.missing
    for name, values in first.numbers.items():
        np.testing.assert_array_equal(values, second.numbers[name])


def test_columns_that_a_table_lacks_take_no_memory(tmp_path):
    names, rows = ("objid", "redshift"), survey_rows(12)
    lines = [",".join(names), *(",".join(row[name] for name in names) for row in rows)]
    folder = tmp_path / "few"
    folder.mkdir()
    (folder / "data.csv").write_text("\n".join(lines))
    for _ in range(2):
        catalogue = open_catalogue(folder)
        assert len(catalogue.numbers["modelMag_u"]) == 12
        assert np.isnan(catalogue.numbers["modelMag_u"]).all()
        assert (catalogue.labels["subclass"] == -1).all()
        absent = [values for name, values in catalogue.numbers.items() if name != "redshift"]
        assert all(values.strides == (0,) for values in (*absent, *catalogue.labels.values()))
        assert np.isfinite(catalogue.numbers["redshift"]).all()


@pytest.mark.parametrize(
    ("break_it", "expected"),
    [
        (lambda folder: [path.unlink() for path in (folder / "img").iterdir()], "found none"),
        (lambda folder: [path.write_bytes(b"x") for path in (folder / "img").iterdir()], "all 12 refused, the first"),
    ],
)
def test_set_without_any_good_file_is_one_clear_error(survey, break_it, expected):
    break_it(survey)
    with pytest.raises(DataError, match=expected):
        opened(survey, "img")


def test_missing_folder_and_unknown_input_are_clear(survey, tmp_path):
    with pytest.raises(DataError, match="nowhere: no such folder"):
        opened(tmp_path / "nowhere", "img")
    with pytest.raises(OptionError, match="input 'jpeg': expected one of img, fits"):
        opened(survey, "jpeg")


def test_packed_copy_of_the_catalogue_is_made_anew_when_the_valid_range_of_a_column_changes(survey, monkeypatch):
    known = np.isfinite(open_catalogue(survey).numbers["redshift"]).sum()
    narrow = replace(QUANTITIES["redshift"], high=0.1)
    monkeypatch.setitem(QUANTITIES, "redshift", narrow)
    assert 0 < np.isfinite(open_catalogue(survey).numbers["redshift"]).sum() < known
