"""How a service says what is wrong with a request, or with a value that it was sent."""

from __future__ import annotations

import json
import math

from fastapi import FastAPI, HTTPException, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import Response
from starlette.exceptions import HTTPException as AnyHTTPException

from common.serve.limits import failure

SHOWN = 60
"""Characters of a wrong value that an error repeats."""


def say_what_fails(app: FastAPI) -> None:
    """Have an application answer whatever is wrong with a request, or fails, as JSON: ``{"error": …}``."""

    @app.exception_handler(AnyHTTPException)
    async def not_served(_request: Request, error: AnyHTTPException) -> Response:
        return failure(error.status_code, str(error.detail), error.headers)

    @app.exception_handler(RequestValidationError)
    async def misused(_request: Request, error: RequestValidationError) -> Response:
        wrong = error.errors()[0]
        return failure(422, f"{wrong['loc'][-1]}: {wrong['msg']}, found {str(wrong['input'])[:40]!r}")

    @app.exception_handler(Exception)
    async def broken(_request: Request, _error: Exception) -> Response:
        return failure(500, "the service failed; its log says why")


def refused(where: str, expected: str, sent: object) -> HTTPException:
    """Say what is wrong with a value in a request.

    Parameters
    ----------
    where : str
        Its place, ``rows[2].modelMag_u``.
    expected : str
    sent : object
        What was found; of it `SHOWN` characters at most are repeated.

    Returns
    -------
    HTTPException
        To raise: 422.
    """
    return HTTPException(422, f"{where}: expected {expected}, found {_shown(sent)}")


def _shown(value: object) -> str:
    if isinstance(value, list | dict):
        return f"{'an object' if isinstance(value, dict) else 'a list'} of length {len(value)}"
    if isinstance(value, float) and math.isinf(value):
        return "a number too large for a computer"
    try:
        text = value if isinstance(value, str) else json.dumps(value)
    except ValueError:
        text = "a number of over 4300 digits"
    return text if len(text) <= SHOWN else f"{text[:SHOWN]}…"
