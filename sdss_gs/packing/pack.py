"""Read every raw file once: raw folder → packed arrays, in parallel, resumable, atomic."""

from __future__ import annotations

import os
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from sdss_gs.errors import DataError
from sdss_gs.files import TEMPORARY, remove_leftovers
from sdss_gs.formats.raw import Layout, list_paths, probe_layout, stamped
from sdss_gs.logs import hidden
from sdss_gs.packing.packed import INDEX_DTYPE, RULES, Manifest, packed_folder, read_packed
from sdss_gs.packing.reading import read_groups
from sdss_gs.packing.shards import Record, Shard
from sdss_gs.schema import INPUTS, PIXEL_SCALE

STAMP_DTYPE = np.dtype([("size", "i8"), ("mtime", "i8")])
WATCHED, SPOT_CHECKED = 10_000, 4_000
"""Up to so many packed files are all looked at when a set is opened; of more, so many by chance."""
SMALLEST_SHARD, LARGEST_SHARD, SHARDS = 64 * 2**20, 4 * 2**30, 64
"""A shard is the unit that survives a kill; a set has about 64 at most, so that it opens few files."""
WAITING_SHARDS = 2
"""Full shards that may wait for the disk before reading waits as well."""


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
        all noticed, files whose content was replaced by looking at 4,000 of them by chance.

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
    if not np.array_equal(np.sort(_listed(paths)), np.sort(objid)):
        paths = {number: paths[number] for number in objid.tolist() if number in paths}
    manifest, index = read_packed(target)
    if manifest is None and not paths:
        return Manifest(Layout(INPUTS[name].shape), INPUTS[name].dtype)
    if manifest is not None and not _out_of_date(target, manifest, index, paths, image_scale, thorough):
        return manifest
    try:
        target.mkdir(parents=True, exist_ok=True)
        with _locked(target / "lock"):
            return _bring_up_to_date(target, name, paths, image_scale, processes, progress)
    except OSError as error:
        raise DataError(f"{target}: cannot write the packed arrays: {error}") from None


def _locked(path: Path):
    # Here, and not above: opening what is packed needs neither.
    from filelock import FileLock, Timeout
    from tqdm import tqdm

    lock = FileLock(path)
    try:
        return lock.acquire(timeout=0)
    except Timeout:
        tqdm.write(f"waiting for another process that packs {path.parent}")
        return lock.acquire()


def _listed(paths: dict[int, str]) -> np.ndarray:
    return np.fromiter(paths, np.int64, len(paths))


def _out_of_date(target: Path, manifest, index, paths: dict[int, str], image_scale: float, thorough: bool) -> bool:
    objid = _listed(paths)
    if _has_leftovers(target, manifest) or (_under_older_rules(manifest) and os.access(target, os.W_OK)):
        return True
    if manifest.layout.scale not in (None, image_scale) or not np.array_equal(index["objid"], np.sort(objid)):
        return True
    if not thorough and len(objid) > WATCHED:
        objid = np.random.default_rng().choice(objid, SPOT_CHECKED, replace=False)
    return bool(_changed(index, _entries(objid, paths)).any())


def _has_leftovers(target: Path, manifest: Manifest) -> bool:
    """Tell whether a killed run left files that nothing names, and that may be removed."""
    named = {manifest.index, *(name for name, _ in manifest.shards)}
    left = [path for path in target.iterdir() if path.suffix in (".npy", TEMPORARY) and path.name not in named]
    return bool(left) and os.access(target, os.W_OK)


def _under_older_rules(manifest: Manifest) -> bool:
    return manifest.rules < RULES and bool(manifest.rejects)


def _entries(objid: np.ndarray, paths: dict[int, str]) -> np.ndarray:
    """Look up size and time of the files of some objects: their lines of the index, without row and checksum."""
    entries = np.zeros(len(objid), INDEX_DTYPE)
    entries["objid"] = objid
    files = (stamped(paths[number]) for number in objid.tolist())
    stamps = np.fromiter(((file.size, file.mtime) for file in files), STAMP_DTYPE, len(objid))
    entries["size"], entries["mtime"] = stamps["size"], stamps["mtime"]
    return entries


def _changed(index: np.ndarray, entries: np.ndarray) -> np.ndarray:
    """Tell which files are not in the index as they are now."""
    if not len(index):
        return np.ones(len(entries), bool)
    seen = index[np.minimum(np.searchsorted(index["objid"], entries["objid"]), len(index) - 1)]
    return np.any([seen[name] != entries[name] for name in ("objid", "size", "mtime")], axis=0)


def _bring_up_to_date(target, name, paths, image_scale, processes, progress) -> Manifest:
    from tqdm import tqdm

    remove_leftovers(target)
    manifest, index = read_packed(target)
    if manifest is None or manifest.layout.scale not in (None, image_scale):
        layout = probe_layout(name, list(paths.values()), image_scale)
        manifest, index = Manifest(layout, INPUTS[name].dtype), index[:0]
    if _under_older_rules(manifest):
        index, manifest.rejects = index[index["row"] >= 0], {}
    manifest.rules = RULES
    entries = _entries(_listed(paths), paths)
    record = Record(target, manifest, index[np.isin(index["objid"], entries["objid"])])
    todo = entries[_changed(record.index, entries)]
    with tqdm(
        total=len(todo), desc=f"packing {name}", unit=" files", disable=hidden(progress and len(todo) > 0)
    ) as bar:
        _add_shards(record, _shards(target, manifest, todo), name, paths, processes, bar)
    record.commit()
    record.remove_unnamed()
    return manifest


def _shards(target: Path, manifest: Manifest, todo: np.ndarray) -> list[Shard]:
    bytes_each = int(np.prod(manifest.layout.shape)) * np.dtype(manifest.dtype).itemsize
    size = min(max(SMALLEST_SHARD, len(todo) * bytes_each // SHARDS), LARGEST_SHARD)
    rows = max(1, size // bytes_each)
    shards = []
    for number, start in enumerate(range(0, len(todo), rows), len(manifest.shards)):
        path = target / f"{number:05d}-{os.urandom(3).hex()}.npy"
        shards.append(Shard(path, manifest.layout, manifest.dtype, todo[start : start + rows]))
    return shards


def _add_shards(record: Record, shards: list[Shard], name: str, paths: dict[int, str], processes, bar) -> None:
    """Fill the shards, several at a time where that keeps every process busy, and add each as it is full."""
    shard_of = {str(shard.temporary): shard for shard in shards}
    groups = (group for shard in shards for group in shard.groups(name, paths))
    full: deque[Future] = deque()
    # A thread of its own takes a full shard to the disk while the next one is read.
    with ThreadPoolExecutor(1) as disk:
        for group, outcome in read_groups(groups, bar.total, processes):
            shard = shard_of[group.destination]
            if shard.take(group, outcome):
                full.append(disk.submit(record.add, shard))
            while full and (full[0].done() or len(full) > WAITING_SHARDS):
                full.popleft().result()
            bar.update(len(group.paths))
        for future in full:
            future.result()
