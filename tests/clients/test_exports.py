"""What other libraries read in an exported data set: every id to the last digit, missing as missing."""

import csv

import pytest
from conftest import FIRST_ID, survey_rows, write_survey
from helpers import needed

from sdss_gs.exchange.export import export_set

COLUMNS = ("objid", "specObjID", "plateid", "note")


@pytest.fixture(scope="module")
def galaxies():
    """Eight galaxies with ids of two kinds, a whole number and a text; each of the latter two is missing once."""
    rows = survey_rows(8)
    for number, row in enumerate(rows):
        row |= {"ra": f"{10 + 40 * number}", "dec": "-1.5", "specObjID": str(2**63 + 2 * number + 1)}
        row |= {"plateid": str(2**53 + 1 + number), "note": 'a, "b"'}
    rows[2]["plateid"] = rows[3]["note"] = ""
    return rows


@pytest.fixture(scope="module")
def exported(galaxies, tmp_path_factory):
    """The same data set as a HATS catalogue and as Parquet files."""
    folder = tmp_path_factory.mktemp("exported")
    survey = write_survey(folder / "survey", galaxies, ("img",))
    with open(survey / "data.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, list(galaxies[0]))
        writer.writeheader()
        writer.writerows(galaxies)
    for form in ("hats", "parquet"):
        export_set(survey, folder / form, form)
    return {"hats": folder / "hats" / "dataset", "parquet": folder / "parquet"}


@pytest.fixture(scope="module")
def expected(galaxies):
    return [
        (FIRST_ID + 7 * n, row["specObjID"], int(row["plateid"]) if row["plateid"] else None, row["note"] or None)
        for n, row in enumerate(galaxies)
    ]


@pytest.mark.parametrize("form", ["hats", "parquet"])
def test_duckdb_reads_every_digit(exported, expected, form):
    """DuckDB 2.0.1, read_parquet of a tree: https://duckdb.org/docs/stable/data/parquet/overview."""
    duckdb = needed.package("duckdb")
    # Not what describes a HATS catalogue, whose names begin with an underscore.
    found = duckdb.sql(f"select {', '.join(COLUMNS)} from read_parquet('{exported[form]}/**/[!_]*.parquet') order by 1")
    assert found.fetchall() == expected


@pytest.mark.parametrize("form", ["hats", "parquet"])
def test_polars_reads_every_digit(exported, expected, form):
    """polars 2.1.0, scan_parquet of a tree: https://docs.pola.rs/api/python/stable/reference/api/polars.scan_parquet.html."""
    polars = needed.package("polars")
    table = polars.scan_parquet(f"{exported[form]}/**/*.parquet").select(COLUMNS).sort("objid").collect()
    assert table.rows() == expected


# What lsdb and nested-pandas themselves use that pandas has deprecated.
@pytest.mark.filterwarnings("ignore")
def test_lsdb_opens_the_catalogue_and_hats_finds_it_valid(exported, expected):
    """lsdb 0.11.1, open_catalog, and hats 0.11.1, is_valid_catalog: https://docs.lsdb.io, https://hats.readthedocs.io."""
    lsdb = needed.package("lsdb")
    from hats.io.validation import is_valid_catalog

    folder = exported["hats"].parent
    assert is_valid_catalog(folder, strict=True, verbose=False)
    table = lsdb.open_catalog(folder, columns=list(COLUMNS)).compute(progress_bar=False).sort_values("objid")
    columns = [table[name].array.to_numpy(object, na_value=None).tolist() for name in COLUMNS]
    assert list(zip(*columns, strict=True)) == expected
    near = lsdb.open_catalog(folder).cone_search(ra=50, dec=-1.5, radius_arcsec=10).compute(progress_bar=False)
    assert near["objid"].tolist() == [FIRST_ID + 7]
