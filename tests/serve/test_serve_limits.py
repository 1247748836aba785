"""What the service does when it is asked too much, too slowly or by the wrong name."""

import json
import socket
import threading
import time
from types import SimpleNamespace

import pytest
from helpers.asking import ask
from helpers.running import running
from helpers.trained import by_hand

from common.serve.app import make_app
from common.serve.limits import Limits
from common.serve.served_models import ServedModel
from common.serve.service import require
from sdss_gs.errors import ZooError

BODY = json.dumps({"rows": [{"u": 18.5, "g": 17.2, "r": 16.5, "i": 16.1, "z": 15.8}]}).encode()


@pytest.fixture
def slow():
    """A service with a model that takes as long as ``pause.seconds`` says."""
    model, pause = by_hand(), SimpleNamespace(seconds=0.0)

    def columns_of(loaded):
        time.sleep(pause.seconds)
        return model.columns_of(loaded)

    facade = SimpleNamespace(
        columns_of=columns_of, inputs=model.inputs, shapes=model.shapes, name="b2r", version="1", sha256="0",
        photometry=model.photometry, axes=model.axes,
    )  # fmt: skip
    limits = Limits(megabytes=0.01, at_once=1, waiting=0, seconds=0.5)
    with running(make_app({"b2r": ServedModel(facade)}, None, limits)) as address:
        yield address, pause


def post(url, body=BODY):
    return ask(f"{url}/predict/b2r", body)


def raw(url, text, more=(), pause=0.0):
    """Send bytes as they are, one piece after the other; return what comes back."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as connection:
        for piece in (text, *more):
            connection.sendall(piece)
            time.sleep(pause)
        answer = b""
        while piece := connection.recv(65536):
            answer += piece
    return answer


def test_slow_prediction_is_given_up_and_the_next_one_turned_away_meanwhile(slow):
    url, pause = slow
    pause.seconds = 1.5
    found = []
    first = threading.Thread(target=lambda: found.append(post(url)))
    first.start()
    time.sleep(0.3)
    status, text, headers = post(url)
    assert (status, headers["Retry-After"]) == (503, "2")
    assert b"try again" in text
    first.join()
    assert found[0][0] == 504
    assert b"took over 0.5 s" in found[0][1]
    pause.seconds = 0.0
    # The thread keeps its place until it is done, which takes a busy machine more than the pause.
    deadline = time.monotonic() + 20
    while (status := post(url)[0]) == 503 and time.monotonic() < deadline:
        time.sleep(0.1)
    assert status == 200


def test_body_that_does_not_come_is_not_waited_for(slow):
    head = b"POST /predict/b2r HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
    answer = raw(slow[0], head)
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"expected within 0.5 s" in answer


def test_body_without_a_length_is_counted_as_it_comes(slow):
    head = (
        b"POST /predict/b2r HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    )
    pieces = [b"1000\r\n" + b" " * 4096 + b"\r\n"] * 4
    assert raw(slow[0], head, [*pieces, b"0\r\n\r\n"]).startswith(b"HTTP/1.1 413")
    whole = f"{len(BODY):x}\r\n".encode() + BODY + b"\r\n0\r\n\r\n"
    assert raw(slow[0], head, [whole]).startswith(b"HTTP/1.1 200")


def test_missing_package_is_named_with_the_command_that_installs_it():
    with pytest.raises(ZooError, match=r'needs never-heard-of.*pip install -e "\.\[serve\]"'):
        require({"never_heard_of": "never-heard-of"})
