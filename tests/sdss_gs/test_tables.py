"""Tables as people have them: how they are read, which columns are magnitudes, in which unit, and what the ids are."""

import gzip

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.io.votable.tree import Resource, TableElement, VOTableFile
from astropy.table import Column, MaskedColumn, Table

from sdss_gs.errors import DataError, OptionError
from sdss_gs.tables.columns import choose_columns
from sdss_gs.tables.identifiers import as_ids, id_column, id_type
from sdss_gs.tables.readers import open_tables
from sdss_gs.tables.units import ab_magnitudes, magnitudes_of

ID = 1237648721249206513
ROWS = [(ID, 19.35, 17.9), (ID + 1, 18.87, 17.66)]


def rows_of(table, *names):
    pieces = list(table.batches(list(names or table.names), 0))
    return [tuple(row.values()) for row in pa.concat_tables(pieces).to_pylist()]


def opened(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    (table,) = open_tables(path)
    return table


CSV = f"objid,u,g\n{ID},19.35,17.9\n{ID + 1},18.87,17.66\n"
BODY = CSV.partition("\n")[2]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("plain.csv", CSV),
        ("bom.csv", b"\xef\xbb\xbf" + CSV.encode()),
        ("windows.csv", CSV.replace("\n", "\r\n")),
        ("no_last_line_break.csv", CSV.rstrip()),
        ("casjobs.csv", "#Table1\n" + CSV),
        ("comments.csv", "# made by hand\n#\n\n" + CSV),
        ("blanks.csv", CSV.replace(",", " , ")),
        ("quoted.csv", CSV.replace("objid,u,g", '"objid","u","g"')),
        ("commented_names.txt", "# objid u g\n" + BODY.replace(",", "   ")),
        ("names_after_a_sharp.csv", "#" + CSV),
        ("tabs.tsv", CSV.replace(",", "\t")),
        ("semicolons.csv", CSV.replace(",", ";")),
        ("decimal_commas.csv", CSV.replace(",", ";").replace(".", ",")),
        ("bars.txt", CSV.replace(",", " | ")),
        ("aligned.dat", CSV.replace(",", "    ")),
        ("vizier.tsv", "#\n#Column\tu\n\nobjid\tu\tg\n \tmag\tmag\n---\t-----\t----\n" + BODY.replace(",", "\t")),
        ("utf16.csv", b"\xff\xfe" + CSV.encode("utf-16-le")),
        ("packed.csv.gz", gzip.compress(CSV.encode(), mtime=0)),
        ("packed.tsv.gz", gzip.compress(CSV.replace(",", "\t").encode(), mtime=0)),
    ],
)  # fmt: skip
def test_text_is_read_however_it_is_written(tmp_path, name, content):
    table = opened(tmp_path, name, content)
    assert table.names == ["objid", "u", "g"]
    assert [(int(i), float(u), float(g)) for i, u, g in rows_of(table)] == ROWS
    assert id_type(table, "objid") == pa.int64()


def test_units_of_vizier_and_notes(tmp_path):
    table = opened(tmp_path, "v.tsv", "#a\n#b\nobjid\tFu\n \tJy\n---\t---\n1\t2\n")
    assert table.column("Fu").unit == "Jy"
    assert "2 lines of comments" in table.notes[0]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("", "found an empty file"),
        (f"{ID},19.35,17.9\n{ID},18.87,17.66\n", "expected a line of column names, found .*write one above"),
        ("objid;u\n1;17,5\n2;18.5\n", "expected decimals written in one way, found 17,5 and 18.5"),
        (CSV + "1,2\n", "expected 3 cells in each row, found 2"),
        (CSV + "#Table2\n" + CSV, "expected one table, found a second one"),
        (b"\x00\x01\x02\x03", "expected a table of text, found binary data"),
    ],
)
def test_text_that_cannot_be_meant_is_refused(tmp_path, content, expected):
    with pytest.raises(DataError, match=expected):
        rows_of(opened(tmp_path, "in.csv", content))


def test_letters_that_are_no_utf8_are_read_as_latin_1_and_said(tmp_path):
    table = opened(tmp_path, "in.csv", "objid,u,observer\n1,17.5,Bj\xf6rn\n".encode("latin-1"))
    assert rows_of(table) == [("1", "17.5", "Björn")]
    assert "read as latin-1" in table.notes[0]


def test_compressed_text_may_not_grow_without_bound(tmp_path, monkeypatch):
    monkeypatch.setattr("sdss_gs.formats.compressed.HARMLESS", 1000)
    path = tmp_path / "in.csv.gz"
    path.write_bytes(gzip.compress(b"objid,u\n" + b"1,17.5\n" * 20_000))
    with pytest.raises(DataError, match="unpacks to more than"):
        open_tables(path)


# === FITS ===


def write_fits(path, *columns, **header):
    unit = fits.BinTableHDU.from_columns(columns)
    unit.header.update(header)
    fits.HDUList([fits.PrimaryHDU(), unit]).writeto(path)
    return path


def test_null_of_a_scaled_column_is_the_number_in_the_file(tmp_path):
    """astropy 8.0.2 masks TNULL in unscaled columns only: -32768 became -12.768, a number like any other."""
    raw = np.array([19351, -32768, 18870], np.int16)
    path = write_fits(tmp_path / "a.fits", fits.Column("OBJID", "K", array=[1, 2, 3]), fits.Column("u", "I", array=raw))
    with fits.open(path, mode="update") as units:
        units[1].header.update(TNULL2=-32768, TSCAL2=0.001, TZERO2=0.0)
    (table,) = open_tables(path)
    values = [value for (value,) in rows_of(table, "u")]
    assert values[1] is None
    assert [values[0], values[2]] == pytest.approx([19.351, 18.87])


def test_null_ids_and_ids_above_int64(tmp_path):
    large = np.array([11138838491242858617, 5, 2**64 - 1], np.uint64)
    path = write_fits(
        tmp_path / "a.fits", fits.Column("SPECOBJID", "K", bzero=2**63, array=large),
        fits.Column("objid", "K", null=999999, array=[ID, 999999, -1]),
    )  # fmt: skip
    (table,) = open_tables(path)
    assert rows_of(table) == [(int(large[0]), ID), (5, None), (2**64 - 1, -1)]
    assert (id_type(table, "SPECOBJID"), id_type(table, "objid")) == (pa.uint64(), pa.int64())


def test_elements_of_array_columns_have_names_and_wide_arrays_none(tmp_path):
    magnitudes = np.array([[19, 18, 17, 16, 15], [20, 19, 18, 17, 16]], np.float32)
    path = write_fits(
        tmp_path / "a.fits", fits.Column("OBJID", "19A", array=[str(ID), str(ID + 1)]),
        fits.Column("MODELMAG", "5E", array=magnitudes), fits.Column("PROFILE", "100E", array=np.zeros((2, 100))),
    )  # fmt: skip
    (table,) = open_tables(path)
    assert table.names == ["OBJID", *(f"MODELMAG[{n}]" for n in range(5))]
    assert rows_of(table, "MODELMAG[0]", "OBJID") == [(19.0, str(ID)), (20.0, str(ID + 1))]
    assert id_type(table, "OBJID") == pa.int64()
    assert choose_columns(table).columns["modelMag_r"].name == "MODELMAG[2]"


def test_several_tables_are_told_by_number_and_name(tmp_path):
    one, other = Table({"note": ["x"]}), Table({"objid": [1], "u": [17.5]})
    units = [fits.PrimaryHDU(), fits.BinTableHDU(one), fits.BinTableHDU(other, name="STARS")]
    fits.HDUList(units).writeto(tmp_path / "a.fits")
    assert [table.where[-3:] for table in open_tables(tmp_path / "a.fits")] == ["[1]", "[2]"]
    for which in ("2", "STARS"):
        (table,) = open_tables(tmp_path / "a.fits", which)
        assert table.names == ["objid", "u"]
    with pytest.raises(OptionError, match=r"table 7: expected one of .*1, 2 STARS"):
        open_tables(tmp_path / "a.fits", "7")


def test_packed_fits_and_a_file_without_a_table(tmp_path):
    path = write_fits(tmp_path / "a.fits", fits.Column("u", "D", unit="mag", array=[17.5]))
    (tmp_path / "b.fits.gz").write_bytes(gzip.compress(path.read_bytes()))
    (table,) = open_tables(tmp_path / "b.fits.gz")
    assert (rows_of(table), table.column("u").unit) == ([(17.5,)], "mag")
    fits.PrimaryHDU(np.zeros((3, 3))).writeto(tmp_path / "c.fits")
    with pytest.raises(DataError, match=r"c\.fits: expected a table, found a FITS file without one"):
        open_tables(tmp_path / "c.fits")


# === VOTable, ECSV, IPAC ===


@pytest.mark.parametrize(("ending", "kind"), [(".ecsv", "ascii.ecsv"), (".vot", "votable"), (".tbl", "ascii.ipac")])
def test_nulls_and_units_of_astropys_formats(tmp_path, ending, kind):
    table = Table({
        "objid": MaskedColumn([ID, 0, ID + 2], mask=[False, True, False]),
        "u": MaskedColumn([17.5, 0.0, 18.5], unit="mag", mask=[False, True, False]),
        "name": ["a", "b", "c"],
    })  # fmt: skip
    table.write(tmp_path / f"in{ending}", format=kind)
    (found,) = open_tables(tmp_path / f"in{ending}")
    assert rows_of(found) == [(ID, 17.5, "a"), (None, None, "b"), (ID + 2, 18.5, "c")]
    assert found.column("u").unit == "mag"


def test_table_in_a_nested_resource_of_a_votable(tmp_path):
    file, outer, inner = VOTableFile(), Resource(), Resource()
    file.resources.append(outer)
    outer.resources.append(inner)
    inner.tables.append(TableElement.from_table(file, Table({"objid": [ID], "u": [17.5]})))
    file.to_xml(str(tmp_path / "in.xml"))
    (table,) = open_tables(tmp_path / "in.xml")
    assert rows_of(table) == [(ID, 17.5)]


# === Parquet ===


def test_shards_may_differ_in_order_width_text_and_what_nobody_needs(tmp_path):
    one = {"objid": pa.array([1, 2]), "u": pa.array([17.5, 18.5]), "kind": pa.array(["a", "b"])}
    other = {
        "more": pa.array([1]), "kind": pa.array(["c"], pa.large_string()), "u": pa.array([19.5], pa.float32()),
        "objid": pa.array([3], pa.int32()),
    }  # fmt: skip
    pq.write_table(pa.table(one), tmp_path / "0.parquet")
    pq.write_table(pa.table(other), tmp_path / "1.parquet")
    (table,) = open_tables(tmp_path)
    assert rows_of(table) == [(1, 17.5, "a"), (2, 18.5, "b"), (3, 19.5, "c")]
    assert table.notes == ("more is left out: 0.parquet has no such column",)


def test_trees_of_hive_and_hats_are_read_without_what_is_no_row(tmp_path):
    piece = pa.table({"objid": [1], "u": [17.5]})
    for place in ("Norder=0/Dir=0/Npix=1.parquet", "Norder=0/Dir=0/Npix=2.parquet", "data_thumbnail.parquet",
                  "_metadata.parquet", ".part.parquet"):  # fmt: skip
        path = tmp_path / "dataset" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(piece, path)
    (table,) = open_tables(tmp_path)
    assert table.rows == len(rows_of(table)) == 2


def test_units_that_astropy_writes_into_parquet_are_known(tmp_path):
    table = Table({"objid": [1], "u_flux": Column([3000.0], unit="nJy")})
    table.write(tmp_path / "in.parquet")
    (found,) = open_tables(tmp_path / "in.parquet")
    assert found.column("u_flux").unit == "nJy"


# === Names ===


def header(tmp_path, *names):
    return opened(tmp_path, "in.csv", ",".join(names) + "\n" + ",".join(["17.5"] * len(names)) + "\n")


@pytest.mark.parametrize(
    ("names", "photometry"),
    [
        ("modelMag_{}", "model"), ("modelmag_{}", "model"), ("MODELMAG_{}", "model"), ("{}", ""), ("{}mag", ""),
        ("mag_{}", ""), ("{}_mag", ""), ("dered_{}", "dereddened"), ("psfMag_{}", "psf"), ("cModelMag_{}", "cmodel"),
        ("petroMag_{}", "petrosian"), ("mag_{}_lsst", "lsst"), ("MAG_AUTO_{}", "auto"), ("{}_cModelMag", "cmodel"),
        ("{}_psfMag", "psf"), ("{}_kronMag", "kron"), ("mag_{}_dered", "dereddened"), ("modelFlux_{}", "model"),
    ],
)  # fmt: skip
def test_names_of_surveys_are_known(tmp_path, names, photometry):
    band = str.upper if names.isupper() or "AUTO" in names else str
    choice = choose_columns(header(tmp_path, "objid", *(names.format(band(one)) for one in "ugriz")))
    assert choice.columns["modelMag_i"].name == names.format(band("i"))
    assert choice.photometry == {"bands": photometry}
    if names != "modelMag_{}":
        assert any(note.startswith(f"modelMag_u is read from {names.format(band('u'))}") for note in choice.notes)


@pytest.mark.parametrize("names", ["w{}mag", "w{}", "W{}MAG", "w{}mpro"])
def test_names_of_wise_are_known(tmp_path, names):
    choice = choose_columns(header(tmp_path, "objid", *(names.format(n) for n in (1, 2, 3, 4))))
    assert choice.columns["w3mag"].name == names.format(3)


@pytest.mark.parametrize(
    "names",
    [
        ("u", "g", "r", "i", "Z"), tuple(f"modelMagErr_{band}" for band in "ugriz"),
        ("g", "r", "i", "z"), ("mag_u_lsst", "mag_g_hsc", "mag_r_lsst", "mag_i_lsst", "mag_z_lsst"),
    ],
)  # fmt: skip
def test_columns_that_are_no_set_of_magnitudes_are_not_guessed(tmp_path, names):
    assert not choose_columns(header(tmp_path, "objid", *names)).columns


def test_exact_name_wins_over_another_case_and_a_clash_is_refused(tmp_path):
    choice = choose_columns(header(tmp_path, "Z", "U", *"ugriz"))
    assert [choice.columns[f"modelMag_{band}"].name for band in "uz"] == ["u", "z"]
    clash = header(tmp_path, *(f"MODELMAG_{band}" for band in "ugriz"), "modelmag_u")
    with pytest.raises(
        DataError, match="expected one column for modelMag_u, found MODELMAG_u, modelmag_u; say --column"
    ):
        choose_columns(clash)


def test_own_kind_of_magnitudes_is_preferred_and_two_others_are_a_clash(tmp_path):
    names = [f"{kind}_{band}" for kind in ("psfMag", "modelMag", "dered") for band in "ugriz"]
    table = header(tmp_path, *names)
    assert choose_columns(table).photometry == {"bands": "model"}
    assert choose_columns(table, preferred={"bands": "dereddened"}).columns["modelMag_u"].name == "dered_u"
    two = header(tmp_path, *(name for name in names if "model" not in name))
    with pytest.raises(DataError, match=r"expected one set of magnitudes for bands, found psfmag_\*, dered_\*"):
        choose_columns(two)
    told = choose_columns(two, told={band: f"psfMag_{band}" for band in "ugriz"})
    assert (told.columns["modelMag_g"].name, told.photometry) == ("psfMag_g", {"bands": ""})


# === Units ===


def with_unit(tmp_path, unit, name="{}_flux", value=3630.78):
    columns = [fits.Column(name.format(band), "D", unit=unit, array=[value]) for band in "ugriz"]
    path = tmp_path / "in.fits"
    path.unlink(missing_ok=True)
    (table,) = open_tables(write_fits(path, fits.Column("objid", "K", array=[1]), *columns))
    return table


@pytest.mark.parametrize(
    ("unit", "value", "magnitude"),
    [
        ("nJy", 3630.78, 22.5), ("uJy", 3630.78, 15.0), ("Jy", 3630.78e-6, 15.0), ("nanomaggy", 1000.0, 15.0),
        ("nanomaggies", 1000.0, 15.0), ("nmgy", 1.0, 22.5), ("maggies", 1e-6, 15.0), ("mJy", 3.63078, 15.0),
    ],
)  # fmt: skip
def test_fluxes_become_ab_magnitudes(tmp_path, unit, value, magnitude):
    """By definition: AB 0 is 3630.78 Jy (Oke & Gunn 1983), and a nanomaggy is magnitude 22.5 (SDSS)."""
    chosen = choose_columns(with_unit(tmp_path, unit)).columns["modelMag_r"]
    assert chosen.convert(np.array([value]))[0] == pytest.approx(magnitude, abs=2e-4)


def test_nanomaggies_of_sdss_become_asinh_magnitudes(tmp_path):
    """Softening b of r is 1.2e-10 (Lupton, Gunn & Szalay 1999): a flux of zero is 24.80, ten b are 22.12."""
    chosen = choose_columns(with_unit(tmp_path, "nanomaggies", "modelFlux_{}")).columns["modelMag_r"]
    np.testing.assert_allclose(chosen.convert(np.array([0.0, 1.2, 1000.0])), [24.80, 22.29, 15.0], atol=0.01)
    assert np.isnan(ab_magnitudes(np.array([0.0, -3.0]))).all()


@pytest.mark.parametrize(
    ("unit", "name"), [("adu", "{}"), ("erg/s", "modelMag_{}"), ("", "{}_flux"), ("mag(Vega)", "{}")]
)
def test_units_that_are_no_ab_magnitudes_are_refused_in_one_line(tmp_path, unit, name):
    with pytest.raises(DataError, match=r"column (u|u_flux|modelMag_u): expected"):
        choose_columns(with_unit(tmp_path, unit or None, name))


def test_wise_is_vega_and_a_flux_of_it_is_refused():
    assert magnitudes_of("t", "w1mag", "mag", "w1", False, False) == (None, "")
    with pytest.raises(DataError, match="t: column w1: expected Vega magnitudes, found the unit 'Jy'"):
        magnitudes_of("t", "w1", "Jy", "w1", False, False)


# === Ids ===


@pytest.mark.parametrize(
    ("ids", "kind"),
    [
        ((ID, "", 5), pa.int64()), ((2**63, "", 5), pa.uint64()), ((2**64 - 1, 1, 2), pa.uint64()),
        ((-5, 7, ""), pa.int64()), ((-5, 2**63, 1), pa.string()), (("NGC 1", 5, 6), pa.string()),
        (("007", 5, 6), pa.string()), ((2**64, 5, 6), pa.string()), (("", "", ""), pa.int64()),
    ],
)  # fmt: skip
def test_ids_of_text_keep_every_digit_and_null(tmp_path, ids, kind):
    table = opened(tmp_path, "in.csv", "u,objid\n" + "".join(f"17.5,{one}\n" for one in ids))
    assert id_type(table, "objid") == kind
    (piece,) = table.batches(["objid"], 0)
    wanted = [None if one == "" else str(one) if pa.types.is_string(kind) else one for one in ids]
    assert as_ids(piece["objid"], kind).to_pylist() == wanted


@pytest.mark.parametrize("cell", ["1.23765E+18", "1,23765E+18", "1.2e18"])
def test_ids_that_a_spreadsheet_has_rounded_are_refused(tmp_path, cell):
    table = opened(tmp_path, "in.csv", f"objid;u\n5;17.5\n{cell};17.5\n")
    with pytest.raises(DataError, match=r"expected ids with all their digits, found .*say --id none"):
        id_type(table, "objid")


def test_ids_as_floats_are_taken_while_they_are_exact(tmp_path):
    pq.write_table(pa.table({"id": [1.0, None, 2.0**52]}), tmp_path / "a.parquet")
    (table,) = open_tables(tmp_path / "a.parquet")
    (piece,) = table.batches(["id"], 0)
    assert as_ids(piece["id"], id_type(table, "id")).to_pylist() == [1, None, 2**52]
    pq.write_table(pa.table({"id": [float(ID)]}), tmp_path / "b.parquet")
    (table,) = open_tables(tmp_path / "b.parquet")
    with pytest.raises(DataError, match="expected ids as integers or text, found floats such as 1237648721249206"):
        id_type(table, "id")


def test_column_of_ids_is_found_by_name(tmp_path):
    assert id_column(header(tmp_path, "ra", "objID", "id")) == "objID"
    assert id_column(header(tmp_path, "ra", "source_id")) == "source_id"
    assert id_column(header(tmp_path, "ra", "objid"), "none") == ""
    with pytest.raises(DataError, match="expected one column objid, found OBJID, objID"):
        id_column(header(tmp_path, "OBJID", "objID"))


def test_masked_unsigned_ids_that_astropy_writes_are_null(tmp_path):
    """astropy 8.0.2 writes TNULL = 999999 and stores 999999 - 2^63: by the standard that is no null."""
    ids = MaskedColumn(np.array([11530774492817285120, 1, 11530774492817285121], np.uint64), mask=[False, True, False])
    Table({"specObjID": ids}).write(tmp_path / "in.fits")
    (table,) = open_tables(tmp_path / "in.fits")
    assert rows_of(table) == [(11530774492817285120,), (None,), (11530774492817285121,)]
