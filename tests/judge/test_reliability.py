"""What card and report say of flags and of intervals in bins."""

import numpy as np
import pytest
from helpers.cards import bin_of, only_output, summary

from common.judge.card import card_data, card_markdown
from common.judge.page import html_page
from common.outputs.calibration import LEVELS
from common.outputs.kinds import kind_of
from common.outputs.reliability import coverage_in_bins, found_by
from sdss_gs.schema import OUTPUTS


def test_intervals_that_are_right_on_average_only_are_seen_in_bins():
    """All intervals are equally wide, errors grow with the magnitude."""
    rng = np.random.default_rng(0)
    magnitude = rng.uniform(14, 18, 5000)
    error = rng.normal(0, 0.01 * (magnitude - 13))
    held = {level: np.abs(error) <= np.quantile(np.abs(error), level) for level in LEVELS}
    bins = coverage_in_bins(held, {"r magnitude": magnitude})["r magnitude"]
    assert [line["count"] for line in bins] == [1000] * 5
    assert np.mean([line["coverage"]["0.68"] for line in bins]) == pytest.approx(0.68, abs=0.001)
    assert bins[0]["coverage"]["0.68"] > 0.9
    assert bins[-1]["coverage"]["0.68"] < 0.5
    assert bins[0]["error"]["0.9"] == pytest.approx(0.0095, abs=1e-4)
    assert bins[0]["high"] <= bins[1]["low"]


def test_objects_without_a_number_are_in_no_bin_and_few_make_none():
    held = {0.9: np.ones(60, bool)}
    values = np.where(np.arange(60) < 15, np.nan, 17.0)
    bins = coverage_in_bins(held, {"r": values, "few": np.where(np.arange(60) < 50, np.nan, 1.0)})
    assert {name: [line["count"] for line in lines] for name, lines in bins.items()} == {"r": [45]}


def test_a_flag_is_judged_by_the_wrong_predictions_it_finds():
    doubt = np.arange(100.0)
    wrong = doubt >= 90
    found = found_by(doubt >= 95, doubt, wrong)
    assert found == {"flagged": 0.05, "found": 0.5, "wrong": 1.0, "auc": 1.0}
    nobody = found_by(np.zeros(100, bool), doubt, np.zeros(100, bool))
    assert nobody == {"flagged": 0.0, "found": None, "wrong": None, "auc": None}


@pytest.mark.parametrize(
    ("name", "truth", "predicted", "expected"),
    [
        ("redshift", [0.1, 0.1, 0.1], [0.1, 0.16, 0.0], [False, True, True]),
        ("smass", [1e10, 1e10, 1e10], [2e10, 4e10, 1e9], [False, True, True]),
        ("class3", [0, 1, 2], np.eye(3)[[0, 1, 1]].tolist(), [False, False, True]),
    ],
)
def test_what_counts_as_wrong(name, truth, predicted, expected):
    found, words = kind_of(OUTPUTS[name]).wrong(np.array(truth), np.array(predicted))
    assert found.tolist() == expected
    assert words


def made():
    values = np.linspace(14, 18, 100)
    held = {level: values < np.quantile(values, level) for level in LEVELS}
    flags = {
        "UNSURE": found_by(values > 17, values, values > 16),
        "OUTSIDE_TRAINING": found_by(values > 99, values, values > 99),
    }
    return summary(
        coverage_bins={"redshift": coverage_in_bins(held, {"r magnitude": values})},
        flags={"redshift": {"what": "an error above 0.05", "share": 0.5} | flags},
        novelty={"bands": {"stated": 0.01, "flagged": 0.012, "objects": 300}},
    )


def test_card_and_report_say_it():
    card = card_data(made())
    assert list(only_output(card)["coverage_bins"]) == ["r magnitude"]
    text, page = card_markdown(card), html_page(card, {}, {})
    assert "| 14 to 14.8 | 20 | 100.0 ± 10.4 | 100.0 ± 6.7 | 100.0 ± 4.9 |" in text
    assert "| UNSURE | 25 % | 50 % | 100 % | 1.00 |" in text
    assert "| OUTSIDE_TRAINING | 0 % | – | – | – |" in text
    said = "OUTSIDE_TRAINING is made to flag 1 % of galaxies like the 300 validation galaxies by their bands"
    assert said in text
    assert said in page
    assert "What flags find" in page
    assert "Intervals in bins" in page


def test_a_score_that_one_bin_leaves_undefined_is_a_dash_there():
    """Where no galaxy is an outlier nothing tells how well the width finds them."""
    scores = [{"nmad": 0.02, "bias": 0.001}, {"nmad": 0.03}]
    bins = [bin_of(low, low + 0.1, 20, {"b2r": values}) for low, values in zip((0, 0.1), scores, strict=True)]
    card = card_data(summary(bins={"true redshift": bins}))
    assert "| 0.1–0.2 | 20 | b2r | 0.0300 | – |" in card_markdown(card)
    assert html_page(card, {}, {})
