"""The page of the service in a real browser, and uploads over HTTP."""

import csv
import gzip
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from astropy.io import fits as astropy_fits
from astropy.io.votable import parse_single_table
from conftest import FIRST_ID, ROOT, cutout, survey_rows, wide_image, write_image, write_spectrum, write_survey
from helpers.asking import ask
from helpers.axe import violations
from helpers.browsing import PHONE, browsing, dark, phone, text, wait
from helpers.distributed import distributed_by_hand
from helpers.running import running
from helpers.trained import MAGNITUDES, by_hand, several_by_hand
from PIL import Image
from selenium.webdriver import ActionChains
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from common.serve.app import STATIC, make_app
from common.serve.limits import Limits
from common.serve.objects import open_objects
from common.serve.served_models import ServedModel

NAMES = ("b2r", "b2sm", "i2g", "w2r", "f2r", "s2r", "x2y", "b2r-binned", "b2sm-mixture")
DISTRIBUTED = {
    "b2r-binned": distributed_by_hand("b2r"), "b2sm-mixture": distributed_by_hand("b2sm", components=2)
}  # fmt: skip


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    home = tmp_path_factory.mktemp("page")
    data = write_survey(home / "data", survey_rows(20), ("img", "fits", "spectra"))
    shelf = {name: ServedModel(by_hand(name)) for name in NAMES[:6]} | {"x2y": ServedModel(several_by_hand())}
    shelf |= {name: ServedModel(replace(model, name=name)) for name, model in DISTRIBUTED.items()}
    with running(make_app(shelf, open_objects(data), Limits(megabytes=2), {"127.0.0.1"})) as address:
        yield address


@pytest.fixture(scope="module")
def bare_url():
    """A service as it is where nothing was trained and no data set is: models of magnitudes and of spectra."""
    shelf = {
        name: ServedModel(DISTRIBUTED["b2r-binned"] if name == "b2r" else by_hand(name)) for name in ("b2r", "s2r")
    }
    with running(make_app(shelf, None, hosts={"127.0.0.1"})) as address:
        yield address


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with browsing(tmp_path_factory.mktemp("profile")) as browser:
        yield browser


@pytest.fixture
def page(browser, url):
    show(browser, url)
    yield browser
    broken = [entry["message"] for entry in browser.get_log("browser") if "Content Security" in entry["message"]]
    assert not broken


def show(browser, url):
    # From another page: a browser takes an address that differs behind the # only for the same page.
    browser.get("about:blank")
    browser.get(url)
    wait(browser, lambda: "trained models" in text(browser, "about"))
    answered(browser)


def answered(browser):
    wait(browser, lambda: browser.find_element(By.ID, "results").get_attribute("aria-busy") != "true")


def click(browser, selector):
    browser.find_element(By.CSS_SELECTOR, selector).click()
    answered(browser)


def headings(browser):
    return [one.text for one in browser.find_elements(By.CSS_SELECTOR, ".galaxy h2")]


def focused(browser):
    return browser.switch_to.active_element


def press(browser, *keys):
    ActionChains(browser).send_keys(*keys).perform()


def test_random_galaxy_is_shown_with_pictures_and_every_models_answer(page):
    click(page, "#random")
    found = text(page, "results")
    assert f"Galaxy {page.find_element(By.ID, 'objid').get_attribute('value')}" in found
    for name in NAMES:
        assert f"{name}, version 1" in found
    assert "lines at z =" in found
    wait(page, lambda: all(
        page.execute_script("return arguments[0].naturalWidth", image) for image in
        page.find_elements(By.CSS_SELECTOR, "figure img")
    ))  # fmt: skip
    assert len(page.find_elements(By.CSS_SELECTOR, "figure img")) == 2
    assert len(page.find_elements(By.CSS_SELECTOR, "svg .level68")) == len(NAMES) - 1
    assert len(page.find_elements(By.CSS_SELECTOR, "svg .density")) == len(DISTRIBUTED)
    assert len(page.find_elements(By.CSS_SELECTOR, "meter")) == 6 + 4
    assert len(page.find_elements(By.CSS_SELECTOR, "svg .truth")) == len(NAMES) - 1


def test_what_each_input_says_alone_is_shown_of_a_model_of_several(page):
    click(page, "#random")
    tables = page.find_elements(By.CSS_SELECTOR, "table")
    rows = [[one.text for one in table.find_elements(By.CSS_SELECTOR, "tbody th")] for table in tables]
    assert rows == [["all", "bands", "wise"]] * 2


def test_distribution_is_drawn_over_its_intervals(page, url):
    """The highest point of each curve lies within the 68 % interval: that of these models has one peak."""
    click(page, "#random")
    for svg in page.find_elements(By.XPATH, "//*[name()='svg'][*[@class='density']]"):
        (curve,), (bar,) = (svg.find_elements(By.CSS_SELECTOR, f".{one}") for one in ("density", "level68"))
        points = [tuple(map(float, point.split(","))) for point in curve.get_attribute("points").split()]
        top = min(points, key=lambda point: point[1])[0]
        left, width = (float(bar.get_attribute(name)) for name in ("x", "width"))
        assert left - 2 <= top <= left + width + 2
        assert min(x for x, _ in points) >= 0
        assert max(x for x, _ in points) <= 400


def test_page_fits_a_phone(page):
    with phone(page):
        click(page, "#random")
        assert page.execute_script("return document.documentElement.scrollWidth") <= PHONE
        wait(page, lambda: page.find_elements(By.CSS_SELECTOR, "button.neighbour"))
        sides = page.execute_script(
            "return [...document.querySelectorAll('a, button, input, select, textarea')]"
            ".map((one) => [one.id || one.textContent, one.getBoundingClientRect()])"
            ".filter(([, box]) => box.height).map(([name, box]) => [name, Math.min(box.width, box.height)])"
        )
    assert len(sides) > 20
    assert [side for side in sides if side[1] < 24 and side[0] != "Skip to the answers"] == []


def test_similar_galaxies_are_shown_and_opened_by_keyboard_on_a_phone(page):
    with phone(page):
        click(page, "#random")
        wait(page, lambda: len(page.find_elements(By.CSS_SELECTOR, "button.neighbour")) == 12)
        assert page.execute_script("return document.documentElement.scrollWidth") <= PHONE
        shown = page.find_element(By.ID, "objid").get_attribute("value")
        first = page.find_element(By.CSS_SELECTOR, "button.neighbour")
        objid, redshift, distance = first.text.split("\n")
        assert (objid != shown, redshift[:4], distance[:9]) == (True, "z 0.", "distance ")
        assert page.find_element(By.ID, "seen-by").get_attribute("value") == "i2g"
        page.execute_script("arguments[0].focus()", first)
        first.send_keys(Keys.ENTER)
        wait(page, lambda: headings(page) == [f"Galaxy {objid}"])
        wait(page, lambda: page.find_elements(By.CSS_SELECTOR, "button.neighbour"))


def test_link_shows_galaxies_side_by_side_of_which_one_is_removed(page, url):
    ids = [str(FIRST_ID), str(FIRST_ID + 7)]
    show(page, f"{url}/#objids={','.join(ids)}")
    assert headings(page) == [f"Galaxy {objid}" for objid in ids]
    assert len(page.find_elements(By.CSS_SELECTOR, "svg .density")) == 2 * len(DISTRIBUTED)
    page.find_element(By.CSS_SELECTOR, ".head button").click()
    assert headings(page) == [f"Galaxy {ids[1]}"]
    assert focused(page).text == f"Galaxy {ids[1]}"
    assert page.current_url.endswith(f"/#objids={ids[1]}")


def test_four_galaxies_stand_on_one_axis_and_a_fifth_is_refused(browser, bare_url):
    show(browser, bare_url)
    rows = "\n".join(f"{name},{' '.join(map(str, MAGNITUDES + dim))}" for name, dim in (("a", 0), ("b", 1), ("c", 2)))
    browser.find_element(By.ID, "table").send_keys("id,u,g,r,i,z\n" + rows.replace(" ", ",") + "\n")
    click(browser, "#paste button")
    browser.find_element(By.ID, "beside").click()
    for band, value in zip("ugriz", MAGNITUDES, strict=True):
        browser.find_element(By.ID, f"mag-{band}").send_keys(str(value))
    click(browser, "#type button")
    titles = [*(f"Galaxy {name} of the table" for name in "abc"), "Your magnitudes: 18.5 17.2 16.5 16.1 15.8"]
    assert headings(browser) == titles
    assert focused(browser).text == titles[3]
    cards = browser.find_elements(By.CSS_SELECTOR, ".galaxy section")
    assert len({one.rect["y"] for one in cards}) == 1
    assert len({one.rect["x"] for one in cards}) == 4
    axes = [[one.text for one in card.find_elements(By.CSS_SELECTOR, "svg text")] for card in cards]
    assert axes[0][-1] == "redshift z"
    assert axes == axes[:1] * 4
    medians = [float(one.get_attribute("x1")) for one in browser.find_elements(By.CSS_SELECTOR, "svg .median")]
    assert medians[:3] == sorted(medians[:3])
    assert medians[3] == pytest.approx(medians[0])
    click(browser, "#type button")
    assert "4 galaxies are shown, and at most 4 fit side by side: remove one first" in text(browser, "error")
    assert headings(browser) == titles
    with phone(browser):
        assert browser.execute_script("return document.documentElement.scrollWidth") <= PHONE
        assert len({one.rect["x"] for one in browser.find_elements(By.CSS_SELECTOR, ".galaxy section")}) == 1


def test_answers_are_downloaded_as_csv_and_votable(browser, bare_url, tmp_path):
    browser.execute_cdp_cmd("Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(tmp_path)})
    show(browser, bare_url)
    browser.find_element(By.ID, "table").send_keys("id,u,g,r,i,z\nM 31,18.5,17.2,16.5,16.1,15.8\n7,19,18,17,16.5,16\n")
    click(browser, "#paste button")
    for form, name in (("csv", "predictions.csv"), ("votable", "predictions.vot")):
        browser.find_element(By.ID, form).click()
        wait(browser, lambda name=name: (tmp_path / name).is_file())
        assert text(browser, "status") == f"{name} is downloaded."
    rows = list(csv.DictReader((tmp_path / "predictions.csv").read_text().splitlines()))
    table = parse_single_table(tmp_path / "predictions.vot").to_table()
    assert [row["id"] for row in rows] == list(table["id"]) == ["M 31", "7"]
    assert [float(row["redshift"]) for row in rows] == list(table["redshift"])
    values = [one.text for one in browser.find_elements(By.CSS_SELECTOR, ".galaxy .value")]
    assert values == [f"{value:#.4g}" for value in table["redshift"]]


def test_page_is_used_by_keyboard_alone(page):
    press(page, Keys.TAB)
    assert focused(page).text == "Skip to the answers"
    assert focused(page).rect["x"] >= 0
    assert focused(page).value_of_css_property("outline-style") == "solid"
    press(page, Keys.TAB, Keys.TAB)
    assert focused(page).text == "Show"
    press(page, Keys.TAB, Keys.ENTER)
    answered(page)
    objid = page.find_element(By.ID, "objid").get_attribute("value")
    assert focused(page).text == f"Galaxy {objid}"
    assert text(page, "status") == f"Galaxy {objid}: {len(NAMES)} answers."
    press(page, Keys.ESCAPE)
    assert focused(page).get_attribute("id") == "random"
    press(page, Keys.TAB)
    assert focused(page).get_attribute("id") == "mag-u"
    unnamed = [
        field.get_attribute("id")
        for field in page.find_elements(By.CSS_SELECTOR, "input, textarea")
        if not page.execute_script("return arguments[0].labels.length", field)
    ]
    assert not unnamed


def test_nothing_keeps_anybody_from_using_the_page(page, url, tmp_path):
    assert violations(page) == []
    show(page, f"{url}/#objids={FIRST_ID}")
    assert violations(page) == []
    page.find_element(By.ID, "beside").click()
    write_image(tmp_path / "mine.jpg", 100)
    (tmp_path / "wrong.jpg").write_text("no image")
    for name in ("mine.jpg", "wrong.jpg"):
        page.find_element(By.ID, "file").send_keys(str(tmp_path / name))
        click(page, "#upload button")
    assert headings(page) == [f"Galaxy {FIRST_ID}", "mine.jpg"]
    assert "expected the content of a .jpg file" in text(page, "error")
    assert violations(page) == []
    with dark(page):
        assert violations(page) == []
    page.get(f"{url}/docs")
    wait(page, lambda: "POST /table" in page.page_source)
    assert violations(page) == []


def test_without_a_data_set_there_are_examples_and_files(browser, bare_url, tmp_path):
    show(browser, bare_url)
    assert violations(browser) == []
    assert not browser.find_element(By.ID, "choose").is_displayed()
    assert "zoo serve --ds FOLDER" in text(browser, "no-data")
    browser.find_element(By.ID, "example").click()
    wait(browser, lambda: browser.find_element(By.ID, "mag-u").get_attribute("value") == "18.832")
    click(browser, "#type button")
    assert "b2r, version 1" in text(browser, "results")
    browser.find_element(By.ID, "examples").click()
    wait(browser, lambda: browser.find_element(By.ID, "table").get_attribute("value"))
    click(browser, "#paste button")
    assert headings(browser) == [f"Galaxy {number} of the table" for number in (2, 4, 5, 6)]
    assert "Orange: catalogue, 0.1703" in text(browser, "results")
    wavelength = np.round(10.0 ** (np.arange(35900, 39600) * 1e-4), 3)
    write_spectrum(tmp_path / "mine.csv", wavelength, wavelength / 5000)
    browser.find_element(By.ID, "file").send_keys(str(tmp_path / "mine.csv"))
    click(browser, "#upload button")
    assert (headings(browser), "s2r, version 1" in text(browser, "results")) == (["mine.csv"], True)


def test_service_that_is_gone_is_said_whatever_was_asked(page):
    away = {"offline": True, "latency": 0, "downloadThroughput": 0, "uploadThroughput": 0}
    page.execute_cdp_cmd("Network.enable", {})
    page.execute_cdp_cmd("Network.emulateNetworkConditions", away)
    try:
        for button in ("example", "examples", "random"):
            page.execute_script("document.getElementById('error').textContent = ''")
            page.find_element(By.ID, button).click()
            wait(page, lambda: text(page, "error") == "the service does not answer")
    finally:
        page.execute_cdp_cmd(
            "Network.emulateNetworkConditions",
            away | {"offline": False, "downloadThroughput": -1, "uploadThroughput": -1},
        )
    click(page, "#choose button")
    assert text(page, "error") == "type the id of a galaxy, or ask for a random one"


def test_a_table_of_more_galaxies_than_fit_is_refused(page):
    page.find_element(By.ID, "table").send_keys("u g r i z\n" + "18.5 17.2 16.5 16.1 15.8\n" * 5)
    click(page, "#paste button")
    assert text(page, "error") == "expected at most 4 galaxies, found 5; zoo predict takes any number"
    page.find_element(By.ID, "table").send_keys("18.5 17.2\n")
    click(page, "#paste button")
    assert text(page, "error") == "table, line 7: expected 5 cells as in the first line, found 2"


def test_examples_are_those_of_the_command_line():
    assert (STATIC / "galaxies.csv").read_bytes() == (ROOT / "examples" / "galaxies.csv").read_bytes()


def test_uploaded_image_is_predicted_and_a_wrong_file_refused_in_words(page, tmp_path):
    write_image(tmp_path / "mine.jpg", 100)
    page.find_element(By.ID, "file").send_keys(str(tmp_path / "mine.jpg"))
    click(page, "#upload button")
    assert "i2g, version 1" in text(page, "results")
    assert "b2r" not in text(page, "results")
    (tmp_path / "wrong.jpg").write_text("no image")
    page.find_element(By.ID, "file").send_keys(str(tmp_path / "wrong.jpg"))
    click(page, "#upload button")
    assert "i2g: file: expected the content of a .jpg file" in text(page, "results")
    (tmp_path / "wrong.txt").write_text("no image")
    page.find_element(By.ID, "file").send_keys(str(tmp_path / "wrong.txt"))
    click(page, "#upload button")
    assert "wrong.txt: expected a file that ends in .fits.gz" in text(page, "results")


def test_typed_magnitudes_are_predicted_and_impossible_ones_named(page):
    for band, value in zip("ugriz", (18.5, 17.2, 16.5, 16.1, 15.8), strict=True):
        page.find_element(By.ID, f"mag-{band}").send_keys(str(value))
    click(page, "#type button")
    assert "0.1682" in text(page, "results")
    assert "w2r" not in text(page, "results")
    page.find_element(By.ID, "mag-z").clear()
    page.find_element(By.ID, "mag-z").send_keys("77")
    click(page, "#type button")
    assert "modelMag_z" in text(page, "results")
    page.find_element(By.ID, "objid").send_keys("12")
    click(page, "#choose button")
    assert "object: expected the id of a galaxy" in text(page, "results")


def test_magnitudes_that_are_not_typed_are_gaps_of_models_that_answer_without(page):
    for band, value in zip("ugri", (18.5, 17.2, 16.5, 16.1), strict=True):
        page.find_element(By.ID, f"mag-{band}").send_keys(str(value))
    click(page, "#type button")
    found = text(page, "results")
    assert "a magnitude is missing or impossible: the answer is from the others" in found
    assert len(page.find_elements(By.CSS_SELECTOR, "svg .density")) == len(DISTRIBUTED)
    page.find_element(By.ID, "mag-z").send_keys("bright")
    click(page, "#type button")
    assert "modelMag_z: expected a number or null, found bright" in text(page, "results")


def upload(url, model, name, content, scale=""):
    mark = "mark-of-a-part"
    head = f'--{mark}\r\nContent-Disposition: form-data; name="scale"\r\n\r\n{scale}\r\n--{mark}\r\n'
    head += f'Content-Disposition: form-data; name="file"; filename="{name}"\r\n\r\n'
    body = head.encode() + content + f"\r\n--{mark}--\r\n".encode()
    kind = f"multipart/form-data; boundary={mark}"
    status, answer, _ = ask(f"{url}/predict/{model}", body, Content_Type=kind)
    return status, json.loads(answer)


def encoded(kind, size=(150, 150)):
    buffer = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (*size, 3), np.uint8)).save(buffer, kind)
    return buffer.getvalue()


def cube(**cards):
    buffer = io.BytesIO()
    astropy_fits.PrimaryHDU(np.moveaxis(cutout(1), 2, 0), astropy_fits.Header(cards)).writeto(buffer)
    return buffer.getvalue()


def unit(*cards):
    """Return the header of an image, without pixels."""
    cards = ("SIMPLE  =                    T", "BITPIX  =                    8", *cards, "END")
    return "".join(card.ljust(80) for card in cards).ljust(2880).encode()


def saved(array):
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("model", "name", "content", "scale", "status"),
    [
        ("i2g", "a.jpg", encoded("JPEG"), "", 200),
        ("i2g", "a.png", encoded("PNG", (75, 75)), "0.4", 200),
        ("f2r", "a.npy", saved(cutout(1)), "", 200),
        ("i2g", "a.tiff", encoded("TIFF", (424, 424)), "0.1", 200),
        ("i2g", "a.webp", encoded("WEBP", (424, 424)), "", 422),
        ("f2r", "a.fits.gz", gzip.compress(cube()), "", 200),
        ("f2r", "a.fits", cube(BANDS="grizy"), "", 422),
        ("f2r", "a.npy", saved(np.ones((61, 61, 5), np.float32)), "", 422),
        ("f2r", "a.fits.gz", gzip.compress(bytes(2**25 + 1)), "", 422),
        ("f2r", "a.fits.gz", gzip.compress(gzip.compress(cube())), "", 422),
        ("i2g", "../../etc/a.jpg", encoded("JPEG"), "", 200),
        ("i2g", "a.png", encoded("PNG", (75, 75)), "", 422),
        ("i2g", "a.jpg", encoded("JPEG")[:800], "", 422),
        ("i2g", "a.png", wide_image(), "", 422),
        ("i2g", "a.jpg", b"junk", "", 415),
        ("i2g", "a.exe", b"junk", "", 415),
        ("i2g", "a.jpg", encoded("JPEG"), "-1", 422),
        ("f2r", "a.npy", saved(np.array([{}])), "", 422),
        ("f2r", "a.npy", saved(np.full((61, 61, 5), np.nan, np.float32)), "", 422),
        ("f2r", "a.fits", b"SIMPLE  =" + bytes(3000), "", 422),
        ("f2r", "a.fits", unit("NAXIS   =                 1001"), "", 422),
        ("f2r", "a.fits", unit("NAXIS   =                    1", "NAXIS1  =                   -1"), "", 422),
        ("s2r", "a.csv", b"Wavelength,Flux\n1,2\n", "", 422),
        ("b2r", "a.jpg", encoded("JPEG"), "", 415),
        ("i2g", "a.jpg", bytes(3 * 2**20), "", 413),
    ],
)
def test_uploads_are_read_or_refused_with_a_reason(url, model, name, content, scale, status):
    found, answer = upload(url, model, name, content, scale)
    assert found == status, answer
    assert answer["prediction" if status == 200 else "error"]
    assert ask(f"{url}/healthz")[0] == 200
