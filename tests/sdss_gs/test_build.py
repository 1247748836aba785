"""Building a data set from servers that are played on 127.0.0.1."""

import csv
import errno
import io
import re
import sqlite3
from pathlib import Path
from urllib.parse import parse_qs

import numpy as np
import pandas
import pytest
from astropy.table import Table
from helpers import heavens
from helpers.misbehaving import MisbehavingServer, Trouble
from PIL import Image
from scipy import ndimage

from sdss_gs.__main__ import main
from sdss_gs.build import frames, picture, query, run, tables, zoo
from sdss_gs.build.identity import Field, field_of
from sdss_gs.dataset import open_dataset
from sdss_gs.errors import BadFileError, DataError
from sdss_gs.formats.spectra import read_table
from sdss_gs.schema import BANDS, INPUTS
from sdss_gs.tables.catalogue import read_catalogue

IDS = sorted(heavens.rows())
FIRST = IDS[0]


@pytest.fixture(scope="module")
def sky():
    """Everything the servers hold; made once, because frames take a moment."""
    with MisbehavingServer() as server:
        heavens.fill(server)
        return dict(server.files), {path: kind for path, kind in server.kinds.items()}


@pytest.fixture
def server(sky):
    with MisbehavingServer() as running:
        running.files.update(sky[0])
        running.kinds.update(sky[1])
        yield running


@pytest.fixture
def build(server, tmp_path, capsys):
    """Run the command against the server; return exit code, output and errors."""

    def command(*arguments, folder="ds", attempts=1):
        places = ["--skyserver", server.url, "--sas", f"{server.url}/sas", "--ps1", f"{server.url}/ps1"]
        haste = [
            "--rate",
            "10000",
            "--query-rate",
            "10000",
            "--pause",
            "0.01",
            "--timeout",
            "0.4",
            "--attempts",
            str(attempts),
        ]
        capsys.readouterr()
        code = main(["build", str(tmp_path / folder), *places, *map(str, (*haste, *arguments))])
        return code, *capsys.readouterr()

    return command


@pytest.fixture
def ids_file(tmp_path):
    path = tmp_path / "ids.txt"
    path.write_text("objid\n" + "\n".join(map(str, IDS)) + "\n")
    return path


def write_table(path, numbers=IDS, drop=()):
    known = heavens.rows()
    with open(path, "w", newline="") as file:
        columns = [column for column in known[FIRST] if column not in drop]
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        writer.writerows(known[number] for number in numbers)
    return path


def rejects(folder):
    with open(folder / "rejects.csv", newline="") as file:
        return {(row["object"], row["input"]): (row["status"], row["reason"]) for row in csv.DictReader(file)}


def files(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def path_of(server, ending):
    (path,) = [path for path in server.files if path.endswith(ending)]
    return path


# === The whole way ===


def test_ids_become_a_data_set_that_the_zoo_reads(build, ids_file, tmp_path, server, capsys):
    code, output, _ = build("--ids", ids_file)
    folder = tmp_path / "ds"
    assert code == 0
    assert "fits               4 files          4 refused        0 failed" in output
    catalogue = read_catalogue(folder)
    assert catalogue.objid.tolist() == IDS
    assert not catalogue.problems
    assert catalogue.numbers["modelMag_u"].tolist() == [17.0] * 8
    assert catalogue.numbers["stellarmass"][0] == 2.5e10
    assert np.isnan(catalogue.numbers["w4mag"]).sum() == 2
    with open(folder / "data.csv", newline="") as file:
        classes = {int(row["objid"]): (row["gz2c_f"], row["gz2c_s"]) for row in csv.DictReader(file)}
    for number, found in classes.items():
        assert found == (("", "") if number % 4 == 0 else ("SBc2m", "SBcR") if number % 2 else ("Ei", "Ei"))
    assert main(["pack", str(folder)]) == 0
    assert (
        "img: 8 packed, 0 refused\nfits: 4 packed, 0 refused\nspectra: 8 packed, 0 refused" in capsys.readouterr().out
    )
    opened = open_dataset(folder, ["ssel"])
    assert opened.load("ssel", opened.usable(["ssel"], "redshift")).shape == (8, 1423)
    assert not list(folder.rglob("*.bz2")), "frames are removed when their objects are done"


def test_second_run_asks_for_nothing(build, ids_file, server, tmp_path):
    build("--ids", ids_file)
    before, there = len(server.requests), files(tmp_path / "ds")
    code, _output, _ = build("--ids", ids_file)
    assert code == 0
    assert len(server.requests) == before
    assert files(tmp_path / "ds") == there
    assert build()[0] == 0, "a folder that has been begun needs no selection"


def test_frames_are_fetched_once_for_all_objects_of_a_field(build, server, tmp_path):
    build("--table", write_table(tmp_path / "t.csv"), "--inputs", "fits")
    for field in heavens.FIELDS:
        for band in BANDS:
            assert len(server.asked(path_of(server, Field(*field).frame(band)))) == 1
    assert len(server.requests) == 10


def test_more_objects_join_a_data_set(build, server, tmp_path):
    build("--table", write_table(tmp_path / "a.csv", IDS[:1]), "--inputs", "img")
    code, _output, _ = build("--table", write_table(tmp_path / "b.csv", IDS[4:6]), "--inputs", "img")
    assert code == 0
    assert read_catalogue(tmp_path / "ds").objid.tolist() == [IDS[0], *IDS[4:6]]
    assert len(list((tmp_path / "ds" / "img").iterdir())) == 3


def test_top_and_own_queries(build, server, tmp_path):
    code, _, _ = build("--top", "8", "--inputs", "img", folder="top")
    assert code == 0
    assert "SELECT+TOP+8+" in server.requests[0].query
    sql = tmp_path / "own.sql"
    sql.write_text("SELECT objid, ra, dec\nFROM SpecPhoto -- mine\nWHERE z < 0.1 & 1")
    assert build("--sql", sql, "--inputs", "img", folder="sql")[0] == 0
    assert build("--query", "SELECT 'ä&b'", "--inputs", "img", folder="query")[0] == 0
    asked = [parse_qs(r.query)["cmd"][0] for r in server.requests if "cmd=" in r.query and "zoo2" not in r.query]
    assert asked[1:] == [sql.read_text(), "SELECT 'ä&b'"]


def test_answer_that_may_have_been_cut_is_told(build, monkeypatch):
    monkeypatch.setattr(query, "ROW_LIMIT", 8)
    _, _, errors = build("--top", "9", "--inputs", "img")
    assert "the answer has 8 rows, as many as SkyServer gives" in errors


def test_query_is_shown_to_be_changed(build):
    code, output, _ = build("--show-query", "--top", "10")
    assert code == 0
    assert output.startswith("SELECT TOP 10 s.objID AS objid")


# === Cut-outs ===


def test_all_bands_have_the_object_in_the_middle_and_its_flux(build, server, tmp_path):
    build("--table", write_table(tmp_path / "t.csv"), "--inputs", "fits")
    for number in (IDS[0], IDS[1], IDS[4], IDS[5]):
        cutout = np.load(tmp_path / "ds" / "fits" / f"{number}.npy")
        assert cutout.shape == (61, 61, 5)
        assert cutout.dtype == np.dtype("<f4")
        y, x = np.mgrid[:61, :61]
        inside = np.hypot(y - 30, x - 30) <= 10
        centres = []
        for band, pixels in zip(BANDS, np.moveaxis(cutout, 2, 0), strict=True):
            assert pixels[inside].sum() == pytest.approx(heavens.FLUX[band], rel=0.02)
            centres.append(ndimage.center_of_mass(np.where(inside, pixels, 0)))
        assert np.abs(np.array(centres) - 30).max() < 0.7, "the middle pixel holds the object"
        assert np.abs(np.array(centres) - centres[2]).max() < 0.06, "and the bands lie on one another"


def test_r_keeps_the_pixels_of_the_frame(server, tmp_path):
    path = tmp_path / "frame.fits.bz2"
    path.write_bytes(server.files[path_of(server, Field(1992, 1, 87).frame("r"))])
    frame = frames.read_frame(path)
    row = heavens.rows()[FIRST]
    cutout = frames.cut(dict.fromkeys(BANDS, frame), float(row["ra"]), float(row["dec"]))
    np.testing.assert_array_equal(cutout[..., 2], frame.pixels[65:126, 80:141])
    np.testing.assert_allclose(cutout[..., 0], cutout[..., 2], atol=1e-4)


def test_objects_at_an_edge_are_refused_with_the_band(build, server, tmp_path):
    build("--table", write_table(tmp_path / "t.csv"), "--inputs", "fits")
    found = rejects(tmp_path / "ds")
    assert len(found) == 4
    status, reason = found[str(IDS[2]), "fits"]
    assert status == "refused"
    assert reason == "61x61 pixels around (12, 95) reach over the edge of the 230x200 frame in r"
    assert found[str(IDS[3]), "fits"][1].endswith("frame in g")


def test_truncated_frame_is_named_and_fetched_again(build, server, tmp_path):
    path = path_of(server, Field(1992, 1, 87).frame("i"))
    whole, server.files[path] = server.files[path], server.files[path][:-2000]
    table = write_table(tmp_path / "t.csv", IDS[:2])
    code, _, errors = build("--table", table, "--inputs", "fits")
    assert code == 1
    assert "nothing was built" in errors
    status, reason = rejects(tmp_path / "ds")[str(FIRST), "fits"]
    assert status == "failed"
    assert reason.startswith("frame-i-001992-1-0087.fits.bz2: expected a frame")
    server.files[path] = whole
    assert build()[0] == 0
    assert len(server.asked(path_of(server, Field(1992, 1, 87).frame("u")))) == 1, "the other bands waited"
    assert len(list((tmp_path / "ds" / "fits").iterdir())) == 2
    assert not rejects(tmp_path / "ds")


def test_frame_in_another_unit_is_refused(server, tmp_path):
    path = tmp_path / "frame.fits.bz2"
    content = heavens.bz2.decompress(heavens.frame((10, 10), "r")).replace(b"'nanomaggy'", b"'counts   '")
    path.write_bytes(heavens.bz2.compress(content))
    with pytest.raises(BadFileError, match=r"found an array .* in counts"):
        frames.read_frame(path)


def test_field_is_read_from_the_identifier(build, server, tmp_path):
    table = write_table(tmp_path / "t.csv", IDS[:1], drop=("run", "camcol", "field", "rerun"))
    assert build("--table", table, "--inputs", "fits")[0] == 0
    with pytest.raises(DataError, match="587722984435351614: expected an identifier of DR8 or later"):
        field_of(587722984435351614)


# === Spectra ===


def test_spectrum_is_a_table_on_the_survey_s_grid(build, server, tmp_path, wavelengths):
    build("--table", write_table(tmp_path / "t.csv", IDS[:1]), "--inputs", "spectra")
    path = tmp_path / "ds" / "spectra" / f"{FIRST}.csv"
    assert path.read_bytes().startswith(b"Wavelength,Flux,BestFit,SkyFlux\r\n")
    found, fluxes = read_table(path)
    np.testing.assert_allclose(found, wavelengths, atol=6e-4)
    expected = 10 * (1 + 0.2 * np.sin(np.log10(wavelengths) * 300))
    np.testing.assert_allclose(fluxes, [expected, expected + 0.5], atol=0.01)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (heavens.spectrum(last=38660), "expected 3522 points, found 2640; it reaches from 3802 to 7345 Å"),
        (heavens.spectrum(source="SKY"), "expected a galaxy, found a spectrum of the sky (SOURCETYPE SKY)"),
        (heavens.spectrum(kind="STAR"), "expected a galaxy, found a star (CLASS STAR)"),
        (heavens.spectrum(level=0.0), "expected a spectrum, found a BestFit that is 0 throughout"),
    ],
)
def test_spectrum_that_is_none_of_a_galaxy_is_refused_for_good(build, server, tmp_path, content, reason):
    path = path_of(server, "spec-1678-53433-0001.fits")
    server.files[path] = content
    code, _, _ = build("--table", write_table(tmp_path / "t.csv", IDS[:2]), "--inputs", "spectra")
    assert code == 0
    assert rejects(tmp_path / "ds") == {(str(FIRST), "spectra"): ("refused", f"spec-1678-53433-0001.fits: {reason}")}
    build()
    assert len(server.asked(path)) == 1


def test_damaged_spectrum_is_fetched_again(build, server, tmp_path):
    path = path_of(server, "spec-1678-53433-0001.fits")
    whole, server.files[path] = server.files[path], server.files[path][:9000]
    build("--table", write_table(tmp_path / "t.csv", IDS[:1]), "--inputs", "spectra")
    status, reason = rejects(tmp_path / "ds")[str(FIRST), "spectra"]
    assert status == "failed"
    assert reason.startswith("spec-1678-53433-0001.fits: expected a spec FITS file")
    server.files[path] = whole
    assert build()[0] == 0


def test_spectrum_is_looked_for_in_every_pipeline_s_folder(build, server, tmp_path):
    path = path_of(server, "spec-1678-53433-0001.fits")
    server.files[path.replace("/26/", "/104/")] = server.files.pop(path)
    table = write_table(tmp_path / "t.csv", IDS[:1], drop=("specobjid",))
    assert build("--table", table, "--inputs", "spectra")[0] == 0
    table = write_table(tmp_path / "u.csv", IDS[1:2], drop=("specobjid", "plate"))
    assert build("--table", table, "--inputs", "spectra")[0] == 0
    assert rejects(tmp_path / "ds")[str(IDS[1]), "spectra"][1].startswith("the catalogue has no plate, mjd and fiberid")


# === Pictures ===


@pytest.mark.parametrize(
    ("content", "status", "reason"),
    [
        (heavens.picture(black_from=0), "refused", "expected an image that shows something, found one colour"),
        (heavens.picture(black_from=75), "refused", "expected a picture of the sky, found 4.% of it black"),
        (b"<!DOCTYPE html><title>Error</title><p>SQL error &amp; more", "failed", "the server sent a page: Error SQL"),
        (b'{"Error Message": "no"}', "failed", "expected a picture, the server sent a page"),
        (heavens.picture()[:-300], "failed", "expected a complete JPEG, found a damaged one"),
        (heavens.picture(size=140), "failed", "expected 150x150 pixels"),
    ],
)
def test_picture_that_shows_no_sky_is_no_picture(build, server, tmp_path, content, status, reason):
    path = path_of(server, "getjpeg")
    server.files[path] = lambda query: content
    code, _, _ = build("--table", write_table(tmp_path / "t.csv", IDS[:1]), "--inputs", "img")
    assert code == 1
    found = rejects(tmp_path / "ds")[str(FIRST), "img"]
    assert found[0] == status
    assert re.search(f"^{FIRST}.jpg: .*{reason}", found[1])
    assert not list((tmp_path / "ds" / "img").iterdir())


def test_message_in_white_on_black_is_recognised(tmp_path):
    # As SkyServer draws it for a position outside the survey.
    image = Image.new("RGB", (150, 150))
    heavens.Image.Image.paste(image, (255, 255, 255), (10, 10, 140, 14))
    heavens.Image.Image.paste(image, (255, 255, 255), (10, 20, 90, 24))
    image.save(tmp_path / "p.jpg", quality=75)
    with pytest.raises(DataError, match="black in one piece"):
        picture.check_sky(tmp_path / "p.jpg", "p.jpg")


def test_position_outside_the_survey_is_refused(build, server, tmp_path):
    path = path_of(server, "getjpeg")
    server.always[path] = Trouble(status=404)
    build("--table", write_table(tmp_path / "t.csv", IDS[:1]), "--inputs", "img")
    assert rejects(tmp_path / "ds")[str(FIRST), "img"][0] == "refused"


def test_pan_starrs_pictures_have_the_zoo_s_scale(build, server, tmp_path):
    names = "projcell subcell ra dec filter mjd type filename shortname badflag\n"
    names += "".join(f"1 2 3 4 {band} 0 stack /rings/{band}.fits {band}.fits 0\n" for band in "gri")
    asked = []

    def cutout(text):
        asked.append(parse_qs(text))
        file = io.BytesIO()
        Image.open(io.BytesIO(heavens.picture(size=120))).save(file, "PNG")
        return file.getvalue()

    server.files |= {"/ps1/ps1filenames.py": names.encode(), "/ps1/fitscut.cgi": cutout}
    table = write_table(tmp_path / "t.csv", IDS[:1])
    assert build("--table", table, "--inputs", "img", "--images", "ps1")[0] == 0
    with Image.open(tmp_path / "ds" / "img" / f"{FIRST}.jpg") as image:
        assert (image.size, image.format) == ((150, 150), "JPEG")
    assert asked[0]["size"] == ["120"]
    assert [asked[0][colour] for colour in ("red", "green", "blue")] == [[f"/rings/{band}.fits"] for band in "irg"]
    code, _, errors = build("--inputs", "img", "--images", "skyserver")
    assert code == 1
    assert "the pictures of this data set come from ps1" in errors
    server.files["/ps1/ps1filenames.py"] = names.split("\n")[0].encode()
    assert build("--table", table, "--inputs", "img", "--images", "ps1", folder="other")[0] == 1
    assert "no image in g, r, i" in rejects(tmp_path / "other")[str(FIRST), "img"][1]


# === Selections ===


@pytest.mark.parametrize("line", ["1; DROP TABLE x", "1.2376e18", "99999999999999999999", "-3", "1237 OR 1=1"])
def test_ids_are_integers_or_nothing_is_asked(build, server, tmp_path, line):
    path = tmp_path / "ids.txt"
    path.write_text(f"{FIRST}  # good\n\n{line}\n")
    code, _, errors = build("--ids", path)
    assert code == 1
    assert errors == f"error: --ids {path}: expected an integer in line 3, found {line!r}\n"
    assert not server.requests


@pytest.mark.parametrize("ending", ["csv", "parquet", "fits", "vot"])
def test_tables_of_every_format_keep_their_identifiers(tmp_path, ending):
    frame = pandas.DataFrame({"objID": IDS, "ra": np.linspace(0, 1, len(IDS)), "Note": ["a b"] * len(IDS)})
    path = tmp_path / f"t.{ending}"
    if ending == "csv":
        frame.to_csv(path, index=False)
    elif ending == "parquet":
        frame.to_parquet(path)
    else:
        Table.from_pandas(frame).write(path, format="votable" if ending == "vot" else "fits")
    assert [int(row["objid"]) for row in tables.read_table(path)] == IDS
    assert tables.read_table(path)[0]["note"] == "a b"
    assert tables.read_ids(path) == IDS


def test_columns_whose_names_differ_in_case_only_are_not_taken_for_one(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text(f"objid,objID\n{IDS[0]},{IDS[1]}\n")
    with pytest.raises(DataError, match="expected columns of different names, found objID, objid"):
        tables.read_ids(path)


def test_damaged_table_is_one_clear_error(tmp_path):
    path = tmp_path / "t.fits"
    Table({"objID": IDS}).write(path)
    path.write_bytes(path.read_bytes().replace(b"TTYPE1  = 'objID", b"TTYPE1  = \x00objID"))
    with pytest.raises(DataError, match=r"t\.fits: expected a table"):
        tables.read_ids(path)


def test_positions_find_their_objects(build, server, tmp_path):
    known = heavens.rows()
    path = tmp_path / "p.csv"
    lines = [f"{known[n]['ra']},{known[n]['dec']}" for n in IDS[:2]]
    path.write_text("\n".join(["ra,dec", lines[0], "12.5,-80.0", "400,2", lines[1]]) + "\n")
    assert build("--table", path, "--inputs", "img")[0] == 0
    assert read_catalogue(tmp_path / "ds").objid.tolist() == IDS[:2]
    found = rejects(tmp_path / "ds")
    assert found["p.csv row 2", "catalogue"][1] == "no primary object within 2 arcsec of (12.5, -80.0)"
    assert found["p.csv row 3", "catalogue"][1] == "expected ra and dec in degrees, found '400' and '2'"
    asked = len(server.requests)
    assert build("--table", path, "--inputs", "img")[0] == 0
    assert len(server.requests) == asked


def test_objects_skyserver_does_not_have_are_listed(build, server, tmp_path):
    path = tmp_path / "ids.txt"
    path.write_text(f"{FIRST}\n1237000000000000001\n")
    assert build("--ids", path, "--inputs", "img")[0] == 0
    assert rejects(tmp_path / "ds") == {
        ("1237000000000000001", "catalogue"): ("refused", "SkyServer has no object with a spectrum of this id")
    }
    asked = len(server.requests)
    assert build("--ids", path, "--inputs", "img")[0] == 0
    assert len(server.requests) == asked


@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        (
            Trouble(status=400, body=b'{"Error Message": "Invalid column name \'redshif\'."}'),
            "Invalid column name 'redshif'.",
        ),
        (Trouble(status=500, body=b'[{"ErrorMessage": "Timeout  expired"}]'), "Timeout expired"),
        (Trouble(page=True), "Down for maintenance"),
    ],
)
def test_error_of_skyserver_is_shown_in_its_words(build, server, tmp_path, trouble, message):
    server.always[path_of(server, "SqlSearch")] = trouble
    code, _, errors = build("--query", "SELECT redshif")
    assert code == 1
    assert errors == f"error: SkyServer did not answer the query: {message}\n"


def test_query_is_asked_again_while_the_server_is_in_trouble(build, server, tmp_path):
    server.troubles[path_of(server, "SqlSearch")] += [Trouble(status=500), Trouble(status=503), Trouble(cut=0.5)]
    assert build("--top", "8", "--inputs", "img", attempts=5)[0] == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no objects; say which with --sql, --query, --ids, --table or --top"),
        (["--top", "0"], "--top 0: expected more than 0"),
        (["--top", "1", "--inputs", "jpeg"], "--inputs jpeg: expected some of img, fits, spectra"),
        (["--top", "1", "--release", "9"], "--release 9: expected one of 16, 17, 18"),
        (["--table", "absent.csv"], "absent.csv: no such file"),
        (["--sql", "absent.sql"], "--sql absent.sql: expected a text file with a query"),
    ],
)
def test_wrong_options_are_told_in_one_line(build, arguments, message):
    code, _, errors = build(*arguments)
    assert code == 1
    assert message in errors
    assert errors.count("\n") == 1


def test_masses_in_dex_become_linear():
    rows = [{"stellarmass": "10.5"}, {"stellarmass": "-9999"}, {"stellarmass": ""}]
    assert query.linear_masses(rows)
    assert [row["stellarmass"] for row in rows] == ["3.16228e+10", "-9999", ""]
    assert not query.linear_masses(rows)
    assert not query.linear_masses([{"stellarmass": "10.5"}, {"stellarmass": "0.2"}]), "in 1e10 solar masses"


def test_data_set_of_others_is_not_touched(build, survey):
    before = (survey / "data.csv").read_bytes()
    code, _, errors = build("--top", "8", folder=survey)
    assert code == 1
    assert "holds a data set that was not built by this command" in errors
    assert (survey / "data.csv").read_bytes() == before
    assert not (survey / "build.sqlite").exists()


def test_ties_of_votes_go_as_in_the_catalogue():
    shares = dict.fromkeys(zoo.COLUMNS, 0.0)
    even = ["t01_smooth_or_features_a02_features_or_disk", "t03_bar_a06_bar", "t03_bar_a07_no_bar", "t02_edgeon_a05_no"]
    even += ["t04_spiral_a08_spiral", "t04_spiral_a09_no_spiral", "t05_bulge_prominence_a12_obvious"]
    shares |= {f"{name}_debiased": 0.5 for name in even}
    assert zoo.classify(shares | {"t06_odd_a15_no_debiased": 0.6}) == ("Sb", "Sb")
    ring = {"t06_odd_a14_yes_debiased": 0.5, "t06_odd_a15_no_debiased": 0.5, "t08_odd_feature_a19_ring_debiased": 0.4}
    assert zoo.classify(shares | ring) == ("Sb(r)", "Sb")


# === Trouble ===


@pytest.mark.parametrize(
    "trouble",
    [Trouble(cut=0.1), Trouble(cut=0.5), Trouble(cut=0.99), Trouble(status=429, retry_after="0"), Trouble(status=500),
     Trouble(stall=True), Trouble(page=True)],
    ids=["cut at 10 %", "cut at 50 %", "cut at 99 %", "429", "500", "no answer", "page"],
)  # fmt: skip
@pytest.mark.parametrize(
    ("name", "ending"),
    [("img", "getjpeg"), ("fits", "frame-g-001992-1-0087.fits.bz2"), ("spectra", "spec-1678-53433-0001.fits")],
)
def test_what_fails_is_listed_and_the_next_run_completes_it(build, server, tmp_path, trouble, name, ending):
    server.troubles[path_of(server, ending)].append(trouble)
    table = write_table(tmp_path / "t.csv", [IDS[0], IDS[4]])
    code, _, _ = build("--table", table, "--inputs", name)
    assert code == 0
    failed = {status for status, _ in rejects(tmp_path / "ds").values()}
    # A frame that was cut is continued within the same run.
    continued = "bz2" in ending and (trouble.cut or trouble.stall)
    assert failed == (set() if continued else {"failed"})
    assert build("--table", table, "--inputs", name)[0] == 0
    assert not rejects(tmp_path / "ds")
    expected = {f"{name}/{number}{INPUTS[name].suffix}" for number in (IDS[0], IDS[4])}
    assert files(tmp_path / "ds") == expected | {"build.sqlite", "data.csv", "rejects.csv"}


def test_server_that_is_down_ends_the_build_soon(build, server, tmp_path, monkeypatch):
    monkeypatch.setattr(run, "GIVE_UP_AFTER", 3)
    server.always[path_of(server, "getjpeg")] = Trouble(status=503)
    table = write_table(tmp_path / "t.csv")
    code, _, errors = build("--table", table, "--workers", "1")
    assert code == 1
    assert "3 things in a row could not be had" in errors
    assert "HTTP 503" in errors
    del server.always[path_of(server, "getjpeg")]
    assert build("--table", table)[0] == 0
    assert len(list((tmp_path / "ds" / "img").iterdir())) == len(IDS)


def test_full_disk_ends_the_build_and_the_next_one_completes_it(build, server, tmp_path, monkeypatch):
    table = write_table(tmp_path / "t.csv", IDS[:2])

    def full(path, _content):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_bytes", full)
        code, _, errors = build("--table", table)
    assert code == 1
    assert "the disk is full ([Errno 28] No space left on device" in errors
    assert build("--table", table)[0] == 0
    assert not rejects(tmp_path / "ds")


def test_two_builds_of_one_folder_do_not_meet(build, server, tmp_path):
    table = write_table(tmp_path / "t.csv", IDS[:1])
    build("--table", table, "--inputs", "img")
    other = sqlite3.connect(tmp_path / "ds" / "build.sqlite")
    other.execute("BEGIN EXCLUSIVE")
    code, _, errors = build("--table", table, "--inputs", "img")
    other.close()
    assert code == 1
    assert "another build is at work in this folder" in errors


def test_other_file_in_place_of_the_ledger_is_left_alone(build, server, tmp_path):
    (tmp_path / "ds").mkdir()
    (tmp_path / "ds" / "build.sqlite").write_text("my own notes, longer than a header of sqlite would be " * 5)
    code, _, errors = build("--table", write_table(tmp_path / "t.csv"), "--inputs", "img")
    assert code == 1
    assert "expected the ledger of a build" in errors
