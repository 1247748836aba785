"""The documentation as a site: built once, then read as its reader does."""

import contextlib
import io
import json
import re
import sys
import warnings
from html.parser import HTMLParser
from pathlib import PurePosixPath
from urllib.parse import unquote, urldefrag, urlparse

import pytest
from conftest import ROOT
from helpers import needed
from helpers.browsing import PHONE, browsing, phone, serving, wait
from helpers.notebooks import executed_notebooks
from selenium.webdriver.common.by import By

from common.models.shipped import FOLDER, INDEX
from common.outputs.flags import Flag

build = needed.package("sphinx.cmd.build")

DOCS = ROOT / "docs"
MAIN = (
    "index", "start", "howto/redshifts", "howto/index", "models/index", "models/b2r", "reference/api",
    "reference/options", "understanding/flags", "measured/photoz", "cite", "notebooks/catalogue_to_redshifts",
)  # fmt: skip
MODELS = sorted(path.parent.name for path in ROOT.glob("*/MLproject"))
SHIPPED = json.loads((FOLDER / INDEX).read_text(encoding="utf-8"))
README = (ROOT / "README.md").read_text(encoding="utf-8")
LOADS = {"script": "src", "img": "src", "iframe": "src", "source": "src", "audio": "src", "video": "src"}
NOT_LOADED = {"canonical", "next", "prev", "index", "search", "author", "copyright", "alternate"}
"""What a ``<link>`` may be without the browser fetching it."""


class Page(HTMLParser):
    """What a page holds: ids, links, what it loads, and its text."""

    def __init__(self, html):
        super().__init__()
        self.ids, self.links, self.loads, self.words, self.tag, self.open = {""}, [], [], [], "", False
        self.feed(html)
        self.text = " ".join("".join(self.words).split())

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.ids.add(attributes.get("id"))
        self.tag = tag
        if tag == "a" and attributes.get("href"):
            self.links.append([attributes["href"], ""])
            self.open = True
        if tag in LOADS and attributes.get(LOADS[tag]):
            self.loads.append(attributes[LOADS[tag]])
        if tag == "link" and attributes.get("href") and not set(attributes.get("rel", "").split()) & NOT_LOADED:
            self.loads.append(attributes["href"])

    def handle_endtag(self, tag):
        self.tag = ""
        self.open = self.open and tag != "a"

    def handle_data(self, data):
        if self.tag not in {"script", "style"}:
            self.words.append(data)
        if self.open:
            self.links[-1][1] += data


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The folder of the site, and what its build had to say."""
    folder, said, path = tmp_path_factory.mktemp("site"), io.StringIO(), list(sys.path)
    arguments = ["-q", "-W", "-d", str(folder / "doctrees"), str(DOCS), str(folder / "html")]
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        patch.setenv("ZOO_NOTEBOOKS", str(executed_notebooks(tmp_path_factory)))
        # Of Sphinx' own libraries; its warnings of the pages are what it says.
        warnings.simplefilter("ignore")
        with contextlib.redirect_stderr(said), contextlib.redirect_stdout(said):
            code = build.main(arguments)
    sys.path[:] = path
    return folder / "html", code, said.getvalue()


@pytest.fixture(scope="module")
def site(built):
    return built[0]


@pytest.fixture(scope="module")
def pages(site):
    """Every page by its address."""
    files = sorted(path for path in site.rglob("*.html") if "_static" not in path.parts)
    return {path.relative_to(site).as_posix(): Page(path.read_text(encoding="utf-8")) for path in files}


def target(page, link):
    """Where a link of a page leads within the site; None if it leads away."""
    if urlparse(link).scheme or link.startswith("//"):
        return None
    path, anchor = urldefrag(link)
    if not path:
        return page, anchor
    parts = []
    for part in (PurePosixPath(page).parent / unquote(path)).parts:
        parts = parts[:-1] if part == ".." else [*parts, part]
    return "/".join(parts), anchor


def clicks(pages, start, most=99):
    """Pages by how many clicks they are away."""
    far, edge = {start: 0}, [start]
    for distance in range(1, most + 1):
        found = {target(page, link) for page in edge for link, _ in pages[page].links} - {None}
        edge = [page for page, _ in found if page in pages and page not in far]
        far |= dict.fromkeys(edge, distance)
    return far


def test_site_is_built_without_a_warning(built):
    _, code, said = built
    assert (code, said) == (0, "")


def test_no_page_loads_anything_from_elsewhere(site, pages):
    for page, content in pages.items():
        for link in content.loads:
            found = target(page, link)
            assert found, f"{page} loads {link}"
            assert (site / found[0].partition("?")[0]).is_file(), f"{page} loads {link}"
    for sheet in site.rglob("*.css"):
        for link in re.findall(r"(?:url\(|@import\s)\s*['\"]?([^'\")]+)", sheet.read_text(encoding="utf-8")):
            assert not re.match(r"(https?:)?//", link), f"{sheet.name} loads {link}"


def test_links_and_anchors_exist(site, pages):
    for page, content in pages.items():
        for link, _ in content.links:
            if not (found := target(page, link)):
                assert urlparse(link).scheme in {"https", "http", "mailto"}, f"{page}: {link}"
                continue
            path, anchor = found
            assert (site / path).is_file(), f"{page}: {link}"
            assert path not in pages or unquote(anchor) in pages[path].ids, f"{page}: {link}"


def test_every_page_is_reached_from_the_first(pages):
    sources = [path.relative_to(DOCS) for ending in ("md", "ipynb") for path in DOCS.rglob(f"*.{ending}")]
    written = {path.with_suffix(".html").as_posix() for path in sources if path.parts[0] != "_build"}
    assert len(written) > 70
    assert written <= set(clicks(pages, "index.html"))


@pytest.mark.parametrize(
    ("question", "answers"),
    [
        ("How do I use my own magnitudes?", ("--column", "nanomaggy", "E(B-V)", "--limits", "modelMagErr_r")),
        ("Why is this galaxy flagged?", tuple(Flag.__members__)),
        ("How do I cite it?", ("zoo data cite", "@software{sdss_zoo", "Sloan Digital Sky Survey", "cff-version")),
    ],
)
def test_question_of_a_newcomer_is_a_link_on_the_first_page(pages, question, answers):
    (link,) = (link for link, text in pages["index.html"].links if text == question)
    answer = pages[target("index.html", link)[0]].text
    assert [words for words in answers if words not in answer] == []


def test_start_leads_to_a_prediction_and_what_its_columns_mean(pages):
    text = pages["start.html"].text
    for words in ("pip install", "zoo predict b2r@shipped", "redshift_low_68", "flag"):
        assert words in text


@pytest.mark.parametrize("name", MODELS)
def test_model_has_a_page_with_what_goes_in_and_comes_out(pages, name):
    page = pages[f"models/{name}.html"]
    assert {"what-goes-in", "what-comes-out"} <= page.ids
    assert ("use-it" in page.ids) == (name in SHIPPED)
    assert name in SHIPPED or {"train-it"} <= page.ids
    assert [f"{name}.html", name] in pages["models/index.html"].links


@pytest.mark.parametrize("name", SHIPPED)
def test_page_of_a_shipped_model_has_its_scores_pictures_and_limits(pages, name):
    page = pages[f"models/{name}.html"]
    # README's table has it too, and is kept true by a test of its own.
    (score,) = re.findall(rf"^\| `{name}` \|[^|]+\|[^|]+\| ([^|]+) \|", README, re.MULTILINE)
    assert score in page.text
    assert any(f"{name}.scores-" in link for link in page.loads)
    assert any(f"{name}.card.png" in link for link in page.loads)
    assert {"when-not-to-use-it", "what-it-learnt-from"} <= page.ids


def test_python_reference_has_the_docstrings(pages):
    text = pages["reference/api.html"].text
    for words in ("Open a trained model.", "Train a model on a table", "distribution", "modelMagErr_u"):
        assert words in text


def test_notebooks_are_shown_with_what_their_cells_gave(site):
    for notebook in (DOCS / "notebooks").glob("*.ipynb"):
        html = (site / "notebooks" / f"{notebook.stem}.html").read_text(encoding="utf-8")
        assert "cell_output" in html, notebook.name
        assert "<img" in html, notebook.name


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with browsing(tmp_path_factory.mktemp("profile")) as browser, phone(browser):
        yield browser


@pytest.fixture(scope="module")
def url(site):
    with serving(site) as address:
        yield address


@pytest.mark.parametrize("page", MAIN)
def test_page_fits_a_phone_and_fetches_from_the_site_alone(browser, url, page):
    browser.get(f"{url}/{page}.html")
    assert browser.execute_script("return document.documentElement.scrollWidth") == PHONE
    fetched = browser.execute_script("return performance.getEntriesByType('resource').map((one) => one.name)")
    assert fetched
    assert [name for name in fetched if not name.startswith((url, "data:"))] == []


def test_search_finds_a_page(browser, url):
    browser.get(f"{url}/search.html?q=dereddened")
    found = (By.CSS_SELECTOR, "#search-results li a")
    wait(browser, lambda: browser.find_elements(*found))
    assert any("redshifts.html" in link.get_attribute("href") for link in browser.find_elements(*found))
