"""Objects to be predicted, whatever form they come in: a row each, in the order they are given, piece by piece."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from sdss_gs.schema import Input

if TYPE_CHECKING:
    import pandas as pd

FILES_PER_CHUNK, ROWS_PER_CHUNK = 1024, 65_536
"""Objects that are in memory at a time."""


@dataclass(frozen=True)
class Photometry:
    """Of which kind the magnitudes of some objects are; ``n`` objects.

    Parameters
    ----------
    kind : str
        See `sdss_gs.tables.names.Meaning`; of all of them, as far as nothing is said of single ones.
    dereddened : ndarray of float64, shape (n,), optional
        1 for objects whose magnitudes are dereddened, 0 for others, NaN where `kind` says it.
    extinction : ndarray of float64, shape (n, 5), optional
        By the Galaxy's dust in u g r i z, magnitudes; NaN where it is unknown.
    """

    kind: str = ""
    dereddened: np.ndarray | None = None
    extinction: np.ndarray | None = None


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
    photometry : Photometry or None
        Of magnitudes, as far as it is known; None where they are what the model looks at.
    """

    values: np.ndarray
    flags: np.ndarray
    problems: dict[int, str] = field(default_factory=dict)
    photometry: Photometry | None = None


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
    extinction : tuple of str
        Columns that the extinction of magnitudes, or E(B-V), is read from.
    by_row : str
        Column that says of each row whether its magnitudes are dereddened; empty where there is none.
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
    extinction: tuple[str, ...] = ()
    by_row: str = ""


def stamp_of(paths: Iterable[Path]) -> str:
    """Hash names, sizes and times of files."""
    digest = hashlib.sha256()
    for path in paths:
        status = path.stat()
        digest.update(f"{path.absolute()}\0{status.st_size}\0{status.st_mtime_ns}\0".encode())
    return digest.hexdigest()[:16]


def problems_of(loaded: Mapping[str, Loaded], count: int) -> list[str]:
    """Say in words what is wrong with the inputs of so many objects."""
    rows = range(count)
    return ["; ".join(one.problems[row] for one in loaded.values() if row in one.problems) for row in rows]


def whole_ids(ids: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Give ids that are integers 64 bits; others stay as they are."""
    if not pa.types.is_integer(ids.type):
        return ids
    return ids.cast(pa.uint64() if pa.types.is_uint64(ids.type) else pa.int64())


def series_of_ids(ids: pa.Array | pa.ChunkedArray) -> pd.Series:
    """Turn ids into a column of a table to the last digit: int64 or uint64, nullable where one is missing; or text."""
    import pandas as pd

    plain = whole_ids(ids)
    if not pa.types.is_integer(plain.type):
        return plain.to_pandas()
    # By itself pandas turns integers into floats, which have 53 binary digits, as soon as one is missing.
    nullable = {pa.uint64(): pd.UInt64Dtype(), pa.int64(): pd.Int64Dtype()} if plain.null_count else {}
    return plain.to_pandas(types_mapper=nullable.get)
