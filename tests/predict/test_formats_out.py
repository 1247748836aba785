"""What a table in pieces becomes in each format, also where a piece alone would say something else."""

import numpy as np
import pyarrow as pa
import pytest
from astropy.io import fits
from astropy.table import Table

from common.outputs.column import Column
from common.predict.formats_out import WRITERS
from common.predict.rows import Rows, stored

LEAST, MOST = -(2**63), 2**63 - 1


def written(path, pieces, columns=None):
    """Write pieces, each a dict of columns; return the file."""
    tables = [stored(pa.table(piece)) for piece in pieces]
    WRITERS[path.suffix](Rows(lambda: iter(tables), sum(map(len, tables)), columns or {}), path)
    return path


@pytest.mark.parametrize("ending", [".fits", ".vot"])
def test_numbers_that_are_not_finite_come_back(tmp_path, ending):
    numbers = [0.1, np.nan, np.inf, -np.inf, 1e300, -5e-324]
    path = written(tmp_path / f"out{ending}", [{"z": pa.array(numbers)}])
    found = Table.read(path, format={".fits": "fits", ".vot": "votable"}[ending])["z"]
    np.testing.assert_array_equal(np.ma.filled(found, np.nan), numbers)


@pytest.mark.parametrize(
    ("first", "second"),
    [(["a", None], ["Ünlü", "b"]), ([None, None], ["a & b", "<i>"]), (["é", "x"], ["longer than before", None])],
)
def test_text_has_the_type_and_width_that_all_pieces_need(tmp_path, first, second):
    pieces = [{"id": pa.array(one)} for one in (first, second)]
    found = Table.read(written(tmp_path / "out.vot", pieces), format="votable")["id"].tolist()
    assert [one or None for one in found] == [*first, *second]
    found = Table.read(written(tmp_path / "out.fits", pieces), character_as_bytes=False)["id"].tolist()
    escapes = {"Ünlü": r"\xdcnl\xfc", "é": r"\xe9"}
    assert [one or None for one in found] == [escapes.get(one, one) for one in [*first, *second]]


def test_characters_that_xml_cannot_have_are_written_as_escapes(tmp_path):
    found = Table.read(
        written(tmp_path / "out.vot", [{"id": pa.array(["a\x01", "\uffff", "\ud7ff"])}]), format="votable"
    )
    assert found["id"].tolist() == [r"a\x01", r"\uffff", "\ud7ff"]


@pytest.mark.parametrize("first", [[1, None], [None, None], [LEAST, None], [MOST, None]])
def test_null_of_fits_is_a_number_that_no_object_has(tmp_path, first):
    ids = [*first, 5, 2**53 + 1]
    path = written(tmp_path / "out.fits", [{"id": pa.array(first, pa.int64())}, {"id": pa.array(ids[2:], pa.int64())}])
    assert Table.read(path)["id"].tolist() == ids


def test_unsigned_null_is_the_number_that_stands_in_the_file(tmp_path):
    """FITS standard 4.0, section 7.3.2: TNULL is compared before TZERO is added."""
    ids = pa.array([0, 2**64 - 2, None], pa.uint64())
    path = written(tmp_path / "out.fits", [{"id": ids.slice(0, 1)}, {"id": ids.slice(1)}])
    header, raw = fits.getheader(path, 1), np.frombuffer(path.read_bytes()[2 * 2880 :][:24], ">i8")
    assert header["TZERO1"] == 2**63
    assert (raw == header["TNULL1"]).tolist() == [False, False, True]
    assert [int(one) + header["TZERO1"] for one in raw[:2]] == ids.to_pylist()[:2]


def test_names_and_words_outside_ascii_do_not_end_a_fits_file(tmp_path):
    columns = {"größe": Column("a size in µm, " + 80 * "x", "", "um")}
    path = written(tmp_path / "out.fits", [{"größe": pa.array([1.5])}], columns)
    header = fits.getheader(path, 1)
    assert (header["TTYPE1"], header["TUNIT1"]) == (r"gr\xf6\xdfe", "um")
    assert header["TCOMM1"].startswith(r"a size in \xb5m, xxx")
    assert Table.read(path)[r"gr\xf6\xdfe"].tolist() == [1.5]
