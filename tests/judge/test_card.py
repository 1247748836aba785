"""The model card: complete, one with its JSON and Markdown, and honest about limits."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from conftest import ROOT
from helpers.cards import classes_summary, named, summary
from helpers.drawn import drawn

from common.backend import keras
from common.judge.card import best_rivals, card_data, card_markdown, score_text, template
from common.judge.multi_card import card_of
from common.judge.multi_judge import Judgement
from common.outputs.metrics import score
from sdss_gs.schema import OUTPUTS


@pytest.mark.parametrize("made", [summary(), classes_summary()], ids=["redshift", "classes"])
def test_card_survives_json(made):
    card = card_data(made)
    assert json.loads(json.dumps(card, allow_nan=False)) == card


def test_card_says_what_the_model_is():
    card = card_data(classes_summary())
    assert card["task"] == "classification"
    assert card["input"]["shape"] == [150, 150, 3]
    assert card["output"]["shape"] == [23]
    assert card["output"]["classes"] == list(OUTPUTS["gz2c"].classes)
    card = card_data(summary())
    assert (card["task"], card["output"]["shape"], card["licence"]) == ("regression", [1], "MIT")
    assert card["options"]["ds"] == "/data/sky"
    assert card["network"] == {"parameters": 1292, "architecture": ["dense    Dense    (None, 32)    192"]}
    assert card["scores"]["mean"]["outlier_fraction_05"] is None
    assert card["intervals"]["b2r"]["nmad"] == [0.02414, 0.02966]


def test_unknown_metric_is_shown_but_not_ranked():
    card = card_data(summary(scores={"b2r": {"new_one": 1.5}}, intervals={}))
    assert card["metrics"]["new_one"] == {"label": "new one", "better": "", "meaning": ""}
    assert best_rivals(card, "new_one") == set()
    assert "| b2r (this model) | 1.50 |" in card_markdown(card)


@pytest.mark.parametrize(
    ("value", "interval", "expected"),
    [
        (0.02680, (0.02414, 0.02966), ("0.0268", "0.0241–0.0297")),
        (-0.00071, (-0.00312, 0.00188), ("-0.0007", "-0.0031 to 0.0019")),
        (0.00132, None, ("0.00132", "")),
        (23.284, (20.12, 27.19), ("23.3", "20.1–27.2")),
        (54321.0, (51000.0, 57000.0), ("54321", "51000–57000")),
        (-0.00001, (-0.002, 0.002), ("0.0000", "-0.0020 to 0.0020")),
        (0.5, (0.5, 0.5), ("0.500", "0.500–0.500")),
        (1.234e-9, None, ("1.23e-09", "")),
        (0.0, None, ("0", "")),
        (0.2, (None, None), ("0.200", "")),
        (None, None, ("–", "")),
    ],
)
def test_scores_have_the_digits_that_their_interval_supports(value, interval, expected):
    assert score_text(value, interval) == expected


def test_best_is_lowest_highest_or_nearest_to_zero():
    scores = {"b2r": {"nmad": 2.0, "r2": 0.9, "bias": -0.1}, "mean": {"nmad": 1.0, "r2": 0.8, "bias": 0.2}}
    card = card_data(summary(scores=scores, intervals={}))
    assert [best_rivals(card, metric) for metric in ("nmad", "r2", "bias")] == [{"mean"}, {"b2r"}, {"b2r"}]


def test_markdown_holds_every_score_and_fact():
    card = card_data(summary(warnings=["collapsed to *one* value"]))
    text = card_markdown(json.loads(json.dumps(card)))
    assert "| b2r (this model) | 0.0268 (0.0241–0.0297) | **-0.0007** (-0.0031 to 0.0019) |" in text
    assert "| gradient boosting | **0.0199** (0.0177–0.0224) | 0.00203 | **0.0104** |" in text
    assert "| mean | 0.0538 | 0.00853 | – |" in text
    for fact in (*(f"`{name}`" for name in card["metrics"]), *card["limits"], *card["citation"], "9f8a3c21", "1,365"):
        assert fact in text
    assert "- collapsed to \\*one\\* value" in text
    assert "modelMag_u: 3 (-9999)" in text


def test_markdown_escapes_what_others_have_named():
    text = card_markdown(card_data(summary(data=named("<script>|`x`"), options={"ds": "a|b\nc"})))
    assert "\\<script\\>\\|\\`x\\`" in text
    assert "| `ds` | a\\|b c |" in text


def test_markdown_has_a_row_for_each_bin():
    bins = [
        {"low": 0.0, "high": 0.05, "count": 100, "nmad": 0.0312},
        {"low": 0.05, "high": 0.1, "count": 209, "nmad": 0.02},
    ]
    text = card_markdown(card_data(summary(bins=bins)))
    assert "| redshift | galaxies | NMAD |" in text
    assert "| 0–0.05 | 100 | 0.0312 |" in text


@pytest.mark.parametrize(
    ("model", "options", "leaks"),
    [
        ("s2r", {}, True),
        ("ss2r", {"column": "BestFit"}, True),
        ("s2r", {"column": "Flux"}, False),
        ("s2sm", {"column": "BestFit"}, False),
        ("b2r", {}, False),
    ],
)
def test_leak_of_the_best_fit_is_stated_where_it_leaks(model, options, leaks):
    limits = card_data(summary(model, options=options))["limits"]
    assert any("encodes the answer" in limit for limit in limits) == leaks


def test_synthetic_data_are_called_synthetic():
    synthetic, real = card_data(summary(data=named("sdss-gs-sample"))), card_data(summary())
    assert synthetic["limits"][0].startswith("Trained on synthetic galaxies")
    assert not any("synthetic" in limit for limit in real["limits"])
    assert any("zenodo" in line for line in real["citation"])
    assert not any("zenodo" in line for line in synthetic["citation"])


@pytest.mark.parametrize(
    ("model", "word"), [("w2r", "upper limit"), ("b2sm", "Firefly"), ("b2s", "line ratios"), ("b2g", "votes")]
)
def test_limits_follow_from_input_and_output(model, word):
    assert any(word in limit for limit in card_data(summary(model))["limits"])
    assert not any(word in limit for limit in card_data(summary("b2r"))["limits"])
    assert any("does not extrapolate" in limit for limit in card_data(summary(model))["limits"])


def test_citation_agrees_with_the_citation_file():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    software = card_data(summary())["citation"][0]
    assert cited["title"] in software
    assert str(cited["version"]) in software


def test_card_of_several_outputs_explains_the_scores_of_votes():
    sizes = {"train": 9, "validation": 9, "test": 9}
    data = SimpleNamespace(
        inputs=("bands",), outputs=("votes",), shapes=lambda: {"bands": (5,)}, folder=Path("sky"), fingerprint="9f8a",
        description=lambda: "sky: 27 objects", sizes=lambda: sizes,
    )  # fmt: skip
    votes = score(OUTPUTS["votes"], *drawn(OUTPUTS["votes"], 9))
    judged = Judgement({"votes": {"all inputs": {"galaxies": 9.0} | votes}})
    card = card_of(
        "x2y", "3350f83c", {}, data, keras.Sequential([keras.Input((5,)), keras.layers.Dense(1)]), judged, {}
    )
    text = template("multi_card.md").render(card=card)
    assert "| question 1 |" in text
    assert "of those asked: Is the galaxy smooth, with features, or a star?" in text
