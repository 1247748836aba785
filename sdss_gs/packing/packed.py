"""The packed form of a data set: memory-mapped arrays that open in milliseconds.

``<packed>/<input>/`` holds immutable shards ``00000.npy``, …, an index (one line per raw file seen) and
``manifest.json``, which is replaced as the last step of every change: what it names is complete.
"""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path

import numpy as np

from sdss_gs.errors import DataError, first_line
from sdss_gs.files import SEAL, replacing, sealed, unsealed
from sdss_gs.formats.raw import Layout
from sdss_gs.schema import VERSION

INDEX_DTYPE = np.dtype([("objid", "i8"), ("size", "i8"), ("mtime", "i8"), ("row", "i8"), ("checksum", "u4")])
"""`row` is the object's row in the shards laid end to end, -1 for a refused file; `checksum` is CRC-32 of the row."""

RULES = 1
"""Grows when files are taken that were refused: what was refused under older rules is read once more."""


def packed_folder(folder: str | Path) -> Path:
    """Return where a data set's packed arrays live: ``<folder>/packed``, or the user's cache for a read-only folder."""
    folder = Path(folder).resolve()
    inside = folder / "packed"
    # Root may write anywhere; a folder without any write permission is still meant to stay as it is.
    if inside.is_dir() or (os.access(folder, os.W_OK) and folder.stat().st_mode & 0o222):
        return inside
    return cache_folder() / f"{folder.name}-{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"


def cache_folder() -> Path:
    """Return where packed arrays of read-only data sets live."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sdss-gs"


@dataclass
class Manifest:
    """What is packed of one input.

    Parameters
    ----------
    layout : Layout
    dtype : str
    shards : list of (str, int)
        File name and rows, in order.
    index : str
        File name of the index.
    available : int
        Objects with a good row.
    rejects : dict of str to str
        Problem by object id, for files that were refused.
    lacks : dict of str to list of str
        Columns by object id, for spectra that can be used for the other column only; theirs are NaN.
    low, high : float
        Smallest and largest packed value, in the schema's unit.
    index_checksum : int, optional
        CRC-32 of the index.
    version : int
    rules : int
        `RULES` by which its files were refused.
    """

    layout: Layout
    dtype: str
    shards: list[tuple[str, int]] = field(default_factory=list)
    index: str = ""
    available: int = 0
    rejects: dict[str, str] = field(default_factory=dict)
    lacks: dict[str, list[str]] = field(default_factory=dict)
    low: float = float("inf")
    high: float = float("-inf")
    index_checksum: int | None = None
    version: int = VERSION
    rules: int = 0


def read_manifest(folder: Path) -> Manifest | None:
    """Read the manifest of one input's packed folder; None where there is none or it is of another version.

    Raises
    ------
    DataError
        If it is no manifest, or not the one that was written.
    """
    path = folder / "manifest.json"
    try:
        content = json.loads(path.read_text())
        if content["version"] != VERSION:
            return None
        # The first ones had no checksums.
        content = unsealed(content) if SEAL in content or "index_checksum" in content else content
        shape = {name: tuple(value) if isinstance(value, list) else value for name, value in content["layout"].items()}
        shards = [(str(name), int(rows)) for name, rows in content["shards"]]
        return Manifest(**content | {"layout": Layout(**shape), "shards": shards})
    except (FileNotFoundError, NotADirectoryError):
        return None
    except Exception as error:
        # Of what is well written and no manifest, anything may be missing.
        raise DataError(f"{path}: expected a manifest, found {first_line(error)}; delete the folder") from None


def packed_version(folder: Path) -> int | None:
    """Return the version in which one input is packed; None where it is not."""
    try:
        return json.loads((folder / "manifest.json").read_text()).get("version")
    except (OSError, ValueError):
        return None


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Replace the manifest of one input's packed folder."""
    with replacing(folder / "manifest.json") as temporary:
        temporary.write_text(json.dumps(sealed(asdict(manifest))))


def read_packed(folder: Path) -> tuple[Manifest | None, np.ndarray]:
    """Read the manifest, see `read_manifest`, and the index: `INDEX_DTYPE`, sorted by id; empty if nothing is there."""
    return _as_one(folder, partial(_read_index, folder))


def _as_one(folder, read):
    """Read the manifest and what it names, again where another process has replaced both in between."""
    while True:
        manifest = read_manifest(folder)
        try:
            return manifest, read(manifest)
        except DataError:
            if read_manifest(folder) == manifest:
                raise


def _read_index(folder, manifest):
    if manifest is None or not manifest.index:
        return np.empty(0, INDEX_DTYPE)
    path = folder / manifest.index
    index = _load(path)
    changed = manifest.index_checksum is not None and checksum_of(index) != manifest.index_checksum
    if changed or index.dtype != INDEX_DTYPE:
        raise DataError(f"{path}: expected the index that was written, found it changed; delete {folder}")
    return index


def checksum_of(array: np.ndarray) -> int:
    """Return the CRC-32 of an array's bytes, which costs a fraction of reading them."""
    return zlib.crc32(np.ascontiguousarray(array).view(np.uint8).data)


class Packed:
    """One input of a data set, opened for reading.

    Parameters
    ----------
    folder : Path
        Packed folder of the input.

    Attributes
    ----------
    manifest : Manifest
    index : ndarray, structured `INDEX_DTYPE`
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.manifest, (self.index, self._shards) = _as_one(folder, self._open)
        self._ends = np.cumsum([rows for _, rows in self.manifest.shards])
        good = self.index[self.index["row"] >= 0]
        self._checksums = np.zeros(self._ends[-1] if len(self._ends) else 0, np.uint32)
        self._checksums[good["row"]] = good["checksum"]
        self._unchecked = np.ones(len(self._checksums), bool)

    def _open(self, manifest):
        if manifest is None:
            raise DataError(f"{self.folder}: not packed yet (run zoo data pack)")
        shards = []
        for name, rows in manifest.shards:
            # A plain array over the memory map: indexing a `memmap` makes a new one, which costs more than a row.
            array = np.asarray(_load(self.folder / name, mmap_mode="r"))
            expected, found = (manifest.dtype, (rows, *manifest.layout.shape)), (array.dtype, array.shape)
            if found != expected:
                raise DataError(f"{self.folder / name}: expected {expected}, found {found}; delete {self.folder}")
            shards.append(array)
        return _read_index(self.folder, manifest), shards

    def locate(self, objid: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Find objects.

        Parameters
        ----------
        objid : ndarray of int64, shape (n,)

        Returns
        -------
        rows : ndarray of int64, shape (n,)
            Row in the packed array, -1 where the object has no good file.
        checksums : ndarray of uint32, shape (n,)
        """
        if not len(self.index):
            return np.full(len(objid), -1), np.zeros(len(objid), np.uint32)
        position = np.minimum(np.searchsorted(self.index["objid"], objid), len(self.index) - 1)
        entry = self.index[position]
        known = entry["objid"] == objid
        return np.where(known, entry["row"], -1), np.where(known, entry["checksum"], np.uint32(0))

    def take(self, rows: np.ndarray, part: int | tuple = ()) -> np.ndarray:
        """Gather rows into a new array.

        Parameters
        ----------
        rows : ndarray of int64, shape (n,)
            Rows from `locate`, none of them -1.
        part : int, optional
            Position on the second axis, to gather one column of a spectrum table only.

        Returns
        -------
        ndarray, shape (n, ...)

        Raises
        ------
        DataError
            If a row is not what was packed; each is looked at when it is first read.
        """
        self._check(rows[self._unchecked[rows]])
        part = part if isinstance(part, tuple) else (part,)
        shape = self.manifest.layout.shape[len(part) :]
        out = np.empty((len(rows), *shape), self.manifest.dtype)
        shard = np.searchsorted(self._ends, rows, side="right")
        starts = self._ends - [len(array) for array in self._shards]
        # Row by row: numpy's indexing by arrays takes ten times as long for rows as large as these.
        for target, number, row in zip(out, shard.tolist(), (rows - starts[shard]).tolist(), strict=True):
            target[...] = self._shards[number][(row, *part)]
        return out

    def _check(self, rows):
        starts = self._ends - [len(array) for array in self._shards]
        for row in rows.tolist():
            shard = int(np.searchsorted(self._ends, row, side="right"))
            if checksum_of(self._shards[shard][row - starts[shard]]) != self._checksums[row]:
                path = self.folder / self.manifest.shards[shard][0]
                raise DataError(f"{path}: expected the rows that were packed, found one changed; delete {self.folder}")
        self._unchecked[rows] = False

    def nbytes(self) -> int:
        """Return the size of the shards on disk, bytes."""
        return sum((self.folder / name).stat().st_size for name, _ in self.manifest.shards)


def _load(path: Path, mmap_mode: str | None = None) -> np.ndarray:
    try:
        return np.load(path, mmap_mode=mmap_mode, allow_pickle=False)
    except Exception as error:
        # numpy parses the header as Python.
        raise DataError(f"{path}: expected a packed array, found {first_line(error)}; delete {path.parent}") from None
