"""The packed form of a data set: memory-mapped arrays that open in milliseconds.

``<packed>/<input>/`` holds immutable shards ``00000.npy``, …, an index (one line per raw file seen) and
``manifest.json``, which is replaced as the last step of every change: what it names is complete.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np

from .errors import DataError
from .files import replacing
from .raw import Layout
from .schema import VERSION

INDEX_DTYPE = np.dtype([("objid", "i8"), ("size", "i8"), ("mtime", "i8"), ("row", "i8"), ("checksum", "u4")])
"""`row` is the object's row in the shards laid end to end, -1 for a refused file; `checksum` is CRC-32 of the row."""


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
    low, high : float
        Smallest and largest packed value, in the schema's unit.
    version : int
    """

    layout: Layout
    dtype: str
    shards: list[tuple[str, int]] = field(default_factory=list)
    index: str = ""
    available: int = 0
    rejects: dict[str, str] = field(default_factory=dict)
    low: float = float("inf")
    high: float = float("-inf")
    version: int = VERSION


def read_manifest(folder: Path) -> Manifest | None:
    """Read the manifest of one input's packed folder; None where there is none or it is of another version."""
    try:
        content = json.loads((folder / "manifest.json").read_text())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError) as error:
        raise DataError(f"{folder / 'manifest.json'}: expected a manifest, found {error}; delete the folder") from None
    if content.get("version") != VERSION:
        return None
    layout = {name: tuple(value) if isinstance(value, list) else value for name, value in content.pop("layout").items()}
    content["shards"] = [tuple(shard) for shard in content["shards"]]
    return Manifest(Layout(**layout), **content)


def packed_version(folder: Path) -> int | None:
    """Return the version in which one input is packed; None where it is not."""
    try:
        return json.loads((folder / "manifest.json").read_text()).get("version")
    except (OSError, ValueError):
        return None


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Replace the manifest of one input's packed folder."""
    with replacing(folder / "manifest.json") as temporary:
        temporary.write_text(json.dumps(asdict(manifest)))


def read_index(folder: Path, manifest: Manifest | None) -> np.ndarray:
    """Read the index, structured `INDEX_DTYPE`, sorted by object id; empty where nothing is packed."""
    if manifest is None or not manifest.index:
        return np.empty(0, INDEX_DTYPE)
    return _load(folder / manifest.index)


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
        manifest = read_manifest(folder)
        if manifest is None:
            raise DataError(f"{folder}: not packed yet (run python -m sdss_gs pack)")
        self.folder, self.manifest = folder, manifest
        self.index = read_index(folder, manifest)
        # Plain arrays over the memory maps: indexing a `memmap` makes a new one, which costs more than a row.
        self._shards = [np.asarray(_load(folder / name, mmap_mode="r")) for name, _ in manifest.shards]
        self._ends = np.cumsum([rows for _, rows in manifest.shards])

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
        """
        part = part if isinstance(part, tuple) else (part,)
        shape = self.manifest.layout.shape[len(part) :]
        out = np.empty((len(rows), *shape), self.manifest.dtype)
        shard = np.searchsorted(self._ends, rows, side="right")
        starts = self._ends - [len(array) for array in self._shards]
        # Row by row: numpy's indexing by arrays takes ten times as long for rows as large as these.
        for target, number, row in zip(out, shard.tolist(), (rows - starts[shard]).tolist(), strict=True):
            target[...] = self._shards[number][(row, *part)]
        return out

    def nbytes(self) -> int:
        """Return the size of the shards on disk, bytes."""
        return sum((self.folder / name).stat().st_size for name, _ in self.manifest.shards)


def _load(path: Path, mmap_mode: str | None = None) -> np.ndarray:
    try:
        return np.load(path, mmap_mode=mmap_mode, allow_pickle=False)
    except (OSError, EOFError, ValueError) as error:
        raise DataError(f"{path}: expected a packed array, found {error}; delete {path.parent}") from None
