"""What a diagnosis comes to."""

from __future__ import annotations

import re
from dataclasses import dataclass

OK, NOTE, BROKEN = "ok", "note", "BROKEN"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Parameters
    ----------
    subject : str
    state : str
        ``ok``; ``note``, what may surprise; or ``BROKEN``, what some command fails on.
    text : str
        What was found, and what was expected where it is something else.
    fix : str
        What to do about it.
    """

    subject: str
    state: str
    text: str
    fix: str = ""


def without_password(address: str) -> str:
    """Take user and password out of the addresses in a text."""
    return re.sub(r"//[^/@\s]*@", "//…@", address)
