"""What the experiments on pairs of surveys make of objects and answers: data sets, scores, and the page."""

import json

import numpy as np
import pandas as pd
import pytest
from conftest import write_image
from helpers.drawn import OWN, drawn, perfect

from benchmarks.surveys import __main__ as command
from benchmarks.surveys import measure, pairs, scores, ways, write_page
from sdss_gs.errors import DataError
from sdss_gs.schema import OUTPUTS

REDSHIFT = OUTPUTS["redshift"]


def table(count, first=10**18):
    rng = np.random.default_rng(first % 97)
    magnitudes = {name: rng.normal(17, 1, count).round(3) for name in pairs.MAGNITUDES}
    return pd.DataFrame({"objid": first + np.arange(count)} | magnitudes | {"redshift": rng.uniform(0.02, 0.3, count)})


def pair(read, **more):
    return pairs.Pair("here → there", "made up", "b2r", read, **more)


def answers(truth, predicted):
    return scores.Answers(truth, predicted, np.ones((3, len(truth)), bool))


@pytest.fixture
def written(tmp_path):
    """A pair of surveys of 40 and 60 objects, tested in three turns."""
    old, new = pairs.Survey(table(40)), pairs.Survey(table(60, 2 * 10**18))
    found = pair(lambda *_: (old, new), folds=3, rounds=3)
    pairs.write_pair(found, tmp_path, tmp_path, tmp_path / "pair")
    return found, tmp_path / "pair"


def test_every_object_of_the_new_survey_is_tested_once_and_never_among_the_labels(written):
    found, folder = written
    tested = []
    for new, test in pairs.turns(found, folder):
        labels, judged = (set(pd.read_csv(one / "data.csv")["objid"]) for one in (new, test))
        assert not labels & judged
        assert len(labels | judged) == 60
        tested += judged
    assert len(tested) == len(set(tested)) == 60
    assert len(pd.read_csv(folder / "old" / "data.csv")) == 40


def test_labels_are_drawn_and_the_other_objects_stay_without(written, tmp_path):
    new = written[1] / "new"
    one, same, other = (ways.with_labels(new, tmp_path / str(n), 10, draw) for n, draw in enumerate((0, 0, 1)))
    known = [pd.read_csv(folder / "data.csv")["redshift"].notna() for folder in (one, same, other)]
    assert [int(some.sum()) for some in known] == [10, 10, 10]
    assert known[0].equals(known[1])
    assert not known[0].equals(known[2])
    assert len(known[0]) == ways.labels_in(new)
    part = pd.read_csv(tmp_path / "0" / "data.csv")["split"][known[0]]
    assert sorted(part.unique()) == ["train", "validation"]


def test_labels_that_an_adaptation_is_tested_on_stay(written, tmp_path):
    new = written[1] / "new"
    folder = ways.with_labels(new, tmp_path / "few", 10, 0, tested=True)
    assert ways.labels_in(folder, tested=False) == 10
    assert ways.labels_in(folder) - 10 == ways.labels_in(new) - ways.labels_in(new, tested=False) > 0


def test_images_go_along(tmp_path):
    ids = [10**18 + number for number in range(8)]
    for objid in ids:
        write_image(tmp_path / f"{objid}.jpg", 100)
    one = pairs.Survey(pd.DataFrame({"objid": ids, "shape": ["disk"] * 8}), {n: tmp_path / f"{n}.jpg" for n in ids})
    found = pair(lambda *_: (one, one), folds=4)
    pairs.write_pair(found, tmp_path, tmp_path, tmp_path / "pair")
    ((new, test),) = pairs.turns(found, tmp_path / "pair")
    both = ways.joined([new, test], tmp_path / "both", 0)
    assert sorted(int(path.stem) for path in (both / "img").iterdir()) == ids
    assert (ways.with_labels(new, tmp_path / "few", 1, 0) / "img").is_dir()


def test_what_is_not_there_is_a_line(tmp_path):
    found = pair(lambda *_: None, real=("resolve",))
    with pytest.raises(DataError, match=r"resolve: expected data for here → there, found none$"):
        pairs.write_pair(found, tmp_path, tmp_path, tmp_path / "pair")


def test_a_galaxy_of_two_catalogues_is_one():
    ra, dec = pd.Series([10.0, 10.0005, 10.0, 359.9999]), pd.Series([0.0, 0.0003, 1.0, 0.0])
    assert pairs.once_each(ra, dec).tolist() == [True, False, True, True]


def test_a_bias_counts_and_its_share_of_the_gap():
    truth = np.linspace(0.05, 0.3, 400)
    noise = np.random.default_rng(0).normal(0, 0.01, 400) * (1 + truth)
    far, near, best = (
        scores.resampled(REDSHIFT, [answers(truth, truth + noise + bias * (1 + truth))]) for bias in (0.1, 0.02, 0)
    )
    assert far[0]["nmad"] == pytest.approx(best[0]["nmad"], rel=0.05)
    assert far[0]["error"] == pytest.approx(1.4826 * 0.1, rel=0.05)
    share = scores.part_of_gap("error", far, near, best)
    low, high = share["interval"]
    assert 0.8 < low < share["value"] < high < 0.95


@pytest.mark.parametrize("output", [REDSHIFT, OWN[1]], ids=lambda one: one.name)
def test_intervals_hold_the_score_and_draws_widen_them(output):
    truth, predicted = drawn(output, 300)
    predicted[::3] = predicted[::3][::-1]
    one = scores.summary(scores.resampled(output, [answers(truth, predicted)]))
    both = scores.summary(scores.resampled(output, [answers(truth, predicted), answers(truth, perfect(output, truth))]))
    name = scores.headline(output)
    low, high = one["intervals"][name]
    assert low < one["scores"][name] < high
    wide_low, wide_high = both["intervals"][name]
    assert wide_high - wide_low > high - low


def test_the_page_has_a_line_for_every_pair(tmp_path):
    truth, predicted = drawn(REDSHIFT, 100)
    found = {
        (measure.BEFORE, 0): (scores.resampled(REDSHIFT, [answers(truth, predicted)]), 1),
        (measure.ADAPTED, 1000): (scores.resampled(REDSHIFT, [answers(truth, (truth + predicted) / 2)] * 2), 2),
        (measure.RETRAINED, measure.ALL): (scores.resampled(REDSHIFT, [answers(truth, truth)] * 2), 2),
    }
    rows = [
        measure.row(REDSHIFT, found, key, {True: 500, False: 450}, (measure.RETRAINED, measure.ALL)) for key in found
    ]
    about = {"score": "error", "kind": "redshift", "objects": {"labels": 500, "test": 100}, "rows": rows}
    about["diagnosed"] = [{"labels": 0, "verdict": "adapt", "reasons": ["far away"]}]
    page = tmp_path / "surveys.md"
    page.write_text(f"Words before.\n\n{write_page.BEGIN}\nearlier\n{write_page.END}\n\nWords behind.\n")
    alarms = {"survey": "A1", "labelled": False, "halves": 100, "objects": 50, "verdicts": {"use": 98, "adapt": 2}}
    results = {"false_alarms": [alarms], "machine": {"date": "2026-01-02T00:00:00"}, "pairs": {"a1-kc": about}}
    write_page.write_page(json.loads(json.dumps(results)), tmp_path)
    text = page.read_text()
    assert text.startswith("Words before.")
    assert text.endswith("Words behind.\n")
    assert "earlier" not in text
    assert "| A1 → KC | 1.48 × median absolute error | adapt |" in text
    assert "| 50 % (50–50) |" in text
    assert "100 test objects, 500 others with labels to draw from." in text
    assert "without labels: 2 of 100 random halves of A1" in text
    assert "- `zoo shift` with 0 labels: **adapt**: far away" in text
    assert "| adapted | 450 | 2 |" in text


@pytest.mark.parametrize(
    ("option", "value"), [("--pairs", "a1-xx"), ("--ways", "magic"), ("--draws", "0"), ("--halves", "-1")]
)
def test_a_wrong_option_is_a_line(tmp_path, capsys, option, value):
    assert command.main([str(tmp_path), str(tmp_path), option, value]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert said.startswith(f"error: {option}")
