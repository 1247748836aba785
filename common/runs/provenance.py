"""What made a result: the zoo's code to the commit, and every package beside it."""

from __future__ import annotations

import subprocess
from importlib.metadata import distributions
from pathlib import Path

from common.runs.store_location import REPOSITORY
from sdss_gs import __version__

SECONDS = 10


def code_version(repository: Path = REPOSITORY) -> str:
    """Return the zoo's version; in a checkout ``0.1.0+<commit>``, and ``.dirty`` after that if files were changed."""
    commit = _commit(repository)
    return f"{__version__}+{commit}" if commit else __version__


def _commit(repository: Path) -> str:
    # Only the zoo's own: an installed zoo may lie inside somebody else's checkout.
    if not (repository / ".git").exists():
        return ""
    describe = ["git", "--no-optional-locks", "-C", str(repository), "describe", "--always", "--exclude=*"]
    try:
        answer = subprocess.run(
            [*describe, "--abbrev=40", "--dirty=.dirty"], capture_output=True, text=True, timeout=SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ""
    return answer.stdout.strip()


def packages() -> str:
    """List the installed packages, ``name==version``, one a line, by name."""
    found = {f"{one.metadata['Name']}=={one.version}" for one in distributions() if one.metadata["Name"]}
    return "\n".join(sorted(found, key=str.lower)) + "\n"
