"""What is known of the processor, where programs that were compiled for it are kept, and how memory is used."""

from __future__ import annotations

import ctypes
import os
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

from sdss_gs.packing.packed import cache_folder

MOST_PROGRAMS = 100
"""Compiled programs that are kept, of about 0.5 MB; the oldest are deleted."""
MALLOPT = {-1: 2**30, -2: 2**26, -3: 2**25}
"""Of glibc, see mallopt(3): how much freed memory is kept, how much is asked for at once, and from which size on an
array has a piece of its own."""


def cpu_lines() -> dict[str, str]:
    """First processor's lines of /proc/cpuinfo; empty where there is none (macOS, Windows)."""
    try:
        text = Path("/proc/cpuinfo").read_text().split("\n\n")[0]
    except OSError:
        return {}
    return {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in text.splitlines())}


def kept_programs() -> Path | None:
    """Return the folder where programs that XLA compiled are kept; None where it cannot be written.

    A program is for one version of TensorFlow and one kind of processor.
    """
    lines = cpu_lines()
    made_for = "|".join([version("tensorflow"), lines.get("model name", ""), lines.get("flags", "")])
    folder = cache_folder() / "xla" / sha256(made_for.encode()).hexdigest()[:12]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        programs = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime)
        for path in programs[:-MOST_PROGRAMS]:
            path.unlink(missing_ok=True)
    except OSError:
        # Of another process, which deletes them too; or a home that is not ours.
        pass
    return folder if os.access(folder, os.W_OK) else None


def keep_freed_memory() -> None:
    """Let this process keep memory that it frees for the next array, where the C library is glibc.

    It gives that back otherwise, and the system fills each page with zeros when it is asked for again: of a short run
    that is a tenth of the time.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return
    for parameter, size in MALLOPT.items():
        mallopt(parameter, size)
