"""Many raw files read side by side, in all of the machine's cores."""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import chain, islice

import numpy as np

from sdss_gs.errors import BadFileError, DataError
from sdss_gs.formats import img
from sdss_gs.formats.raw import STANDARD_GRIDS, Layout, read_file
from sdss_gs.schema import SPECTRUM_COLUMNS

FILES_PER_GROUP = 64
FILES_PER_WRITE = 16
"""Rows that are written at once, a megabyte of images: writes of four took three times as much of the system's time."""
AHEAD = 2
"""Groups that wait for each process."""
FEW_FILES = 256
"""Below this many files, starting processes costs more than they bring."""
IDLE_SECONDS = 2
"""A process that has had nothing to do for so long ends."""
IN_THREADS = (*img.ENDINGS, ".npy", ".csv")
"""Endings of files whose readers are hardly any Python: threads read them side by side, and need neither a start nor
memory and messages of their own."""
MOST_THREADS = 4
"""On more cores, the little that is Python would have threads wait for each other; there are processes instead."""


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
    lacks : dict of int to list of str
        Columns that a good spectrum lacks, by position of the file.
    low, high : float
        Smallest and largest value written.
    """

    problems: list[str | None] = field(default_factory=list)
    checksums: list[int] = field(default_factory=list)
    lacks: dict[int, list[str]] = field(default_factory=dict)
    low: float = float("inf")
    high: float = float("-inf")


def read_group(group: Group) -> Outcome:
    """Read the files of a group in this process.

    Raises
    ------
    OSError
        If the destination cannot be written.
    """
    outcome = Outcome()
    if group.destination is None:
        for position in range(len(group.paths)):
            _read_one(group, position, outcome)
        return outcome
    rows = np.empty((min(FILES_PER_WRITE, len(group.paths)), *group.layout.shape), group.dtype)
    # Rows are gathered and written: filling a memory map row by row costs four times as much, in page faults.
    with open(group.destination, "r+b") as file:
        file.seek(group.offset)
        for start in range(0, len(group.paths), FILES_PER_WRITE):
            part = rows[: len(group.paths) - start]
            for position, row in enumerate(part, start):
                array = _read_one(group, position, outcome)
                row[...] = 0 if array is None else array
                outcome.checksums.append(0 if array is None else zlib.crc32(row.data))
            file.write(part.data)
            problems = outcome.problems[start:]
            good = part if not any(problems) else part[[problem is None for problem in problems]]
            if len(good):
                outcome.low = min(outcome.low, float(np.nanmin(good)))
                outcome.high = max(outcome.high, float(np.nanmax(good)))
    return outcome


def _read_one(group, position, outcome):
    """Read a file and note what came of it; None for a bad one."""
    try:
        array = read_file(group.name, group.paths[position], group.layout)
    except BadFileError as error:
        outcome.problems.append(error.problem)
        return None
    outcome.problems.append(None)
    if absent := lacking(group.name, array):
        outcome.lacks[position] = absent
    return array


def lacking(name: str, array: np.ndarray) -> list[str]:
    """Name the columns of a spectrum ``(2, n)`` that are NaN; none for other inputs."""
    if name not in STANDARD_GRIDS:
        return []
    return [column for column, values in zip(SPECTRUM_COLUMNS, array, strict=True) if np.isnan(values[:1]).any()]


def read_groups(groups: Iterator[Group], files: int, processes: int | None = None) -> Iterator[tuple[Group, Outcome]]:
    """Read groups of files, in several threads or processes where it pays.

    Parameters
    ----------
    groups : iterator of Group
        Taken from as the work goes on.
    files : int
        How many files they have in all.
    processes : int, optional
        How many read, be it threads or processes; all cores by default.

    Yields
    ------
    group : Group
        In the order in which they are finished.
    outcome : Outcome

    Raises
    ------
    DataError
        If one of the processes was killed.
    """
    # Imported here: opening a packed set needs no joblib.
    from joblib import cpu_count

    processes = processes or cpu_count()
    if files < FEW_FILES or processes == 1:
        yield from map(_read, groups)
        return
    first = next(groups)
    threads = processes <= MOST_THREADS and all(path.lower().endswith(IN_THREADS) for path in first.paths)
    yield from (_in_threads if threads else _in_processes)(chain([first], groups), processes)


def _in_threads(groups, threads):
    crew = ThreadPoolExecutor(threads)
    try:
        ahead = deque(crew.submit(_read, group) for group in islice(groups, AHEAD * threads))
        while ahead:
            yield ahead.popleft().result()
            ahead.extend(crew.submit(_read, group) for group in islice(groups, 1))
    finally:
        crew.shutdown(cancel_futures=True)


def _in_processes(groups, processes):
    from joblib import Parallel, delayed, parallel_config
    from joblib.externals.loky.process_executor import TerminatedWorkerError

    with parallel_config("loky", idle_worker_timeout=IDLE_SECONDS):
        crew = Parallel(processes, return_as="generator_unordered", batch_size=1, pre_dispatch=AHEAD * processes)
    try:
        yield from crew(delayed(_read)(group) for group in groups)
    except TerminatedWorkerError:
        problem = "expected every process to live until the end, one was killed (is there enough memory?)"
        raise DataError(f"reading files: {problem}; what is packed is kept, the same command goes on") from None


def _read(group: Group) -> tuple[Group, Outcome]:
    return group, read_group(group)
