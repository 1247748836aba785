"""What leaves the zoo is all there, exact, the same every time, and survives a kill."""

import csv
import hashlib
import io
import json
import sys
import tarfile

import numpy as np
import pyarrow.parquet as pq
import pytest
from astropy import units
from conftest import FIRST_ID, survey_rows, write_survey

from sdss_gs.__main__ import main
from sdss_gs.exchange import export, sky
from sdss_gs.formats import fits, spectra
from sdss_gs.schema import WAVELENGTH

LONG = "12345678901234567890"
"""More than an int64 or a float can hold."""


@pytest.fixture
def survey(tmp_path):
    """Make ten galaxies with positions and columns of all kinds; the second lacks its cut-out, the third its image."""
    folder = write_survey(tmp_path / "survey", survey_rows(10), ["img", "fits", "spectra"])
    (folder / "fits" / f"{FIRST_ID + 7}.npy").unlink()
    (folder / "img" / f"{FIRST_ID + 14}.jpg").unlink()
    add_columns(
        folder,
        ra=[f"{36.5 * number:.4f}" for number in range(10)],
        dec=[f"{-80 + 17.3 * number:.4f}" for number in range(10)],
        specobjid=[LONG, *["1"] * 9],
        plate=["0266", *["1"] * 9],
        tile=["", *["7"] * 9],
        modelMag_u=["-9999", *["17.5"] * 9],
    )
    return folder


def add_columns(folder, **columns):
    with open(folder / "data.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    for name, values in columns.items():
        for row, value in zip(rows, values, strict=True):
            row[name] = value
    with open(folder / "data.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def read_samples(folder):
    """Read shards as a WebDataset reader does: members with the same stem, one after the other, are one sample."""
    samples = {}
    for path in sorted(folder.glob("*.tar")):
        with tarfile.open(path) as tar:
            for member in tar:
                stem, _, ending = member.name.partition(".")
                assert stem == next(reversed(samples), stem) or stem not in samples
                samples.setdefault(stem, {})[ending] = tar.extractfile(member).read()
    return samples


def test_parquet_has_every_column_and_input_with_its_exact_value(survey, tmp_path, capsys):
    assert main(["export", str(survey), str(tmp_path / "out")]) == 0
    assert "10 objects, 9 with img, 9 with fits, 10 with spectra; 1 files" in capsys.readouterr().out
    table = pq.read_table(tmp_path / "out" / "part-00000.parquet")
    assert table["objid"].to_pylist() == [FIRST_ID + 7 * number for number in range(10)]
    assert table["specobjid"].to_pylist()[0] == LONG
    assert table["plate"].to_pylist()[0] == "0266"
    assert table["tile"].to_pylist() == [None, *[7] * 9]
    assert table["modelMag_u"].to_pylist()[:2] == [None, 17.5]
    assert table["img"][0].as_py() == (survey / "img" / f"{FIRST_ID}.jpg").read_bytes()
    assert [table[name][row].as_py() for name, row in (("fits", 1), ("img", 2))] == [None, None]
    cutout = np.array(table["fits"][3].as_py(), np.float32).reshape(61, 61, 5)
    np.testing.assert_array_equal(cutout, fits.read(survey / "fits" / f"{FIRST_ID + 21}.npy"))
    best_fit, flux = spectra.read(survey / "spectra" / f"{FIRST_ID}.csv", WAVELENGTH)
    np.testing.assert_array_equal(np.array(table["spectra_BestFit"][0].as_py(), np.float32), best_fit)
    np.testing.assert_array_equal(np.array(table["spectra_Flux"][0].as_py(), np.float32), flux)
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    np.testing.assert_allclose(manifest["wavelength"]["spectra"], WAVELENGTH)


def test_a_parquet_file_has_row_groups_of_bounded_size(survey, tmp_path, monkeypatch):
    monkeypatch.setattr("sdss_gs.exchange.writers.IN_MEMORY", 500_000)
    assert main(["export", str(survey), str(tmp_path / "out"), "--complete"]) == 0
    metadata = pq.read_metadata(tmp_path / "out" / "part-00000.parquet")
    assert [metadata.row_group(k).num_rows for k in range(metadata.num_row_groups)] == [2, 2, 2, 2]
    assert pq.read_table(tmp_path / "out" / "part-00000.parquet")["fits"].null_count == 0


def test_tar_shards_have_the_size_asked_for_and_what_the_manifest_says(survey, tmp_path):
    assert main(["export", str(survey), str(tmp_path / "out"), "--format", "webdataset", "--shard-mb", "1"]) == 0
    sizes = {path.name: path.stat().st_size for path in sorted((tmp_path / "out").glob("*.tar"))}
    assert list(sizes) == ["shard-000000.tar", "shard-000001.tar"]
    assert 900_000 < sizes["shard-000000.tar"] <= 1e6
    samples = read_samples(tmp_path / "out")
    assert list(samples) == [str(FIRST_ID + 7 * number) for number in range(10)]
    assert [*samples[str(FIRST_ID)]] == ["jpg", "fits.npy", "spectra.npy", "json"]
    assert [*samples[str(FIRST_ID + 7)]] == ["jpg", "spectra.npy", "json"]
    sample = samples[str(FIRST_ID)]
    cutout = np.load(io.BytesIO(sample["fits.npy"]))
    np.testing.assert_array_equal(cutout, fits.read(survey / "fits" / f"{FIRST_ID}.npy"))
    assert np.load(io.BytesIO(sample["spectra.npy"])).shape == (2, len(WAVELENGTH))
    assert json.loads(sample["json"])["objid"] == str(FIRST_ID)


def fingerprint(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


@pytest.mark.parametrize(("form", "ending"), [("webdataset", "tar"), ("parquet", "parquet")])
def test_a_killed_export_goes_on_and_ends_with_the_same_bytes(survey, tmp_path, monkeypatch, form, ending):
    for row in range(10):
        # Real images and cut-outs fill a shard sooner.
        np.save(survey / "fits" / f"{FIRST_ID + 7 * row}.npy", np.random.default_rng(row).random((61, 61, 5), "f4"))
    command = [str(survey), "--format", form, "--shard-mb", "1"]
    monkeypatch.setattr(export, "TAR_END", 600_000)
    assert main(["export", command[0], str(tmp_path / "whole"), *command[1:]]) == 0
    whole = fingerprint(tmp_path / "whole")
    writer, calls = {"webdataset": "write_tar", "parquet": "write_parquet"}[form], []
    original = getattr(export, writer)

    def killed(source, members, path, bar):
        calls.append(path)
        original(source, members, path, bar)
        if len(calls) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(export, writer, killed)
    assert main(["export", command[0], str(tmp_path / "out"), *command[1:]]) == 130
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob(f"*.{ending}")}
    assert len(before) == 2
    assert not json.loads((tmp_path / "out" / "manifest.json").read_text())["complete"]
    assert main(["export", command[0], str(tmp_path / "out"), *command[1:]]) == 0
    # The third file was not finished, and was written again.
    assert len(calls) == 1 + len(list((tmp_path / "whole").glob(f"*.{ending}")))
    assert before == {path: path.stat().st_mtime_ns for path in before}
    assert fingerprint(tmp_path / "out") == whole
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert {entry["path"]: entry["sha256"] for entry in manifest["files"]}.items() <= whole.items()
    assert sum(entry["objects"] for entry in manifest["files"]) == 10
    next(iter(before)).unlink()
    assert main(["export", command[0], str(tmp_path / "out"), *command[1:]]) == 0
    assert fingerprint(tmp_path / "out") == whole


def test_a_changed_set_other_options_and_foreign_folders_are_refused(survey, tmp_path, capsys):
    out = tmp_path / "out"
    command = ["export", str(survey), str(out), "--inputs", "img"]
    assert main(command) == 0
    before = fingerprint(out)
    assert main([*command, "--format", "webdataset"]) == 1
    add_columns(survey, tile=["8"] * 10)
    assert main(command) == 1
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "notes.txt").touch()
    assert main(["export", str(survey), str(tmp_path / "foreign"), "--inputs", "img"]) == 1
    assert main(["export", str(survey), str(survey), "--inputs", "img"]) == 1
    errors = capsys.readouterr().err.splitlines()
    for text, error in zip(("changed since", "changed since", "new or empty", str(survey)), errors, strict=True):
        assert text in error
    assert fingerprint(out) == before


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--inputs", "ssel,nothing"], "--inputs nothing: expected some of img, fits"),
        (["--shard-mb", "0"], "--shard-mb 0"),
    ],
)
def test_wrong_options_are_one_line(survey, tmp_path, capsys, options, expected):
    assert main(["export", str(survey), str(tmp_path / "out"), *options]) == 1
    assert expected in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_hats_catalogue_has_each_object_in_the_pixel_where_it_is(survey, tmp_path):
    import astropy_healpix as healpix

    out = tmp_path / "out"
    assert main(["export", str(survey), str(out), "--format", "hats", "--inputs", "img"]) == 0
    with open(out / "partition_info.csv", newline="") as file:
        parts = [(int(row["Norder"]), int(row["Npix"])) for row in csv.DictReader(file)]
    found = []
    for order, pixel in parts:
        table = pq.ParquetFile(out / "dataset" / f"Norder={order}" / "Dir=0" / f"Npix={pixel}.parquet").read()
        ra, dec = (table[name].to_numpy() * units.deg for name in ("ra", "dec"))
        places = healpix.lonlat_to_healpix(ra, dec, 2**order, order="nested")
        assert set(places.tolist()) == {pixel}
        index = table[sky.HEALPIX].to_numpy()
        assert (np.diff(index) > 0).all()
        assert set((index >> 2 * (sky.ORDER - order)).tolist()) == {pixel}
        found += table["objid"].to_pylist()
    assert sorted(found) == [FIRST_ID + 7 * number for number in range(10)]
    assert pq.read_metadata(out / "dataset" / "_metadata").num_rows == 10
    properties = dict(line.split("=", 1) for line in (out / "hats.properties").read_text().splitlines()[1:])
    assert (properties["hats_nrows"], properties["hats_col_ra"]) == ("10", "ra")
    assert "img" not in properties["hats_cols_default"].split()


def test_pixels_are_divided_until_they_fit_and_every_object_stays():
    healpix = np.sort(np.random.default_rng(0).integers(0, 12 * 4**sky.ORDER, 500))[::-1]
    parts = sky.partition(healpix, np.full(500, 10), 100)
    assert max(len(rows) for _, rows in parts) <= 10
    assert len({path for path, _ in parts}) == len(parts)
    assert sorted(np.concatenate([rows for _, rows in parts]).tolist()) == list(range(500))
    # Two objects at one place cannot be divided.
    assert [len(rows) for _, rows in sky.partition(np.array([7, 7]), np.array([90, 90]), 100)] == [2]


@pytest.mark.parametrize("out", ["survey", "survey/img", "survey/img/new"])
def test_a_data_set_is_not_exported_into_itself(survey, tmp_path, capsys, out):
    before = {path: path.stat().st_mtime_ns for path in survey.rglob("*")}
    assert main(["export", str(survey), str(tmp_path / out)]) == 1
    assert "it is the input" in capsys.readouterr().err
    assert {path: path.stat().st_mtime_ns for path in survey.rglob("*")} == before


def test_hats_without_positions_or_its_package_is_one_line(survey, tmp_path, capsys, monkeypatch):
    command = ["export", str(survey), str(tmp_path / "out"), "--format", "hats", "--inputs", "img"]
    monkeypatch.setitem(sys.modules, "astropy_healpix", None)
    assert main(command) == 1
    add_columns(survey, dec=["", *["1"] * 9])
    assert main(command) == 1
    text = (survey / "data.csv").read_text()
    (survey / "data.csv").write_text(text.replace("ra,dec", "x,y", 1))
    assert main(command) == 1
    errors = capsys.readouterr().err.splitlines()
    assert [len(errors), ".[export]" in errors[0], f"objid {FIRST_ID}" in errors[1]] == [3, True, True]
    assert "expects columns ra and dec" in errors[2]
