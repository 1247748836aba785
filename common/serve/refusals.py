"""How a service says what is wrong with a value that it was sent."""

from __future__ import annotations

import json
import math

from fastapi import HTTPException

SHOWN = 60
"""Characters of a wrong value that an error repeats."""


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
