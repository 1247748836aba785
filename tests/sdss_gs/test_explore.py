"""The page on which a data set is looked at."""

import re

import numpy as np
from conftest import survey_rows, write_survey
from PIL import Image

from sdss_gs.__main__ import main
from sdss_gs.decision_tree import KAGGLE, TREES
from sdss_gs.explore import explore
from sdss_gs.explore.images import flat_share, repeated_pairs

RNG = np.random.default_rng(0)


def sky(n, seed):
    """Images with noise and a galaxy in the middle, much alike from afar."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[-75:75, -75:75]
    light = 150 * np.exp(-np.hypot(x, y)[None, ..., None] / rng.uniform(6, 9, (n, 1, 1, 1)))
    return np.clip(light + 12 + rng.normal(0, 4, (n, 150, 150, 3)), 0, 255).astype(np.uint8)


def votes_of(rng, n):
    """Draw votes that flow down the tree."""
    tree = TREES[KAGGLE]
    shares = np.concatenate([rng.dirichlet(np.ones(size), n) for size in tree.sizes()], axis=1)
    return tree.weighted(shares)


def test_same_exposure_is_found_again_and_lookalikes_are_not(tmp_path):
    images = sky(40, 1)
    Image.fromarray(images[7]).save(tmp_path / "again.jpg", quality=90)
    images[31] = np.asarray(Image.open(tmp_path / "again.jpg"))
    small = images.reshape(40, 15, 10, 15, 10, 3).mean(axis=(2, 4)).reshape(40, -1)
    assert [pair[:2] for pair in repeated_pairs(small, lambda rows: images[rows])] == [(7, 31)]


def test_painted_areas_are_told_from_sky():
    images = sky(3, 2).astype(np.float32)
    images[1, :, 75:] = 0
    images[2] = 255
    assert flat_share(images).round(1).tolist() == [0.0, 0.5, 1.0]


def test_page_shows_everything_that_the_set_has(tmp_path, capsys):
    rows = survey_rows(60)
    folder = write_survey(tmp_path / "survey", rows, ("img",))
    tree, values = TREES[KAGGLE], votes_of(RNG, 60)
    lines = [",".join(("objid", *tree.columns))]
    lines += [
        ",".join((row["objid"], *(f"{value:.6f}" for value in one))) for row, one in zip(rows, values, strict=True)
    ]
    (folder / "votes.csv").write_text("\n".join(lines))
    dark = np.zeros((150, 150, 3), np.uint8)
    dark[70, 70] = 255
    Image.fromarray(dark).save(folder / "img" / f"{rows[5]['objid']}.jpg")
    output = tmp_path / "page.html"
    assert main(["explore", str(folder), "--output", str(output)]) == 0
    assert capsys.readouterr().out.strip() == str(output)
    page = output.read_text()
    for text in (
        "60 objects", "Classes: gz2c", "Redshift by class", "Colour and magnitude", "60 galaxies have votes (kaggle)",
        "Which answers go together", "The surest examples: How many arms are there?", "Average image",
    ):  # fmt: skip
        assert text in page
    assert f"{rows[5]['objid']}: 99% flat" in page
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    assert output.read_bytes() == explore(folder, tmp_path / "again.html").read_bytes()


def test_table_alone_has_a_page_too_and_a_missing_folder_is_one_line(tmp_path, capsys):
    folder = write_survey(tmp_path / "survey", survey_rows(12), ())
    page = explore(folder, tmp_path / "page.html").read_text()
    assert "modelMag_r" in page
    assert "Average image" not in page
    assert main(["explore", str(folder), "--output", str(tmp_path / "no" / "page.html")]) == 1
    assert "expected a file in an existing folder" in capsys.readouterr().err


def test_examples_need_enough_votes(tmp_path):
    rows = survey_rows(12)
    folder = write_survey(tmp_path / "survey", rows, ("img",))
    tree, values = TREES[KAGGLE], votes_of(np.random.default_rng(3), 12)
    lines = [",".join(("objid", *tree.columns))]
    lines += [",".join((row["objid"], *map(str, one))) for row, one in zip(rows, values, strict=True)]
    (folder / "votes.csv").write_text("\n".join(lines))
    assert "The surest examples" not in explore(folder, tmp_path / "page.html", 10_000).read_text()
