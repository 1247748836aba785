"""``zoo doctor``: what is installed, kept and there, what is wrong with it, and what mends it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from functools import partial

from common.cli.doctor.findings import BROKEN, NOTE, OK, Finding, without_password
from common.cli.doctor.machine import disks, processors, programs, python_and_packages
from common.cli.doctor.stored import dataset, models_open, shipped, store
from common.runs.failures import user_message
from sdss_gs import __version__
from sdss_gs.errors import first_line
from sdss_gs.terminal import GREEN, RED, YELLOW, paint, wrapped

COLOURS = {OK: GREEN, NOTE: YELLOW, BROKEN: RED}
"""Of a verdict, on a terminal."""


def examine(ds: str = "", thorough: bool = False) -> list[Finding]:
    """Look at everything the zoo depends on; nothing is repaired or sent anywhere.

    Parameters
    ----------
    ds : str
        Data set; empty for the one that a command would use.
    thorough : bool
        Load TensorFlow as well, and open every champion.

    Returns
    -------
    list of Finding
        An examination that fails itself is one of them.
    """
    examinations: dict[str, Callable[[], list[Finding]]] = {
        "packages": python_and_packages, "programs": programs, "processors": processors, "disks": disks,
        "store": store, "shipped models": shipped, "data set": partial(dataset, ds),
    }  # fmt: skip
    if thorough:
        examinations["models"] = models_open
    findings = []
    for subject, examination in examinations.items():
        try:
            findings += examination()
        except Exception as error:
            # Whatever is wrong on the machine, a diagnosis goes on with the next point.
            text = user_message(error) or f"{type(error).__name__}: {first_line(error)[:200]}"
            findings.append(Finding(subject, BROKEN, without_password(text)))
    return findings


def as_data(findings: list[Finding]) -> dict:
    """Return the findings as JSON has them."""
    return {"ok": not broken(findings), "zoo": __version__, "findings": [asdict(finding) for finding in findings]}


def broken(findings: list[Finding]) -> int:
    """Count what is broken."""
    return sum(finding.state == BROKEN for finding in findings)


def as_text(findings: list[Finding]) -> str:
    """Lay the findings out for a terminal: the state first, a fix below what it mends."""
    width = max(len(finding.subject) for finding in findings)
    lines = []
    for finding in findings:
        state = paint(f"{finding.state:<6}", COLOURS[finding.state])
        lines.append(f"{state}  {finding.subject:<{width}}  {wrapped(finding.text, width + 10)}")
        if finding.fix:
            # In one piece, to be copied.
            lines.append(f"{'':<6}  {'':<{width}}  → {finding.fix}")
    return "\n".join([*lines, "", f"{broken(findings) or 'nothing is'} broken"])
