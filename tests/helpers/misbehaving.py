"""A server on 127.0.0.1 that plays the servers of surveys and archives, on their good days and on bad ones."""

import hashlib
import threading
from collections import defaultdict, deque
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

PAGE = b"<!DOCTYPE html><html><body>Down for maintenance</body></html>"


@dataclass(frozen=True)
class Trouble:
    """What goes wrong with one answer; several may be combined.

    Parameters
    ----------
    cut : float, optional
        Close the connection when this fraction of the file (not of the range) has been sent.
    wrong_bytes : bool
        The right number of other bytes.
    status, retry_after, body : optional
        Answer this status instead, with that header and that text.
    stall : bool
        Send half of the file and then nothing until the server is closed.
    page : bool
        A page of HTML with status 200.
    wrong_offset : bool
        A range that begins elsewhere than asked for.
    seconds_per_chunk : float
        Send 64 KiB at a time, so slowly.
    """

    cut: float | None = None
    wrong_bytes: bool = False
    status: int | None = None
    retry_after: str | None = None
    body: bytes = b"sorry"
    stall: bool = False
    page: bool = False
    wrong_offset: bool = False
    seconds_per_chunk: float = 0.0


@dataclass
class Request:
    """What was asked and answered."""

    path: str
    query: str
    headers: dict
    status: int = 0
    sent: int = 0


class MisbehavingServer(ThreadingHTTPServer):
    """Serve `files` (path → bytes or a function of the query string that returns bytes).

    Attributes
    ----------
    troubles : dict of deque
        By path: what goes wrong with the next answers, one after the other.
    always : dict
        By path: what goes wrong with every answer once `troubles` are used up.
    ranges, etags : bool
        Whether parts of files are served, and versions told.
    requests : list of Request
    most_at_once : int
        How many requests were under way at a time, at most.
    """

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files, self.kinds, self.redirects = {}, {}, {}
        self.troubles, self.always = defaultdict(deque), {}
        self.ranges = self.etags = True
        self.requests, self.under_way, self.most_at_once = [], 0, 0
        self.lock, self.closing = threading.Lock(), threading.Event()
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self.closing.set()
        self.shutdown()
        self._thread.join()
        self.server_close()

    def handle_error(self, request, client_address):
        """A client that goes away is part of the game."""

    def asked(self, path):
        """Requests for one path, in order."""
        return [request for request in self.requests if request.path == path]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 5

    def log_message(self, *_):
        pass

    def do_GET(self):
        server, address = self.server, urlsplit(self.path)
        self.request_seen = Request(address.path, address.query, dict(self.headers))
        with server.lock:
            server.requests.append(self.request_seen)
            server.under_way += 1
            server.most_at_once = max(server.most_at_once, server.under_way)
            queue = server.troubles[address.path]
            trouble = queue.popleft() if queue else server.always.get(address.path, Trouble())
        try:
            self._answer(address, trouble)
        finally:
            with server.lock:
                server.under_way -= 1

    def _answer(self, address, trouble):
        server = self.server
        if trouble.status is not None:
            extra = {"Retry-After": trouble.retry_after} if trouble.retry_after is not None else {}
            return self._send(trouble.status, trouble.body, extra, trouble)
        if trouble.page:
            return self._send(200, PAGE, {"Content-Type": "text/html; charset=utf-8"}, trouble)
        if address.path in server.redirects:
            return self._send(302, b"", {"Location": server.redirects[address.path]}, trouble)
        if address.path not in server.files:
            return self._send(404, b"no such file", {}, trouble)
        body = server.files[address.path]
        if callable(body):
            body = body(address.query)
        kind = server.kinds.get(address.path, "application/octet-stream")
        headers = {"Content-Type": kind}
        etag = f'"{hashlib.md5(body).hexdigest()}"'
        if server.etags:
            headers["ETag"] = etag
        if trouble.wrong_bytes:
            body = bytes(255 - byte for byte in body)
        start = self._start(etag)
        if start is None:
            return self._send(200, body, headers, trouble)
        if start >= len(body):
            return self._send(416, b"", {"Content-Range": f"bytes */{len(body)}"}, trouble)
        start -= 1 if trouble.wrong_offset else 0
        headers["Content-Range"] = f"bytes {start}-{len(body) - 1}/{len(body)}"
        return self._send(206, body, headers, trouble, start)

    def _start(self, etag):
        asked = self.headers.get("Range")
        if not asked or not self.server.ranges or self.headers.get("If-Range", etag) != etag:
            return None
        return int(asked.removeprefix("bytes=").removesuffix("-"))

    def _send(self, status, body, headers, trouble, start=0):
        self.request_seen.status = status
        end = len(body) if trouble.cut is None else max(start, int(trouble.cut * len(body)))
        if trouble.stall:
            end = (start + len(body)) // 2
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body) - start), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        for first in range(start, end, 2**16):
            chunk = body[first : min(first + 2**16, end)]
            self.wfile.write(chunk)
            self.request_seen.sent += len(chunk)
            if trouble.seconds_per_chunk:
                self.server.closing.wait(trouble.seconds_per_chunk)
        if trouble.stall:
            self.server.closing.wait(10)
        if end < len(body):
            self.close_connection = True
