"""Who may ask a service, and what its log says."""

import base64
import json
import logging
import time

import pytest
from helpers.asking import ask
from helpers.running import running
from helpers.trained import by_hand

from common.cli.command import main
from common.serve.access import read_token
from common.serve.app import make_app
from common.serve.limits import MEGABYTE
from common.serve.served_models import ServedModel
from sdss_gs.errors import OptionError

TOKEN = "a-token-that-nobody-guesses"
BODY = json.dumps({"rows": [{"u": 18.5, "g": 17.2, "r": 16.5, "i": 16.1, "z": 15.8}]}).encode()


@pytest.fixture(scope="module")
def shelf():
    return {"b2r": ServedModel(by_hand())}


@pytest.fixture(scope="module")
def guarded(shelf):
    with running(make_app(shelf, None, token=TOKEN)) as address:
        yield address


def basic(token):
    return "Basic " + base64.b64encode(f"anyone:{token}".encode()).decode()


@pytest.mark.parametrize("path", ["/", "/docs", "/models", "/openapi.json", "/static/page.js", "/nothing"])
def test_without_the_token_nothing_is_told_and_a_browser_asks_for_it(guarded, path):
    status, text, headers = ask(guarded + path)
    assert status == 401
    assert "Authorization: Bearer" in json.loads(text)["error"]
    assert headers["WWW-Authenticate"].startswith("Basic ")
    assert headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    "sent", [f"Bearer {TOKEN}x", f"Bearer {TOKEN[:-1]}", "Bearer ", "Bearer é", TOKEN, basic("other"), "Basic ?"]
)
def test_anything_but_the_token_is_refused(guarded, sent):
    assert ask(f"{guarded}/models", Authorization=sent)[0] == 401


def test_with_the_token_everything_is_as_it_was(guarded):
    for sent in (f"Bearer {TOKEN}", f"bearer {TOKEN}", basic(TOKEN)):
        assert ask(f"{guarded}/predict/b2r", BODY, Authorization=sent)[0] == 200
        assert ask(f"{guarded}/", Authorization=sent)[0] == 200


def test_health_is_told_to_anybody(guarded):
    assert ask(f"{guarded}/healthz")[0] == 200


def test_large_body_without_the_token_gets_its_answer(guarded):
    assert ask(f"{guarded}/predict/b2r", bytes(4 * MEGABYTE))[0] == 401


def test_pages_of_other_origins_get_no_permission(guarded):
    asked = [
        ask(f"{guarded}/models", Origin="https://elsewhere.example", Authorization=f"Bearer {TOKEN}"),
        ask(f"{guarded}/predict/b2r", method="OPTIONS", Origin="https://elsewhere.example"),
    ]
    for _, _, headers in asked:
        assert not [name for name in headers if name.lower().startswith("access-control")]


def logged(caplog):
    return [record.getMessage() for record in caplog.records if record.name == "zoo.access"]


def test_access_log_is_one_line_a_request_and_keeps_secrets(guarded, caplog):
    with caplog.at_level(logging.INFO, "zoo"):
        ask(f"{guarded}/predict/b2r", BODY, Authorization=f"Bearer {TOKEN}")
        ask(f"{guarded}/models/a%0Aclient=1.2.3.4%20GET?token={TOKEN}")
        deadline = time.monotonic() + 5
        # A request is written down when its answer has gone.
        while len(lines := logged(caplog)) < 2 and time.monotonic() < deadline:
            time.sleep(0.01)
    assert len(lines) == 2
    assert lines[0].startswith("client=127.0.0.1 POST /predict/b2r status=200 ms=")
    assert lines[1].startswith("client=127.0.0.1 GET /models/a%0Aclient=1.2.3.4%20GET status=401 ms=")
    assert TOKEN not in "".join(lines)
    assert "18.5" not in "".join(lines)


def test_failure_of_the_service_shows_no_traceback_and_is_in_the_log(shelf, caplog):
    class Broken:
        name, version, sha256 = "b2r", "1", "0"
        inputs, shapes = shelf["b2r"].model.inputs, shelf["b2r"].model.shapes

        def columns_of(self, _loaded):
            raise RuntimeError("/home/secret/path")

    with running(make_app({"b2r": ServedModel(Broken())}, None)) as address, caplog.at_level(logging.INFO, "zoo"):
        status, text, _ = ask(f"{address}/predict/b2r", BODY)
    assert status == 500
    assert json.loads(text) == {"error": "the service failed; its log says why"}
    assert "status=500" in caplog.text


def test_token_comes_from_the_file_else_from_the_environment(tmp_path, monkeypatch):
    assert read_token(None) == ""
    monkeypatch.setenv("ZOO_TOKEN", TOKEN)
    assert read_token(None) == TOKEN
    path = tmp_path / "token"
    path.write_text("another-token-of-mine\n")
    assert read_token(path) == "another-token-of-mine"


@pytest.mark.parametrize("content", ["", "short", "with a space in the middle", "ümlaut-in-a-long-token", None])
def test_token_that_cannot_protect_is_refused_before_anything_is_served(tmp_path, content, capsys):
    path = tmp_path / "token"
    if content is not None:
        path.write_text(content)
    with pytest.raises(OptionError, match=r"token-file .*: expected"):
        read_token(path)
    assert main(["serve", "--port", "0", "--models", "nothing", "--token-file", str(path)]) == 1
    assert capsys.readouterr().err.startswith(f"error: token-file {path}")
