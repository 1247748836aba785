"""What made a result: the zoo's code to the commit, and every package beside it."""

from __future__ import annotations

import subprocess
from functools import cache
from importlib.metadata import distributions, version
from pathlib import Path

from common.runs.store_location import REPOSITORY
from sdss_gs import __version__

RECORDED_VERSIONS = ("tensorflow", "keras", "mlflow", "numpy")
SECONDS = 10


def code_version(repository: Path = REPOSITORY) -> str:
    """Return the zoo's version; in a checkout ``0.1.0+<commit>``, and ``.dirty`` after that if files were changed."""
    # Only the zoo's own checkout: an installed zoo may lie inside somebody else's.
    if not (repository / ".git").exists():
        return __version__
    describe = ["describe", "--always", "--exclude=*", "--abbrev=40", "--dirty=.dirty"]
    command = ["git", "--no-optional-locks", "-C", str(repository), *describe]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS, check=True)
    except (OSError, subprocess.SubprocessError):
        return __version__
    return f"{__version__}+{answer.stdout.strip()}"


def versions() -> dict[str, str]:
    """Return the versions of the software that decides a result."""
    return {"sdss-zoo": code_version(), **{package: version(package) for package in RECORDED_VERSIONS}}


@cache
def packages() -> str:
    """List the installed packages, ``name==version``, one a line, by name."""
    # Once each: it is read from the file every time.
    found = [one.metadata for one in distributions()]
    lines = {f"{one['Name']}=={one['Version']}" for one in found if one["Name"]}
    return "\n".join(sorted(lines, key=str.lower)) + "\n"
