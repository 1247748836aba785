"""Catalogues of many makers, through the command line's source and from Python: the same rows, ids and numbers."""

import gzip

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from astropy.table import MaskedColumn, Table
from helpers import needed
from helpers.trained import by_hand

from common.data.sources import open_source
from common.outputs.flags import Flag
from sdss_gs.errors import DataError, OptionError

ID = 1237648721249206513
BANDS = ("u", "g", "r", "i", "z")
GALAXY = (18.5, 17.2, 16.5, 16.1, 15.8)
ANSWER = 0.01 * np.mean(GALAXY)
MODEL = by_hand()


def chunks_of(path, **options):
    source = open_source([path], ["bands"], **options)
    return source, [chunk for chunk in source.chunks()]


def ids_of(path, **options):
    return [one for chunk in chunks_of(path, **options)[1] for one in chunk.ids.to_pylist()]


def test_one_empty_id_leaves_the_others_exact_in_all_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr("common.data.sources.chunk.ROWS_PER_CHUNK", 2)
    ids = [ID, None, ID + 1, ID + 2, None]
    rows = "".join(f"{'' if one is None else one},{','.join(map(str, GALAXY))}\n" for one in ids)
    (tmp_path / "in.csv").write_text("objid,u,g,r,i,z\n" + rows)
    _, chunks = chunks_of(tmp_path / "in.csv")
    assert [chunk.ids.type for chunk in chunks] == [pa.int64()] * 3
    assert [one for chunk in chunks for one in chunk.ids.to_pylist()] == ids


def test_text_id_late_in_a_file_makes_all_of_them_text(tmp_path):
    lines = [f"{ID + n},{','.join(map(str, GALAXY))}" for n in range(1000)]
    lines.append(f"NGC 1300,{','.join(map(str, GALAXY))}")
    (tmp_path / "in.csv").write_text("objid,u,g,r,i,z\n" + "\n".join(lines))
    assert ids_of(tmp_path / "in.csv")[::500] == [str(ID), str(ID + 500), "NGC 1300"]


def test_rows_are_numbered_where_there_is_no_usable_id(tmp_path):
    row = ";".join(map(str, GALAXY))
    (tmp_path / "in.csv").write_text(f"objid;u;g;r;i;z\n1.23765E+18;{row}\n1.23765E+18;{row}\n")
    with pytest.raises(DataError, match=r"column objid: expected ids with all their digits, .*--id none"):
        open_source([tmp_path / "in.csv"], ["bands"])
    assert ids_of(tmp_path / "in.csv", id_column="none") == [0, 1]


def test_table_with_magnitudes_is_found_and_two_of_them_have_to_be_told_apart(tmp_path):
    from astropy.io import fits

    stars = Table({"objid": [ID]} | {band: [value] for band, value in zip(BANDS, GALAXY, strict=True)})
    units = [fits.PrimaryHDU(), fits.BinTableHDU(Table({"note": ["x"]})), fits.BinTableHDU(stars, name="A")]
    fits.HDUList(units).writeto(tmp_path / "one.fits")
    assert ids_of(tmp_path / "one.fits") == [ID]
    fits.HDUList([*units, fits.BinTableHDU(stars, name="B")]).writeto(tmp_path / "two.fits")
    with pytest.raises(OptionError, match=r"expected one table with magnitudes, found .*\[2\], .*\[3\]; say which"):
        open_source([tmp_path / "two.fits"], ["bands"])
    assert ids_of(f"{tmp_path / 'two.fits'}[3]") == ids_of(tmp_path / "two.fits", table="B") == [ID]


def test_words_for_missing_are_missing_and_no_word_is_said(tmp_path):
    words = ("nan", "NaN", "inf", "NA", "N/A", "null", "NULL", r"\N", "--", "99.99", "-99.9", "-9999", "", "<NA>")
    lines = [f"{n},{word},17.2,16.5,16.1,15.8" for n, word in enumerate(words)]
    (tmp_path / "in.csv").write_text("objid,u,g,r,i,z\n" + "\n".join(lines))
    found = MODEL.predict(tmp_path / "in.csv")
    assert found["redshift"].isna().all()
    assert set(found["flag"]) == {Flag.MISSING}
    assert set(found["problem"]) <= {"", None}


def test_other_magnitudes_are_flagged_unless_the_user_names_them(tmp_path):
    names = ",".join(f"psfMag_{band}" for band in BANDS)
    (tmp_path / "in.csv.gz").write_bytes(gzip.compress(f"objid,{names}\n1,{','.join(map(str, GALAXY))}\n".encode()))
    model = by_hand(photometry="model")
    found = model.predict(tmp_path / "in.csv.gz")
    assert found["redshift"][0] == pytest.approx(ANSWER, rel=1e-5)
    assert found["flag"][0] & Flag.OTHER_MAGNITUDE
    source = open_source([tmp_path / "in.csv.gz"], ["bands"], columns={band: f"psfMag_{band}" for band in BANDS})
    assert source.photometry == {"bands": ""}


def tables():
    """One galaxy and one with a missing magnitude, columns in another order, as every library has them."""
    columns = {"z": [15.8, 15.8], "i": [16.1, 16.1], "objid": [ID, ID + 1], "g": [17.2, 17.2], "r": [16.5, 16.5]}
    missing = columns | {"u": [18.5, None]}
    masked = Table(columns | {"u": MaskedColumn([18.5, 0.0], mask=[False, True])})
    frame = pd.DataFrame(columns | {"u": [18.5, np.nan]})
    return {
        "pandas": frame, "polars": needed.package("polars").DataFrame(missing), "pyarrow": pa.table(missing),
        "astropy": masked, "dict": columns | {"u": [18.5, -9999.0]}, "numpy": frame.to_records(index=False),
    }  # fmt: skip


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow", "astropy", "dict", "numpy"])
def test_tables_of_every_library_are_taken_by_name(library):
    found = MODEL.predict(tables()[library])
    assert found["objid"].tolist() == [ID, ID + 1]
    assert found["redshift"][0] == pytest.approx(ANSWER, rel=1e-5)
    assert np.isnan(found["redshift"][1])
    assert found["flag"][1] == Flag.MISSING


def test_frame_keeps_its_index_and_one_without_magnitudes_is_refused():
    frame = pd.DataFrame([GALAXY], columns=list(BANDS), index=["NGC 1300"])
    assert MODEL.predict(frame).index.tolist() == ["NGC 1300"]
    with pytest.raises(OptionError, match=r"table: expected columns modelMag_u, .*found a, b"):
        MODEL.predict(pd.DataFrame({"a": [1.0], "b": [2.0]}))


@pytest.mark.parametrize("bad", [-9999.0, 99.0, 0.0, np.nan, np.inf])
def test_arrays_are_read_by_the_rules_of_a_catalogue(bad):
    found = MODEL.predict(np.array([GALAXY, (bad, *GALAXY[1:])]))
    assert found["redshift"][0] == pytest.approx(ANSWER, rel=1e-5)
    assert np.isnan(found["redshift"][1])
    assert found["flag"][1] == Flag.MISSING
    masked = np.ma.array([GALAXY, GALAXY], mask=[[False] * 5, [True] + [False] * 4])
    assert MODEL.predict(masked)["flag"].tolist()[1] == Flag.MISSING


def frame_of(**more):
    return pd.DataFrame({"objid": [ID, ID + 1]} | {band: [value] * 2 for band, value in zip(BANDS, GALAXY, strict=True)}
                        | more)  # fmt: skip


def test_columns_that_nobody_needs_may_hold_anything():
    odd = {"complex": [1j, 2j], "mixed": [1, "a"], "image": [b"\xff\xd8", b"\xff"], "list": [[1], [2, 3]]}
    found = MODEL.predict(frame_of(**odd))
    assert found["redshift"].tolist() == pytest.approx([ANSWER] * 2, rel=1e-5)
    assert [note.partition(" ")[0] for note in found.attrs["notes"] if "left out" in note] == ["complex", "mixed"]
    arrow = pa.Table.from_pandas(frame_of(image=[b"\xff\xd8", b"\xff"]))
    assert MODEL.predict(arrow)["objid"].tolist() == [ID, ID + 1]
    with pytest.raises(OptionError, match="table: column u: expected values of one type, found"):
        MODEL.predict(frame_of().assign(u=[18.5, "eighteen"]))


def test_frame_with_the_bytes_of_fits_and_with_a_name_twice():
    """pandas keeps the byte order of what `astropy.io.fits` reads; pyarrow 25.0.1 takes this machine's only."""
    swapped = frame_of().astype(dict.fromkeys(BANDS, ">f4") | {"objid": ">i8"})
    found = MODEL.predict(swapped)
    assert found["objid"].tolist() == [ID, ID + 1]
    assert found["redshift"].tolist() == pytest.approx([ANSWER] * 2, rel=1e-5)
    twice = pd.concat([frame_of(), frame_of()[["u"]]], axis=1)
    for table in (twice, pa.Table.from_arrays([pa.array(twice.iloc[:, at]) for at in range(7)], [*twice.columns])):
        with pytest.raises(DataError, match="table: expected one column u, found 2"):
            MODEL.predict(table)
    with pytest.raises(OptionError, match="expected a DataFrame, found a Series"):
        MODEL.predict(frame_of().iloc[0])


def test_masks_and_units_of_columns_in_a_dict_are_believed():
    from astropy import units

    columns = {band: np.ma.array([value, value], mask=[False, True]) for band, value in zip(BANDS, GALAXY, strict=True)}
    assert MODEL.predict(columns)["flag"].tolist() == [0, Flag.MISSING]
    fluxes = {band: (np.array([value]) * units.ABmag).to(units.nJy) for band, value in zip(BANDS, GALAXY, strict=True)}
    assert MODEL.predict(fluxes)["redshift"][0] == pytest.approx(ANSWER, rel=1e-5)
    assert len(MODEL.predict(dict(zip(BANDS, GALAXY, strict=True)))) == 1
    with pytest.raises(OptionError, match=r"table: expected columns of equal length, found 1 of ., 2 of z"):
        MODEL.predict(dict(zip(BANDS, GALAXY, strict=True)) | {"z": [15.8, 15.8]})


def test_nulls_of_records_that_astropy_reads_are_believed(tmp_path):
    from astropy.io import fits

    raw = np.array([18500, -32768], np.int16)
    columns = [fits.Column("objid", "K", null=-1, array=[ID, -1]), fits.Column("u", "I", array=raw)]
    columns += [fits.Column(band, "E", array=[value] * 2) for band, value in zip(BANDS[1:], GALAXY[1:], strict=True)]
    unit = fits.BinTableHDU.from_columns(columns)
    unit.header.update(TNULL2=-32768, TSCAL2=0.001, TZERO2=0.0)
    unit.writeto(tmp_path / "in.fits")
    found = MODEL.predict(fits.getdata(tmp_path / "in.fits"))
    assert found["objid"][0] == ID
    assert pd.isna(found["objid"][1])
    assert found["redshift"][0] == pytest.approx(ANSWER, rel=1e-5)
    assert found["flag"].tolist() == [0, Flag.MISSING]


@pytest.mark.parametrize(("model", "kind"), [("i2r", np.uint8), ("f2r", np.float32)])
def test_masked_pixels_are_no_pixels(model, kind):
    network = by_hand(model)
    images = np.ma.ones((2, *next(iter(network.shapes.values()))), kind)
    images[1, 5, 5, 0] = np.ma.masked
    found = network.predict(images)
    assert found["redshift"].isna().tolist() == [False, True]
    assert found["flag"][1] & Flag.BAD_INPUT
