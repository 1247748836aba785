"""The service in trouble: it answers everybody else, tells nothing, opens nothing, and lives on."""

import asyncio
import json
import socket
import tempfile
import time
from contextlib import ExitStack

import pytest

from common.serve import connections

from .service import (
    FORMS,
    HEAD,
    JPEGS,
    JSON,
    KINDS,
    PATIENT,
    ROW,
    UNREAD,
    Listener,
    ask,
    attack,
    attacked,
    form,
    get,
    parallel,
    post,
    post_form,
    unfinished,
)

# Starlette leaves the file of a form that breaks off to Python's garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore:.*SpooledTemporaryFile:pytest.PytestUnraisableExceptionWarning")
TRIES, AT_ONCE, HELD = 60, 500, 20


@pytest.fixture(scope="module")
def port():
    with attacked(head_seconds=0.5, seconds=0.5) as number:
        yield number


def answer_of(port, request):
    answer = asyncio.run(ask(port, request))
    assert not isinstance(answer, Exception), answer
    return int(answer[9:12]), answer.partition(b"\r\n\r\n")[2]


def lives(port):
    return answer_of(port, post("b2r", JSON[0]))[0] == 200


@pytest.mark.parametrize("kind", KINDS)
def test_damaged_requests_are_answered_and_harm_nobody(port, kind):
    tried = attack(kind, TRIES, port)
    assert not tried.faults, tried.faults[0]
    assert tried.count == TRIES
    assert tried.refused
    assert lives(port)


@pytest.mark.parametrize(
    "request_",
    [post("b2r", JSON[0]), post("b2r", JSON[1]), post_form("i2r", FORMS[0]), post_form("i2r", form(JPEGS[0]))],
)
def test_whole_requests_are_answered(port, request_):
    assert answer_of(port, request_)[0] == 200


def test_hundreds_of_requests_at_once_are_each_answered_or_turned_away():
    with attacked(PATIENT, PATIENT) as port:
        found = parallel(AT_ONCE, port)
        assert set(found) <= {"200", "503", "504"}, found
        assert sum(found.values()) == AT_ONCE
        assert found["200"] > 0
        assert lives(port)


@pytest.mark.parametrize("beginning", [HEAD, UNREAD])
def test_requests_that_nobody_finishes_keep_nobody_waiting_and_are_closed(beginning):
    with attacked(head_seconds=0.5) as port:
        held, slowest = unfinished(HELD, port, 2.5, beginning)
    assert held == 0
    assert slowest < 2


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef", 400),
        (b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nX: a\x00b\r\n\r\n", 400),
        (b"GET /objects/..%2foutside/image.jpg HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 404),
        (b"GET /static/..%2f..%2fapp.py HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 404),
        (b"GET /static/../app.py HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 404),
        (b"GET /models/..%2foutside/card HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 404),
        (b"GET http://example.org/ HTTP/1.1\r\nHost: example.org\r\nConnection: close\r\n\r\n", 404),
    ],
)
def test_impossible_heads_and_paths_get_an_error_and_no_file(port, head, status):
    found, body = answer_of(port, head)
    assert found == status
    assert b"import" not in body


def test_head_that_is_too_long_is_not_kept(port):
    answer = asyncio.run(ask(port, b"GET /healthz HTTP/1.1\r\nHost: a\r\nX-Long: " + b"a" * 2**16))
    # The service may be gone before the client has sent enough to listen.
    assert answer == b"" or answer.startswith(b"HTTP/1.1 400")


def test_more_connections_than_the_service_takes_are_turned_away(monkeypatch):
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 5)
    with attacked(PATIENT, PATIENT) as port, ExitStack() as held:
        others = [held.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(6)]
        head, _, body = others[5].recv(1000).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 503")
        assert json.loads(body) == {"error": "busy: too many connections"}
        assert f"Content-Length: {len(body)}".encode() in head
        others[0].close()
        deadline = time.monotonic() + 20
        while not asyncio.run(ask(port, get(b"/healthz"))).startswith(b"HTTP/1.1 200"):
            assert time.monotonic() < deadline


def test_addresses_in_a_request_are_not_called(port):
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listener = Listener(listening)
        listener.start()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}/galaxy.jpg"
        rows = [{"url": address, "image": address, "file": address}, ROW | {"u": address}, address]
        bodies = [{"rows": rows}, {"url": address}, {"values": [address]}, {"images": [address]}, address]
        for body in bodies:
            assert answer_of(port, post("b2r", json.dumps(body).encode()))[0] in (200, 422)
            assert answer_of(port, post("i2r", json.dumps(body).encode()))[0] == 422
        assert answer_of(port, post_form("i2r", form(address.encode())))[0] == 415
        assert answer_of(port, post_form("i2r", form(JPEGS[0], address.encode())))[0] == 200
        assert answer_of(port, get(f"/infer/i2r/{address}".encode()))[0] == 404
        assert listener.calls == 0


def test_disk_that_is_full_is_the_services_fault(monkeypatch, tmp_path):
    """A folder that takes no file stands in for one on a full disk; what Python raises is the same."""
    with attacked(PATIENT, PATIENT) as port:
        monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
        status, body = answer_of(port, post_form("i2r", form(JPEGS[0])))
        assert (status, json.loads(body)) == (507, {"error": "file: the service has no room for it now"})
        monkeypatch.undo()
        assert lives(port)
