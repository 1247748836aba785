"""Objects to be predicted, whatever form they come in: a row each, in the order they are given, piece by piece."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from sdss_gs.schema import Input

FILES_PER_CHUNK, ROWS_PER_CHUNK = 1024, 65_536
"""Objects that are in memory at a time."""


@dataclass
class Loaded:
    """One input of the objects of a chunk; ``n`` objects.

    Parameters
    ----------
    values : ndarray, shape (n, *shape)
        Zeros where there is no usable input; of tables NaN for each value that is missing.
    flags : ndarray of int32, shape (n,)
        Bits of `flags.Flag`.
    problems : dict of int to str
        What is wrong, by position in the chunk.
    """

    values: np.ndarray
    flags: np.ndarray
    problems: dict[int, str] = field(default_factory=dict)


Load = Callable[[Input, tuple[int, ...], str], Loaded]
"""Takes an input, the shape one object must have and the column of a spectrum."""


@dataclass
class Chunk:
    """Some objects in a row.

    Parameters
    ----------
    ids : pyarrow.Array
        int64, uint64 or string, the same for all chunks of a source; null where an object has none.
    load : callable
        See `Load`.
    """

    ids: pa.Array
    load: Load


@dataclass
class Source:
    """Objects to be predicted.

    Parameters
    ----------
    id_name : str
        What the id is called.
    count : int
    inputs : tuple of str
        Inputs that there are.
    stamp : str
        Changes when the objects change.
    notes : list of str
        What a user should know of how they are understood.
    chunks : callable
        Reads the chunks, from the one on that begins with the object of a number; from the first by default.
    chunk_objects : int
        Objects of each chunk but the last, where any of them can be read without those before it; 0 where they must be
        read one after the other.
    photometry : dict of str to str
        Kind of the magnitudes, by input; see `sdss_gs.tables.names.Meaning`. Empty where nobody says.
    paths : tuple of Path
        The files and folders it was opened from: no output may take the place of one.
    counted : callable
        Returns notes for which all rows have to be read.
    """

    id_name: str
    count: int
    inputs: tuple[str, ...]
    stamp: str
    notes: list[str]
    chunks: Callable[..., Iterator[Chunk]]
    chunk_objects: int = 0
    photometry: Mapping[str, str] = field(default_factory=dict)
    paths: tuple[Path, ...] = ()
    counted: Callable[[], list[str]] = list


def stamp_of(paths: Iterable[Path]) -> str:
    """Hash names, sizes and times of files."""
    digest = hashlib.sha256()
    for path in paths:
        status = path.stat()
        digest.update(f"{path.absolute()}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
    return digest.hexdigest()[:16]
