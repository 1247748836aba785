"""What keeps people from using the pages that the zoo writes: reports, comparisons, data sets to look at."""

from io import BytesIO

import numpy as np
import pytest
from conftest import survey_rows, write_survey
from helpers.axe import violations
from helpers.browsing import browsing, dark
from helpers.cards import bin_of, several_summary, summary
from matplotlib.figure import Figure

from common.judge.card import card_data
from common.judge.compare import tables
from common.judge.maps.draw import Mapped
from common.judge.maps.draw import html_page as maps_page
from common.judge.page import html_page, template
from sdss_gs.explore import explore
from sdss_gs.schema import OUTPUTS

BINS = {"true redshift": [bin_of(0.0, 0.05, 1234, {"b2r": {"nmad": 0.0312, "bias": 0.004}})]}


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with browsing(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


def report(folder):
    figure, picture = Figure(figsize=(3, 2)), BytesIO()
    figure.savefig(picture, format="png", dpi=40)
    made = summary(figures={"loss": figure}, bins=BINS, warnings=["the network collapsed to one value"])
    return html_page(card_data(made), made.figures, {"loss": picture.getvalue()})


def report_of_several(folder):
    return html_page(card_data(several_summary(warnings=["x2y: no better than a constant"])), {}, {})


def comparison(folder):
    cards = {"b2r": card_data(summary()), "i2r": card_data(summary("i2r"))}
    return template("comparison.html").render(tables=tables(cards), outputs=OUTPUTS)


def data_set(folder):
    data = write_survey(folder / "survey", survey_rows(12))
    return explore(data, folder / "explored.html").read_text()


def maps(folder):
    rng, output = np.random.default_rng(0), OUTPUTS["gz2c"]
    part, places = np.array(["train", "validation"] * 6), {"pca": rng.normal(size=(12, 2)).astype(np.float32)}
    pictures = [np.full((150, 150, 3), 20 * row, np.uint8) for row in range(12)]
    return maps_page(Mapped("i2g", output, np.arange(12), part, np.arange(12) % 3, places, pictures))


@pytest.mark.parametrize("make", [report, report_of_several, comparison, data_set, maps])
def test_nothing_keeps_anybody_from_using_a_page(browser, tmp_path, make):
    path = tmp_path / "page.html"
    path.write_text(make(tmp_path))
    browser.get(path.as_uri())
    assert violations(browser) == []
    with dark(browser):
        assert violations(browser) == []
