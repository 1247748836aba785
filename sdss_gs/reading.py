"""Many raw files read side by side: in this process, and in helpers that it starts and that end with it.

The helpers are plain interpreters that import no more than reading needs: they are there in a fifth of a second, and
no script has to be safe to import a second time for their sake. Whatever goes wrong in one of them, this process does
that piece of work itself.
"""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
import threading
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice
from queue import Empty, SimpleQueue

import numpy as np

from .errors import BadFileError
from .raw import Layout, read_file

FILES_PER_GROUP = 64
AHEAD = 2
"""Groups that wait for each helper."""
FEW_FILES = 256
"""Below this many files, starting helpers costs more than they bring."""
START_HELPER = "import sys; sys.path[:] = {path!r}; from sdss_gs.reading import help_reading; help_reading()"


@dataclass(frozen=True)
class Group:
    """Some files to read.

    Parameters
    ----------
    name : str
        Input.
    layout : Layout
    start : int
        Position of the first file among all that are read; the caller's affair.
    paths : list of str
    destination : str, optional
        File that receives the arrays one after the other; without one, files are only checked.
    offset : int
        Byte of `destination` at which the first array begins.
    dtype : str
        Dtype of the arrays in `destination`.
    """

    name: str
    layout: Layout
    start: int
    paths: list[str]
    destination: str | None = None
    offset: int = 0
    dtype: str = "uint8"


@dataclass
class Outcome:
    """What came of a group.

    Parameters
    ----------
    problems : list of (str or None)
        By file; None for a good one.
    checksums : list of int
        CRC-32 by file, 0 for a bad one; nothing where there was no destination.
    low, high : float
        Smallest and largest value written.
    """

    problems: list[str | None] = field(default_factory=list)
    checksums: list[int] = field(default_factory=list)
    low: float = float("inf")
    high: float = float("-inf")


def read_group(group: Group) -> Outcome:
    """Read the files of a group in this process.

    Raises
    ------
    OSError
        If the destination cannot be written.
    """
    rows = None if group.destination is None else np.empty((len(group.paths), *group.layout.shape), group.dtype)
    outcome = Outcome()
    for position, path in enumerate(group.paths):
        try:
            array = read_file(group.name, path, group.layout)
        except BadFileError as error:
            array = None
            outcome.problems.append(error.problem)
        else:
            outcome.problems.append(None)
        if rows is not None:
            rows[position] = 0 if array is None else array
            outcome.checksums.append(0 if array is None else zlib.crc32(rows[position].data))
    if rows is not None:
        # One write per group: filling a memory map row by row costs four times as much, in page faults.
        with open(group.destination, "r+b") as file:
            file.seek(group.offset)
            file.write(rows.data)
        good = rows if not any(outcome.problems) else rows[[problem is None for problem in outcome.problems]]
        if len(good):
            outcome.low, outcome.high = float(good.min()), float(good.max())
    return outcome


def read_groups(groups: Iterator[Group], files: int, processes: int | None = None) -> Iterator[tuple[Group, Outcome]]:
    """Read groups of files, in several processes where it pays.

    Parameters
    ----------
    groups : iterator of Group
        Taken from as the work goes on, always by the caller's thread.
    files : int
        How many files they have in all.
    processes : int, optional
        All cores by default.

    Yields
    ------
    group : Group
        In the order in which they are finished.
    outcome : Outcome
    """
    helpers = 0 if files < FEW_FILES else min(processes or _cores(), -(-files // FILES_PER_GROUP)) - 1
    todo: SimpleQueue = SimpleQueue()
    done: SimpleQueue = SimpleQueue()
    crew = [_Helper(todo, done) for _ in range(helpers)]
    waiting = 0
    try:
        while True:
            for group in islice(groups, max(0, AHEAD * len(crew) - waiting)):
                todo.put(group)
                waiting += 1
            own = next(groups, None)
            if own is None and waiting:
                # The last groups: take back what no helper has begun, then wait for what they have.
                own = _next(todo)
                waiting -= own is not None
            if own is not None:
                yield own, read_group(own)
            elif not waiting:
                return
            while waiting and (finished := _next(done, block=own is None)) is not None:
                group, outcome = finished
                waiting, own = waiting - 1, group
                yield group, read_group(group) if outcome is None else outcome
    finally:
        for helper in crew:
            helper.end()


def _cores() -> int:
    # Imported here: opening a data set needs no joblib. It knows about containers that are granted fewer cores.
    from joblib import cpu_count

    return cpu_count()


def _next(queue: SimpleQueue, block: bool = False):
    try:
        return queue.get(block)
    except Empty:
        return None


class _Helper:
    """Another process that reads, and a thread of this one that talks to it.

    Parameters
    ----------
    todo, done : SimpleQueue
        Of groups; of groups with their outcome, which is None if the helper failed.
    """

    def __init__(self, todo: SimpleQueue, done: SimpleQueue):
        command = [sys.executable, "-c", START_HELPER.format(path=sys.path)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._todo, self._done, self._ended = todo, done, False
        self._thread = threading.Thread(target=self._talk, daemon=True)
        self._thread.start()

    def _talk(self) -> None:
        group = None
        try:
            # The first word says that it is ready: no group waits for one that is still starting.
            pickle.load(self._process.stdout)
            while not self._ended and (group := self._todo.get()) is not None:
                pickle.dump(group, self._process.stdin)
                self._process.stdin.flush()
                self._done.put((group, pickle.load(self._process.stdout)))
        except (EOFError, OSError, pickle.UnpicklingError):
            if group is not None:
                self._done.put((group, None))

    def end(self) -> None:
        self._ended = True
        self._todo.put(None)
        self._process.kill()
        self._thread.join()
        self._process.stdout.close()
        # What the helper has not taken cannot be sent any more.
        with suppress(OSError):
            self._process.stdin.close()
        self._process.wait()


def help_reading() -> None:
    """Read the groups that arrive on standard input, until it ends: the whole life of a helper."""
    # Ctrl-C reaches every process of the terminal; this one ends with the one that started it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    answers = os.fdopen(os.dup(1), "wb")
    # What a library prints must not get between the answers.
    os.dup2(2, 1)
    pickle.dump("ready", answers)
    answers.flush()
    while True:
        try:
            group = pickle.load(sys.stdin.buffer)
        except EOFError:
            return
        try:
            outcome = read_group(group)
        except Exception:
            # The process that asked does it again and reports the error in its own words.
            outcome = None
        pickle.dump(outcome, answers)
        answers.flush()
