"""Sets of other projects become SDSS-GS folders that verify, with nothing lost and nothing made up."""

import csv

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import wide_image, write_image
from PIL import Image

from sdss_gs.__main__ import main
from sdss_gs.dataset import open_catalogue
from sdss_gs.decision_tree import TREES
from sdss_gs.exchange.importing import objid_of
from sdss_gs.schema import MORPHOLOGIES
from sdss_gs.tables.votes import read_votes

VOTE_COLUMNS = TREES["kaggle"].columns


def table(path):
    with open(path, newline="") as file:
        return list(csv.DictReader(file))


def write_tree(folder):
    for number, (kind, name, size) in enumerate([("ring", "12", 150), ("ring", "a b", 120), ("disc", "7", 424)]):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        write_image(folder / kind / f"{name}.jpg", 40 + number, (size, size))


def test_a_tree_keeps_its_classes_and_the_bytes_of_images_that_fit(tmp_path):
    write_tree(tmp_path / "tree")
    assert main(["import", "tree", str(tmp_path / "tree"), str(tmp_path / "ds"), "--target", "shape"]) == 0
    rows = {row["objid"]: row["shape"] for row in table(tmp_path / "ds" / "data.csv")}
    assert rows == {"12": "ring", str(objid_of("ring/a b.jpg")): "ring", "7": "disc"}
    kept = (tmp_path / "ds" / "img" / "12.jpg").read_bytes()
    assert kept == (tmp_path / "tree" / "ring" / "12.jpg").read_bytes()
    with Image.open(tmp_path / "ds" / "img" / "7.jpg") as image:
        assert image.size == (150, 150)
    assert main(["verify", str(tmp_path / "ds")]) == 0


def files_of(folder):
    return {row["file"]: row["objid"] for row in table(folder / "files.csv")}


def test_images_of_one_name_in_two_classes_are_two_objects(tmp_path):
    for number, (kind, name) in enumerate([("ring", "1"), ("disc", "1"), ("disc", "2"), ("ring", "02")]):
        (tmp_path / "tree" / kind).mkdir(parents=True, exist_ok=True)
        write_image(tmp_path / "tree" / kind / f"{name}.jpg", 40 + 40 * number)
    assert main(["import", "tree", str(tmp_path / "tree"), str(tmp_path / "ds")]) == 0
    files = files_of(tmp_path / "ds")
    assert set(files) == {"ring/1.jpg", "disc/1.jpg", "disc/2.jpg", "ring/02.jpg"}
    rows = {row["objid"]: row["label"] for row in table(tmp_path / "ds" / "data.csv")}
    assert {name: rows[objid] for name, objid in files.items()} == {name: name[:4] for name in files}
    # Once only one of them is left, the number is its own, with its own image.
    (tmp_path / "tree" / "ring" / "1.jpg").unlink()
    assert main(["import", "tree", str(tmp_path / "tree"), str(tmp_path / "ds")]) == 0
    assert files_of(tmp_path / "ds")["disc/1.jpg"] == "1"
    assert (tmp_path / "ds" / "img" / "1.jpg").read_bytes() == (tmp_path / "tree" / "disc" / "1.jpg").read_bytes()
    write_image(tmp_path / "tree" / "ring" / "1.jpg", 200)
    (tmp_path / "tree" / "disc" / "1.jpg").unlink()
    assert main(["import", "tree", str(tmp_path / "tree"), str(tmp_path / "ds")]) == 0
    assert (tmp_path / "ds" / "img" / "1.jpg").read_bytes() == (tmp_path / "tree" / "ring" / "1.jpg").read_bytes()


@pytest.mark.parametrize("parts", [("train",), ("Train", "valid", "test")])
def test_classes_inside_parts_are_taken_and_what_is_left_out_is_listed(tmp_path, parts):
    for number, part in enumerate(parts):
        (tmp_path / "tree" / part / "ring").mkdir(parents=True)
        write_image(tmp_path / "tree" / part / "ring" / f"{number}.jpg", 60)
        write_image(tmp_path / "tree" / part / "ring" / "same.png", 60 + number)
    for name in ("readme.txt", "train/._1.jpg", "train/stray.jpg", "train/ring/2.gif"):
        (tmp_path / "tree" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "tree" / name).write_bytes(b"x")
    write_image(tmp_path / "tree" / "alone.jpg", 60)
    assert main(["import", "tree", str(tmp_path / "tree"), str(tmp_path / "ds"), "--target", "shape"]) == 0
    rows = table(tmp_path / "ds" / "data.csv")
    assert [(row["shape"], row["part"]) for row in rows] == [("ring", part) for part in sorted(parts) for _ in range(2)]
    reasons = {row["name"]: row["reason"] for row in table(tmp_path / "ds" / "rejects.csv")}
    assert set(reasons) == {"readme.txt", "train/._1.jpg", "train/stray.jpg", "train/ring/2.gif", "alone.jpg"}
    assert "<train, valid or test>/<class>/<image>" in reasons["train/stray.jpg"]
    assert main(["verify", str(tmp_path / "ds")]) == 0


def write_labels(folder, text, names=("a.jpg", "b.png", "5.jpg", "more/c.jpg")):
    (folder / "more").mkdir(parents=True)
    for number, name in enumerate(names):
        write_image(folder / name, 60 + number)
    (folder / "labels.csv").write_text(text)
    return folder


@pytest.mark.parametrize(
    "text",
    [
        "filename,shape,votes\na.jpg,ring,3\nb.png,disc,4\n5.jpg,disc,\nmore/c.jpg,ring,1\n",
        "ID;shape;votes\r\na;ring;3\r\nb;disc;4\r\n5;disc;\r\nc;ring;1\r\n",
        "\ufeffshape,votes,Image\nring,3,a\ndisc,4,b.png\ndisc,,5\nring,1,/home/me/c.jpg\n",
    ],
)
def test_images_with_a_table_of_labels(tmp_path, text):
    source = write_labels(tmp_path / "in", text)
    assert main(["import", "labels", str(source), str(tmp_path / "ds")]) == 0
    rows = table(tmp_path / "ds" / "data.csv")
    assert sorted((row["shape"], row["votes"]) for row in rows) == [
        ("disc", ""),
        ("disc", "4"),
        ("ring", "1"),
        ("ring", "3"),
    ]
    assert [row["shape"] for row in rows if row["objid"] == "5"] == ["disc"]
    assert table(tmp_path / "ds" / "rejects.csv") == []
    assert main(["verify", str(tmp_path / "ds")]) == 0


def test_images_and_rows_without_one_another_are_listed(tmp_path):
    text = "name,shape\na,ring\nb,disc\nb,ring\nnone,ring\n../secret,ring\n"
    source = write_labels(tmp_path / "in", text, ("a.jpg", "b.png", "more/d.jpg"))
    assert main(["import", "labels", str(source / "labels.csv"), str(tmp_path / "ds"), "--images", str(source)]) == 0
    assert files_of(tmp_path / "ds") == {"a.jpg": str(objid_of("a.jpg"))}
    reasons = {row["name"]: row["reason"] for row in table(tmp_path / "ds" / "rejects.csv")}
    assert set(reasons) == {"none", "../secret", "b.png", "more/d.jpg"}
    assert reasons["b.png"] == "expected one row of labels.csv, found several that differ"
    assert reasons["more/d.jpg"] == "expected a row of labels.csv, found none"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "expected a line of column names"),
        ("name,name\na,b\n", "expected columns of different names"),
        ("name,shape\na,b,c\n", "expected 2 cells in each row, found 3 in 'a,b,c'"),
        ("name,shape\nx,b\n", "found none (5 refused, the first (x): expected one image of that name"),
    ],
)
def test_table_of_labels_that_cannot_be_read_is_one_line(tmp_path, capsys, text, problem):
    assert main(["import", "labels", str(write_labels(tmp_path / "in", text)), str(tmp_path / "ds")]) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert problem in line


def test_scale_of_a_source_cuts_the_field_out_and_whole_images_are_said(tmp_path, capsys):
    (tmp_path / "tree" / "ring").mkdir(parents=True)
    write_image(tmp_path / "tree" / "ring" / "1.jpg", 60, (424, 424))
    command = ["import", "tree", str(tmp_path / "tree")]
    write_image(tmp_path / "tree" / "ring" / "2.jpg", 60, (256, 256))
    assert main([*command, str(tmp_path / "whole")]) == 0
    output = capsys.readouterr().out
    assert "1 images were taken for 0.2 arcsec per pixel and cropped or edge-padded to 150x150" in output
    assert "1 images were taken whole and resampled to 150x150" in output
    assert main([*command, str(tmp_path / "scaled"), "--image-scale", "0.1"]) == 0
    assert "taken" not in capsys.readouterr().out
    spans = [image_span(tmp_path / name / "img" / "1.jpg") for name in ("whole", "scaled")]
    # The square of 10 pixels in the middle: 150/424 of that, and half of it.
    assert np.abs(np.array(spans) - [3.5, 5]).max() <= 1
    assert main([*command, str(tmp_path / "both"), "--image-scale", "0.1", "--size", "150"]) == 1
    assert "--image-scale: expected without --crop and --size" in capsys.readouterr().err


def image_span(path):
    with Image.open(path) as image:
        return (np.asarray(image)[75, :, 0] > 130).sum()


@pytest.mark.parametrize("place", ["", "ds"])
def test_set_is_not_made_inside_the_tree_that_it_is_made_of(tmp_path, capsys, place):
    write_tree(tmp_path)
    assert main(["import", "tree", str(tmp_path), str(tmp_path / place)]) == 1
    assert "it is the input" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["disc", "ring"]


def test_images_that_could_be_read_in_two_ways_are_refused_as_everywhere(tmp_path):
    (tmp_path / "tree" / "ring").mkdir(parents=True)
    Image.fromarray(np.full((150, 150, 4), 90, np.uint8)).save(tmp_path / "tree" / "ring" / "1.png")
    Image.new("RGB", (150, 150), (9, 9, 9)).save(tmp_path / "tree" / "ring" / "2.jpg")
    write_image(tmp_path / "tree" / "ring" / "3.webp", 60)
    assert main(["import", "tree", str(tmp_path / "tree"), str(tmp_path / "ds")]) == 0
    reasons = {row["name"]: row["reason"] for row in table(tmp_path / "ds" / "rejects.csv")}
    assert "transparent pixels" in reasons["1"]
    assert "one colour throughout" in reasons["2"]
    assert [row["objid"] for row in table(tmp_path / "ds" / "data.csv")] == ["3"]


def test_bad_images_are_listed_and_a_second_run_brings_only_what_was_missing(tmp_path):
    write_tree(tmp_path / "tree")
    whole = (tmp_path / "tree" / "disc" / "7.jpg").read_bytes()
    (tmp_path / "tree" / "disc" / "7.jpg").write_bytes(whole[:900])
    command = ["import", "tree", str(tmp_path / "tree"), str(tmp_path / "ds"), "--crop", "100", "--size", "150"]
    assert main(command) == 0
    assert [row["name"] for row in table(tmp_path / "ds" / "rejects.csv")] == ["7"]
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "ds" / "img").iterdir()}
    (tmp_path / "tree" / "disc" / "7.jpg").write_bytes(whole)
    assert main(command) == 0
    assert table(tmp_path / "ds" / "rejects.csv") == []
    assert len(table(tmp_path / "ds" / "data.csv")) == 3
    assert before == {path: path.stat().st_mtime_ns for path in before}
    assert main(["verify", str(tmp_path / "ds")]) == 0


def test_other_options_on_the_same_folder_are_refused(tmp_path, capsys):
    write_tree(tmp_path / "tree")
    command = ["import", "tree", str(tmp_path / "tree"), str(tmp_path / "ds")]
    assert main(command) == 0
    assert main([*command, "--size", "200"]) == 1
    assert "other options" in capsys.readouterr().err


def test_kaggle_votes_arrive_in_order_and_an_absent_image_is_listed(tmp_path):
    source = tmp_path / "kaggle"
    (source / "images_training_rev1").mkdir(parents=True)
    write_image(source / "images_training_rev1" / "100008.jpg", 60, (424, 424))
    lines = [",".join(["GalaxyID", *VOTE_COLUMNS])]
    lines += [",".join([name, *(f"0.{number:02d}" for number in range(37))]) for name in ("100008", "100023")]
    (source / "training_solutions_rev1.csv").write_text("\n".join(lines))
    assert main(["import", "kaggle", str(source), str(tmp_path / "ds")]) == 0
    (row,) = table(tmp_path / "ds" / "data.csv")
    assert list(row) == ["objid", *VOTE_COLUMNS]
    assert row["objid"] == "100008"
    assert row["Class11.6"] == "0.36"
    assert [row["name"] for row in table(tmp_path / "ds" / "rejects.csv")] == ["100023"]
    assert main(["verify", str(tmp_path / "ds")]) == 0


@pytest.mark.parametrize("redshift", [0.05, np.nan])
def test_galaxy10_enters_at_the_scale_of_the_zoo(tmp_path, redshift):
    images = np.zeros((1, 256, 256, 3), np.uint8)
    images[0, 71:185, 71:185] = 200
    columns = {"ans": [5], "ra": [150.1], "dec": [2.2], "redshift": [redshift], "pxscale": [0.262]}
    with h5py.File(tmp_path / "g.h5", "w") as file:
        for name, values in {"images": images, **columns}.items():
            file[name] = np.array(values)
    assert main(["import", "galaxy10", str(tmp_path / "g.h5"), str(tmp_path / "ds")]) == 0
    (row,) = table(tmp_path / "ds" / "data.csv")
    assert (row["morph10"], row["redshift"]) == (MORPHOLOGIES[5], "0.05" if redshift == 0.05 else "")
    with Image.open(tmp_path / "ds" / "img" / f"{row['objid']}.jpg") as image:
        assert np.asarray(image)[5:-5, 5:-5].min() > 190
    assert open_catalogue(tmp_path / "ds").labels["morph10"].tolist() == [5]
    assert main(["verify", str(tmp_path / "ds")]) == 0


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("ans", [-1], "expected a class from 0 to 9, found -1"),
        ("ans", [10], "expected a class from 0 to 9, found 10"),
        ("ans", ["spiral"], "cannot be read"),
        ("pxscale", [0.0], "expected a pixel scale above 0, found 0.0"),
        ("pxscale", [np.nan], "expected a pixel scale above 0, found nan"),
        ("ra", [[1.0, 2.0]], "expected one ra for each of 1 images, found (1, 2)"),
        ("images", np.zeros((1, 256, 256), np.float64), "expected images (n, height, width, 3) of uint8"),
    ],
)
def test_galaxy10_with_impossible_values_is_one_line(tmp_path, capsys, column, value, expected):
    columns = {"ans": [5], "ra": [150.1], "dec": [2.2], "redshift": [0.1], "pxscale": [0.262]}
    with h5py.File(tmp_path / "g.h5", "w") as file:
        for name, values in ({"images": np.zeros((1, 256, 256, 3), np.uint8)} | columns | {column: value}).items():
            file[name] = values
    assert main(["import", "galaxy10", str(tmp_path / "g.h5"), str(tmp_path / "ds")]) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert expected in line
    assert not (tmp_path / "ds" / "data.csv").exists()


def test_image_with_more_pixels_than_any_may_have_is_refused_and_the_others_are_taken(tmp_path):
    (tmp_path / "in" / "spiral").mkdir(parents=True)
    (tmp_path / "in" / "spiral" / "1.png").write_bytes(wide_image())
    write_image(tmp_path / "in" / "spiral" / "2.jpg", 60)
    assert main(["import", "tree", str(tmp_path / "in"), str(tmp_path / "ds")]) == 0
    assert [row["objid"] for row in table(tmp_path / "ds" / "data.csv")] == ["2"]
    (refused,) = table(tmp_path / "ds" / "rejects.csv")
    assert refused["name"] == "1"


def test_catalogue_of_galaxy_zoo_2_whose_names_are_no_text_is_one_line(tmp_path, capsys):
    (tmp_path / "gz2").mkdir()
    path = write_gz2(tmp_path / "gz2", ["587722981741691043"])
    path.write_bytes(path.read_bytes().replace(b"bar-gz2_yes", b"bar-gz2_y\xe9s"))
    assert main(["import", "gz2", str(path), str(tmp_path / "ds")]) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert line.startswith("error: ")
    assert "expected a Parquet catalogue" in line


def test_line_of_answers_that_ends_early_is_refused_and_the_others_are_taken(tmp_path):
    (tmp_path / "in" / "images_training_rev1").mkdir(parents=True)
    write_image(tmp_path / "in" / "images_training_rev1" / "1.jpg", 60)
    lines = [",".join([*VOTE_COLUMNS, "GalaxyID"]), ",".join(["0.5"] * len(VOTE_COLUMNS)), ""]
    lines[2] = f"{lines[1]},1"
    (tmp_path / "in" / "training_solutions_rev1.csv").write_text("\n".join(lines))
    assert main(["import", "kaggle", str(tmp_path / "in"), str(tmp_path / "ds")]) == 0
    assert [row["objid"] for row in table(tmp_path / "ds" / "data.csv")] == ["1"]
    assert len(table(tmp_path / "ds" / "rejects.csv")) == 1


def test_answers_with_an_endless_cell_are_one_line(tmp_path, capsys):
    (tmp_path / "training_solutions_rev1.csv").write_text('GalaxyID\n"' + "x" * 200_000)
    assert main(["import", "kaggle", str(tmp_path), str(tmp_path / "ds")]) == 1
    (line,) = capsys.readouterr().err.strip().splitlines()
    assert "expected the challenge's answers, cannot be read" in line


def write_gz2(folder, names, shares=True, **more):
    """Write a catalogue as galaxy-datasets has it: half of those who were asked gave the first answer."""
    tree = TREES["gz2"]
    columns = {"id_str": names, "file_loc": [f"/home/me/gz2/images/{name[:6]}/{name}.jpg" for name in names]}
    for question in tree.questions:
        for number, column in enumerate(tree.columns[question.slice]):
            if shares:
                columns[column] = [0.5 if number < 2 else 0.0] * len(names)
            columns[column.removesuffix("_fraction")] = [20 if number < 2 else 0] * len(names)
    columns[tree.total] = [40] * len(names)
    (folder / "images" / names[0][:6]).mkdir(parents=True, exist_ok=True)
    write_image(folder / "images" / names[0][:6] / f"{names[0]}.jpg", 60, (424, 424))
    pq.write_table(pa.table(columns | more), folder / "gz2.parquet")
    return folder / "gz2.parquet"


@pytest.mark.parametrize("shares", [True, False])
def test_votes_and_counts_of_galaxy_datasets_arrive_whether_or_not_it_has_shares(tmp_path, shares):
    names = ["587722981741363294", "587722981741363323"]
    catalogue = write_gz2(tmp_path / "gz2", names, shares, RA=[150.25, 20.0])
    command = ["import", "gz2", str(catalogue), str(tmp_path / "ds"), "--images", str(tmp_path / "gz2" / "images")]
    assert main(command) == 0
    (row,) = table(tmp_path / "ds" / "data.csv")
    assert (row["objid"], row["ra"], row["bar-gz2_yes"]) == (names[0], "150.25", "20")
    assert [one["name"] for one in table(tmp_path / "ds" / "rejects.csv")] == names[1:]
    votes = read_votes(tmp_path / "ds", np.array([int(names[0])]), ["gz2"])
    assert (votes.counted, votes.totals.tolist()) == (True, [40.0])
    # Of all volunteers, a half called it featured, and a quarter came to the question about bars.
    assert votes.values[0, votes.tree.columns.index("bar-gz2_yes_fraction")] == pytest.approx(0.125)
    assert main(["verify", str(tmp_path / "ds")]) == 0
    assert main(["import", "gz2", str(catalogue), str(tmp_path / "other")]) == 0
    assert len(list((tmp_path / "other" / "img").iterdir())) == 1


def test_a_share_is_empty_where_nobody_was_asked(tmp_path):
    names = ["587722981741363294"]
    catalogue = write_gz2(tmp_path, names, False, **{"bar-gz2_yes": [0], "bar-gz2_no": [0]})
    assert main(["import", "gz2", str(catalogue), str(tmp_path / "ds")]) == 0
    (row,) = table(tmp_path / "ds" / "data.csv")
    assert row["bar-gz2_yes_fraction"] == ""
    assert np.isfinite(read_votes(tmp_path / "ds", np.array([int(names[0])]), ["gz2"]).values).all()


def test_a_catalogue_without_votes_and_a_file_that_is_none_are_one_line(tmp_path, capsys):
    pq.write_table(pa.table({"id_str": ["1"]}), tmp_path / "few.parquet")
    (tmp_path / "none.parquet").write_bytes(b"nothing")
    for name, expected in {"few": "lacks smooth-or-featured-gz2_smooth_fraction", "none": "cannot be read"}.items():
        assert main(["import", "gz2", str(tmp_path / f"{name}.parquet"), str(tmp_path / name)]) == 1
        error = capsys.readouterr().err
        assert expected in error
        assert error.count("\n") == 1
    assert main(["import", "tree", str(tmp_path), str(tmp_path / "t"), "--images", "x"]) == 1
    assert "only gz2" in capsys.readouterr().err


def test_a_source_that_is_absent_is_one_line(tmp_path, capsys):
    assert main(["import", "tree", str(tmp_path / "none"), str(tmp_path / "ds")]) == 1
    assert "no such file or folder" in capsys.readouterr().err
