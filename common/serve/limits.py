"""What a service takes at most, and how it says no: body size, time, predictions at once, foreign host names."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from fastapi import HTTPException
from fastapi.responses import JSONResponse

MEGABYTE = 2**20
RETRY_AFTER = 2
"""Seconds after which a client that was turned away may try again."""
DRAINED_SECONDS = 2.0
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' blob:; base-uri 'none'; form-action 'self'; "
    "object-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}
"""Of every answer that does not set its own."""


@dataclass(frozen=True)
class Limits:
    """What a service takes at most.

    Parameters
    ----------
    megabytes : float
        Of a request's body.
    rows : int
        Objects of a request.
    at_once, waiting : int
        Predictions that run, and that wait for their turn.
    seconds : float
        To receive a body; and to predict, waiting included.
    per_minute : int
        Requests of one client address; 0: any number.
    """

    megabytes: float = 32
    rows: int = 1000
    at_once: int = 2
    waiting: int = 64
    seconds: float = 30
    per_minute: int = 0


def failure(status: int, text: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """Answer that something is wrong, in words."""
    return JSONResponse({"error": text}, status, headers)


class Workers:
    """Threads that predict, so that the service can answer other questions meanwhile.

    Parameters
    ----------
    limits : Limits
    """

    def __init__(self, limits: Limits):
        self.limits, self.jobs = limits, 0
        self._threads = ThreadPoolExecutor(limits.at_once, "prediction")

    async def run(self, work: Callable, *arguments: Any) -> Any:
        """Call a function in one of the threads.

        Raises
        ------
        HTTPException
            503 if too many wait already, 504 if it takes too long.
        """
        if self.jobs >= self.limits.at_once + self.limits.waiting:
            text = f"busy: {self.jobs} predictions are running or waiting; try again in {RETRY_AFTER} s"
            raise HTTPException(503, text, {"Retry-After": str(RETRY_AFTER)})
        loop = asyncio.get_running_loop()
        self.jobs += 1
        job = self._threads.submit(work, *arguments)
        job.add_done_callback(lambda done: self._finished(loop, done))
        try:
            # A job that waits is given up; a thread that runs keeps its place until it is done.
            return await asyncio.wait_for(asyncio.wrap_future(job), self.limits.seconds)
        except TimeoutError:
            raise HTTPException(504, f"the prediction took over {self.limits.seconds:g} s") from None

    def _finished(self, loop: asyncio.AbstractEventLoop, _job: Future) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(self._free)

    def _free(self) -> None:
        self.jobs -= 1

    def close(self) -> None:
        """Forget the jobs that wait."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class Guard:
    """ASGI middleware: refuses bodies that are too large or too slow, and foreign host names; adds safe headers.

    Parameters
    ----------
    app : ASGI application
    limits : Limits
    hosts : set of str
        Names by which the service may be called; empty for any. A page of the internet whose name was made to point at
        this machine has another one.
    """

    def __init__(self, app: Callable, limits: Limits, hosts: set[str]):
        self.app, self.limits, self.hosts = app, limits, hosts

    async def __call__(self, scope: dict, receive: Callable, send: Callable) -> None:
        """Handle one connection, as ASGI wants it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        sent = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        send = with_headers(send)
        host = _name(sent.get("host", ""))
        if self.hosts and host not in self.hosts:
            answer = failure(400, f"host: expected {' or '.join(sorted(self.hosts))}, found {host[:80]!r}")
            await answer(scope, receive, send)
            return
        limited = _limited(receive, self.limits)
        length = sent.get("content-length", "0")
        if not length.isdigit() or int(length[:20]) > self.limits.megabytes * MEGABYTE:
            await drain(receive)
            await failure(413, _too_large(self.limits), {"Connection": "close"})(scope, receive, send)
            return
        await self.app(scope, limited, send)


def known_hosts(host: str) -> set[str]:
    """List the names by which a service at an address may be called; empty for any."""
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    return {"localhost", "127.0.0.1", "::1", host} if loopback else set()


def _name(host: str) -> str:
    """Take the port off a Host header."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if ":" in host else host


def _too_large(limits: Limits) -> str:
    return f"body: expected at most {limits.megabytes:g} MB, found more"


def with_headers(send: Callable) -> Callable:
    """Add safe headers to what is sent."""

    async def sending(message: dict) -> None:
        if message["type"] == "http.response.start":
            there = {name.lower() for name, _ in message.get("headers", [])}
            extra = [(name.lower().encode(), value.encode()) for name, value in HEADERS.items()]
            message = message | {"headers": [*message.get("headers", []), *(e for e in extra if e[0] not in there)]}
        await send(message)

    return sending


def _limited(receive: Callable, limits: Limits) -> Callable:
    """Count what arrives: a body need not say how long it is."""
    count, complete, deadline = 0, False, time.monotonic() + limits.seconds

    async def receiving() -> dict:
        nonlocal count, complete
        if complete:
            return await receive()
        try:
            message = await asyncio.wait_for(receive(), max(0.0, deadline - time.monotonic()))
        except TimeoutError:
            raise HTTPException(408, f"body: expected within {limits.seconds:g} s", {"Connection": "close"}) from None
        count += len(message.get("body", b""))
        complete = not message.get("more_body", False)
        if count > limits.megabytes * MEGABYTE:
            if not complete:
                await drain(receive)
            raise HTTPException(413, _too_large(limits), {"Connection": "close"})
        return message

    return receiving


async def drain(receive: Callable) -> None:
    """Throw away what is still being sent, for a while: many clients listen only when they have sent everything."""
    deadline = time.monotonic() + DRAINED_SECONDS
    try:
        while (message := await asyncio.wait_for(receive(), max(0.0, deadline - time.monotonic()))).get("more_body"):
            del message
    except TimeoutError:
        return
