"""Rows on their way into a file: a table in pieces, what its columns hold, and what numbers and texts become."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from common.outputs.column import Column

TABLE_NAME = "PREDICTIONS"
ABOVE_SIGNED = 2**63
"""The first integer that 64 bits with a sign do not hold."""
FOREIGN = "[^ -~]"
"""Characters that a text in FITS cannot have (standard 4.0, section 3.3.2)."""
NUMBERS = (
    (pa.types.is_floating, "D", "double", np.float64),
    (pa.types.is_int32, "J", "int", np.int32),
    (pa.types.is_integer, "K", "long", np.int64),
)
"""How numbers are written: Arrow's type, the letter of FITS, the name in VOTable, NumPy's type."""


@dataclass(frozen=True)
class Rows:
    """A table in pieces.

    Parameters
    ----------
    pieces : callable
        Reads the pieces in order, each time it is called; all have one schema.
    count : int
        Rows of all pieces.
    columns : mapping of str to Column
        What is known of the columns, by name.
    about : mapping of str to str
        What a Parquet file's schema is to say besides.
    """

    pieces: Callable[[], Iterator[pa.Table]]
    count: int
    columns: Mapping[str, Column] = field(default_factory=dict)
    about: Mapping[str, str] = field(default_factory=dict)

    def column(self, name: str) -> Column:
        """Return what is known of a column."""
        return self.columns.get(name, Column(""))


def stored(table: pa.Table) -> pa.Table:
    """Give columns the types that all pieces have: numbers as they are, everything else as text."""
    # Text may arrive as any of Arrow's kinds of it, or as nothing where no object of the piece has a class.
    kept = [is_number(one.type) or is_vector(one.type) for one in table.schema]
    fields = [one if keep else one.with_type(pa.string()) for one, keep in zip(table.schema, kept, strict=True)]
    return table.cast(pa.schema(fields))


def is_number(kind: pa.DataType) -> bool:
    """Tell whether a column holds numbers."""
    return pa.types.is_floating(kind) or pa.types.is_integer(kind)


def number_type(kind: pa.DataType) -> tuple[str, str, type]:
    """Say how a column of numbers is written: the letter of FITS, the name in VOTable, NumPy's type."""
    return next(number for is_kind, *number in NUMBERS if is_kind(kind))


def is_vector(kind: pa.DataType) -> bool:
    """Tell whether a column holds so many numbers for each object."""
    return pa.types.is_fixed_size_list(kind)


def vector_values(cells: pa.ChunkedArray) -> np.ndarray:
    """Return the numbers of a column of vectors, ``(n, size)``, NaN where they are null."""
    parts = [chunk.flatten().to_numpy(zero_copy_only=False) for chunk in cells.chunks]
    return np.concatenate(parts).reshape(len(cells), cells.type.list_size)


def escaped(cells: pa.ChunkedArray, pattern: str, keep_nulls: bool = False) -> pa.ChunkedArray:
    """Write texts that have a character which a format has not by Python's escapes: different ids stay different.

    Parameters
    ----------
    cells : ChunkedArray of str
    pattern : str
        Regular expression of one such character.
    keep_nulls : bool
        Nulls stay; else they become empty.
    """
    cells = cells if keep_nulls else pc.fill_null(cells, "")
    odd = pc.fill_null(pc.match_substring_regex(cells, pattern), False)
    if not pc.any(odd).as_py():
        return cells
    texts = zip(cells.to_pylist(), odd.to_pylist(), strict=True)
    return pa.chunked_array([[_escapes(text) if wrong else text for text, wrong in texts]], pa.string())


def _escapes(text: str) -> str:
    return text.encode("unicode_escape").decode()


def printable(text: str) -> str:
    """Write a text in printable ASCII, by Python's escapes where it needs them."""
    return text if text.isascii() and text.isprintable() else _escapes(text)
