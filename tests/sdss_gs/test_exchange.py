"""Sets of other projects become SDSS-GS folders that verify, with nothing lost and nothing made up."""

import csv

import h5py
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import bomb, write_image
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


def test_image_that_promises_more_than_a_machine_holds_is_refused_and_the_others_are_taken(tmp_path):
    (tmp_path / "in" / "spiral").mkdir(parents=True)
    (tmp_path / "in" / "spiral" / "1.png").write_bytes(bomb())
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
