"""A service in trouble: damaged requests, thousands at once, and requests that nobody finishes."""

import asyncio
import io
import json
import random
import threading
import time
from contextlib import contextmanager
from unittest.mock import patch

import numpy as np
from helpers.running import running
from helpers.trained import by_hand
from PIL import Image

from common.serve import connections
from common.serve.app import make_app
from common.serve.limits import Limits
from common.serve.served_models import ServedModel

from .files import Tried
from .mutate import mutate

LONGEST = 60
"""Seconds for an answer, however busy the service is."""
HEAD_SECONDS, PATIENT = 1.0, 30.0
MOST_UNFINISHED = 20
ENDED = "ended"
TURNED_AWAY = (503, 504)
"""What a busy service may say; any other 5xx is a fault."""
ROW = dict(zip("ugriz", (18.5, 17.2, 16.5, 16.1, 15.8), strict=True))
MARK = b"zoo-mark"
HEAD = b"GET /healthz HTTP/1.1\r\nX-Long: "
UNREAD = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n\r\n"
"""Beginnings of requests that do not go on: of a head, and of a body that nobody reads."""


@contextmanager
def attacked(head_seconds=HEAD_SECONDS, seconds=1.0):
    """Serve models of rows, images and cut-outs, with little patience."""
    shelf = {name: ServedModel(by_hand(name)) for name in ("b2r", "i2r", "f2r")}
    limits = Limits(megabytes=1, seconds=seconds, waiting=64)
    with (
        patch.object(connections, "HEAD_SECONDS", head_seconds),
        # Uvicorn keeps a connection that was answered for five seconds.
        running(make_app(shelf, None, limits), timeout_keep_alive=1) as address,
    ):
        yield int(address.rpartition(":")[2])


def attack(kind, count, port, seed=0):
    """Send so many damaged requests of a kind; the service must answer each, or end the connection, and live on."""
    rng, tried = random.Random(f"{kind} {seed}"), Tried()
    make, valid = KINDS[kind]
    requests = [make(rng.choice(valid), valid, rng) for _ in range(count)]
    for request, answer in zip(requests, asyncio.run(_all(port, requests, 64)), strict=True):
        problem = fault_of(answer)
        if problem:
            tried.faults.append((problem, request))
        elif answer.startswith(b"HTTP/1.1 2"):
            tried.read += 1
        else:
            tried.refused += 1
    return tried


def fault_of(answer):
    """Say what is wrong with an answer; a connection that was ended without one is none."""
    if isinstance(answer, Exception):
        return repr(answer)
    if not answer:
        return ""
    status = int(answer[9:12]) if answer[:9] == b"HTTP/1.1 " else 0
    if not 200 <= status < 500 and status not in TURNED_AWAY:
        return answer[:200].decode(errors="replace")
    return "a traceback is shown" if b"Traceback" in answer or b'File "' in answer else ""


async def _all(port, requests, at_once):
    gate = asyncio.Semaphore(at_once)

    async def one(request):
        async with gate:
            return await ask(port, request)

    return await asyncio.gather(*map(one, requests))


async def ask(port, request):
    """Send bytes; return what comes back until the connection is closed, or the error."""
    writer = None
    try:
        async with asyncio.timeout(LONGEST):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request)
            return await reader.read()
    except (ConnectionResetError, BrokenPipeError):
        # The service closed while it was still being told something.
        return b""
    except (OSError, TimeoutError) as error:
        return error
    finally:
        if writer is not None:
            writer.transport.abort()


def parallel(count, port):
    """Ask so many things at the same moment; return how often each status came."""
    answers = asyncio.run(_all(port, [post("b2r", JSON[0])] * count, count))
    found = {}
    for answer in answers:
        status = repr(answer) if isinstance(answer, Exception) else answer[9:12].decode() or ENDED
        found[status] = found.get(status, 0) + 1
    return found


def unfinished(count, port, seconds, beginning=HEAD):
    """Begin so many requests and wait; return how many stayed open, and the slowest other answer."""
    waits = []

    async def hold(reader, writer):
        writer.write(beginning)
        end = time.monotonic() + seconds
        try:
            while time.monotonic() < end:
                async with asyncio.timeout(end - time.monotonic()):
                    if not await reader.read(1000):
                        return False
        except TimeoutError:
            return True
        except OSError:
            return False
        return True

    async def others():
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            began = time.monotonic()
            answer = await ask(port, get(b"/healthz"))
            assert isinstance(answer, bytes), answer
            assert answer.startswith(b"HTTP/1.1 200"), answer
            waits.append(time.monotonic() - began)
            await asyncio.sleep(0.2)

    async def both():
        opened = [await asyncio.open_connection("127.0.0.1", port) for _ in range(count)]
        held, _ = await asyncio.gather(asyncio.gather(*(hold(*pair) for pair in opened)), others())
        for _, writer in opened:
            writer.transport.abort()
        return sum(held)

    return asyncio.run(both()), max(waits)


# === Requests ===


def get(path):
    """Make a request without a body."""
    return b"GET " + path + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"


def post(model, body, kind=b"application/json"):
    """Make a request with a body of the length that it says."""
    head = b"POST /predict/" + model.encode() + b" HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: "
    return head + kind + b"\r\nContent-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body


def form(content, name=b"galaxy.jpg"):
    """Make the body of a form with a file."""
    head = b'--%s\r\nContent-Disposition: form-data; name="file"; filename="%s"\r\n\r\n' % (MARK, name)
    return head + content + b"\r\n--%s--\r\n" % MARK


def post_form(model, body):
    """Make a request with a form."""
    return post(model, body, b"multipart/form-data; boundary=" + MARK)


def _jpeg():
    file = io.BytesIO()
    Image.fromarray(np.arange(150 * 150 * 3, dtype=np.uint32).reshape(150, 150, 3).astype(np.uint8)).save(file, "JPEG")
    return file.getvalue()


def _npy():
    file = io.BytesIO()
    np.save(file, np.random.default_rng(0).random((61, 61, 5), np.float32))
    return file.getvalue()


JSON = [json.dumps(value).encode() for value in (
    {"rows": [ROW]}, {"rows": [ROW | {"u": None}, ROW | {"g": -9999}]}, {"values": [list(ROW.values())]}, [ROW],
)]  # fmt: skip
HEADS = [post("b2r", JSON[0]), get(b"/models"), get(b"/models/b2r/card"), get(b"/infer/b2r/1237648720693755918")]
JPEGS, CUTOUTS = [_jpeg()], [_npy()]
FORMS = [form(JPEGS[0]), form(b"\xff\xd8\xff" * 10)]
KINDS = {
    "request": (mutate, HEADS),
    "JSON": (lambda one, valid, rng: post("b2r", mutate(one, valid, rng)), JSON),
    "form": (lambda one, valid, rng: post_form("i2r", mutate(one, valid, rng)), FORMS),
    "uploaded image": (lambda one, valid, rng: post_form("i2r", form(mutate(one, valid, rng))), JPEGS),
    "uploaded cut-out": (lambda one, valid, rng: post_form("f2r", form(mutate(one, valid, rng), b"c.npy")), CUTOUTS),
}
"""How a damaged request is made of a valid one."""


def _damaged(kind, count, seed):
    with attacked() as port:
        tried = attack(kind, count, port, seed)
        _must_live(tried, port)
    return tried


def _parallel(_name, count, _seed):
    tried = Tried()
    with attacked(PATIENT, PATIENT) as port:
        for status, times in parallel(count, port).items():
            if status == "200":
                tried.read += times
            elif status in (*map(str, TURNED_AWAY), ENDED):
                tried.refused += times
            else:
                tried.faults += [(status, b"")] * times
        _must_live(tried, port)
    return tried


def _unfinished(_name, count, _seed):
    count = min(count, MOST_UNFINISHED)
    with attacked() as port:
        held, slowest = unfinished(count, port, 5 * HEAD_SECONDS)
    tried = Tried(refused=count - held, faults=[("held", b"")] * held)
    if slowest > 2:
        tried.faults.append((f"others waited {slowest:.1f} s", b""))
    return tried


def _must_live(tried, port):
    if not asyncio.run(ask(port, post("b2r", JSON[0]))).startswith(b"HTTP/1.1 200"):
        tried.faults.append(("no answer afterwards", b""))


ATTACKS = {f"damaged {kind}": lambda _name, count, seed, kind=kind: _damaged(kind, count, seed) for kind in KINDS}
ATTACKS |= {"requests at the same moment": _parallel, "requests that nobody finishes": _unfinished}


class Listener(threading.Thread):
    """A server nobody should call: it notes that somebody did."""

    def __init__(self, listening):
        super().__init__(daemon=True)
        self.listening, self.calls = listening, 0

    def run(self):
        """Count calls until the socket is closed."""
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            self.calls += 1
            connection.close()
