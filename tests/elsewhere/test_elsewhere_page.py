"""The page without a server, in a real browser: what it says is what ``zoo predict`` writes."""

import csv
import io
import json
from dataclasses import replace

import numpy as np
import pytest
from helpers import needed
from helpers.axe import violations
from helpers.browsing import PHONE, browsing, dark, phone, serving, text, wait
from helpers.distributed import distributed_by_hand
from helpers.exported import exported_folder
from helpers.trained import by_hand, several_by_hand
from PIL import Image
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from common.backend import keras
from common.cli.command import main
from common.elsewhere import web_runtime
from common.models.keras_runtime import KerasRuntime
from common.models.model import ANY
from common.outputs.kinds import kind_of
from sdss_gs.schema import OUTPUTS

TARBALL = web_runtime.RUNTIME.cached()
"""Where ``.ci/run`` puts npm's package; asked before a test has a cache of its own."""
TABLE = """objid,u,g,r,i,z
1237648720693755918,18.5,17.2,16.5,16.1,15.8
2,24.1,22.9,20.3,19.9,19.5
3,18.5,17.2,16.5,16.1,77
4,-9999,17.2,16.5,16.1,15.8
5,18.5,17.2,x,16.1,15.8
6,18.5,,16.5,NaN,99
"""


def votes_by_hand():
    """Make an i2v whose shares depend on the brightness, each its own way."""
    model, output = by_hand("i2r"), OUTPUTS["votes"]
    values = keras.Input((150, 150, 3), dtype="uint8", name="img")
    mean = keras.layers.GlobalAveragePooling2D()(keras.layers.Rescaling(1 / 255)(values))
    network = keras.Model({"img": values}, kind_of(output).attach_head(mean), name="i2v")
    rng = np.random.default_rng(0)
    head = kind_of(output).head_of(network)
    head.set_weights([rng.normal(0, 2, (3, output.size)), rng.normal(0, 1, output.size)])
    shares = rng.uniform(0, 1, (400, output.size))
    fitted = kind_of(output).fit_calibration(np.clip(shares + rng.normal(0, 0.1, shares.shape), 0, 1), shares)
    runtime = KerasRuntime(network, (output,))
    return replace(model, name="i2v", outputs=(output,), runtime=runtime, calibrations={ANY: {"votes": fitted}})


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """Folders of models, by name."""
    needed.fetched(TARBALL)
    home = tmp_path_factory.mktemp("shelf")
    models = [by_hand(name) for name in ("b2r", "b2c", "b2sm", "i2r", "i2c")] + [several_by_hand(), votes_by_hand()]
    models += [
        replace(distributed_by_hand("b2r"), name="b2r-binned"),
        replace(distributed_by_hand("b2r", components=2), name="b2r-mixture"),
        replace(distributed_by_hand("b2sm"), name="b2sm-binned"),
    ]
    return {model.name: exported_folder(home / model.name, model) for model in models}


@pytest.fixture(scope="module")
def root(shelf, tmp_path_factory):
    """A folder that is served, the page not at its top."""
    root = tmp_path_factory.mktemp("served")
    (root / "some").mkdir()
    command = ["export", *shelf.values(), str(root / "some" / "page"), "--format", "page"]
    assert main([*command, "--onnxruntime-web", str(TARBALL)]) == 0
    return root


@pytest.fixture(scope="module")
def url(root):
    """The page on loopback."""
    with serving(root) as address:
        yield f"{address}/some/page/"


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    with browsing(tmp_path_factory.mktemp("profile"), performance="ALL") as browser:
        yield browser


@pytest.fixture
def page(browser, url):
    """The page; at the end nothing was said on the console, and nothing asked of another server."""
    browser.get(url)
    wait(browser, lambda: "in this browser" in text(browser, "about"))
    yield browser
    messages = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    asked = {one["params"]["request"]["url"] for one in messages if one["method"] == "Network.requestWillBeSent"}
    # The browser's own first page is of addresses that are no network: chrome://, chrome-untrusted://.
    over_network = {address for address in asked if address.startswith(("http", "ws"))}
    assert over_network, "the page itself was asked for"
    assert all(address.startswith(url) for address in over_network), over_network
    assert browser.get_log("browser") == []


def submit(browser, form):
    browser.find_element(By.CSS_SELECTOR, f"#{form} button").click()
    wait(browser, lambda: browser.find_element(By.ID, "results").get_attribute("aria-busy") == "false")
    return text(browser, "results")


def type_magnitudes(page, values):
    for band, value in zip("ugriz", values, strict=True):
        field = page.find_element(By.ID, f"value-modelMag_{band}")
        field.clear()
        field.send_keys(str(value))
    return submit(page, "type")


def paste(page, table):
    page.find_element(By.ID, "table").clear()
    page.find_element(By.ID, "table").send_keys(table)
    return submit(page, "paste")


def tables(page):
    """The tables of the page by model, every digit."""
    found = {}
    for table in page.find_elements(By.CSS_SELECTOR, "#results table"):
        script = (
            "return [...arguments[0].rows].map((row) => [...row.cells].map((cell) => cell.title || cell.textContent))"
        )
        names, *rows = page.execute_script(script, table)
        model = table.find_element(By.TAG_NAME, "caption").text.split(",")[0]
        found[model] = [dict(zip(names, row, strict=True)) for row in rows]
    return found


def predicted(folder, tmp_path, *sources):
    """Rows that ``zoo predict`` writes."""
    out = tmp_path / "rows.csv"
    assert main(["predict", folder, "--input", *map(str, sources), "--output", str(out), "--overwrite"]) == 0
    return list(csv.DictReader(io.StringIO(out.read_text())))


def same(found, expected, tolerance):
    """Compare rows of texts: numbers to a tolerance, of masses in dex."""
    for row, wanted in zip(found, expected, strict=True):
        assert set(wanted) == set(row)
        for name in set(row) & set(wanted) - {"runtime"}:
            try:
                value, other = float(row[name]), float(wanted[name])
            except ValueError:
                assert row[name] == wanted[name], name
                continue
            if other > 1e4 and name.startswith("smass"):
                value, other = np.log10([value, other])
            assert value == pytest.approx(other, abs=tolerance), name


def test_one_galaxy_is_typed_and_has_the_numbers_of_zoo_predict(page, shelf, tmp_path):
    said = type_magnitudes(page, (18.5, 17.2, 16.5, 16.1, 15.8))
    (tmp_path / "one.csv").write_text("\n".join(TABLE.splitlines()[:2]) + "\n")
    (row,) = predicted(shelf["b2r"], tmp_path, tmp_path / "one.csv")
    assert "0.1682" in said
    ends = [float(row[f"redshift_{end}_68"]) for end in ("low", "high")]
    assert "68: {:.4g} to {:.4g};".format(*ends) in said
    (row,) = predicted(shelf["b2c"], tmp_path, tmp_path / "one.csv")
    for label in OUTPUTS["class3"].classes:
        assert f"{100 * float(row[f'class3_{label}']):.1f} %" in said
    assert "Not asked, for they take something else: i2r, i2c, i2v" in text(page, "status")
    assert "version 1" in said
    curves = page.find_elements(By.CSS_SELECTOR, "svg .density")
    names = [curve.find_element(By.XPATH, "ancestor::section[1]").text.splitlines()[-1] for curve in curves]
    assert names == ["b2r-binned, version 1", "b2r-mixture, version 1", "b2sm-binned, version 1"]
    # The mixture has two peaks.
    heights = [float(point.split(",")[1]) for point in curves[1].get_attribute("points").split()]
    steps = np.sign([step for step in np.diff(heights) if step])
    assert (np.diff(steps) > 0).sum() == 2


def test_a_table_has_the_rows_of_zoo_predict_with_flags_and_problems(page, shelf, tmp_path):
    said = paste(page, TABLE)
    (tmp_path / "table.csv").write_text(TABLE)
    found = tables(page)
    assert list(found) == ["b2r", "b2c", "b2sm", "x2y", "b2r-binned", "b2r-mixture", "b2sm-binned"]
    for name, rows in found.items():
        same(rows, predicted(shelf[name], tmp_path, tmp_path / "table.csv"), 1e-4)
    assert [row["flag"] for row in found["b2r"]] == ["0", "8", "2", "1", "2", "1"]
    assert "z: expected 5 < value < 30, found 77" in said
    assert found["b2r"][0]["objid"] == "1237648720693755918"
    assert found["b2r"][0]["weights"].startswith("sha256:")


def picture(path, size, **options):
    height, width = np.mgrid[: size[1], : size[0]]
    light = np.exp(-np.hypot(width - size[0] / 2, height - size[1] / 2) / 18)
    noise = np.random.default_rng(size[0]).normal(0, 6, (size[1], size[0], 3))
    pixels = np.clip(25 + 200 * light[..., None] * (1.0, 0.8, 0.5) + noise, 0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(path, **options)
    return path


def turned():
    """How a camera was held, which nobody is to look at."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return exif


def test_images_have_the_rows_of_zoo_predict(page, shelf, tmp_path):
    files = [
        picture(tmp_path / "a.jpg", (150, 150), quality=95),
        picture(tmp_path / "b.jpg", (220, 171), quality=75, subsampling=2, exif=turned()),
        picture(tmp_path / "c.png", (101, 140)),
    ]
    page.find_element(By.ID, "images").send_keys("\n".join(map(str, files)))
    submit(page, "look")
    found = tables(page)
    assert list(found) == ["i2r", "i2c", "i2v"]
    for name, rows in found.items():
        same(rows, predicted(shelf[name], tmp_path, *files), 1e-4)
    assert [int(row["flag"]) & 64 for row in found["i2r"]] == [0, 64, 64]


def test_wrong_input_is_said_in_words(page, tmp_path):
    assert "x is empty" not in type_magnitudes(page, (18.5, "", 16.5, 16.1, 15.8))
    assert "the answer is from the others" in text(page, "results")
    assert "r: expected a number, found 16,5" in type_magnitudes(page, (18.5, 17.2, "16,5", 16.1, 15.8))
    assert "No prediction" in text(page, "results")
    said = paste(page, "objid,u,g\n1,2,3\n")
    assert "expected columns u, g, r, i, z" in said
    assert "(or their long names), found objid, u, g" in said
    assert "line 3: expected 2 cells as in the first line, found 1" in paste(page, "u,g\n1,2\n3\n")
    (tmp_path / "a.jpg").write_text("no image")
    whole = picture(tmp_path / "whole.jpg", (150, 150)).read_bytes()
    (tmp_path / "b.jpg").write_bytes(whole[:2000])
    picture(tmp_path / "c.jpg", (424, 424))
    Image.new("CMYK", (150, 150), (10, 20, 30, 40)).save(tmp_path / "d.jpg")
    Image.new("RGB", (150, 150), (10, 20, 30)).save(tmp_path / "e.png")
    Image.new("RGBA", (150, 150), (10, 20, 30, 40)).save(tmp_path / "f.png")
    page.find_element(By.ID, "images").send_keys("\n".join(str(tmp_path / f"{name}") for name in (
        "a.jpg", "b.jpg", "c.jpg", "d.jpg", "e.png", "f.png",
    )))  # fmt: skip
    said = submit(page, "look")
    for problem in (
        "a.jpg: expected a JPEG or PNG image", "b.jpg: expected a whole JPEG",
        'c.jpg: expected sides of 100 to 300 pixels at 0.2"/pixel, found 424x424',
        "d.jpg: expected an RGB image, found CMYK", "e.png: expected an image that shows something",
        "f.png: expected an opaque image",
    ):  # fmt: skip
        assert problem in said


def test_page_opened_as_a_file_says_how_to_serve_it(browser, root):
    browser.get((root / "some" / "page" / "index.html").as_uri())
    assert "python3 -m http.server" in text(browser, "about")
    # What the browser says of it is not the next test's.
    browser.get("about:blank")
    browser.get_log("browser")
    browser.get_log("performance")


def test_page_names_its_models_with_scores_and_warnings_and_works_by_keyboard_on_a_phone(page):
    with phone(page):
        summary = page.find_element(By.CSS_SELECTOR, "#models summary")
        summary.send_keys(Keys.ENTER)
        said = text(page, "models")
        for part in ("redshift: NMAD 0.0268", "few galaxies", "not corrected for Galactic extinction", "MIT licence"):
            assert part in said
        page.find_element(By.ID, "example").send_keys(Keys.ENTER)
        field = page.find_element(By.ID, "value-modelMag_u")
        assert 17 < float(field.get_attribute("value")) < 20
        field.send_keys(Keys.ENTER)
        wait(page, lambda: "b2r, version 1" in text(page, "results"))
        paste(page, TABLE)
        assert page.execute_script("return document.documentElement.scrollWidth") <= PHONE
    unnamed = [
        field.get_attribute("id")
        for field in page.find_elements(By.CSS_SELECTOR, "input, textarea")
        if not page.execute_script("return arguments[0].labels.length", field)
    ]
    assert not unnamed


def test_nothing_keeps_anybody_from_using_the_page(page, tmp_path):
    assert violations(page) == []
    type_magnitudes(page, (18.5, 17.2, 16.5, 16.1, 15.8))
    with dark(page):
        assert violations(page) == []
    paste(page, TABLE)
    assert violations(page) == []
    (tmp_path / "a.jpg").write_text("no image")
    page.find_element(By.ID, "images").send_keys(str(tmp_path / "a.jpg"))
    submit(page, "look")
    assert violations(page) == []
