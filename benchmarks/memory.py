"""Peak memory of this process and its workers, sampled from ``/proc``.

Pages of memory-mapped files count as resident but belong to the page cache: the system takes them back when it needs
them. *Anonymous* memory is what the program itself holds. Both are reported.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

INTERVAL = 0.05


@dataclass
class Peak:
    """Largest memory seen, MB (10⁶ bytes), summed over the process and its children; 0 where there is no /proc.

    Pages that processes share count once for each of them in `resident`.
    """

    resident: float = 0
    anonymous: float = 0

    def columns(self) -> dict[str, float]:
        """Return the columns of a result row."""
        return {"peak_anonymous_mb": round(self.anonymous), "peak_resident_mb": round(self.resident)}


@contextmanager
def watching() -> Iterator[Peak]:
    """Sample the memory of this process and its children while the block runs."""
    peak, stop = Peak(), threading.Event()

    def sample() -> None:
        while True:
            _update(peak)
            if stop.wait(INTERVAL):
                break

    thread = threading.Thread(target=sample, daemon=True)
    thread.start()
    try:
        yield peak
    finally:
        _update(peak)
        stop.set()
        thread.join()


def own_peak() -> float:
    """Return the high-water mark of this process' resident memory since it started, MB."""
    return _status(os.getpid()).get("VmHWM", 0) / 1e6


def _update(peak: Peak) -> None:
    statuses = [_status(pid) for pid in _family(os.getpid())]
    peak.resident = max(peak.resident, sum(status.get("VmRSS", 0) for status in statuses) / 1e6)
    peak.anonymous = max(peak.anonymous, sum(status.get("RssAnon", 0) for status in statuses) / 1e6)


def _status(pid: int) -> dict[str, int]:
    """Read the sizes of a process, bytes; nothing if it has just ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return {}
    return {line.split(":")[0]: 1024 * int(line.split()[1]) for line in lines if line.endswith(" kB")}


def _family(pid: int) -> list[int]:
    """List a process and all its descendants; only itself on a kernel that does not list children."""
    family = [pid]
    for member in family:
        for path in Path(f"/proc/{member}/task").glob("*/children"):
            try:
                family += map(int, path.read_text().split())
            except OSError:
                # A thread that has just ended.
                continue
    return family
