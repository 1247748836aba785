from dataclasses import replace

import numpy as np
import pytest
from conftest import FIRST_ID, survey_rows, write_survey

from common.data.sources import open_source
from sdss_gs.check import verify
from sdss_gs.dataset import open_catalogue
from sdss_gs.errors import DataError
from sdss_gs.schema import ERRORS, INPUTS, OUTPUTS
from sdss_gs.tables.catalogue import read_catalogue
from sdss_gs.tables.columns import extras_of


def write(tmp_path, rows):
    return write_survey(tmp_path / "ds", rows)


def one(tmp_path, **cells):
    rows = survey_rows(2)
    rows[0] |= cells
    return read_catalogue(write(tmp_path, rows))


def test_ids_beyond_float_precision_stay_exact(tmp_path):
    rows = survey_rows(2)
    rows[0]["objid"], rows[1]["objid"] = "1237648720693755919", "1237648720693755920"
    assert read_catalogue(write(tmp_path, rows)).objid.tolist() == [1237648720693755919, 1237648720693755920]


@pytest.mark.parametrize("cell", ["", "NULL", "-9999", "-9999.0", "9999", "99", "-99", "0", "-999"])
def test_missing_values_become_nan_and_are_counted_not_wrong(tmp_path, cell):
    catalogue = one(tmp_path, modelMag_u=cell)
    assert np.isnan(catalogue.numbers["modelMag_u"]).tolist() == [True, False]
    assert sum(catalogue.missing["modelMag_u"].values()) == 1
    assert catalogue.problems == ()


@pytest.mark.parametrize(
    ("column", "cell", "expected"),
    [
        ("modelMag_u", "abc", "expected a number, found abc"),
        ("modelMag_u", "1,5".replace(",", ";"), "expected a number, found 1;5"),
        ("modelMag_g", "45", "expected 5 < value < 30, found 45"),
        ("modelMag_g", "1e999", "expected 5 < value < 30, found 1e999"),
        ("redshift", "-0.5", "expected -0.01 < value < 8"),
        ("stellarmass", "10.7", "expected 10000 < value < 1e\\+14, found 10.7"),
    ],
)
def test_impossible_values_are_missing_and_named(tmp_path, column, cell, expected):
    catalogue = one(tmp_path, **{column: cell})
    assert np.isnan(catalogue.numbers[column][0])
    assert np.isfinite(catalogue.numbers[column][1])
    (problem,) = catalogue.problems
    assert str(FIRST_ID) in problem.where
    assert problem.item == column
    assert problem.text.startswith(expected.replace("\\", ""))


@pytest.mark.parametrize("column", ["redshift", "stellarmass"])
def test_zero_is_missing_where_it_means_a_failed_fit(tmp_path, column):
    assert one(tmp_path, **{column: "0"}).missing[column] == {"sentinel 0": 1}


def test_numbers_are_read_as_written(tmp_path):
    catalogue = one(tmp_path, modelMag_u="1.8125e1", modelMag_g=" 17.5 ", redshift="-0.0004", stellarmass="1.25E+10")
    found = {name: values[0] for name, values in catalogue.numbers.items()}
    assert (found["modelMag_u"], found["modelMag_g"], found["redshift"]) == (18.125, 17.5, -0.0004)
    assert found["stellarmass"] == 1.25e10


@pytest.mark.parametrize("cell", ["", "12x", "1.2376e18", "-5", "99999999999999999999", "9223372036854775808"])
def test_rows_without_an_integer_id_are_left_out_and_named(tmp_path, cell):
    catalogue = one(tmp_path, objid=cell)
    assert catalogue.objid.tolist() == [FIRST_ID + 7]
    assert "expected an integer" in catalogue.problems[0].text
    assert (catalogue.problems[0].where, catalogue.problems[0].item) == ("data.csv row 1", "objid")


def test_largest_id_is_an_id(tmp_path):
    assert one(tmp_path, objid="9223372036854775807").objid.tolist() == [2**63 - 1, FIRST_ID + 7]


@pytest.mark.parametrize(("cell", "why"), [("", "empty"), ("12x", "not a number"), ("45", "impossible")])
def test_missing_values_are_counted_by_what_is_wrong_with_them(tmp_path, cell, why):
    assert one(tmp_path, modelMag_u=cell).missing["modelMag_u"] == {why: 1}


# === Rows of one object ===

TOLD = ("redshift", "smass", "subclass", "gz2c", "class3")
"""Outputs whose truths the rows have."""


def test_a_row_that_is_there_twice_is_one_object_and_nothing_is_wrong(tmp_path):
    rows = survey_rows(3)
    catalogue = read_catalogue(write(tmp_path, [*rows, rows[1]]))
    assert catalogue.objid.tolist() == [int(row["objid"]) for row in rows]
    assert catalogue.rows.tolist() == [0, 1, 2, 1]
    assert catalogue.problems == ()
    (note,) = catalogue.notes
    assert note.startswith("1 rows of data.csv repeat the objid of another")
    assert note.endswith("they agree")


def test_two_spectra_of_an_object_give_what_either_says(tmp_path):
    """The first value that there is; redshifts that differ by less than 300 km/s agree."""
    rows = survey_rows(3)
    rows[1] |= {"redshift": "", "stellarmass": "1e10", "gz2c_s": "", "w1mag": "-9999"}
    again = rows[1] | {"redshift": "0.1", "subclass": "", "stellarmass": "1.2e10", "gz2c_s": "Er", "w1mag": "14.5"}
    third = again | {"redshift": "0.1009"}
    catalogue = read_catalogue(write(tmp_path, [rows[0], again, rows[1], rows[2], third]))
    assert catalogue.objid.tolist() == [int(row["objid"]) for row in rows]
    assert catalogue.rows.tolist() == [0, 1, 1, 2, 1]
    truths = catalogue.truths(1)
    assert (truths["redshift"], truths["smass"]) == (0.1, 1.2e10)
    assert (truths["subclass"], truths["gz2c"]) == (rows[1]["subclass"], "Er")
    assert catalogue.numbers["w1mag"][1] == 14.5
    assert catalogue.problems == ()
    assert catalogue.missing["redshift"] == {}


@pytest.mark.parametrize(
    ("column", "cell", "output"),
    [("redshift", "0.25", "redshift"), ("stellarmass", "3e11", "smass"), ("subclass", "AGN", "subclass")],
)
def test_truths_that_contradict_each_other_are_left_out_and_named(tmp_path, column, cell, output):
    rows = survey_rows(3)
    rows[1] |= {"redshift": "0.05", "stellarmass": "1e10", "subclass": "STARFORMING"}
    catalogue = read_catalogue(write(tmp_path, [*rows, rows[1] | {column: cell}]))
    assert len(catalogue) == 3
    assert [name for name in TOLD if catalogue.truths(1)[name] is None] == [output]
    assert np.isfinite(catalogue.table(INPUTS["bands"].columns)).all()
    (problem,) = catalogue.problems
    assert (problem.where, problem.item) == (f"data.csv objid {rows[1]['objid']}", column)
    assert problem.text == f"expected rows that agree, found {rows[1][column]} and {cell}: left out"
    assert catalogue.notes[0].endswith("1 values in which they contradict each other left out")


def test_magnitudes_that_contradict_each_other_take_the_truths_with_them(tmp_path):
    rows = survey_rows(3)
    other = rows[1] | {"modelMag_r": "20.5", "redshift": "0.25"}
    catalogue = read_catalogue(write(tmp_path, [*rows, other]))
    assert np.flatnonzero(np.isnan(catalogue.numbers["modelMag_r"])).tolist() == [1]
    assert np.isfinite(catalogue.table(INPUTS["wise"].columns)).all()
    assert [catalogue.truths(1)[name] for name in TOLD] == [None] * len(TOLD)
    assert {problem.item for problem in catalogue.problems} == {"modelMag_r", "redshift"}


def test_magnitudes_that_were_rounded_differently_agree(tmp_path):
    rows = survey_rows(3)
    rounded = {column: f"{float(rows[1][column]):.3f}" for column in INPUTS["bands"].columns}
    catalogue = read_catalogue(write(tmp_path, [*rows, rows[1] | rounded]))
    assert catalogue.problems == ()
    assert catalogue.numbers["modelMag_r"][1] == float(rows[1]["modelMag_r"])


@pytest.mark.parametrize(
    ("cell", "number"),
    [("AGN", 0), ("STARFORMING", 3), ("STARFORMING BROADLINE", 1), ("AGN BROADLINE", 1), ("", -1), (" AGN ", 0)],
)
def test_sub_classes_become_numbers_and_compounds_are_broadline(tmp_path, cell, number):
    catalogue = one(tmp_path, subclass=cell)
    assert catalogue.labels["subclass"][0] == number
    assert catalogue.problems == ()


@pytest.mark.parametrize(("column", "cell"), [("subclass", "QUASAR"), ("gz2c_s", "ScB"), ("subclass", "FOO BROADLINE")])
def test_unknown_classes_are_missing_and_named(tmp_path, column, cell):
    catalogue = one(tmp_path, **{column: cell})
    assert catalogue.labels["subclass" if column == "subclass" else "gz2c"][0] == -1
    assert f"found {cell!r} in 1 rows" in catalogue.problems[0].text


def test_unknown_classes_are_counted_and_the_first_object_named(tmp_path):
    rows = survey_rows(5)
    for number in (1, 3):
        rows[number]["subclass"] = "QUASAR"
    rows[2]["subclass"] = ""
    catalogue = read_catalogue(write(tmp_path, rows))
    assert f"found 'QUASAR' in 2 rows, first objid {rows[1]['objid']}" in catalogue.problems[0].text
    assert catalogue.problems[0].where == "data.csv"
    assert catalogue.missing["subclass"] == {"empty": 1, "unknown class": 2}


def test_truths_of_an_object_are_named_the_first_class_too(tmp_path):
    rows = survey_rows(2)
    rows[0]["subclass"], rows[1]["subclass"] = OUTPUTS["subclass"].classes[0], ""
    catalogue = read_catalogue(write(tmp_path, rows))
    assert catalogue.truths(0)["subclass"] == OUTPUTS["subclass"].classes[0]
    assert catalogue.truths(1)["subclass"] is None
    assert catalogue.truths(0)["redshift"] == pytest.approx(float(rows[0]["redshift"]))


def test_absent_columns_are_all_missing(tmp_path):
    (tmp_path / "data.csv").write_text("objid,redshift\n5,0.1\n6,0.2\n")
    catalogue = read_catalogue(tmp_path)
    assert catalogue.missing["w1mag"] == {"no such column": 2}
    assert (catalogue.labels["gz2c"] == -1).all()


def test_ragged_rows_are_left_out_and_named(tmp_path):
    (tmp_path / "data.csv").write_text("objid,redshift\n5,0.1\n6,0.2,9\n7,0.3\n")
    catalogue = read_catalogue(tmp_path)
    assert catalogue.objid.tolist() == [5, 7]
    assert (catalogue.problems[0].where, catalogue.problems[0].text) == ("data.csv line 3", "expected 2 cells, found 3")


def test_byte_order_mark_and_windows_lines_are_read(tmp_path):
    (tmp_path / "data.csv").write_bytes(b"\xef\xbb\xbfobjid,redshift\r\n5,0.1\r\n")
    assert read_catalogue(tmp_path).numbers["redshift"].tolist() == [0.1]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (None, "no such file"),
        (b"", "expected a line of column names, found an empty file"),
        (b"ra,z\n1,2\n", "expected a column objid, found ra, z"),
        (b"objid,redshift\n", "expected at least one row"),
        (b"objid,redshift\nx,1\n", "expected at least one row"),
    ],
)
def test_files_that_are_no_catalogue_are_one_clear_error(tmp_path, content, expected):
    if content is not None:
        (tmp_path / "data.csv").write_bytes(content)
    with pytest.raises(DataError, match=expected) as caught:
        read_catalogue(tmp_path)
    assert "data.csv" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("label", ["nan", "NaN", "NULL", ""])
def test_class_that_says_nothing_is_missing_and_no_problem(tmp_path, label):
    catalogue = one(tmp_path, subclass=label)
    assert catalogue.labels["subclass"][0] == -1
    assert catalogue.missing["subclass"] == {"empty": 1}
    assert catalogue.problems == ()


def test_column_that_is_there_twice_is_refused(tmp_path):
    folder = write(tmp_path, survey_rows(2))
    lines = (folder / "data.csv").read_text().splitlines()
    (folder / "data.csv").write_text("\n".join([lines[0] + ",redshift", *(line + ",0.5" for line in lines[1:])]))
    with pytest.raises(DataError, match="expected one column redshift, found 2"):
        read_catalogue(folder)


def test_row_that_is_no_text_is_named_without_a_traceback(tmp_path, capfd):
    folder = write(tmp_path, survey_rows(200))
    with open(folder / "data.csv", "ab") as file:
        file.write(b"12,\xb5\n")
    catalogue = read_catalogue(folder)
    assert len(catalogue) == 200
    assert [problem.where for problem in catalogue.problems] == ["data.csv line 202"]
    assert not capfd.readouterr().err


@pytest.mark.parametrize(
    ("before", "after"),
    [("objid", "objID"), ("modelMag_", "modelmag_"), (",", ", "), (",", ";"), ("modelMag_", "")],
)
def test_header_may_be_written_in_other_ways(tmp_path, before, after):
    folder = write(tmp_path, survey_rows(3))
    expected = read_catalogue(folder).table(INPUTS["bands"].columns)
    (folder / "data.csv").write_text((folder / "data.csv").read_text().replace(before, after))
    np.testing.assert_array_equal(read_catalogue(folder).table(INPUTS["bands"].columns), expected)


def test_verify_names_a_set_in_which_nothing_can_be_used(tmp_path):
    folder = write(tmp_path, survey_rows(3))
    text = (folder / "data.csv").read_text().replace("modelMag_", "brightness_").replace("mag", "infrared")
    (folder / "data.csv").write_text(text)
    problems, _notes = verify(folder, progress=False)
    assert [problem.text for problem in problems] == [
        "expected columns modelMag_u … modelMag_z or w1mag … w4mag, or folders of files, found nothing to learn from"
    ]


def test_kind_of_magnitudes_stays_with_the_set(tmp_path):
    folder = write(tmp_path, survey_rows(40))
    (folder / "data.csv").write_text((folder / "data.csv").read_text().replace("modelMag_", "dered_"))
    for _ in range(2):
        # The second time from the packed copy.
        catalogue = open_catalogue(folder)
        assert catalogue.photometry == {"bands": "dereddened", "wise": "aperture"}
        assert catalogue.notes[0] == "modelMag_u is read from dered_u"


@pytest.mark.parametrize(
    ("magnitude", "error", "cell", "expected"),
    [
        ("modelMag_{}", "modelMagErr_{}", "0.1", 0.1), ("psfMag_{}", "psfMagErr_{}", "0.1", 0.1),
        ("{}", "err_{}", "0.1", 0.1), ("{}mag", "e_{}mag", "0.1", 0.1), ("dered_{}", "modelMagErr_{}", "0.1", 0.1),
        ("modelMag_{}", "modelMagIvar_{}", "100", 0.1), ("modelFlux_{}", "modelFluxErr_{}", "1", 0.06786),
        ("modelMag_{}", "modelMagErr_{}", "-9999", np.nan), ("modelMag_{}", "modelMagErr_{}", "?", np.nan),
        ("modelMag_{}", "psfMagErr_{}", "0.1", np.nan),
    ],
)  # fmt: skip
def test_errors_of_magnitudes_are_those_that_a_prediction_reads(tmp_path, magnitude, error, cell, expected):
    names = [form.format(band) for form in (magnitude, error) for band in "ugriz"]
    row = ["16.0"] * 5 + [cell] * 5
    # An object twice, as with two spectra, and one without a magnitude.
    rows = [["1", *row], ["1", *row], ["2", "-9999", *row[1:]]]
    lines = [",".join(cells) for cells in (["objid", *names], *rows)]
    (tmp_path / "data.csv").write_text("\n".join(lines))
    catalogue = read_catalogue(tmp_path)
    found = catalogue.table(tuple(ERRORS[f"modelMag_{band}"] for band in "ugriz"))
    np.testing.assert_allclose(found[0], expected, rtol=0.01)
    assert np.isnan(found[1, 0])
    np.testing.assert_allclose(found[1, 1:], expected, rtol=0.01)
    assert not catalogue.problems
    (tmp_path / "named.csv").write_text("\n".join(lines[:2]))
    bands = INPUTS["bands"].columns
    item = replace(INPUTS["bands"], columns=(*bands, *map(ERRORS.get, bands)), errors=5, gaps=True)
    (chunk,) = open_source([tmp_path / "named.csv"], ["bands"], extras=extras_of([item])).chunks()
    np.testing.assert_array_equal(chunk.load(item, (10,), "").values[0, 5:], found[0])
