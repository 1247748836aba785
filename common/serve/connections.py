"""Connections that may not be held for nothing: whoever opens one must ask something soon."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from typing import Any

from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_CONNECTIONS = 4096
"""At a time; the next one is told 503."""
HEAD_SECONDS = 10.0
"""For the head of a request to arrive; a body has the time of `limits.Limits`."""
OTHER_FILES = 1024
"""Open files of a service besides its connections, among them those that are just being turned away."""
BUSY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"


class Connection(H11Protocol):
    """A connection that is closed when the head of a request takes too long.

    Uvicorn waits for it without end (as of 0.5x), so that a client could hold all connections by sending a byte now
    and then ("slowloris").
    """

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Start to wait for the first request, or turn the client away."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            # At once: without a file left, a connection cannot even be refused, and each try is a traceback in the log.
            transport.write(BUSY)
            transport.close()
        else:
            self._watch()

    def data_received(self, data: bytes) -> None:
        """Take what has come; wait for the rest of a head, or no longer."""
        if self.transport.is_closing():
            return
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop waiting."""
        self._stop_watching()
        super().connection_lost(exc)

    def _watch(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_watching()
        elif self._timer is None:
            self._timer = self.loop.call_later(HEAD_SECONDS, self.transport.close)

    def _stop_watching(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def configure(app: Any, log_level: str, **options: Any) -> Config:
    """Describe a server of an application, whose connections are limited in number and patience.

    Parameters
    ----------
    app : ASGI application
    log_level : str
    **options
        Further ones of `uvicorn.Config`.
    """
    _allow_files(MOST_CONNECTIONS + OTHER_FILES)
    return Config(app, log_level=log_level, server_header=False, http=Connection, **options)


def _allow_files(count: int) -> None:
    """Ask for as many open files as the machine gives; many give 1,024 until asked."""
    if os.name != "posix":
        return
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = sys.maxsize if hard == resource.RLIM_INFINITY else hard
    if soft != resource.RLIM_INFINITY and soft < count:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (min(count, most), hard))
