"""What other programs and libraries read in our files: every id to the last digit, missing as missing."""

import csv
import subprocess

import pytest
from helpers import needed
from helpers.answered import IDS, expected, predictions

ENDINGS = (".parquet", ".csv", ".fits", ".vot")
FORMATS = {".fits": "fits", ".vot": "votable", ".csv": "csv"}

# Not ids above 2^63 in CSV, which STILTS takes for doubles (docs/reference/formats.md).
CASES = [(kind, ending) for kind in IDS for ending in FORMATS if (kind, ending) != ("uint64", ".csv")]


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Predictions by kind of id and ending."""
    folder = tmp_path_factory.mktemp("predictions")
    return {(kind, ending): predictions(folder / f"{kind}{ending}", kind) for kind in IDS for ending in ENDINGS}


# === Programs ===


def ask(program, *arguments):
    """Run a program of Debian's; what it prints."""
    done = subprocess.run([needed.program(program), *map(str, arguments)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


def rows_of(text):
    """Read back what `expected` lists from CSV in which everything missing is an empty cell."""
    for row in csv.DictReader(text.splitlines()):
        missing = {not row["b2r_redshift"], not row["b2sm_smass"], not row["b2s_subclass"]}
        assert len(missing) == 1
        yield row["objid"] or None, not missing.pop(), int(row["b2r_flag"]), row["b2r_problem"] or None


@pytest.mark.parametrize(("kind", "ending"), CASES)
def test_stilts_copies_every_digit(files, kind, ending):
    """STILTS 3.4.7 (Debian 3.4.7-4), task tcopy: https://www.star.bristol.ac.uk/mbt/stilts/sun256/tcopy.html."""
    text = ask("stilts", "tcopy", f"in={files[kind, ending]}", f"ifmt={FORMATS[ending]}", "ofmt=csv")
    wanted = [(None if one is None else str(one), *rest) for one, *rest in expected(kind)]
    assert list(rows_of(text)) == wanted


@pytest.mark.parametrize("kind", IDS)
def test_votlint_has_nothing_to_say(files, kind):
    """STILTS 3.4.7, task votlint: it prints nothing of a VOTable without fault in schema, lengths, nulls and texts."""
    assert ask("stilts", "votlint", f"votable={files[kind, '.vot']}") == ""


@pytest.mark.parametrize("kind", IDS)
def test_fitsverify_finds_neither_error_nor_warning(files, kind):
    """fitsverify 4.20 of NASA's HEASARC (Debian 4.20-4), with CFITSIO."""
    assert "0 warning(s) and 0 error(s)" in ask("fitsverify", files[kind, ".fits"])


def test_votlint_and_fitsverify_accept_ids_in_any_script(tmp_path):
    """Texts outside ASCII are unicodeChar in VOTable, and in FITS escaped: each id stays another one."""
    ids = ["Mérida 1", "М 31", "line\nbreak", "bell\a", "plain", None]
    vot, fits = (predictions(tmp_path / name, "text", ids) for name in ("out.vot", "out.fits"))
    assert ask("stilts", "votlint", f"votable={vot}") == ""
    assert "0 warning(s) and 0 error(s)" in ask("fitsverify", fits)
    text = ask("stilts", "tcopy", f"in={fits}", "ifmt=fits", "ofmt=csv")
    wanted = [r"M\xe9rida 1", r"\u041c 31", r"line\nbreak", r"bell\x07", "plain", None]
    assert [one for one, *_ in rows_of(text)] == wanted


@pytest.mark.parametrize("kind", ["int64", "text"])
def test_gnuastro_reads_every_id_and_knows_what_is_blank(files, kind):
    """Gnuastro 0.19 (Debian 0.19-1), asttable: integers by TNULL, texts by their emptiness, numbers by NaN."""
    columns = ("-cobjid", "-cb2s_subclass", "-cb2r_flag")
    known = [one for one in IDS[kind] if one is not None]
    # The text comes last: it is the only one that may hold blanks.
    lines = ask("asttable", files[kind, ".fits"], "-h1", "-cb2r_flag", "-cobjid", "--noblank=objid").splitlines()
    assert [line.split(maxsplit=1)[1].strip() for line in lines] == [str(one) for one in known]
    lines = ask("asttable", files[kind, ".fits"], "-h1", *columns, "--noblank=b2r_redshift").splitlines()
    assert len(lines) == sum(good for _, good, *_ in expected(kind))


def test_gnuastro_reads_unsigned_ids_that_fit_into_signed_ones(tmp_path):
    """Gnuastro 0.19 opens no FITS table with TZERO = 2^63: it is written only where an id is above that."""
    ids = [2**53 + 1, 2**53 + 2, 2**63 - 1, None, 0, 7]
    path = predictions(tmp_path / "out.fits", "uint64", ids)
    lines = ask("asttable", path, "-h1", "-cobjid", "--noblank=objid").split()
    assert lines == [str(one) for one in ids if one is not None]


# === Libraries ===

NAMES = ("objid", "b2r_redshift", "b2sm_smass", "b2s_subclass", "b2r_flag", "b2r_problem")


def cells_of(columns):
    """Read back what `expected` lists from columns as lists, None being missing."""
    for one, redshift, mass, subclass, flag, problem in zip(*columns, strict=True):
        missing = {redshift is None, mass is None, subclass in (None, "")}
        assert len(missing) == 1
        yield one if one != "" else None, not missing.pop(), flag, problem or None


def polars_rows(path, kind):
    """polars 2.1.0, read_parquet and read_csv (ids above 2^63 by `schema_overrides`)."""
    polars = needed.package("polars")
    overrides = {"objid": {"text": polars.String, "uint64": polars.UInt64}.get(kind, polars.Int64)}
    csv = path.suffix == ".csv"
    table = polars.read_csv(path, schema_overrides=overrides) if csv else polars.read_parquet(path)
    return [table[name].to_list() for name in NAMES]


def duckdb_rows(path, kind):
    """DuckDB 2.0.1, read_parquet and read_csv (types of ids are said: HUGEINT is what it takes above 2^63)."""
    duckdb = needed.package("duckdb")
    types = {"objid": {"text": "VARCHAR", "uint64": "UBIGINT"}.get(kind, "BIGINT")}
    source = f"read_csv('{path}', types={types})" if path.suffix == ".csv" else f"read_parquet('{path}')"
    rows = duckdb.sql(f"select {', '.join(NAMES)} from {source}").fetchall()
    return list(zip(*rows, strict=True))


def pandas_rows(path, kind):
    """pandas 3.1.1, with nullable types (by default an integer column with a null becomes float64)."""
    import pandas

    types = {"objid": {"text": "str", "uint64": "UInt64"}.get(kind, "Int64")}
    if path.suffix == ".csv":
        table = pandas.read_csv(path, dtype=types)
    else:
        table = pandas.read_parquet(path, dtype_backend="numpy_nullable")
    return [[None if pandas.isna(cell) else cell for cell in table[name]] for name in NAMES]


def astropy_rows(path, kind):
    """astropy 8.0.2, Table.read of FITS (masked by TNULL, NaN, empty text) and of VOTable."""
    from astropy.table import Table

    table = Table.read(path, format="votable") if path.suffix == ".vot" else Table.read(path, character_as_bytes=False)
    columns = [table[name].tolist() for name in NAMES]
    if kind == "uint64" and path.suffix == ".vot":
        columns[0] = [int(one) if one else None for one in columns[0]]
    return columns


READERS = [
    (read, ending)
    for read, endings in (
        (polars_rows, (".parquet", ".csv")),
        (duckdb_rows, (".parquet", ".csv")),
        (pandas_rows, (".parquet", ".csv")),
        (astropy_rows, (".fits", ".vot")),
    )
    for ending in endings
]
# Not unsigned ids with a null in FITS: astropy compares TNULL with the number after TZERO is added, see
# findings/astropy_fits_tnull_of_unsigned_columns.sh.
READ = [(*reader, kind) for reader in READERS for kind in IDS if (*reader, kind) != (astropy_rows, ".fits", "uint64")]


@pytest.mark.parametrize(("read", "ending", "kind"), READ, ids=lambda value: getattr(value, "__name__", value))
def test_every_digit_comes_back_and_missing_is_missing(files, read, ending, kind):
    assert list(cells_of(read(files[kind, ending], kind))) == expected(kind)


def test_unsigned_ids_without_a_null_come_back_from_fits(tmp_path):
    """astropy 8.0.2 reads TZERO = 2^63 as uint64."""
    ids = [0, 2**53 + 1, 2**63, 2**63 + 1, 2**64 - 2, 2**64 - 1]
    path = predictions(tmp_path / "out.fits", "uint64", ids)
    assert list(cells_of(astropy_rows(path, "uint64"))) == expected("uint64", ids)


def test_missing_numbers_are_null_and_no_nan(files):
    """polars 2.1.0: NaN > 0.5 is true, so that a NaN would be taken for a large redshift; null > 0.5 is null."""
    polars = needed.package("polars")
    assert polars.DataFrame({"z": [float("nan")]}).filter(polars.col("z") > 0.5).height == 1
    table = polars.read_parquet(files["int64", ".parquet"])
    assert table.filter(polars.col("b2r_redshift") > 0.5).height == 0
    assert table["b2r_redshift"].null_count() == sum(not good for _, good, *_ in expected("int64"))


def test_units_and_words_are_in_every_format_that_has_a_place_for_them(files):
    """FITS: TUNIT, TCOMM, TUCD; VOTable: unit, DESCRIPTION, ucd (UCD1+ of astropy 8.0.2); Parquet: metadata."""
    import pyarrow.parquet as pq
    from astropy.io import fits
    from astropy.io.votable import parse_single_table
    from astropy.io.votable.ucd import check_ucd

    schema = pq.read_schema(files["int64", ".parquet"])
    header = fits.getheader(files["int64", ".fits"], 1)
    numbers = {header[f"TTYPE{n}"]: n for n in range(1, header["TFIELDS"] + 1)}
    for entry in parse_single_table(files["int64", ".vot"]).fields:
        n, stored = numbers[entry.name], schema.field(entry.name).metadata
        said = str(entry.unit or ""), str(entry.ucd or ""), (entry.description or "").strip()
        assert said == tuple(stored[key].decode() for key in (b"unit", b"ucd", b"description"))
        assert said == tuple(header.get(f"{key}{n}", "") for key in ("TUNIT", "TUCD", "TCOMM"))
        assert said[2]
        assert not said[1] or check_ucd(said[1], check_controlled_vocabulary=True)
    assert schema.field("b2sm_smass").metadata[b"unit"] == b"solMass"
    assert schema.field("b2r_redshift").metadata[b"ucd"] == b"src.redshift"


def test_flag_has_one_width(files):
    import pyarrow.parquet as pq
    from astropy.table import Table

    assert pq.read_schema(files["int64", ".parquet"]).field("b2r_flag").type == "int32"
    assert Table.read(files["int64", ".fits"])["b2r_flag"].dtype == ">i4"
    assert Table.read(files["int64", ".vot"], format="votable")["b2r_flag"].dtype == "int32"
