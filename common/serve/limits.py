"""What a service takes at most, and how it says no."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from fastapi import HTTPException
from fastapi.responses import JSONResponse

MEGABYTE = 2**20
RETRY_AFTER = 2
"""Seconds after which a client that was turned away may try again."""
DRAINED_SECONDS = 2.0
"""For which the rest of a refused body is thrown away."""


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
    """

    megabytes: float = 32
    rows: int = 1000
    at_once: int = 2
    waiting: int = 64
    seconds: float = 30


def failure(status: int, text: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """Answer that something is wrong, in words.

    Parameters
    ----------
    status : int
        Of HTTP.
    text : str
        One line.
    headers : dict of str to str, optional
    """
    return JSONResponse({"error": text}, status, headers)


def busy(text: str) -> HTTPException:
    """Turn a client away for a while."""
    return HTTPException(503, f"busy: {text}", {"Retry-After": str(RETRY_AFTER)})


class Workers:
    """Threads that predict, so that the service can answer other questions meanwhile.

    Parameters
    ----------
    limits : Limits
    """

    def __init__(self, limits: Limits):
        self.limits, self._jobs = limits, set[Future]()
        self._threads = ThreadPoolExecutor(limits.at_once, "prediction")

    @property
    def jobs(self) -> int:
        """Predictions that run or wait."""
        return len(self._jobs)

    async def run(self, work: Callable, *arguments: Any) -> Any:
        """Call a function in one of the threads.

        Raises
        ------
        HTTPException
            503 if too many wait already, 504 if it takes too long.
        """
        if self.jobs >= self.limits.at_once + self.limits.waiting:
            raise busy(f"{self.jobs} predictions are running or waiting; try again in {RETRY_AFTER} s")
        job = self._threads.submit(work, *arguments)
        self._jobs.add(job)
        # A job that waits is given up when its time is over; a thread that runs keeps its place until it is done.
        job.add_done_callback(self._jobs.discard)
        try:
            # `timeout` and not `wait_for`, here and below, which starts a task of its own for each wait.
            async with asyncio.timeout(self.limits.seconds):
                return await asyncio.wrap_future(job)
        except TimeoutError:
            raise HTTPException(504, f"the prediction took over {self.limits.seconds:g} s") from None

    def close(self) -> None:
        """Forget the jobs that wait."""
        self._threads.shutdown(wait=False, cancel_futures=True)


class Body:
    """A request's body as it arrives, which need not say how long it is.

    Parameters
    ----------
    receive : callable
        As ASGI hands it over.
    limits : Limits
    """

    def __init__(self, receive: Callable[[], Awaitable[dict]], limits: Limits):
        self._receive, self._limits = receive, limits
        self._began, self._size, self._complete = time.monotonic(), 0, False

    async def receive(self) -> dict:
        """Take the next piece, as ASGI wants it.

        Raises
        ------
        HTTPException
            408 if it does not come in time, 413 if the body is too large.
        """
        if self._complete:
            return await self._receive()
        try:
            message = await self._next(self._began + self._limits.seconds)
        except TimeoutError:
            raise HTTPException(408, f"body: expected within {self._limits.seconds:g} s, found less") from None
        self._size += len(message.get("body", b""))
        if self._size > self._limits.megabytes * MEGABYTE:
            raise HTTPException(413, f"body: expected at most {self._limits.megabytes:g} MB, found more")
        return message

    async def drained(self) -> bool:
        """Throw away what is still being sent, for a while: many clients listen only when they have sent everything."""
        end = min(self._began + self._limits.seconds, time.monotonic() + DRAINED_SECONDS)
        try:
            while not self._complete:
                await self._next(end)
        except TimeoutError:
            pass
        return self._complete

    async def _next(self, end: float) -> dict:
        async with asyncio.timeout(max(0.0, end - time.monotonic())):
            message = await self._receive()
        self._complete = not message.get("more_body", False)
        return message
