"""What a service says of some galaxies as a file: that of ``zoo predict``, for whatever is known of each."""

import csv
import io
import json
import subprocess

import pytest
import requests
from astropy.io.votable import parse_single_table
from conftest import FIRST_ID, survey_rows, write_image, write_survey
from helpers import needed
from helpers.running import running
from helpers.trained import by_hand

from common.data.sources import open_source
from common.outputs.flags import Flag
from common.predict.predict import predict
from common.serve.app import make_app
from common.serve.limits import Limits
from common.serve.objects import open_objects
from common.serve.served_models import ServedModel
from common.serve.tables import MOST_GALAXIES

IDS = [str(FIRST_ID + 7 * number) for number in (3, 0)]
ROW = {"u": 18.5, "g": 17.2, "r": 16.5, "i": 16.1, "z": 15.8}


@pytest.fixture(scope="module")
def models():
    return {name: by_hand(name) for name in ("b2r", "b2s", "b2sm", "i2sm")}


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return write_survey(tmp_path_factory.mktemp("tables") / "data", survey_rows(5), ("img",))


@pytest.fixture(scope="module")
def url(models, data):
    shelf = {name: ServedModel(model) for name, model in models.items()}
    with running(make_app(shelf, open_objects(data), Limits(megabytes=1), {"127.0.0.1"})) as address:
        yield address


def asked(url, *fields):
    """Send a form of names and values, in their order; a file is its path."""
    parts = [(name, (value.name, value.read_bytes()) if name == "file" else (None, value)) for name, value in fields]
    answer = requests.post(f"{url}/table", files=parts, timeout=20)
    return answer.status_code, answer


def rows_of(text):
    return list(csv.DictReader(io.StringIO(text)))


def written(models, data, tmp_path, ending):
    """The file that ``zoo predict`` writes of a data set."""
    path, names = tmp_path / f"predicted{ending}", {item.name for model in models for item in model.inputs}
    predict(models, open_source([data], names, progress=False), path)
    return path


@pytest.mark.parametrize("names", [("b2r",), ("b2r", "b2s", "b2sm")])
def test_csv_is_that_of_zoo_predict(url, models, data, tmp_path, names):
    status, answer = asked(url, *(("objid", one) for one in IDS), *(("model", name) for name in names))
    assert status == 200
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="predictions.csv"'
    path = written([models[name] for name in names], data, tmp_path, ".csv")
    expected = {row["objid"]: row for row in rows_of(path.read_text())}
    found = rows_of(answer.text)
    assert [row["objid"] for row in found] == IDS
    for row in found:
        assert list(row) == list(expected[row["objid"]])
        for name, cell in expected[row["objid"]].items():
            assert row[name] == cell or float(row[name]) == pytest.approx(float(cell), rel=1e-5), name


def test_votable_has_the_columns_of_zoo_predict_and_ids_as_text(url, models, data, tmp_path):
    status, answer = asked(url, ("format", "votable"), *(("objid", one) for one in IDS))
    assert (status, answer.headers["Content-Type"]) == (200, "application/x-votable+xml")
    found = parse_single_table(io.BytesIO(answer.content))
    expected = parse_single_table(written(list(models.values()), data, tmp_path, ".vot"))
    for mine, theirs in zip(found.fields, expected.fields, strict=True):
        for known in ("name", "unit", "ucd", "description"):
            assert getattr(mine, known) == getattr(theirs, known)
    assert (found.fields[0].name, found.fields[0].datatype) == ("objid", "char")
    assert list(found.to_table()["objid"]) == IDS
    assert found.to_table()["i2sm_smass"].unit == "solMass"


def test_stilts_reads_the_votable_and_finds_nothing_wrong_with_it(url, tmp_path):
    stilts = needed.program("stilts")
    write_image(tmp_path / "mine.jpg", 100)
    fields = [("objid", IDS[0]), ("row", json.dumps(ROW | {"id": "M 31 <&>"})), ("file", tmp_path / "mine.jpg")]
    path = tmp_path / "a.vot"
    path.write_bytes(asked(url, ("format", "votable"), *fields)[1].content)
    said = []
    for arguments in (["votlint", path], ["tpipe", f"in={path}", "cmd=keepcols 'id b2r_redshift'", "ofmt=csv"]):
        done = subprocess.run([stilts, *arguments], capture_output=True, text=True, timeout=60)
        assert (done.returncode, done.stderr) == (0, "")
        said.append(done.stdout)
    assert said[0] == ""
    rows = rows_of(said[1])
    assert [row["id"] for row in rows] == [IDS[0], "M 31 <&>", "mine"]
    assert [bool(row["b2r_redshift"]) for row in rows] == [True, True, False]


def test_what_is_missing_or_wrong_is_said_in_a_galaxys_row(url, tmp_path):
    write_image(tmp_path / "mine.jpg", 100)
    (tmp_path / "wrong.jpg").write_text("no image")
    status, answer = asked(
        url, ("objid", IDS[0]), ("row", json.dumps(ROW | {"id": "typed"})),
        ("row", json.dumps(ROW | {"u": 77, "id": None})),
        ("file", tmp_path / "mine.jpg"), ("scale", "-1"), ("file", tmp_path / "mine.jpg"),
        ("file", tmp_path / "wrong.jpg"),
    )  # fmt: skip
    assert status == 200
    rows = rows_of(answer.text)
    assert [row["id"] for row in rows] == [IDS[0], "typed", "3", "mine", "mine", "wrong"]
    missing, bad = int(Flag.MISSING), int(Flag.BAD_INPUT)
    assert [int(row["b2r_flag"]) & (missing | bad) for row in rows] == [0, 0, bad, missing, missing, missing]
    assert [int(row["i2sm_flag"]) & (missing | bad) for row in rows] == [0, missing, missing, 0, bad, bad]
    assert [bool(row["i2sm_smass"]) for row in rows] == [True, False, False, True, False, False]
    assert rows[2]["b2r_problem"].startswith("modelMag_u: expected")
    assert "scale: expected arcsec per pixel" in rows[4]["i2sm_problem"]
    assert "expected the content of a .jpg file" in rows[5]["i2sm_problem"]


@pytest.mark.parametrize(
    ("fields", "status", "text"),
    [
        ([], 415, "content-type: expected multipart/form-data"),
        ([("format", "fits"), ("objid", IDS[0])], 422, "format: expected csv or votable, found fits"),
        ([("objid", "12")], 404, "object: expected the id of a galaxy"),
        ([("model", "b2r")], 422, "expected 1 to 100 galaxies (objid, row, file), found 0"),
        ([("objid", IDS[0])] * (MOST_GALAXIES + 1), 422, "expected 1 to 100 galaxies"),
        ([("objid", IDS[0]), ("model", "x2r")], 404, "model: expected one of b2r, b2s, b2sm, i2sm"),
        ([("objid", IDS[0]), ("pdf", "grid")], 422, "form: expected no fields but objid, row, file"),
        ([("row", "[1, 2]")], 422, "row: expected magnitudes by name, as JSON"),
        ([("row", '{"id": "\\ud800", "u": 18.5}')], 422, "row: expected magnitudes by name, as JSON"),
        ([("row", "[" * 99999)], 422, "row: expected magnitudes by name, as JSON"),
        ([("row", '{"w1": 12}')], 422, "form: expected a galaxy that a model takes"),
    ],
)
def test_what_cannot_be_is_refused_in_words(url, fields, status, text):
    found, answer = asked(url, *fields)
    assert (found, text in answer.json()["error"]) == (status, True), answer.text


def test_form_is_described_for_programs(url):
    described = requests.get(f"{url}/openapi.json", timeout=20).json()["paths"]["/table"]["post"]
    form = described["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert set(form["properties"]) == {"objid", "row", "file", "scale", "model", "format"}
    assert set(described["responses"]["200"]["content"]) == {"text/csv", "application/x-votable+xml"}
