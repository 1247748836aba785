"""Read every raw file once: raw folder → packed arrays, in parallel, resumable, atomic."""

from __future__ import annotations

import os
import zlib
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, wait
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout
from joblib import cpu_count
from joblib.externals.loky import get_reusable_executor
from tqdm import tqdm

from .errors import BadFileError, DataError
from .files import remove_leftovers, replacing
from .packed import INDEX_DTYPE, Manifest, packed_folder, read_index, read_manifest, write_manifest
from .raw import Layout, RawFile, list_paths, probe_layout, read_file, stamped
from .schema import INPUTS, PIXEL_SCALE

FILES_PER_TASK = 64
AHEAD = 2
"""Groups of files that wait for each worker process."""
WATCHED, SPOT_CHECKED = 10_000, 4_000
"""Up to so many packed files are all looked at when a set is opened; of more, so many by chance."""
FEW_FILES = 256
"""Below this many files, starting worker processes costs more than they bring."""
SMALLEST_SHARD, LARGEST_SHARD, SHARDS = 256 * 2**20, 4 * 2**30, 64
"""A shard is the unit that survives a kill; a set has about 64 at most, so that it opens few files."""


def pack(
    folder: str | Path,
    name: str,
    objid: np.ndarray,
    *,
    image_scale: float = PIXEL_SCALE,
    processes: int | None = None,
    progress: bool = True,
    thorough: bool = False,
) -> Manifest:
    """Bring the packed array of one input up to date with its raw files.

    Only files that are new or changed (by size or modification time) are read; a killed run keeps its finished shards.

    Parameters
    ----------
    folder : path-like
        The data set.
    name : str
        Input with one file per object (``img``, ``fits``, ``spectra`` or ``ssel``).
    objid : ndarray of int64, shape (n,)
        Ids of the catalogue; files of other objects are passed over.
    image_scale : float
        Arcsec per pixel of the ``img`` files; another value than 0.2 has them resampled.
    processes : int, optional
        All cores by default.
    progress : bool
        Show a progress bar.
    thorough : bool
        Look at every file's size and time. Otherwise, of more than 10,000 packed files, files that are new or gone are
        all noticed, files that were rewritten in place by looking at 4,000 of them by chance.

    Returns
    -------
    Manifest

    Raises
    ------
    DataError
        If the packed folder cannot be written.
    """
    target = packed_folder(folder) / name
    paths = list_paths(folder, name)
    paths = {number: paths[number] for number in objid.tolist() if number in paths}
    manifest = read_manifest(target)
    if manifest is None and not paths:
        return Manifest(Layout(INPUTS[name].shape), INPUTS[name].dtype)
    if manifest is not None and not _out_of_date(target, manifest, paths, image_scale, thorough):
        return manifest
    files = {number: stamped(path) for number, path in paths.items()}
    try:
        target.mkdir(parents=True, exist_ok=True)
        with _locked(target / "lock"):
            return _bring_up_to_date(target, name, files, image_scale, processes, progress)
    except OSError as error:
        raise DataError(f"{target}: cannot write the packed arrays: {error}") from None


def _locked(path: Path):
    lock = FileLock(path)
    try:
        return lock.acquire(timeout=0)
    except Timeout:
        tqdm.write(f"waiting for another process that packs {path.parent}")
        return lock.acquire()


def _out_of_date(target: Path, manifest: Manifest, paths: dict[int, str], image_scale: float, thorough: bool) -> bool:
    index, objid = read_index(target, manifest), np.fromiter(paths, np.int64, len(paths))
    if manifest.layout.scale not in (None, image_scale) or not np.array_equal(index["objid"], np.sort(objid)):
        return True
    if not thorough and len(objid) > WATCHED:
        objid = np.random.default_rng().choice(objid, SPOT_CHECKED, replace=False)
    return bool(_changed(index, {number: stamped(paths[number]) for number in objid.tolist()}))


def _changed(index: np.ndarray, files: dict[int, RawFile]) -> list[int]:
    """List the objects whose file is not in the index as it is now."""
    seen = {objid: (size, mtime) for objid, size, mtime in index[["objid", "size", "mtime"]].tolist()}
    return [objid for objid, file in files.items() if seen.get(objid) != (file.size, file.mtime)]


def _bring_up_to_date(target, name, files, image_scale, processes, progress) -> Manifest:
    remove_leftovers(target)
    manifest = read_manifest(target)
    if manifest is None or manifest.layout.scale not in (None, image_scale):
        layout = probe_layout(name, [file.path for file in files.values()], image_scale)
        manifest = Manifest(layout, INPUTS[name].dtype)
    index = read_index(target, manifest)
    index = index[np.isin(index["objid"], list(files))]
    todo = _changed(index, files)
    with tqdm(
        total=len(todo), desc=f"packing {name}", unit=" files", disable=None if progress and todo else True
    ) as bar:
        for objids in _shards(todo, manifest):
            entries = _write_shard(target, name, manifest, [(objid, files[objid]) for objid in objids], processes, bar)
            index = np.concatenate([index[~np.isin(index["objid"], objids)], entries])
            _commit(target, manifest, index)
    _commit(target, manifest, index)
    _remove_unnamed(target, manifest)
    return manifest


def _shards(todo: list[int], manifest: Manifest) -> Iterable[list[int]]:
    bytes_each = int(np.prod(manifest.layout.shape)) * np.dtype(manifest.dtype).itemsize
    size = min(max(SMALLEST_SHARD, len(todo) * bytes_each // SHARDS), LARGEST_SHARD)
    rows = max(1, size // bytes_each)
    return (todo[start : start + rows] for start in range(0, len(todo), rows))


def _write_shard(target, name, manifest: Manifest, files: list[tuple[int, RawFile]], processes, bar) -> np.ndarray:
    """Fill one shard in parallel; add it to the manifest in memory and return its lines of the index."""
    first_row = sum(rows for _, rows in manifest.shards)
    shard = f"{len(manifest.shards):05d}-{os.urandom(3).hex()}.npy"
    entries = np.zeros(len(files), INDEX_DTYPE)
    entries["objid"] = [objid for objid, _ in files]
    entries["size"] = [file.size for _, file in files]
    entries["mtime"] = [file.mtime for _, file in files]
    with replacing(target / shard) as temporary:
        _create(temporary, (len(files), *manifest.layout.shape), manifest.dtype)
        paths = [file.path for _, file in files]
        for start, results in read_files(name, paths, manifest.layout, processes, destination=temporary):
            for position, (problem, checksum, low, high) in enumerate(results, start):
                objid = str(files[position][0])
                manifest.rejects.pop(objid, None)
                if problem is None:
                    entries[position]["row"], entries[position]["checksum"] = first_row + position, checksum
                    manifest.low, manifest.high = min(manifest.low, low), max(manifest.high, high)
                else:
                    entries[position]["row"] = -1
                    manifest.rejects[objid] = problem
            bar.update(len(results))
    manifest.shards.append((shard, len(files)))
    return entries


def _create(path: Path, shape: tuple[int, ...], dtype: str) -> None:
    np.lib.format.open_memmap(path, mode="w+", dtype=dtype, shape=shape)
    if hasattr(os, "posix_fallocate"):
        # A write into a hole of a memory-mapped file on a full disk kills the process; here it is an error.
        with open(path, "r+b") as file:
            os.posix_fallocate(file.fileno(), 0, path.stat().st_size)


def _commit(target: Path, manifest: Manifest, index: np.ndarray) -> None:
    index = index[np.argsort(index["objid"])]
    manifest.index = f"index-{len(manifest.shards):05d}-{os.urandom(3).hex()}.npy"
    manifest.available = int((index["row"] >= 0).sum())
    manifest.rejects = {key: text for key, text in manifest.rejects.items() if int(key) in set(index["objid"].tolist())}
    with replacing(target / manifest.index) as temporary, open(temporary, "wb") as file:
        np.save(file, index)
    write_manifest(target, manifest)


def _remove_unnamed(target: Path, manifest: Manifest) -> None:
    named = {manifest.index, *(name for name, _ in manifest.shards)}
    for path in target.glob("*.npy"):
        if path.name not in named:
            path.unlink(missing_ok=True)


# === Reading files in parallel ===


def read_files(
    name: str, paths: list[str], layout: Layout, processes: int | None = None, destination: Path | None = None
):
    """Read many raw files, in worker processes where it pays.

    Parameters
    ----------
    name : str
    paths : list of str
    layout : Layout
    processes : int, optional
    destination : Path, optional
        ``.npy`` file whose row `k` receives the array of ``paths[k]``.

    Yields
    ------
    start : int
        Position of the first file of a group.
    results : list of (str or None, int, float, float)
        Per file: the problem (None for a good file), CRC-32, smallest and largest value.
    """
    starts = range(0, len(paths), FILES_PER_TASK)
    groups = deque((name, start, paths[start : start + FILES_PER_TASK], layout, destination) for start in starts)
    processes = min(processes or cpu_count(), len(groups)) if len(paths) >= FEW_FILES else 1
    if processes <= 1:
        yield from (_read_group(*group) for group in groups)
    else:
        yield from _read_side_by_side(groups, processes - 1)


def _read_side_by_side(groups: deque, workers: int) -> Iterator:
    """Read in worker processes and in this one, which begins while the workers are still starting."""
    pool, pending = get_reusable_executor(max_workers=workers), set()
    try:
        while groups or pending:
            while groups and len(pending) < AHEAD * workers:
                pending.add(pool.submit(_read_group, *groups.popleft()))
            if groups and not any(task.done() for task in pending):
                yield _read_group(*groups.popleft())
                continue
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            yield from (task.result() for task in done)
    finally:
        for task in pending:
            task.cancel()


def _read_group(name, start, paths, layout, destination):
    dtype, results = INPUTS[name].dtype, []
    rows = np.zeros((len(paths), *layout.shape), dtype)
    for row, path in zip(rows, paths, strict=True):
        try:
            row[...] = read_file(name, path, layout)
        except BadFileError as error:
            results.append((error.problem, 0, 0.0, 0.0))
            continue
        results.append((None, zlib.crc32(row.data), float(row.min()), float(row.max())))
    if destination is not None:
        # Written at once: filling a memory map row by row costs a page fault for each page.
        with open(destination, "r+b") as file:
            file.seek(np.load(destination, mmap_mode="r").offset + start * rows[:1].nbytes)
            file.write(rows.data)
    return start, results
