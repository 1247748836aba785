"""All files of a record, several at a time, with one bar and one look at the disk."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from tqdm import tqdm

from sdss_gs.download.zenodo import Entry
from sdss_gs.errors import DataError, ZooError
from sdss_gs.files import TEMPORARY
from sdss_gs.logs import hidden
from sdss_gs.remote import Client, fetch

GROWTH = 2.2
"""Unpacked size of an archive, as a multiple of its own, where nothing says better: tables of spectra, most of the set,
shrink to a third, the rest hardly."""


def fetch_all(client: Client, entries: Sequence[Entry], folder: Path, at_once: int) -> list[Path]:
    """Fetch files into a folder; what is there is verified, what is begun is continued.

    Parameters
    ----------
    client : Client
    entries : sequence of Entry
    folder : Path
    at_once : int
        Files that are fetched side by side.

    Raises
    ------
    ZooError
        The first failure, when the other files are done.
    """
    paths = [folder / entry.name for entry in entries]
    lock = threading.Lock()
    with (
        tqdm(
            total=sum(entry.size for entry in entries), unit="B", unit_scale=True, desc="fetching", disable=hidden()
        ) as bar,
        ThreadPoolExecutor(at_once) as pool,
    ):

        def advance(count):
            with lock:
                bar.update(count)

        tasks = [
            pool.submit(fetch, client, entry.url, path, size=entry.size, checksum=entry.checksum, advance=advance)
            for entry, path in zip(entries, paths, strict=True)
        ]
        try:
            failures = [error for task in as_completed(tasks) if (error := task.exception()) is not None]
        except BaseException:
            client.stop()
            pool.shutdown(cancel_futures=True)
            raise
    for failure in sorted(failures, key=lambda error: isinstance(error, ZooError)):
        raise failure
    return paths


def missing_bytes(entries: Sequence[Entry], folder: Path) -> int:
    """Count the bytes of files that have still to be fetched."""
    missing = 0
    for entry in entries:
        path = folder / entry.name
        candidates = (path, path.with_name(path.name + TEMPORARY))
        present = next((file.stat().st_size for file in candidates if file.exists()), 0)
        missing += max(entry.size - present, 0)
    return missing


def check_space(folder: Path, to_fetch: int, to_unpack: int) -> None:
    """Refuse what will not fit on the disk.

    Parameters
    ----------
    folder : Path
    to_fetch, to_unpack : int
        Bytes.

    Raises
    ------
    DataError
        With both numbers and what is free.
    """
    free = shutil.disk_usage(folder).free
    if to_fetch + to_unpack > free:
        raise DataError(
            f"{folder}: expected room for {to_fetch / 1e9:.2f} GB of archives and about {to_unpack / 1e9:.2f} GB "
            f"unpacked, found {free / 1e9:.2f} GB free"
        )
