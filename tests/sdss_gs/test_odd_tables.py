"""Tables as one program or another writes them, which others would misread; programs and versions are named."""

import warnings
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.io import fits
from astropy.table import MaskedColumn, Table

from sdss_gs.errors import DataError
from sdss_gs.tables.columns import Extras, choose_columns, table_with_magnitudes
from sdss_gs.tables.identifiers import as_ids, id_type
from sdss_gs.tables.readers import open_tables
from sdss_gs.tables.readers.astronomical import from_astropy

ID = 1237648721249206513
ROWS = [(ID, 19.35, 17.9), (ID + 1, 18.87, 17.66)]


def opened(tmp_path, name, content):
    (tmp_path / name).write_bytes(content.encode())
    (table,) = open_tables(tmp_path / name)
    return table


def rows_of(table, *names):
    pieces = list(table.batches(list(names or table.names), 0))
    return [tuple(row.values()) for row in pa.concat_tables(pieces).to_pylist()]


def numbers_of(table):
    return [(int(i), float(u), float(g)) for i, u, g in rows_of(table, "objid", "u", "g")]


def ids_of(table, name="objid"):
    kind = id_type(table, name)
    return [one for piece in table.batches([name], 0) for one in as_ids(piece[name], kind).to_pylist()]


CSV = f"objid,u,g\n{ID},19.35,17.9\n{ID + 1},18.87,17.66\n"
RULE = "+---+---+---+\n"
HEAD, BODY = CSV.split("\n", 1)


# === Text ===


@pytest.mark.parametrize(
    ("name", "content"),
    [
        # STIL 4.1.3 writes text cells in quotes, also between blanks, as does astropy 8.0.2.
        ("stil.txt", f'# objid u g name\n{ID} 19.35 17.9 "a b"\n{ID + 1} 18.87 17.66 ""\n'),
        ("escaped.txt", f'objid u g name\n{ID} 19.35 17.9 "5\\" x"\n{ID + 1} 18.87 17.66 "b ""c"\n'),
        ("astropy.txt", f'objid u g name\n{ID} 19.35 17.9 "a b"\n{ID + 1} 18.87 17.66 c\n'),
        ("comments_between.txt", "objid u g\n" + BODY.replace(",", "  ").replace("\n", "\n# x\n")),
        # Starlink's tab-separated table, as STIL 4.1.3 writes it.
        ("starlink.tst", f"A title\n\n# x\nid_col: 0\n\nobjid\tu\tg\n-----\t-\t-\n{BODY}[EOD]\n".replace(",", "\t")),
        ("rdb.txt", f"#made\nobjid\tu\tg\n20N\tN\tN\n{BODY}".replace(",", "\t")),
        ("markdown.txt", f"| objid | u | g |\n|---|---|---|\n| {ID} | 19.35 | 17.9 |\n| {ID + 1} | 18.87 | 17.66 |\n"),
        ("mysql.txt", f"{RULE}|objid|u|g|\n{RULE}|{ID}|19.35|17.9|\n|{ID + 1}|18.87|17.66|\n{RULE}"),
        ("psql.txt", f" objid | u | g\n-------+---+---\n {ID} | 19.35 | 17.9\n {ID + 1} | 18.87 | 17.66\n"),
        # Microsoft Excel reads such a first line.
        ("excel.csv", "sep=;\r\n" + CSV.replace(",", ";")),
        ("trailing_in_rows.csv", HEAD + "\n" + BODY.replace("\n", ",\n")),
        ("trailing_in_head.csv", HEAD + ",\n" + BODY),
        ("blank_end.csv", CSV + "  \n\t\n"),
        ("end_of_file_mark.csv", CSV + "\x1a"),
        ("other_breaks_in_a_comment.csv", "# a\x0cb\x85c\u2028d\n" + CSV),
        ("old_mac.csv", CSV.replace("\n", "\r")),
        ("names_after_a_sharp.csv", "# made by x\n#objid,u,g,name\n" + BODY.replace("\n", ",a b\n")),
    ],
)  # fmt: skip
def test_text_of_many_programs(tmp_path, name, content):
    assert numbers_of(opened(tmp_path, name, content)) == ROWS


@pytest.mark.parametrize("kind", ["rst", "fixed_width", "fixed_width_two_line", "mrt", "basic", "commented_header"])
def test_text_formats_of_astropy_with_blanks_and_nulls_in_cells(tmp_path, kind):
    table = Table({
        "objid": [ID, ID + 1], "u": MaskedColumn([19.35, 0.0], mask=[False, True]), "g": [17.9, 17.66],
        "name": ["a b", "c"],
    })  # fmt: skip
    with warnings.catch_warnings():
        # Of mrt, astropy says what an author is still to fill in.
        warnings.simplefilter("ignore")
        table.write(tmp_path / "in.txt", format=f"ascii.{kind}")
    (found,) = open_tables(tmp_path / "in.txt")
    rows = rows_of(found, "objid", "u", "g", "name")
    assert [(int(row[0]), float(row[2]), row[3]) for row in rows] == [(ID, 17.9, "a b"), (ID + 1, 17.66, "c")]
    assert float(rows[0][1]) == 19.35
    assert rows[1][1] in (None, "--")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        # pandas pads such a row from the right: what was g would be u.
        (f"objid   u      g\n{ID}  19.35  17.9\n{ID + 1}         17.66\n", "expected 3 cells in each row, found 2"),
        (f"{ID},19.35,17.9,a b\n{ID},18.87,17.66,c\n", "expected a line of column names"),
        (CSV + "5,18.87,17.66,1\n", "expected 3 cells in each row, found 4 in '5,18.87"),
    ],
)
def test_rows_that_would_shift_are_refused(tmp_path, content, expected):
    with pytest.raises(DataError, match=expected):
        rows_of(opened(tmp_path, "in.txt", content))


def test_ipac_table_without_rows_has_none(tmp_path):
    """Its head is bars alone, as in a table of Markdown."""
    table = Table({"objid": [ID], "u": [17.5]})
    table.write(tmp_path / "in.tbl", format="ascii.ipac")
    head = (tmp_path / "in.tbl").read_text().splitlines()[:-1]
    table = opened(tmp_path, "none.tbl", "\n".join(head) + "\n")
    assert (table.names, table.rows) == (["objid", "u"], 0)


def test_version_with_a_point_does_not_speak_against_decimal_commas(tmp_path):
    table = opened(tmp_path, "in.csv", f"objid;u;g;version\n{ID};19,35;17,9;17.1\n{ID + 1};18,87;17,66;17.1\n")
    assert numbers_of(table) == ROWS


def test_cells_may_have_line_breaks_beyond_a_block(tmp_path, monkeypatch):
    monkeypatch.setattr("sdss_gs.tables.readers.text.BLOCK", 2000)
    rows = "".join(f'{ID + n},19.35,17.9,"a\n,""b"" {"c" * (n % 37)}"\n' for n in range(500))
    table = opened(tmp_path, "in.csv", f"{HEAD},note\n{rows}")
    assert ids_of(table) == [ID + n for n in range(500)]


# === FITS and VOTable ===


def ascii_columns():
    ids = fits.Column("objid", "I20", null="-1", array=np.array([ID, ID + 1]), ascii=True)
    return [ids, fits.Column("u", "D25.17", array=np.array([19.35, 18.87]), ascii=True),
            fits.Column("g", "F10.3", null="NULL", array=np.array([17.9, 17.66]), ascii=True)]  # fmt: skip


def test_ascii_table_of_fits(tmp_path):
    """astropy 8.0.2 fails to cut no row out of one with an exponent of D."""
    fits.HDUList([fits.PrimaryHDU(), fits.TableHDU.from_columns(ascii_columns())]).writeto(tmp_path / "in.fits")
    (table,) = open_tables(tmp_path / "in.fits")
    assert numbers_of(table) == ROWS
    content = (tmp_path / "in.fits").read_bytes()
    nulls = content.replace(str(ID + 1).rjust(20).encode(), b"-1".rjust(20)).replace(b"17.900".rjust(10), b"NULL      ")
    (tmp_path / "in.fits").write_bytes(nulls)
    (table,) = open_tables(tmp_path / "in.fits")
    assert rows_of(table) == [(ID, 19.35, None), (None, 18.87, 17.66)]


@pytest.mark.parametrize(("rows", "dim"), [(3, True), (100, False)])
def test_whole_columns_in_one_row_are_turned(tmp_path, rows, dim):
    """As colfits of STIL 4.1.3 has them (with TDIM), and mwrfits of the IDL Astronomy Library of a structure."""
    ids, u = np.arange(rows) + ID, np.linspace(17, 20, rows)
    shape, axes = ((1, rows, 1), f"(1,{rows})") if dim else ((1, rows), None)
    columns = [
        fits.Column("objid", f"{rows}K", dim=axes, array=ids.reshape(shape)),
        fits.Column("u", f"{rows}D", dim=axes, array=u.reshape(shape)),
        fits.Column("name", f"{2 * rows}A", dim=f"(2,{rows})", array=np.full((1, rows), "ab")),
    ]  # fmt: skip
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "in.fits")
    (table,) = open_tables(tmp_path / "in.fits")
    assert rows_of(table) == [(int(one), float(two), "ab") for one, two in zip(ids, u, strict=True)]


def test_whole_columns_without_rows_have_none(tmp_path):
    """STIL 4.1.3 writes a row of no bytes, which astropy 8.0.2 reads, but does not write."""
    head = {"XTENSION": "BINTABLE", "BITPIX": 8, "NAXIS": 2, "NAXIS1": 0, "NAXIS2": 1, "PCOUNT": 0, "GCOUNT": 1}
    head |= {"TFIELDS": 2, "TTYPE1": "objid", "TFORM1": "0K", "TTYPE2": "u", "TFORM2": "0D"}
    content = (fits.PrimaryHDU().header.tostring() + fits.Header(head).tostring()).encode()
    (tmp_path / "in.fits").write_bytes(content)
    (table,) = open_tables(tmp_path / "in.fits")
    assert (table.names, table.rows) == (["objid", "u"], 0)


def test_name_of_a_table_counts_in_any_case_and_odd_units_elsewhere_do_not(tmp_path):
    good = Table({"objid": [ID]} | {band: [17.5] for band in "ugriz"})
    odd = Table({"objid": [ID]} | {f"{band}_flux": [17.5] for band in "ugriz"})
    units = [fits.PrimaryHDU(), fits.BinTableHDU(odd, name="RAW"), fits.BinTableHDU(good, name="CAT")]
    for column in units[1].columns:
        column.unit = "adu"
    fits.HDUList(units).writeto(tmp_path / "in.fits")
    assert open_tables(tmp_path / "in.fits", "cat")[0].where.endswith("[2]")
    table, choice = table_with_magnitudes(tmp_path / "in.fits", open_tables(tmp_path / "in.fits"))
    assert (table.title, choice.columns["modelMag_u"].name) == ("CAT", "u")
    assert any(note.startswith("passed over: ") and "'adu'" in note for note in choice.notes)


@pytest.mark.parametrize(
    "form", ['<BINARY><STREAM href="rows.bin"/></BINARY>', '<FITS><STREAM encoding="base64"/></FITS>']
)
def test_votable_whose_rows_are_elsewhere_is_refused_in_one_line(tmp_path, form):
    """STILTS 3.4.7 writes them; astropy 8.0.2 opens addresses that a file names, or fails on what it looked for."""
    field = '<FIELD name="u" datatype="double"/>'
    text = f'<VOTABLE version="1.4"><RESOURCE><TABLE>{field}<DATA>{form}</DATA></TABLE></RESOURCE></VOTABLE>'
    with pytest.raises(DataError, match=r"in\.vot: expected a VOTable with its rows in it, found rows (in|as)"):
        opened(tmp_path, "in.vot", text)


def test_arrays_of_variable_length_that_all_have_one_are_elements(tmp_path):
    """STIL 4.1.3 writes arraysize="*" for the array of five magnitudes that one makes in TOPCAT."""
    rows = [np.array([19.0, 18.0]), np.array([20.0, 19.0])]
    table = Table({"objid": [ID, ID + 1], "MODELMAG": np.array([*rows, None], object)[:2]})
    found = from_astropy("t", table)
    assert found.names == ["objid", "MODELMAG[0]", "MODELMAG[1]"]
    assert rows_of(found)[1] == (ID + 1, 20.0, 19.0)
    table["MODELMAG"][1] = np.array([20.0])
    assert from_astropy("t", table).names == ["objid"]


# === Parquet ===


def test_masked_values_that_astropy_writes_into_parquet_are_null(tmp_path):
    """astropy 8.0.2 writes the value under the mask, and the mask as a column: 18.6 would be predicted."""
    table = Table({
        "objid": MaskedColumn([ID, ID + 1], mask=[False, True]), "u": MaskedColumn([18.6, 17.5], mask=[True, False]),
    })  # fmt: skip
    table.write(tmp_path / "in.parquet")
    (found,) = open_tables(tmp_path / "in.parquet")
    assert rows_of(found, "u", "objid") == [(None, ID), (17.5, None)]


@pytest.mark.parametrize(
    ("first", "second", "found"),
    [
        (pa.nulls(1), pa.array([17.5]), [None, 17.5]),
        (pa.array([18]), pa.array([17.5]), [18.0, 17.5]),
        (pa.array([ID]), pa.array([2**63], pa.uint64()), [str(ID), str(2**63)]),
        (pa.array([ID]), pa.array(["NGC 1"]), [str(ID), "NGC 1"]),
    ],
)
def test_shards_with_columns_of_other_types(tmp_path, first, second, found):
    pq.write_table(pa.table({"one": first}), tmp_path / "0.parquet")
    pq.write_table(pa.table({"one": second}), tmp_path / "1.parquet")
    pq.write_table(pa.table({}), tmp_path / "2.parquet")
    (table,) = open_tables(tmp_path)
    assert [value for (value,) in rows_of(table)] == found


def test_ids_that_one_shard_has_as_floats_are_refused(tmp_path):
    """pandas 3.1.1 makes floats of integers where one is missing."""
    pq.write_table(pa.table({"objid": [ID]}), tmp_path / "0.parquet")
    pq.write_table(pa.table({"objid": [float(ID), None]}), tmp_path / "1.parquet")
    (table,) = open_tables(tmp_path)
    with pytest.raises(DataError, match="found floats such as 1237648721249206"):
        id_type(table, "objid")


def test_margins_and_statistics_of_hats_are_no_rows(tmp_path):
    """lsdb 0.11.1 writes a collection: the catalogue, a margin with rows of it once more, statistics beside both."""
    piece = pa.table({"objid": [1], "u": [17.5]})
    for place in ("x/dataset/Norder=0/Dir=0/Npix=1.parquet", "x/dataset/Norder=1/Dir=0/Npix=9.parquet",
                  "x_5arcs/dataset/Norder=0/Dir=0/Npix=2.parquet"):  # fmt: skip
        (tmp_path / place).parent.mkdir(parents=True)
        pq.write_table(piece, tmp_path / place)
    pq.write_table(pa.table({"pixel": [1, 9]}), tmp_path / "x" / "per_partition_statistics.parquet")
    (tmp_path / "collection.properties").write_text("#HATS Collection\nobs_collection=x\nhats_primary_table_url=x\n")
    for folder in (tmp_path, tmp_path / "x", tmp_path / "x" / "dataset"):
        assert rows_of(open_tables(folder)[0]) == [(1, 17.5)] * 2


def test_damaged_shard_is_named(tmp_path):
    pq.write_table(pa.table({"u": [17.5]}), tmp_path / "0.parquet")
    (tmp_path / "1.parquet").write_bytes(b"PAR1")
    with pytest.raises(DataError, match=r"1\.parquet: expected a Parquet file, found an unreadable one"):
        open_tables(tmp_path)


def test_wide_decimals_are_exact_ids_and_truth_values_are_none(tmp_path):
    """DuckDB 2.0.1 writes decimal(20,0), SQL's numeric, so."""
    ids = pa.array([Decimal(ID), None, Decimal(2**64 - 1)], pa.decimal128(20, 0))
    pq.write_table(pa.table({"objid": ids, "id": [True, False, None]}), tmp_path / "in.parquet")
    (table,) = open_tables(tmp_path / "in.parquet")
    assert ids_of(table) == [ID, None, 2**64 - 1]
    with pytest.raises(DataError, match="column id: expected ids as integers or text, found bool"):
        id_type(table, "id")


# === Ids, names, units ===


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        ((ID, "NULL", "\\N", "nan", "None", "<NA>", "--"), [ID, *[None] * 6]),
        (("1.0", "2.0", ""), [1, 2, None]),
        (("NGC 1", "None", 5), ["NGC 1", "None", "5"]),
        (("1.0", "2.5", ""), ["1.0", "2.5", None]),
    ],
)
def test_words_for_no_id_and_points_do_not_make_text_of_integers(tmp_path, cells, found):
    """polars, DuckDB and MySQL write such words; pandas writes 1.0 where an id is missing."""
    assert ids_of(opened(tmp_path, "in.csv", "objid,u\n" + "".join(f"{cell},17.5\n" for cell in cells))) == found


def test_float_ids_with_all_their_digits_are_refused_as_well(tmp_path):
    table = opened(tmp_path, "in.csv", "objid,u\n1237648721249206528.000,17.5\n")
    with pytest.raises(DataError, match="expected ids with all their digits"):
        id_type(table, "objid")


def test_row_that_is_commented_out_is_refused_by_name(tmp_path):
    table = opened(tmp_path, "in.csv", f"objid,u\n{ID},17.5\n#{ID + 1},17.5\n{ID + 2},17.5\n")
    with pytest.raises(DataError, match=f"column objid: expected an id in each row, found #{ID + 1}, a row that is a"):
        id_type(table, "objid")
    assert ids_of(opened(tmp_path, "text.csv", "objid,u\nx,17.5\n#12,17.5\n")) == ["x", "#12"]


def header(tmp_path, *names):
    return opened(tmp_path, "in.csv", ",".join(names) + "\n" + ",".join(["17.5"] * len(names)) + "\n")


def test_arrays_of_seven_bands_are_not_taken_for_u_g_r_i_z(tmp_path):
    """The NASA-Sloan Atlas has F N u g r i z: its u is element 2."""
    columns = [
        fits.Column("NSAID", "J", array=[5]),
        fits.Column("PETROMAG", "7E", array=[[20, 19, 18, 17, 16, 15, 14]]),
    ]
    fits.BinTableHDU.from_columns(columns).writeto(tmp_path / "in.fits")
    (table,) = open_tables(tmp_path / "in.fits")
    assert not choose_columns(table).columns
    told = {band: f"PETROMAG[{n}]" for n, band in enumerate("ugriz", 2)}
    assert choose_columns(table, told=told).columns["modelMag_u"].name == "PETROMAG[2]"


@pytest.mark.parametrize("what", ["err", "error", "sn", "flag", "abs", "kcorr", "ivar"])
def test_what_is_said_of_magnitudes_is_none(tmp_path, what):
    names = [f"mag_{band}_{what}" for band in "ugriz"]
    assert not choose_columns(header(tmp_path, *names)).columns
    assert choose_columns(header(tmp_path, *names, *(f"mag_{band}_lsst" for band in "ugriz"))).columns


def test_bands_of_johnson_and_cousins_are_not_taken_for_those_of_sdss(tmp_path):
    extras = Extras(gaps=("bands",))
    for names in (("U", "B", "V", "R", "I"), ("Umag", "Bmag", "Vmag", "Rmag", "Imag")):
        with pytest.raises(
            DataError, match=f"found {names[0]}, {names[3]}, {names[4]}, {names[1]}, {names[2]}, named as"
        ):
            choose_columns(header(tmp_path, *names), ["bands"], extras=extras)
    # Galactic coordinates beside magnitudes of which some are missing.
    assert len(choose_columns(header(tmp_path, "l", "b", "u", "g", "r"), ["bands"], extras=extras).columns) == 3
    assert len(choose_columns(header(tmp_path, *"ugriz", *"bv"), ["bands"], extras=extras).columns) == 5


def test_names_with_blanks_around_them_and_z_beside_zmag(tmp_path):
    table = Table({f" {band} ": [17.5] for band in "ugriz"})
    table.write(tmp_path / "in.parquet")
    assert choose_columns(open_tables(tmp_path / "in.parquet")[0]).columns["modelMag_u"].name == " u "
    with pytest.raises(DataError, match="expected one column for modelMag_z, found z, zmag; say --column z=NAME"):
        choose_columns(header(tmp_path, *"ugri", "zmag", "z"))
