"""The model card: complete, one with its JSON and Markdown, and honest about limits."""

import json
from dataclasses import replace

import numpy as np
import pytest
import yaml
from conftest import ROOT
from helpers.cards import bin_of, classes_summary, named, only_output, several_summary, summary
from helpers.drawn import drawn

from common.judge.card import best_rows, card_data, card_markdown, card_of_today, own_row, score_text
from common.judge.compare import tables
from common.judge.judged import Judged
from common.outputs.metrics import score
from sdss_gs.errors import OptionError
from sdss_gs.schema import OUTPUTS


@pytest.mark.parametrize(
    "made", [summary(), classes_summary(), several_summary()], ids=["number", "classes", "several"]
)
def test_card_survives_json(made):
    card = card_data(made)
    assert json.loads(json.dumps(card, allow_nan=False)) == card


def test_card_says_what_the_model_is():
    card = card_data(classes_summary())
    output = only_output(card)
    assert (output["task"], output["shape"], output["classes"]) == (
        "classification",
        [23],
        list(OUTPUTS["gz2c"].classes),
    )
    assert [item["shape"] for item in card["inputs"]] == [[150, 150, 3]]
    card = card_data(summary())
    output = only_output(card)
    assert (output["task"], output["shape"], card["licence"]) == ("regression", [1], "MIT")
    assert card["options"]["ds"] == "/data/sky"
    assert card["network"] == {"parameters": 1292, "architecture": ["dense    Dense    (None, 32)    192"], "light": ""}
    assert output["scores"]["mean"]["outlier_fraction_05"] is None
    assert output["intervals"]["b2r"]["nmad"] == [0.02414, 0.02966]
    assert list(output["baselines"]) == ["gradient boosting", "mean"]


def test_unknown_metric_is_shown_but_not_ranked():
    card = card_data(summary(scores={"b2r": {"new_one": 1.5}}, intervals={}))
    assert only_output(card)["metrics"]["new_one"] == {"label": "new one", "better": "", "meaning": ""}
    assert best_rows(only_output(card), "new_one") == set()
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
    output = only_output(card_data(summary(scores=scores, intervals={})))
    assert [best_rows(output, metric) for metric in ("nmad", "r2", "bias")] == [{"mean"}, {"b2r"}, {"b2r"}]


def test_only_rows_of_all_objects_compete():
    """What a model says of the few objects with every input is no match for a baseline on all of them."""
    card = card_data(several_summary())
    redshift, subclass = card["outputs"]
    assert best_rows(redshift, "nmad") == {"as available"}
    assert best_rows(subclass, "macro_f1") == {"gradient boosting"}
    assert [own_row(output) for output in card["outputs"]] == ["all inputs"] * 2


def test_markdown_holds_every_score_and_fact():
    card = card_data(summary(warnings=["collapsed to *one* value"]))
    text = card_markdown(json.loads(json.dumps(card)))
    assert "| b2r (this model) | 0.0268 (0.0241–0.0297) | **-0.0007** (-0.0031 to 0.0019) |" in text
    assert "| gradient boosting | **0.0199** (0.0177–0.0224) | 0.00203 | **0.0104** |" in text
    assert "| mean | 0.0538 | 0.00853 | – |" in text
    for fact in (
        *(f"`{name}`" for name in only_output(card)["metrics"]),
        *card["limits"],
        *card["citation"],
        "9f8a3c21",
        "1,365",
    ):
        assert fact in text
    assert "- collapsed to \\*one\\* value" in text
    assert "modelMag_u: 3 (-9999)" in text


def test_markdown_has_a_table_per_output_that_says_how_many_galaxies_each_row_is_of():
    text = card_markdown(json.loads(json.dumps(card_data(several_summary()))))
    assert "From any of **bands, wise** to **redshift, subclass**." in text
    redshift, subclass = text.split("## Scores of ")[1:]
    assert redshift.startswith("redshift")
    assert "| all inputs | 250 | 0.0200 (0.0190–0.0210) |" in redshift
    assert "| as available | 309 | **0.0300** |" in redshift
    assert "| as available | 90 % | 88.0 % | 0.09 |" in redshift
    assert "| 0–0.05 | 100 | as available | 0.0312 |" in redshift
    assert "| gradient boosting | 309 | **0.610** |" in subclass
    assert "Classes of subclass, in the order of the probabilities: AGN," in subclass


def test_markdown_explains_the_scores_of_votes_beside_another_output():
    votes = OUTPUTS["votes"]
    scores = {"redshift": {"all inputs": {"galaxies": 9.0, "nmad": 0.02}}}
    scores["votes"] = {"all inputs": {"galaxies": 9.0} | score(votes, *drawn(votes, 9))}
    made = several_summary(outputs=(OUTPUTS["redshift"], votes), scores=scores, intervals={}, bins={}, coverage={})
    text = card_markdown(card_data(made))
    assert "| question 1 |" in text
    assert "of those asked: Is the galaxy smooth, with features, or a star?" in text


def test_markdown_escapes_what_others_have_named():
    text = card_markdown(card_data(summary(data=named("<script>|`x`"), options={"ds": "a|b\nc"})))
    assert "\\<script\\>\\|\\`x\\`" in text
    assert "| `ds` | a\\|b c |" in text


def test_markdown_has_a_row_for_each_bin_and_rival():
    rivals = {"b2r": {"nmad": 0.02}, "gradient boosting": {"nmad": 0.0213}}
    faint = bin_of(-np.inf, 17.8, 209, rivals, {"b2r": {"nmad": (0.0190, 0.0211)}})
    bins = {"true redshift": [bin_of(0.0, 0.05, 100, rivals)], "r magnitude": [faint, bin_of(17.8, np.inf, 9, rivals)]}
    text = card_markdown(card_data(summary(bins=bins)))
    assert "| true redshift | galaxies | | NMAD |" in text
    assert "| 0–0.05 | 100 | b2r | 0.0200 |\n|  |  | gradient boosting | 0.0213 |" in text
    assert "| below 17.8 | 209 | b2r | 0.0200 (0.0190–0.0211) |" in text
    assert "| from 17.8 | 9 | b2r |" in text
    assert "Beside published values" not in text


def test_markdown_sets_published_values_beside_the_model():
    rows = {"b2r": {"nmad": 0.0139}, "gradient boosting": {"nmad": 0.015}, "published value": {"nmad": 0.0144}}
    published = {"": [bin_of(-np.inf, np.inf, 2982, rows)]}
    made = replace(summary(), published={"redshift": published})
    text = card_markdown(card_data(made)).partition("### Beside published values")[2]
    assert "| all | 2,982 | b2r | 0.0139 |" in text
    assert "|  |  | published value | 0.0144 |" in text


def test_markdown_says_what_was_learnt_from():
    spans = {
        part: {"count": n, "low": 14.1, "middle": 17.2, "high": 20.9} for part, n in (("train", 1365), ("test", 309))
    }
    kinds = {"train": {"count": 5, "classes": {"AGN": 3, "STARBURST": 2}}}
    text = card_markdown(card_data(replace(summary(), selection={"r magnitude": spans, "subclass": kinds})))
    assert "![Magnitudes and true values of the training and the test galaxies](card.png)" in text
    assert "| r magnitude | train | 1,365 | 14.1 | 17.2 | 20.9 |\n|  | test | 309 |" in text
    assert "- subclass, train: 3 AGN, 2 STARBURST" in text


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
    """Whatever their folder is called."""
    synthetic, real = (card_data(summary(data=named(*a))) for a in (("sky", True), ("my-sample", False)))
    assert synthetic["limits"][0].startswith("Trained on synthetic galaxies")
    assert not any("synthetic" in limit for limit in real["limits"])
    assert any("zenodo" in line for line in real["citation"])
    assert not any("zenodo" in line for line in synthetic["citation"])


def test_card_of_spectra_from_templates_says_what_these_were():
    made = {
        "origin": "templates", "redshifts": {"GALAXY": [0.003, 0.6]}, "noisy": 0.5,
        "templates": {"spEigenGal-1.fits": ""},
    }  # fmt: skip
    data = summary().data | {"synthetic": True, "made": made, "unlearnt": {"subclass": ["AGN", "BROADLINE"]}}
    card = card_data(summary("s2s", data=data))
    limits = "\n".join(card["limits"])
    assert any("Bolton et al. 2012" in line for line in card["citation"])
    assert "Learnt from spectra made of the templates spEigenGal-1.fits, never from a real one" in limits
    assert "Learnt GALAXY at z = 0.003 to 0.6: of others it knows nothing." in limits
    assert "No STAR or QSO was among them" in limits
    assert "50% were as noisy as observed flux" in limits
    assert "No training object was AGN or BROADLINE: it never answers so." in limits
    assert "equivalent width" in limits
    assert not any(words in limits for words in ("synthetic", "chose for spectroscopy", "line ratios"))


@pytest.mark.parametrize(
    ("model", "word"), [("w2r", "upper limit"), ("b2sm", "Firefly"), ("b2s", "line ratios"), ("b2g", "votes")]
)
def test_limits_follow_from_input_and_output(model, word):
    assert any(word in limit for limit in card_data(summary(model))["limits"])
    assert not any(word in limit for limit in card_data(summary("b2r"))["limits"])
    assert any("does not extrapolate" in limit for limit in card_data(summary(model))["limits"])


@pytest.mark.parametrize(("kind", "said"), [("dereddened", True), ("dereddened or model", True), ("model", False)])
def test_card_says_that_magnitudes_are_dereddened(kind, said):
    limits = card_data(summary("b2r", data=named("sky", False) | {"photometry": {"bands": kind}}))["limits"]
    assert any("dereddened" in limit for limit in limits) == said


def test_citation_agrees_with_the_citation_file():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    software = card_data(summary())["citation"][0]
    assert cited["title"] in software
    assert str(cited["version"]) in software


# === Cards of zoo 0.1 ===


@pytest.fixture(params=["b2r", "x2y"])
def old_card(request):
    return json.loads((ROOT / "tests" / "fixtures" / "cards" / f"{request.param}.json").read_text())


def test_scores_are_a_table_of_the_output_that_is_named():
    judged = Judged(None, several_summary())
    assert set(judged.scores().columns) >= {"nmad", "nmad_low", "nmad_high"}
    assert "macro_f1" in judged.scores("subclass")
    with pytest.raises(OptionError, match=r"^output: expected one of redshift, subclass, found 'smass'$"):
        judged.scores("smass")


def test_card_of_today_is_left_as_it_is():
    card = card_data(several_summary())
    assert card_of_today(card) == card


def test_card_of_zoo_01_keeps_every_number_where_cards_of_today_have_it(old_card):
    card = card_of_today(old_card)
    several = old_card["model"] == "x2y"
    assert [item["name"] for item in card["inputs"]] == (["bands", "wise"] if several else ["bands"])
    assert [output["name"] for output in card["outputs"]] == (["redshift", "subclass"] if several else ["redshift"])
    for output in card["outputs"]:
        assert output["scores"] == (old_card["scores"][output["name"]] if several else old_card["scores"])
        coverage = old_card["coverage"][output["name"]] if several else {"b2r": old_card["coverage"]}
        assert output["coverage"] == coverage
        assert own_row(output) == ("all inputs" if several else "b2r")
    redshift = card["outputs"][0]
    assert best_rows(redshift, "nmad") <= set(redshift["scores"])
    lines = old_card.get("bins", [])
    assert [len(found) for found in redshift["bins"].values()] == ([len(lines)] if lines else [])
    for line, found in zip(lines, redshift["bins"].get("true redshift", []), strict=True):
        assert line == {key: found[key] for key in ("low", "high", "count")} | found["scores"]["b2r"]
    assert redshift["intervals"] == old_card.get("intervals", {})


def test_card_of_zoo_01_is_compared_as_before(old_card):
    found = tables({old_card["model"]: card_of_today(old_card)})
    header, line = found["redshift"]
    row = dict(zip(header, line, strict=True))
    rows = old_card["scores"].get("redshift", old_card["scores"])
    own = score_text(rows[next(iter(rows))]["nmad"], old_card.get("intervals", {}).get("b2r", {}).get("nmad"))
    assert row["nmad"] == (f"{own[0]} ({own[1]})" if own[1] else own[0])
    assert row["boosting (nmad)"] == score_text(rows["gradient boosting"]["nmad"])[0]
    assert (row["test galaxies"], row["note"]) == ("65", "")
    if old_card["model"] == "x2y":
        header, line = found["subclass"]
        assert line[header.index("note")] == "no better than a constant"


@pytest.mark.parametrize(("kind", "dust"), [("model", True), ("dereddened", False), ("dereddened or model", False)])
def test_card_says_of_dust_only_what_is_true_of_the_magnitudes(kind, dust):
    made = summary()
    said = card_data(replace(made, data=dict(made.data) | {"photometry": {"bands": kind}}))["limits"]
    assert ("Magnitudes are not corrected for Galactic extinction" in " ".join(said)) == dust
