"""A data set made of frames that are on this machine: nobody is asked, nothing of the user's is changed."""

import csv
import socket

import numpy as np
import pytest
from helpers import heavens
from PIL import Image

from sdss_gs.__main__ import main
from sdss_gs.build import frames
from sdss_gs.build.identity import Field
from sdss_gs.sample.camera import colour_image
from sdss_gs.schema import BANDS

IDS = sorted(heavens.rows())
FIELD = Field(1992, 1, 87)


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Two fields of five frames each, one folder below another."""
    folder = tmp_path_factory.mktemp("frames")
    for key, centre in heavens.FIELDS.items():
        for band in BANDS:
            path = folder / str(key[0]) / Field(*key).frame(band)
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(heavens.frame(centre, band))
    return folder


@pytest.fixture
def build(tmp_path, capsys, monkeypatch):
    """Run the command without a network; return exit code, output and errors."""

    def refused(*_):
        raise AssertionError("a server was asked")

    monkeypatch.setattr(socket, "getaddrinfo", refused)

    def command(*arguments):
        capsys.readouterr()
        return main(["build", str(tmp_path / "ds"), *map(str, arguments)]), *capsys.readouterr()

    return command


def write_table(path, numbers=IDS, **changes):
    rows = [heavens.rows()[number] | changes for number in numbers]
    with open(path, "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_pictures_and_cut_outs_are_made_of_the_frames_and_these_stay(build, made, tmp_path):
    before = {path: path.stat().st_mtime_ns for path in made.rglob("*.bz2")}
    code, output, _ = build("--table", write_table(tmp_path / "t.csv"), "--frames", made)
    assert code == 0
    assert {path: path.stat().st_mtime_ns for path in made.rglob("*.bz2")} == before
    # Of each field's four the third is too near an edge, and the fourth in g.
    for name in ("img", "fits"):
        assert sorted(path.stem for path in (tmp_path / "ds" / name).iterdir()) == [str(IDS[k]) for k in (0, 1, 4, 5)]
    loaded = {band: frames.read_frame(made / "1992" / FIELD.frame(band)) for band in BANDS}
    row = heavens.rows()[IDS[1]]
    cutout = np.load(tmp_path / "ds" / "fits" / f"{IDS[1]}.npy")
    np.testing.assert_array_equal(cutout, frames.cut(loaded, float(row["ra"]), float(row["dec"])))
    with Image.open(tmp_path / "ds" / "img" / f"{IDS[0]}.jpg") as image:
        assert (image.format, image.size) == ("JPEG", (150, 150))
        grey = np.asarray(image.convert("L")).astype(float)
    y, x = np.nonzero(grey > 128)
    assert np.abs([y.mean() - 74.5, x.mean() - 74.5]).max() < 1
    assert "spectra" not in output
    with open(tmp_path / "ds" / "rejects.csv", newline="") as file:
        reasons = {(row["object"], row["input"]): row["reason"] for row in csv.DictReader(file)}
    assert reasons[str(IDS[2]), "img"].endswith("reach over the edge of the 230x200 frame in r")


def test_a_row_that_names_no_field_is_found_by_its_position(build, made, tmp_path):
    table = write_table(tmp_path / "t.csv", IDS[:1], objid="42", run="", camcol="", field="")
    assert build("--table", table, "--frames", made, "--inputs", "img")[0] == 0
    assert [path.name for path in (tmp_path / "ds" / "img").iterdir()] == ["42.jpg"]
    elsewhere = write_table(tmp_path / "u.csv", IDS[:1], objid="43", run="", camcol="", field="", ra="10.0")
    build("--table", elsewhere, "--frames", made, "--inputs", "img")
    assert f"43,img,failed,no frame in {made} covers its position" in (tmp_path / "ds" / "rejects.csv").read_text()


def test_rows_without_an_id_get_one_of_their_position_which_stays_the_same(build, made, tmp_path):
    rows = heavens.rows()
    places = [(rows[number]["ra"], rows[number]["dec"]) for number in IDS[:2]]
    (tmp_path / "t.csv").write_text("ra,dec\n" + "".join(f"{ra},{dec}\n" for ra, dec in places))
    code, _, errors = build("--table", tmp_path / "t.csv", "--frames", made, "--inputs", "fits")
    assert code == 0
    assert "t.csv has no objid: each row gets a number made of its ra and dec" in errors
    first = {path.name for path in (tmp_path / "ds" / "fits").iterdir()}
    assert len(first) == 2
    (tmp_path / "u.csv").write_text("ra,dec\n{},{}\n".format(*places[0]))
    build("--table", tmp_path / "u.csv", "--frames", made, "--inputs", "fits")
    assert {path.name for path in (tmp_path / "ds" / "fits").iterdir()} == first


def test_pictures_of_other_weights_are_of_another_data_set(build, made, tmp_path):
    table = write_table(tmp_path / "t.csv", IDS[:1])
    command = ("--table", table, "--frames", made, "--inputs", "img")
    assert build(*command, "--weights", "1,1,1")[0] == 0
    with Image.open(tmp_path / "ds" / "img" / f"{IDS[0]}.jpg") as image:
        red, _, blue = np.asarray(image)[60:90, 60:90].mean(axis=(0, 1))
    assert red > 1.5 * blue
    code, _, errors = build(*command)
    assert code == 1
    assert "the pictures of this data set come from frames 1,1,1, which differ in colour" in errors


def test_a_frame_that_is_not_there_is_named_and_found_by_the_next_run(build, made, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    for band in "irgz":
        (own / FIELD.frame(band)).write_bytes((made / "1992" / FIELD.frame(band)).read_bytes())
    build("--table", write_table(tmp_path / "t.csv", IDS[:1]), "--frames", own)
    rejects = (tmp_path / "ds" / "rejects.csv").read_text()
    assert f"{IDS[0]},fits,failed,{FIELD.frame('u')}: expected it in {own}, found none" in rejects.replace('"', "")
    assert len(list((tmp_path / "ds" / "img").iterdir())) == 1
    (own / FIELD.frame("u")).write_bytes((made / "1992" / FIELD.frame("u")).read_bytes())
    assert build("--frames", own)[0] == 0
    assert len(list((tmp_path / "ds" / "fits").iterdir())) == 1


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--frames", "none"], "--frames none: expected frames of the imaging survey"),
        (["--images", "frames"], "--images frames: expected --frames FOLDER"),
    ],
)
def test_wrong_options_are_one_line(build, tmp_path, arguments, message):
    code, _, errors = build("--table", write_table(tmp_path / "t.csv"), *arguments)
    assert code == 1
    assert message in errors
    assert len(errors.splitlines()) == 1


# === What a picture looks like ===

COLOUR = {"i": 1.45, "r": 1.0, "g": 0.5}
"""Flux of a galaxy of g − r = 0.75 and r − i = 0.4."""


def blob(x, y, at, flux, width=3.0):
    return flux * np.exp(-((x - at[0]) ** 2 + (y - at[1]) ** 2) / (2 * width**2))


def frames_of(*positions):
    """Frames without noise in which something lies at positions of the sky."""
    y, x = np.mgrid[: heavens.HEIGHT, : heavens.WIDTH]
    made = {}
    for band, flux in COLOUR.items():
        wcs = heavens.frame_wcs((180.0, 30.0), band)
        places = [wcs.all_world2pix(*position, 0) for position in positions]
        made[band] = frames.Frame(sum(blob(x, y, at, flux) for at in places).astype(np.float32), wcs)
    return made


def test_a_picture_has_north_up_and_east_to_the_left():
    north, east = 8.0, 6.0
    other = (180 + east / 3600 / np.cos(np.radians(30)), 30 + north / 3600)
    picture = frames.picture(frames_of((180.0, 30.0), other), 180.0, 30.0).sum(axis=2).astype(float)
    for row, column in ((74.5, 74.5), (74.5 - north / 0.2, 74.5 - east / 0.2)):
        y, x = np.mgrid[round(row) - 9 : round(row) + 10, round(column) - 9 : round(column) + 10]
        light = picture[y, x] ** 4
        assert np.abs([(y * light).sum() / light.sum() - row, (x * light).sum() / light.sum() - column]).max() < 0.5


def test_a_picture_has_the_colours_of_those_that_models_learn_from():
    y, x = np.mgrid[:81, :81]
    scene = np.stack([blob(x, y, (40, 40), COLOUR.get(band, 0.0)) for band in BANDS], axis=-1).astype(np.float32)
    expected = np.asarray(colour_image(scene)).astype(float)
    found = frames.picture(frames_of((180.0, 30.0)), 180.0, 30.0).astype(float)
    core = expected.mean(axis=2) > 60
    assert core.sum() > 300
    np.testing.assert_allclose(found[core].mean(axis=0), expected[core].mean(axis=0), atol=2)
