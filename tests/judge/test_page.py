"""The report page: self-contained, escaped, and with everything the run has to say."""

import base64
from dataclasses import replace
from html.parser import HTMLParser
from io import BytesIO

import numpy as np
import pytest
from helpers.cards import bin_of, classes_summary, named, several_summary, summary
from matplotlib.figure import Figure
from PIL import Image

from common.judge.card import card_data, score_text
from common.judge.page import CAPTIONS, html_page

VOID = {"meta", "img", "br", "hr", "link", "input"}


class Page(HTMLParser):
    """Collects what a page loads and says; refuses tags that are not closed in order."""

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.links, self.sources, self.ids, self.text = [], [], [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open
        self.words = " ".join(" ".join(self.text).split())

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.tags.append(tag)
        self.open += [] if tag in VOID else [tag]
        self.links += [attrs["href"]] if "href" in attrs else []
        self.sources += [attrs["src"]] if "src" in attrs else []
        self.ids += [attrs["id"]] if "id" in attrs else []

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def drawn(*names, width=3):
    figures = {}
    for name in names:
        figures[name] = Figure(figsize=(width, 2))
        figures[name].subplots().plot([0, 1])
    return figures


def render(made):
    images = {}
    for name, figure in made.figures.items():
        buffer = BytesIO()
        figure.savefig(buffer, format="png", dpi=40)
        images[name] = buffer.getvalue()
    return html_page(card_data(made), made.figures, images)


REDSHIFT = {
    "figures": drawn("loss", "extra_one", "residuals", "predicted_vs_true"),
    "bins": {"true redshift": [bin_of(0.0, 0.05, 1234, {"b2r": {"nmad": 0.0312, "bias": 0.004}})]},
    "warnings": ["the network collapsed to <one> value"],
}


@pytest.fixture(scope="module", params=["redshift", "classes", "several"])
def made(request):
    if request.param == "redshift":
        return summary(**REDSHIFT)
    if request.param == "classes":
        return classes_summary(figures=drawn("confusion", "loss", width=9))
    return several_summary(figures=drawn("subclass_confusion", "redshift_residuals", "loss"), warnings=["x2y: <one>"])


def test_page_holds_every_score_interval_warning_and_setting(made):
    words = Page(render(made)).words
    for output, rows in made.scores.items():
        for row, values in rows.items():
            assert row in words
            assert "galaxies" not in values or f"{values['galaxies']:,.0f}" in words
            for metric in set(values) - {"galaxies"}:
                number = None if values[metric] != values[metric] else values[metric]
                for text in score_text(number, made.intervals[output].get(row, {}).get(metric)):
                    assert text in words
    described = made.data["description"].replace("\n", " ")
    facts = [*made.options, *made.versions.values(), made.run_id, made.data["fingerprint"], described, *made.warnings]
    classes = [label for output in made.outputs for label in output.classes]
    for fact in (*facts, *classes, "2026-11-21 02:30 UTC", "1,365", "1,292 parameters"):
        assert fact in words
    assert " ".join(made.architecture[0].split()) in words


def test_page_loads_nothing_and_its_links_lead_somewhere(made):
    text = render(made)
    page = Page(text)
    assert text.startswith("<!DOCTYPE html>")
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)
    assert "url(" not in text
    assert "@import" not in text
    inner = [link[1:] for link in page.links if link.startswith("#")]
    assert set(inner) <= set(page.ids)
    assert all(link.startswith("https://") for link in page.links if not link.startswith("#"))
    assert len(page.ids) == len(set(page.ids))


def test_pictures_are_those_of_the_run_known_ones_first():
    made = summary(**REDSHIFT)
    text = render(made)
    page = Page(text)
    for source in page.sources:
        assert Image.open(BytesIO(base64.b64decode(source.split(",")[1]))).size == (120, 80)
    captions = [CAPTIONS["predicted_vs_true"], CAPTIONS["residuals"], CAPTIONS["loss"], "extra one"]
    positions = [page.words.index(caption) for caption in captions]
    assert len(page.sources) == 4
    assert positions == sorted(positions)
    assert 'class="wide"' not in text
    assert render(classes_summary(figures=drawn("confusion", width=9))).count('class="wide"') == 1


def test_pictures_of_several_outputs_stand_in_their_order_and_say_whose_they_are():
    figures = drawn("subclass_confusion", "redshift_worst_cases", "loss", "redshift_residuals")
    words = Page(render(several_summary(figures=figures))).words
    kinds = (("redshift", "residuals"), ("redshift", "worst_cases"), ("subclass", "confusion"))
    captions = [f"{output}: {CAPTIONS[kind]}" for output, kind in kinds]
    captions.insert(1, CAPTIONS["loss"])
    positions = [words.index(caption) for caption in captions]
    assert positions == sorted(positions)


def test_page_of_several_outputs_begins_with_the_first_score_of_each():
    text = render(several_summary())
    words = Page(text).words
    assert "Any of the inputs may be missing." in words
    assert "redshift: NMAD 0.0200 95 % interval 0.0190–0.0210 best baseline 0.0500 (gradient boosting)" in words
    assert "subclass: macro F1 0.700 best baseline 0.610 (gradient boosting)" in words
    assert text.count('class="own"') == 2
    assert "In bins true redshift galaxies predicted by NMAD 0–0.05 100 as available 0.0312" in words
    assert words.count("How sure it is") == 1
    assert "as available 90 % 88.0 % 0.09" in words


def test_page_without_pictures_bins_and_warnings_has_no_empty_sections():
    page = Page(render(summary()))
    assert "Pictures" not in page.words
    assert "Warning" not in page.words
    assert "In bins" not in page.words
    assert "Beside published values" not in page.words


def test_page_sets_published_values_beside_the_model():
    rows = {"b2r": {"nmad": 0.0139}, "published value": {"nmad": 0.0144}}
    made = replace(summary(), published={"redshift": {"": [bin_of(-np.inf, np.inf, 2982, rows)]}})
    assert (
        "Beside published values all with one galaxies predicted by NMAD all 2,982 b2r 0.0139"
        in Page(render(made)).words
    )


def test_names_of_others_are_text_not_markup():
    hostile = "<script>alert('\"&')</script>"
    changes = {"options": {"ds": hostile}, "warnings": [hostile], "versions": {hostile: hostile}}
    page = Page(render(summary(data=named(hostile, description=hostile), **changes)))
    assert "script" not in page.tags
    assert page.words.count(hostile) == 7


def test_model_comes_first_and_the_best_of_each_column_is_marked():
    text = render(summary())
    page = Page(text)
    assert text.index('class="own"') < text.index('<th scope="row">gradient boosting')
    assert page.words.index("b2r this model") < page.words.index("gradient boosting 0.0199")
    assert text.count('class="number best"') == 3
    assert "95 % interval 0.0241–0.0297" in page.words
    assert "best baseline 0.0199 (gradient boosting)" in page.words


def test_model_without_rivals_has_a_page():
    alone = summary(scores={"b2r": {"nmad": 0.02}}, intervals={})
    words = Page(render(alone)).words
    assert "0.0200" in words
    assert "best baseline" not in words


@pytest.mark.parametrize(("folder", "synthetic"), [("sky", True), ("my-sample", False)])
def test_page_says_of_synthetic_data_that_they_are_and_cites_real_ones(folder, synthetic):
    words = Page(render(summary(data=named(folder, synthetic)))).words
    assert ("Trained on synthetic galaxies" in words) is synthetic
    assert ("10.5281/zenodo.6393487" in words) is not synthetic
