"""Who may ask a service, how often, and what is written down about it."""

from __future__ import annotations

import base64
import binascii
import hmac
import logging
import math
import os
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

from common.serve.limits import drain, failure, with_headers
from sdss_gs.errors import OptionError

LOG = logging.getLogger("zoo.access")
VARIABLE = "ZOO_TOKEN"
SHORTEST = 16
"""Characters of a token: one that is shorter can be guessed."""
OPEN = "/healthz"
"""What anybody may ask, as often as they like: a supervisor has no token."""
MOST_CLIENTS = 10_000
"""Clients that are remembered; more addresses than that do not fill the memory."""
MISSING = (
    "token: this service wants one: the header 'Authorization: Bearer TOKEN', or in a browser the token as password "
    "(any user name)"
)


def read_token(path: Path | None) -> str:
    """Read the token that clients must know: a file's first line, else ``$ZOO_TOKEN``; empty where there is neither.

    Raises
    ------
    OptionError
        If the file cannot be read, or the token is short or could not be sent in a header.
    """
    if path is None:
        origin, text = f"${VARIABLE}", os.environ.get(VARIABLE, "")
        if not text:
            return ""
    else:
        origin = f"token-file {path}"
        try:
            text = (path.read_text(encoding="utf-8").splitlines() or [""])[0]
        except (OSError, ValueError) as error:
            raise OptionError(f"{origin}: expected a file with a token, found {type(error).__name__}") from None
    token = text.strip()
    if len(token) < SHORTEST or not token.isascii() or not token.isprintable() or " " in token:
        raise OptionError(
            f"{origin}: expected at least {SHORTEST} ASCII characters without spaces, found {len(token)} characters; "
            "python -c 'import secrets; print(secrets.token_urlsafe())' makes a token"
        )
    return token


class Buckets:
    """Token buckets, one for each client: `per_minute` requests at once, then as many again each minute.

    Parameters
    ----------
    per_minute : int
    now : callable
        Clock, s.
    """

    def __init__(self, per_minute: int, now: Callable[[], float] = time.monotonic):
        self.per_minute, self._now = per_minute, now
        self._clients: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def wait(self, client: str) -> float:
        """Take a request of a client; return 0, or the seconds until it may ask again."""
        now = self._now()
        left, when = self._clients.pop(client, (float(self.per_minute), now))
        left = min(float(self.per_minute), left + (now - when) * self.per_minute / 60)
        allowed = left >= 1
        self._clients[client] = (left - allowed, now)
        if len(self._clients) > MOST_CLIENTS:
            self._clients.popitem(last=False)
        return 0.0 if allowed else (1 - left) * 60 / self.per_minute


class Access:
    """ASGI middleware: writes requests down, and refuses those without the token or too many of one client.

    Parameters
    ----------
    app : ASGI application
    token : str
        Empty: nobody needs one.
    per_minute : int
        Requests of one client address; 0: any number.
    """

    def __init__(self, app: Callable, token: str = "", per_minute: int = 0):
        self.app, self._token = app, token
        self._buckets = Buckets(per_minute) if per_minute else None

    async def __call__(self, scope: dict, receive: Callable, send: Callable) -> None:
        """Handle one connection, as ASGI wants it."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def sending(message: dict) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        client = (scope.get("client") or ("-",))[0]
        try:
            refusal = self._refused(scope, client)
            if refusal is None:
                await self.app(scope, receive, sending)
            else:
                await drain(receive)
                await refusal(scope, receive, with_headers(sending))
        finally:
            # As it was sent, percent-encoded: a path cannot write a line of its own. No query, header or body.
            path = scope.get("raw_path", b"").decode("ascii", "backslashreplace")[:200]
            took = 1000 * (time.perf_counter() - began)
            LOG.info("client=%s %s %s status=%d ms=%.1f", client, scope["method"], path, status, took)

    def _refused(self, scope: dict, client: str) -> Callable | None:
        """Return the answer to a request that is refused; None for the others."""
        if scope["path"] == OPEN:
            return None
        # Before the token, so that nobody tries many.
        wait = self._buckets.wait(client) if self._buckets else 0.0
        if wait:
            text = f"too many requests: expected at most {self._buckets.per_minute} a minute"
            return failure(429, text, {"Retry-After": str(math.ceil(wait))})
        if self._token and not hmac.compare_digest(_sent_token(scope), self._token.encode()):
            # Basic is what makes a browser ask, and send the token with the pictures as well.
            return failure(401, MISSING, {"WWW-Authenticate": 'Basic realm="SDSS zoo", charset="UTF-8"'})
        return None


def _sent_token(scope: dict) -> bytes:
    sent = next((value for name, value in scope["headers"] if name == b"authorization"), b"")
    kind, _, value = sent.partition(b" ")
    if kind.lower() == b"basic":
        try:
            return base64.b64decode(value, validate=True).partition(b":")[2]
        except binascii.Error:
            return b""
    return value.strip() if kind.lower() == b"bearer" else b""
