"""Who may ask a service, under which name, and what is written down about it."""

from __future__ import annotations

import hmac
import ipaddress
import logging
import os
import time
from collections.abc import Callable
from pathlib import Path

from fastapi import HTTPException, Request
from fastapi.responses import Response
from fastapi.security import HTTPBasic, HTTPBearer
from starlette.datastructures import MutableHeaders

from common.serve.limits import Body, Limits, failure
from sdss_gs.errors import OptionError

LOG = logging.getLogger("zoo.access")
VARIABLE = "ZOO_TOKEN"
SHORTEST = 16
"""Characters of a token: one that is shorter can be guessed."""
OPEN = "/healthz"
"""What anybody may ask: a supervisor has no token."""
MISSING = (
    "token: this service wants one: the header 'Authorization: Bearer TOKEN', or in a browser the token as password "
    "(any user name)"
)
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


def read_token(path: Path | None) -> str:
    """Read the token that clients must know: a file's first line, else ``$ZOO_TOKEN``; empty where there is neither.

    Raises
    ------
    OptionError
        If the file cannot be read, or the token is short or could not be sent in a header.
    """
    origin = f"token-file {path}" if path else f"${VARIABLE}"
    try:
        text = path.read_text(encoding="utf-8") if path else os.environ.get(VARIABLE, "")
    except (OSError, ValueError) as error:
        raise OptionError(f"{origin}: expected a file with a token, found {type(error).__name__}") from None
    if not path and not text:
        return ""
    token = text.partition("\n")[0].strip()
    if len(token) < SHORTEST or not token.isascii() or not token.isprintable() or " " in token:
        raise OptionError(
            f"{origin}: expected at least {SHORTEST} ASCII characters without spaces, found {len(token)} characters; "
            "python -c 'import secrets; print(secrets.token_urlsafe())' makes a token"
        )
    return token


def known_hosts(host: str) -> set[str]:
    """List the names by which a service at an address may be called; empty for any.

    >>> sorted(known_hosts("127.0.0.1"))
    ['127.0.0.1', '::1', 'localhost']
    >>> known_hosts("0.0.0.0")
    set()
    """
    try:
        loopback = ipaddress.ip_address(host).is_loopback
    except ValueError:
        loopback = host == "localhost"
    return {"localhost", "127.0.0.1", "::1", host} if loopback else set()


class Guard:
    """ASGI middleware: asks for the token, limits bodies, adds safe headers to answers, and writes requests down.

    Parameters
    ----------
    app : ASGI application
    limits : Limits
    hosts : set of str
        Names by which the service may be called; empty for any. A page of the internet whose name was made to point at
        this machine has another one. (Starlette's TrustedHostMiddleware refuses in no JSON, and all of IPv6.)
    token : str
        Empty: nobody needs one.
    """

    def __init__(self, app: Callable, limits: Limits, hosts: set[str], token: str):
        self._app, self._limits, self._hosts, self._token = app, limits, hosts, token

    async def __call__(self, scope: dict, receive: Callable, send: Callable) -> None:
        """Handle one connection, as ASGI wants it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, status, body = time.perf_counter(), 500, Body(receive, self._limits)

        async def sending(message: dict) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status, headers = message["status"], MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
                if status >= 400 and not await body.drained():
                    headers["Connection"] = "close"
            await send(message)

        try:
            answer = await self._refusal(Request(scope)) or self._app
            await answer(scope, body.receive, sending)
        finally:
            # As it was sent, percent-encoded: a path cannot write a line of its own. No query, header or body.
            path = scope.get("raw_path", b"").decode("ascii", "backslashreplace")[:200]
            client, spent = (scope.get("client") or ("-",))[0], 1000 * (time.perf_counter() - began)
            LOG.info("client=%s %s %s status=%d ms=%.1f", client, scope["method"], path, status, spent)

    async def _refusal(self, request: Request) -> Response | None:
        """Return the answer to a request that is refused; None for the others."""
        host = request.headers.get("host", "")
        # Without the port; IPv6 stands in brackets.
        host = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
        if self._hosts and host not in self._hosts:
            return failure(400, f"host: expected {' or '.join(sorted(self._hosts))}, found {host[:80]!r}")
        if self._token and request.scope["path"] != OPEN:
            sent = await _sent_token(request)
            if not hmac.compare_digest(sent.encode(), self._token.encode()):
                # Basic is what makes a browser ask, and send the token with the pictures as well.
                return failure(401, MISSING, {"WWW-Authenticate": 'Basic realm="SDSS zoo", charset="UTF-8"'})
        return None


async def _sent_token(request: Request) -> str:
    try:
        bearer, basic = await HTTPBearer(auto_error=False)(request), await HTTPBasic(auto_error=False)(request)
    except HTTPException:
        # Basic that cannot be decoded.
        return ""
    return bearer.credentials if bearer else basic.password if basic else ""
