"""Shards of a packed array while they are written: filled group by group, then brought to the disk and named."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from sdss_gs.files import move_into_place, replacing, temporary_path
from sdss_gs.formats.raw import Layout
from sdss_gs.packing.packed import Manifest, checksum_of, write_manifest
from sdss_gs.packing.reading import FILES_PER_GROUP, Group, Outcome


class Shard:
    """One shard to be filled.

    Parameters
    ----------
    path : Path
        Where it will be.
    layout : Layout
    dtype : str
    entries : ndarray, structured `packed.INDEX_DTYPE`
        Lines of the index of the files that go into it; `take` fills in row, within the shard, and checksum.

    Attributes
    ----------
    rejects : dict of int to str
        Problem by object id.
    lacks : dict of int to list of str
        Columns that a spectrum lacks, by object id.
    low, high : float
        Smallest and largest value.
    """

    def __init__(self, path: Path, layout: Layout, dtype: str, entries: np.ndarray):
        self.path, self.temporary = path, temporary_path(path)
        self.layout, self.dtype, self.entries = layout, dtype, entries
        self.rejects: dict[int, str] = {}
        self.lacks: dict[int, list[str]] = {}
        self.low, self.high = float("inf"), float("-inf")
        self._missing = len(entries)

    def groups(self, name: str, paths: dict[int, str]) -> Iterator[Group]:
        """Create the file and list what is to be read into it."""
        rows = np.lib.format.open_memmap(
            self.temporary, mode="w+", dtype=self.dtype, shape=(len(self.entries), *self.layout.shape)
        )
        if hasattr(os, "posix_fallocate"):
            # A full disk shows now, before anything is read; and what has its place on disk is written faster.
            with open(self.temporary, "r+b") as file:
                os.posix_fallocate(file.fileno(), 0, self.temporary.stat().st_size)
        objid = self.entries["objid"].tolist()
        for start in range(0, len(objid), FILES_PER_GROUP):
            chosen = [paths[number] for number in objid[start : start + FILES_PER_GROUP]]
            offset = rows.offset + start * rows[0].nbytes
            yield Group(name, self.layout, start, chosen, str(self.temporary), offset, self.dtype)

    def take(self, group: Group, outcome: Outcome) -> bool:
        """Note what came of a group; tell whether it was the last one."""
        part = self.entries[group.start : group.start + len(group.paths)]
        part["row"] = np.arange(group.start, group.start + len(part))
        part["checksum"] = outcome.checksums
        for entry, problem in zip(part, outcome.problems, strict=True):
            if problem is not None:
                entry["row"] = -1
                self.rejects[int(entry["objid"])] = problem
        self.lacks |= {int(part["objid"][position]): columns for position, columns in outcome.lacks.items()}
        self.low, self.high = min(self.low, outcome.low), max(self.high, outcome.high)
        self._missing -= len(part)
        return not self._missing


class Record:
    """What is packed of one input so far, in memory and on disk.

    Parameters
    ----------
    folder : Path
        Packed folder of the input.
    manifest : Manifest
    index : ndarray, structured `packed.INDEX_DTYPE`
    """

    def __init__(self, folder: Path, manifest: Manifest, index: np.ndarray):
        self.folder, self.manifest, self.index = folder, manifest, index

    def add(self, shard: Shard) -> None:
        """Bring a full shard to the disk and name it: from here on it survives a kill."""
        move_into_place(shard.temporary, shard.path)
        manifest, entries = self.manifest, shard.entries
        entries["row"][entries["row"] >= 0] += sum(rows for _, rows in manifest.shards)
        manifest.shards.append((shard.path.name, len(entries)))
        manifest.low, manifest.high = min(manifest.low, shard.low), max(manifest.high, shard.high)
        kept = ~np.isin(self.index["objid"], entries["objid"])
        for number in self.index["objid"][~kept].tolist():
            manifest.rejects.pop(str(number), None)
            manifest.lacks.pop(str(number), None)
        manifest.rejects |= {str(number): problem for number, problem in shard.rejects.items()}
        manifest.lacks |= {str(number): columns for number, columns in shard.lacks.items()}
        self.index = np.concatenate([self.index[kept], entries])
        self.commit()

    def commit(self) -> None:
        """Replace the index, then the manifest that names it."""
        self.index = self.index[np.argsort(self.index["objid"])]
        known = set(self.index["objid"].tolist()) if self.manifest.rejects or self.manifest.lacks else ()
        self.manifest.index = f"index-{len(self.manifest.shards):05d}-{os.urandom(3).hex()}.npy"
        self.manifest.available = int((self.index["row"] >= 0).sum())
        self.manifest.rejects = {key: text for key, text in self.manifest.rejects.items() if int(key) in known}
        self.manifest.lacks = {key: columns for key, columns in self.manifest.lacks.items() if int(key) in known}
        with replacing(self.folder / self.manifest.index) as temporary, open(temporary, "wb") as file:
            np.save(file, self.index)
        self.manifest.index_checksum = checksum_of(self.index)
        write_manifest(self.folder, self.manifest)

    def remove_unnamed(self) -> None:
        """Remove arrays that the manifest no longer names."""
        named = {self.manifest.index, *(name for name, _ in self.manifest.shards)}
        for path in self.folder.glob("*.npy"):
            if path.name not in named:
                path.unlink(missing_ok=True)
