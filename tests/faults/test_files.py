"""Damaged and hostile files: one clear line, or values that `verify` would accept."""

import bz2
import io
import pickle
import re

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from astropy.io import fits as astropy_fits
from astropy.table import Table
from conftest import survey_rows, write_survey
from helpers import heavens

from common.data.sources.catalogue import catalogue_source
from common.outputs.flags import Flag
from sdss_gs.build import frames
from sdss_gs.build.tables import read_ids
from sdss_gs.errors import BadFileError, DataError, OptionError, ZooError
from sdss_gs.formats import compressed, fits, spectra
from sdss_gs.picture.frames import align, read_frame
from sdss_gs.schema import INPUTS
from sdss_gs.tables.catalogue import read_catalogue
from sdss_gs.tables.votes import find_votes

from .files import KINDS, ROWS, _columns, attempt, fuzz
from .limits import bounded

TRIES = 25


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_files_are_refused_in_one_line_or_give_good_values(tmp_path, kind):
    tried = fuzz(kind, TRIES, tmp_path)
    assert not tried.faults, tried.faults[0][0]
    assert tried.count == TRIES
    assert tried.refused


@pytest.mark.parametrize("kind", KINDS)
def test_whole_files_are_read(tmp_path, kind):
    one = KINDS[kind]
    contents = one.valid(tmp_path)
    path = tmp_path / one.file
    # The third data.csv has semicolons.
    for content in contents[:2]:
        path.write_bytes(content)
        assert attempt(one.read, path) == ""


def npy(header):
    text = header.encode().ljust(118) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize(
    "content",
    [
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (62, 61, 5), }") + bytes(64),
        npy("{'descr': '<f8', 'fortran_order': False, 'shape': (61, 61, 5, }") + bytes(64),
        npy("{'descr': '<f4', 'fortran_order': False, 'shape': (-61, -61, 5), }") + bytes(61 * 61 * 20),
        npy("{'descr': '|O', 'fortran_order': False, 'shape': (61, 61, 5), }") + pickle.dumps(np.zeros(9, object)),
        pickle.dumps(np.zeros((61, 61, 5))),
    ],
)
@pytest.mark.parametrize("read", [fits.read, fits.read_any])
def test_arrays_that_promise_too_much_or_hold_objects_are_refused(tmp_path, content, read):
    path = tmp_path / "1.npy"
    path.write_bytes(content)
    with bounded(), pytest.raises(BadFileError, match="expected"):
        read(path)


def test_pixel_too_large_for_the_packed_array_is_refused_and_does_not_become_infinite(tmp_path):
    array = np.zeros((61, 61, 5))
    array[3, 4, 2] = 1e300
    np.save(tmp_path / "1.npy", array)
    for read in (fits.read, fits.read_any):
        with pytest.raises(BadFileError, match="expected finite pixels, found 1"):
            read(tmp_path / "1.npy")


def parquet(path, **columns):
    pa.parquet.write_table(pa.table(_columns() | columns), path)
    return path


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]
)
def test_text_of_every_kind_with_gaps_in_it_is_read_cell_by_cell(tmp_path, kind):
    cells = pa.array([" 16.5", None, "", "soft", "-9999", "1e308", "16.5", "null"]).cast(kind)
    source = catalogue_source(parquet(tmp_path / "1.parquet", modelMag_r=cells))
    loaded = next(source.chunks()).load(INPUTS["bands"], (5,), "")
    missing, bad = int(Flag.MISSING), int(Flag.BAD_INPUT)
    assert loaded.flags.tolist() == [0, missing, missing, bad, missing, bad, 0, missing]
    assert loaded.values[[0, 6], 2].tolist() == [16.5, 16.5]


def test_numbers_no_magnitude_can_be_are_flagged_in_every_column(tmp_path):
    numbers = [np.inf, -np.inf, 1e308, 5e-324, -0.0, np.nan, 99.0, -9999.0]
    missing, bad = int(Flag.MISSING), int(Flag.BAD_INPUT)
    for name in ("bands", "wise"):
        for column in INPUTS[name].columns:
            source = catalogue_source(parquet(tmp_path / "1.parquet", **{column: pa.array(numbers)}))
            flags = next(source.chunks()).load(INPUTS[name], INPUTS[name].shape, "").flags
            # A WISE magnitude of nearly 0 is bright but possible.
            tiny = bad if name == "bands" else 0
            assert flags.tolist() == [missing, missing, bad, tiny, missing, missing, missing, missing]


@pytest.mark.parametrize("column", ["objid", "modelMag_g"])
def test_column_that_is_there_twice_is_named(tmp_path, column):
    path = write_survey(tmp_path / "ds", survey_rows(ROWS)) / "data.csv"
    path.write_text(path.read_text().replace("modelMag_r", column))
    with pytest.raises(DataError, match=f"expected one column {column}, found 2"):
        read_catalogue(path.parent)
    with pytest.raises(DataError, match=f"expected one column {column}, found 2"):
        catalogue_source(path)


def test_more_columns_than_a_table_may_have_are_refused(tmp_path):
    path = tmp_path / "wide.csv"
    path.write_text("objid," + ",".join(f"c{n}" for n in range(10**4)) + "\n1" + "," * 10**4 + "\n")
    with bounded(), pytest.raises(DataError, match="expected at most 10,000 columns"):
        catalogue_source(path)
    path.rename(tmp_path / "data.csv")
    with bounded(), pytest.raises(DataError, match="expected at most 10,000 columns"):
        read_catalogue(tmp_path)


@pytest.mark.parametrize(
    ("before", "after", "error"),
    [
        (b"objid", "objid".encode("utf-16"), DataError),
        (b"objid", b'"objid', DataError),
    ],
)
def test_tables_of_another_kind_are_one_clear_error(tmp_path, before, after, error):
    path = write_survey(tmp_path / "ds", survey_rows(ROWS)) / "data.csv"
    path.write_bytes(path.read_bytes().replace(before, after))
    with pytest.raises(error, match="expected"):
        read_catalogue(path.parent)
    with pytest.raises((DataError, OptionError), match="expected"):
        catalogue_source(path)


@pytest.mark.parametrize("cell", ["=1+1", "@SUM(A1)", "16.5\0", "\0", "0x10", "1_6", "१६", "1e400", "-1e400"])
def test_cell_that_is_no_magnitude_is_named_and_missing(tmp_path, cell):
    rows = survey_rows(ROWS)
    rows[2]["modelMag_r"] = cell
    catalogue = read_catalogue(write_survey(tmp_path / "ds", rows))
    assert np.flatnonzero(np.isnan(catalogue.numbers["modelMag_r"])).tolist() == [2]
    assert [problem.item for problem in catalogue.problems] == ["modelMag_r"]


def test_table_without_votes_is_passed_over_and_an_empty_one_named(tmp_path):
    folder = write_survey(tmp_path / "ds", survey_rows(ROWS))
    for content in (b"objid,\xb7\n1,2\n", b"objid," + b"x" * 200_000):
        (folder / "votes.csv").write_bytes(content)
        assert find_votes(folder) is None
    (folder / "votes.csv").write_bytes(b"")
    with pytest.raises(DataError, match=r"votes\.csv: expected a line of column names, found an empty file"):
        find_votes(folder)


def test_catalogue_whose_column_has_no_name_is_read_without_it(tmp_path):
    file = io.BytesIO()
    Table(_columns()).write(file, format="fits")
    path = tmp_path / "1.fits"
    path.write_bytes(file.getvalue().replace(b"TTYPE10 = 'w4mag", b"TTYPEXX = 'w4mag"))
    assert catalogue_source(path).inputs == ("bands",)


@pytest.mark.parametrize("name", ["a\nb", "\x1b[2J", "\u202e", "x" * 100_000])
def test_what_a_file_holds_is_quoted_in_one_line_that_a_terminal_shows(tmp_path, name):
    folder = write_survey(tmp_path / "ds", survey_rows(ROWS))
    (folder / "data.csv").write_text(f'"{name}",class\n1,GALAXY\n')
    with pytest.raises(DataError, match="expected a column objid") as caught:
        read_catalogue(folder)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 3000


def test_image_whose_coordinates_have_more_axes_is_aligned_by_the_first_two(tmp_path):
    path = tmp_path / "1.fits"
    path.write_bytes(bz2.decompress(heavens.frame((180.0, 30.0), "r")))
    pixels = read_frame(path).pixels
    assert np.allclose(align(read_frame(path), read_frame(path)), pixels, atol=1e-5)
    with astropy_fits.open(path, mode="update") as units:
        units[0].header["WCSAXES"] = 4
    assert np.allclose(align(read_frame(path), read_frame(path)), pixels, atol=1e-5)


@pytest.mark.parametrize("read", [read_frame, frames.read_frame])
def test_frame_that_unpacks_to_more_than_it_may_is_refused(tmp_path, monkeypatch, read):
    monkeypatch.setattr(compressed, "HARMLESS", 2**20)
    path = tmp_path / "1.fits.bz2"
    path.write_bytes(bz2.compress(bytes(2**20 + 1)))
    with pytest.raises(BadFileError, match="it unpacks to more than 1,048,576 bytes"):
        read(path)


FITS_READERS = [fits.read_any, spectra.read, catalogue_source, read_ids, read_frame]


@pytest.mark.parametrize("read", FITS_READERS)
@pytest.mark.parametrize("unit", [0, 1])
def test_header_of_more_axes_than_the_standard_allows_is_refused(tmp_path, read, unit):
    file = io.BytesIO()
    Table({"objid": [1], "loglam": [3.6]}).write(file, format="fits")
    content = file.getvalue()
    place = [found.start() for found in re.finditer(rb"NAXIS   =", content)][unit]
    path = tmp_path / "1.fits"
    path.write_bytes(content[:place] + b"NAXIS   =                 1001" + content[place + 30 :])
    with bounded(), pytest.raises(ZooError, match="at most 999 axes and columns"):
        read(path)


@pytest.mark.parametrize("read", FITS_READERS)
def test_unit_of_less_than_no_data_is_refused(tmp_path, read):
    cards = ("SIMPLE  =                    T", "BITPIX  =                    8", "NAXIS   =                    1")
    cards += ("NAXIS1  =                   -1", "EXTEND  =                    T", "END")
    path = tmp_path / "1.fits"
    path.write_text("".join(card.ljust(80) for card in cards).ljust(2880))
    with bounded(), pytest.raises(ZooError, match="at least 0 bytes of data in a unit, found -1"):
        read(path)
