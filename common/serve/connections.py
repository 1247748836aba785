"""Connections that may not be held for nothing: whoever opens one must ask something soon."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

import h11
from uvicorn import Config
from uvicorn.protocols.http.h11_impl import H11Protocol

MOST_CONNECTIONS = 4096
"""At a time; the next one is told 503."""
OTHER_FILES = 1024
"""Open files of a service besides its connections, among them those that are just being turned away."""
HEAD_SECONDS = 10.0
"""For the head of a request to arrive; a body has the time of `limits.Limits`."""
BUSY = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 2\r\nConnection: close\r\nContent-Type: application/json\r\n"
    b'Content-Length: 40\r\n\r\n{"error": "busy: too many connections"}\n'
)


class Connection(H11Protocol):
    """A connection that is closed when no whole request comes for a while; Uvicorn's own settings leave that open."""

    _timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Wait for the first request, or turn the client away."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            # At once: without a file left, a connection cannot even be refused, and each try is a traceback in the log.
            transport.write(BUSY)
            transport.close()
        else:
            self._watch()

    def data_received(self, data: bytes) -> None:
        """Take what has come; wait for the rest of a head, or no longer."""
        super().data_received(data)
        self._watch()

    def _watch(self) -> None:
        answering = self.conn.our_state in (h11.SEND_RESPONSE, h11.SEND_BODY)
        if answering and self._timer:
            self._timer.cancel()
            self._timer = None
        elif not answering and not self._timer:
            self._timer = self.loop.call_later(HEAD_SECONDS, self.transport.close)


def configure(app: Any, log_level: str, **options: Any) -> Config:
    """Describe a server of an application, whose connections are limited in number and patience.

    Parameters
    ----------
    app : ASGI application
    log_level : str
    **options
        Further ones of `uvicorn.Config`.
    """
    # Many systems give 1,024 open files until asked.
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, MOST_CONNECTIONS + OTHER_FILES), hard))
    # Nothing here answers WebSockets; `access.Guard` writes requests down.
    usual = {"http": Connection, "ws": "none", "server_header": False, "access_log": False}
    return Config(app, log_level=log_level, **usual, **options)
