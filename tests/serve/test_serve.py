"""The service, asked over loopback as any client does."""

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from conftest import survey_rows, write_survey
from helpers import gaps, needed
from helpers.asking import ask
from helpers.folders import architectures_of
from helpers.running import running
from helpers.stores import new_store
from helpers.trained import several_by_hand

from common import train
from common.models.opening import load
from common.outputs.flags import Flag
from common.serve.app import make_app
from common.serve.limits import Limits
from common.serve.objects import open_objects
from common.serve.served_models import ServedModel, open_served
from common.serve.service import listen
from sdss_gs.errors import OptionError
from sdss_gs.schema import INPUTS

ROW = {"u": 19.0, "modelMag_g": 17.7, "r": 16.5, "i": 16.1, "z": 15.8}


NOISY = replace(gaps.answering(gaps.NOISY), name="noisy")
LIMITED = {f"mag_{band}_lsst": value for band, value in zip("ugriz", (99.0, 17.2, 16.5, 16.1, 15.8), strict=True)} | {
    f"mag_err_{band}_lsst": value for band, value in zip("ugriz", (21.5, 0.1, 0.1, 0.1, 0.1), strict=True)
}
HEAVY = ("tensorflow", "keras", "mlflow", "sqlalchemy", "matplotlib", "scipy", "pandas")
"""What takes longer to load than a light model to answer."""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """Folder of the store and the data of `served`."""
    return tmp_path_factory.mktemp("served")


@pytest.fixture(scope="module")
def served(home, repository):
    data = write_survey(home / "data", survey_rows(200), ("img",))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", store := new_store(home))
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        patch.chdir(home)
        mlflow.set_tracking_uri(store)
        arguments = ["--ds", str(data), "--epochs", "2"]
        assert train._run(repository / "b2r", architectures_of("b2r"), arguments) == 0
        shelf = open_served(["b2r"], mlflow_address="http://127.0.0.1:5000/")
        shelf |= {"x2y": ServedModel(several_by_hand()), "noisy": ServedModel(NOISY)}
        app = make_app(shelf, open_objects(data), Limits(megabytes=1, rows=3), {"127.0.0.1"})
    with running(app) as address:
        yield address


def predict(url, content, model="b2r"):
    body = content if isinstance(content, bytes) else json.dumps(content).encode()
    status, answer, _ = ask(f"{url}/predict/{model}", body)
    return status, json.loads(answer)


def test_galaxy_is_known_drawn_and_predicted(served):
    objid = json.loads(ask(f"{served}/random/id")[1])["objid"]
    assert isinstance(objid, str)
    answer = json.loads(ask(f"{served}/infer/b2r/{objid}")[1])
    low, high = (answer["prediction"][f"redshift_{end}_90"] for end in ("low", "high"))
    assert low <= answer["prediction"]["redshift"] <= high
    assert json.loads(ask(f"{served}/objects/{objid}")[1])["truths"]["redshift"] > 0
    assert ask(f"{served}/objects/{objid}/image.jpg")[1].startswith(b"\xff\xd8")


def test_page_and_descriptions_carry_safe_headers(served):
    for path in ("/", "/docs", "/openapi.json", "/healthz", "/models", "/models/b2r/card", "/static/page.js"):
        status, _, headers = ask(served + path)
        assert status == 200
        assert "'self'" in headers["Content-Security-Policy"]
        assert headers["X-Content-Type-Options"] == "nosniff"


def test_card_is_shown_with_its_picture(served):
    (described,) = (one for one in json.loads(ask(f"{served}/models")[1])["models"] if one["name"] == "b2r")
    status, picture, headers = ask(served + described["picture"])
    assert (status, headers["Content-Type"], picture[:4]) == (200, "image/png", b"\x89PNG")
    assert b"](card.png)" in ask(served + described["card"])[1]
    status, text, _ = ask(f"{served}/models/b2r/card?format=gif")
    assert (status, b"expected markdown, html, png, found 'gif'" in text) == (422, True)


def test_rows_are_predicted_and_wrong_ones_named(served):
    status, answer = predict(served, {"rows": [ROW, dict.fromkeys(ROW), ROW | {"u": None}]})
    assert status == 200
    assert [result["flag"] & int(Flag.MISSING) for result in answer["results"]] == [0, 1, 0]
    whole, none, lacking = (result["prediction"] for result in answer["results"])
    # As in a table: an impossible magnitude is as none, and named.
    _, impossible = predict(served, {"rows": [ROW | {"u": 70}]})
    problem = impossible["results"][0]["problem"]
    assert impossible["results"][0] == answer["results"][2] | {"problem": problem}
    assert re.fullmatch(r"modelMag_u: expected .+ < value < .+, found 70", problem)
    assert none["redshift"] is None
    assert lacking["redshift"] != whole["redshift"]
    assert answer["results"][2]["flag"] & int(Flag.MISSING_BAND)
    for content, expected, text in (
        (b"{", 400, "JSON"), (b'{"rows": [{"u": NaN}]}', 422, "NaN"), ({"rows": [ROW | {"r": "x"}]}, 422, "modelMag_r"),
        ({"rows": [{"u": 18, "g": 17}]}, 422, "rows[0]: expected modelMag_r (or r), found u, g"),
        ({"arrays": [[1, 2]]}, 422, "length 2"), ({"rows": [ROW] * 4}, 413, "at most 3"), (b"[" * 99999, 400, "JSON"),
    ):  # fmt: skip
        status, answer = predict(served, content)
        assert (status, text in answer["error"]) == (expected, True), answer


@pytest.mark.parametrize("form", ["grid", "quantiles"])
def test_distributions_are_those_of_python_with_their_axis_once(served, home, form):
    column, model = {"grid": "redshift_pdf", "quantiles": "redshift_quantiles"}[form], load("b2r")
    status, answer = predict(served, {"rows": [ROW, dict.fromkeys(ROW)], "pdf": form})
    assert status == 200
    frame = model.predict(pd.DataFrame([ROW]), pdf=form)
    axis = frame.attrs["grids"][column] if form == "grid" else frame.attrs["levels"]
    assert (answer["grids"][column] if form == "grid" else answer["levels"]) == list(axis)
    whole, none = (result["prediction"] for result in answer["results"])
    np.testing.assert_allclose(whole[column], frame[column][0], rtol=1e-5, atol=1e-9)
    assert none[column] is None
    _, plain = predict(served, {"rows": [ROW]})
    assert plain["results"][0]["prediction"] == {key: value for key, value in whole.items() if key != column}
    assert not {"grids", "levels"} & set(plain)
    objid = json.loads(ask(f"{served}/random/id")[1])["objid"]
    galaxy = json.loads(ask(f"{served}/infer/b2r/{objid}?pdf={form}")[1])
    assert len(galaxy["prediction"][column]) == len(whole[column])


def test_limits_are_those_of_python(served):
    for content in ({"rows": [LIMITED]}, {"arrays": [list(LIMITED.values())]}):
        for limits in (False, True):
            status, answer = predict(served, content | {"limits": limits}, "noisy")
            assert status == 200
            frame = NOISY.predict(pd.DataFrame([LIMITED]), limits=limits)
            found = answer["results"][0]
            assert found["flag"] == frame["flag"][0]
            assert bool(found["flag"] & int(Flag.MISSING_BAND)) != limits
            assert found["prediction"]["redshift"] == pytest.approx(frame["redshift"][0], rel=1e-6)


def test_what_is_asked_wrongly_of_a_distribution_is_said(served):
    for content, model, text in (
        ({"rows": [ROW], "pdf": "qp"}, "b2r", "pdf: expected grid or quantiles, found 'qp'"),
        ({"rows": [ROW], "pdf": True}, "b2r", 'pdf: expected "grid" or "quantiles", found true'),
        ({"rows": [ROW], "pdf": "grid"}, "x2y", "x2y: expected a model that predicts distributions"),
        ({"rows": [ROW], "limits": 1}, "b2r", "limits: expected true or false, found 1"),
        ({"rows": [ROW], "limit": True}, "b2r", 'no keys but "rows", "pdf", "limits" and "photometry", found limit'),
    ):
        status, answer = predict(served, content, model)
        assert (status, text in answer["error"]) == (422, True), answer
    objid = json.loads(ask(f"{served}/random/id")[1])["objid"]
    assert b"pdf: expected grid" in ask(f"{served}/infer/b2r/{objid}?pdf=all")[1]


def test_description_for_programs_knows_every_key(served):
    paths = json.loads(ask(f"{served}/openapi.json")[1])["paths"]
    content = paths["/predict/{model}"]["post"]["requestBody"]["content"]
    known = {kind: set(said["schema"]["properties"]) for kind, said in content.items()}
    assert known == {
        "application/json": {"rows", "arrays", "pdf", "limits", "photometry"},
        "multipart/form-data": {"file", "scale", "pdf"},
    }
    (asked,) = (one for one in paths["/infer/{model}/{objid}"]["get"]["parameters"] if one["name"] == "pdf")
    assert asked["schema"]["enum"] == ["grid", "quantiles"]
    (described,) = (one for one in json.loads(ask(f"{served}/models")[1])["models"] if one["name"] == "b2r")
    assert described["outputs"][0]["distribution"]


def test_model_with_several_inputs_takes_what_there_is(served):
    wise = {"w1": 14.0, "w2": 14.0, "w3": 10.0, "w4": 8.0}
    status, answer = predict(served, {"rows": [ROW | wise, ROW, wise]}, "x2y")
    assert status == 200
    found = [result["prediction"] for result in answer["results"]]
    assert [one["inputs"] for one in found] == ["bands|wise", "bands", "wise"]
    widths = [one["redshift_high_68"] - one["redshift_low_68"] for one in found]
    assert widths[0] < 0.2 * widths[1] < 0.2 * widths[2]
    arrays = {"bands": [[19.0, 17.7, 16.5, 16.1, 15.8]], "wise": [list(wise.values())]}
    _, same = predict(served, {"arrays": arrays}, "x2y")
    assert same["results"][0]["prediction"] == found[0]
    for content, text in (
        ({"rows": [ROW, {"name": "M31"}]}, "rows[1]: expected some of modelMag_u"),
        ({"rows": [{"u": 19.0}]}, "modelMag_g"),
        ({"arrays": {"bands": arrays["bands"] * 2, "wise": arrays["wise"]}}, "equally many"),
        ({"arrays": {"img": []}}, "by input (bands, wise)"),
        ({"arrays": arrays["bands"]}, "by input (bands, wise)"),
    ):  # fmt: skip
        status, answer = predict(served, content, "x2y")
        assert (status, text in answer["error"]) == (422, True), answer
    objid = json.loads(ask(f"{served}/random/id")[1])["objid"]
    assert json.loads(ask(f"{served}/infer/x2y/{objid}")[1])["prediction"]["inputs"] == "bands|wise"
    described = {model["name"]: model for model in json.loads(ask(f"{served}/models")[1])["models"]}["x2y"]
    assert [one["name"] for one in described["inputs"]] == ["bands", "wise"]
    assert [one["name"] for one in described["outputs"]] == ["redshift", "subclass"]
    assert described["runtime"] == "keras"


def test_galaxy_is_also_predicted_from_each_input_alone(served):
    objid = json.loads(ask(f"{served}/random/id")[1])["objid"]
    answer = json.loads(ask(f"{served}/infer/x2y/{objid}")[1])
    known = json.loads(ask(f"{served}/objects/{objid}")[1])["magnitudes"]
    assert list(answer["from_each_input"]) == ["bands", "wise"]
    for name, alone in answer["from_each_input"].items():
        expected = several_by_hand().predict({name: np.array([[known[one] for one in INPUTS[name].columns]])})
        for column, value in alone["prediction"].items():
            assert value == (
                pytest.approx(expected[column][0], rel=1e-5) if isinstance(value, float) else expected[column][0]
            )
    assert "from_each_input" not in json.loads(ask(f"{served}/infer/b2r/{objid}")[1])


def test_model_is_described_with_its_scores_card_and_run(served):
    (model,) = (one for one in json.loads(ask(f"{served}/models")[1])["models"] if one["name"] == "b2r")
    assert model["outputs"][0]["scores"]["nmad"] > 0
    assert model["runtime"] == "onnxruntime"
    assert model["run"].startswith("http://127.0.0.1:5000/#/experiments/0/runs/")
    assert b"b2r" in ask(served + model["report"])[1]
    assert ask(served + model["card"])[1].startswith(b"# b2r")


def test_service_starts_and_answers_without_what_training_needs(served, home):
    code = "import sys; from common.cli.command import main; main(['serve', '--port', '0']); print(*sys.modules)"
    store = os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{home}/mlflow.db"}
    with subprocess.Popen(
        [sys.executable, "-c", code], cwd=home, env=store, stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            said = [next(process.stdout)]
            while not said[-1].startswith("http://"):
                said.append(next(process.stdout))
            answer = predict(said[-1].split()[0].rstrip("/"), {"rows": [ROW]})
            process.send_signal(signal.SIGINT)
            stopped, modules = process.communicate(timeout=20)[0].splitlines()
        finally:
            process.kill()
    assert said[0] == "models: b2r (onnxruntime)\n"
    assert (stopped, answer) == ("stopped", predict(served, {"rows": [ROW]}))
    assert not set(HEAVY) & set(modules.split())


def test_unknown_things_are_404_and_foreign_hosts_refused(served):
    for path in (
        "/infer/x2r/1",
        "/infer/b2r/1",
        "/infer/b2r/..%2foutside",
        "/objects/..",
        "/similar/1",
        "/similar/1?model=x2r",
    ):
        assert ask(served + path)[0] == 404
    assert ask(f"{served}/healthz", Host="rebound.example")[0] == 400


def test_similar_galaxies_are_listed_nearest_first_and_wrong_numbers_named(served):
    objid = json.loads(ask(f"{served}/random/id")[1])["objid"]
    answer = json.loads(ask(f"{served}/similar/{objid}?n=3")[1])
    assert (answer["model"], answer["objid"]) == ("b2r", objid)
    distances = [one["distance"] for one in answer["neighbours"]]
    assert distances == sorted(distances)
    assert len(distances) == 3
    assert objid not in [one["objid"] for one in answer["neighbours"]]
    for n in ("0", "101", "many"):
        status, content, _ = ask(f"{served}/similar/{objid}?n={n}")
        assert (status, json.loads(content)["error"][:3]) == (422, "n: ")
    paths = json.loads(ask(f"{served}/openapi.json")[1])["paths"]
    assert "most like one" in paths["/similar/{objid}"]["get"]["description"]


def test_taken_port_is_one_line():
    with listen("127.0.0.1", 0) as taken, pytest.raises(OptionError, match="port"):
        listen("127.0.0.1", taken.getsockname()[1])


@pytest.mark.skipif(os.name != "posix", reason=needed.PLATFORM)
def test_command_answers_until_it_is_interrupted(tmp_path):
    command = [Path(sys.executable).with_name("zoo"), "serve", "--port", "0"]
    empty = os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db"}
    with subprocess.Popen(command, cwd=tmp_path, env=empty, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = next(line for line in process.stdout if line.startswith("http://"))
            health = json.loads(ask(f"{line.split()[0]}healthz")[1])
            assert (health["status"], health["models"]) == ("ok", 0)
            process.send_signal(signal.SIGINT)
            assert process.wait(timeout=20) == 0
        finally:
            process.kill()
        assert process.stdout.read() == "stopped\n"
