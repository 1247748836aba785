"""Many objects side by side: what is still to be done, in a few threads, each outcome kept at once."""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import suppress
from functools import partial
from pathlib import Path

from tqdm import tqdm

from sdss_gs.build.ledger import FAILED, REFUSED, Ledger, Outcome
from sdss_gs.build.local import FrameFolder, build_from_frames
from sdss_gs.build.work import Workshop, build_cutouts, build_picture, build_spectrum, fibre_in, field_in
from sdss_gs.errors import DataError
from sdss_gs.files import remove_leftovers, replacing
from sdss_gs.formats.raw import list_paths
from sdss_gs.logs import hidden

GIVE_UP_AFTER = 20
"""Tasks that fail one after the other before a build ends: the server is down, or the network."""
WAITING = 4
"""Tasks that wait for each worker."""
Task = Callable[[], list[Outcome]]


def build(
    workshop: Workshop,
    ledger: Ledger,
    rows: list[dict[str, str]],
    inputs: list[str],
    workers: int,
    folder: FrameFolder | None = None,
) -> None:
    """Build the files that are not there and have not been refused before.

    Parameters
    ----------
    workshop : Workshop
    ledger : Ledger
    rows : list of dict
        The catalogue.
    inputs : list of str
        Some of ``img``, ``fits``, ``spectra``.
    workers : int
        Threads.
    folder : FrameFolder, optional
        The user's own frames: cut-outs, and pictures where these are to come from frames, are made of them.

    Raises
    ------
    DataError
        If the disk is full or cannot be written, or if `GIVE_UP_AFTER` tasks in a row have failed.
    """
    refused = {(outcome.object, outcome.input) for outcome in ledger.outcomes(REFUSED)}
    for name in inputs:
        target = workshop.folder / name
        try:
            target.mkdir(parents=True, exist_ok=True)
            remove_leftovers(target)
        except OSError as error:
            raise DataError(f"{target}: cannot write: {error}") from None
        there = list_paths(workshop.folder, name)
        todo = [row for row in rows if int(row["objid"]) not in there and (row["objid"], name) not in refused]
        with tqdm(total=len(todo), desc=f"building {name}", unit=" objects", disable=hidden(bool(todo))) as bar:
            _work(workshop, _tasks(workshop, ledger, name, todo, folder), ledger, workers, bar)
    with suppress(OSError):
        workshop.cache.rmdir()


def _tasks(
    workshop: Workshop, ledger: Ledger, name: str, rows: list[dict[str, str]], folder: FrameFolder | None
) -> Iterator[Task]:
    """Make the tasks of an input; objects whose row does not say where their file is are recorded at once."""
    own = folder is not None and (name == "fits" or (name == "img" and workshop.pictures == "frames"))
    if name == "img" and not own:
        return (partial(build_picture, workshop, row) for row in rows)
    places = defaultdict(list)
    place_in = folder.field_of if own else {"fits": field_in, "spectra": fibre_in}[name]
    for row in rows:
        try:
            places[place_in(row)].append(row)
        except DataError as error:
            # Not for good: a later table may say it.
            ledger.record([Outcome(row["objid"], name, FAILED, str(error))])
    if name == "spectra":
        return (partial(build_spectrum, workshop, fibre, row) for fibre, rows in places.items() for row in rows)
    if own:
        return (partial(build_from_frames, workshop, folder, name, *place) for place in sorted(places.items()))
    workshop.cache.mkdir(parents=True, exist_ok=True)
    return (partial(build_cutouts, workshop, field, members) for field, members in sorted(places.items()))


def _work(workshop: Workshop, tasks: Iterator[Task], ledger: Ledger, workers: int, bar: tqdm) -> None:
    failures = 0
    pool = ThreadPoolExecutor(workers)
    running: set[Future] = set()
    try:
        for task in tasks:
            running.add(pool.submit(task))
            if len(running) >= workers * WAITING:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                failures = _take(done, ledger, bar, failures)
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            failures = _take(done, ledger, bar, failures)
    except BaseException:
        workshop.client.stop()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def _take(done: set[Future], ledger: Ledger, bar: tqdm, failures: int) -> int:
    """Keep the outcomes of finished tasks; return how many have failed in a row."""
    for future in done:
        outcomes = future.result()
        ledger.record(outcomes)
        bar.update(len(outcomes))
        failures = failures + 1 if all(outcome.status == FAILED for outcome in outcomes) else 0
        if failures >= GIVE_UP_AFTER:
            raise DataError(
                f"{failures} things in a row could not be had, the last: {outcomes[0].reason}; "
                "the same command goes on where it was"
            )
    return failures


def count_files(folder: Path, name: str, rows: list[dict[str, str]]) -> int:
    """Count the objects of the catalogue that have a file of an input.

    Parameters
    ----------
    folder : Path
        The data set.
    name : str
        Of the input.
    rows : list of dict
        Of the catalogue.
    """
    there = list_paths(folder, name)
    return sum(int(row["objid"]) in there for row in rows)


def write_rejects(folder: Path, rejects: list[Outcome]) -> Path:
    """Write ``rejects.csv``: object, input, status and reason of what is not there."""
    path = folder / "rejects.csv"
    try:
        with replacing(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(("object", "input", "status", "reason"))
            writer.writerows((o.object, o.input, o.status, o.reason) for o in rejects)
    except OSError as error:
        raise DataError(f"{path}: cannot write the list of rejects: {error}") from None
    return path
