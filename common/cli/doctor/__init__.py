"""``zoo doctor``: what is installed, kept and there, what is wrong with it, and what mends it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict

from common.cli.doctor.findings import BROKEN, Finding, line_of
from common.cli.doctor.installed import programs, python_and_packages
from common.cli.doctor.machine import devices, disks
from common.cli.doctor.stored import dataset, models_open, store
from sdss_gs import __version__
from sdss_gs.errors import ZooError


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
    examinations: list[Callable[[], list[Finding]]] = [
        python_and_packages, programs, devices, disks, store, lambda: dataset(ds),
    ]  # fmt: skip
    if thorough:
        examinations.append(models_open)
    return [finding for examination in examinations for finding in _safely(examination)]


def _safely(examination: Callable[[], list[Finding]]) -> list[Finding]:
    name = getattr(examination, "__name__", "").replace("_", " ").replace("<lambda>", "data set")
    try:
        return examination()
    except ZooError as error:
        return [Finding(name, BROKEN, str(error))]
    except Exception as error:
        # Whatever is wrong on the machine, a diagnosis goes on with the next point.
        return [Finding(name, BROKEN, f"{type(error).__name__}: {line_of(error)}")]


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
        lines.append(f"{finding.state:<6}  {finding.subject:<{width}}  {finding.text}")
        if finding.fix:
            lines.append(f"{'':<6}  {'':<{width}}  → {finding.fix}")
    count = broken(findings)
    return "\n".join([*lines, "", f"{count} broken" if count else "nothing is broken"])
