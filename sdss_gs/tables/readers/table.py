"""A table opened for reading: what its columns are, and its rows as Arrow tables, some at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

ROWS_PER_BATCH = 65_536
MOST_COLUMNS = 10_000
"""A survey's widest tables have a thousand; Arrow takes kilobytes for each column before it reads a row."""
WIDEST_ARRAY = 64
"""Elements of an array column that get names of their own; wider ones are spectra or histograms, no magnitudes."""

Batches = Callable[[Sequence[str], int], Iterator[pa.Table]]


@dataclass(frozen=True)
class Column:
    """A column as its file declares it.

    Parameters
    ----------
    name : str
        In the file; an element of an array column is called ``MODELMAG[0]``.
    type : pyarrow.DataType
        Of what is read. Formats of text give text for everything.
    unit : str
        As it is written in the file; empty where none is.
    """

    name: str
    type: pa.DataType
    unit: str = ""


@dataclass(frozen=True)
class OpenTable:
    """A table that was opened.

    Parameters
    ----------
    where : str
        The file, and which of its tables: ``stars.fits[2]``.
    columns : tuple of Column
    rows : int
        An upper bound where `exact` is false.
    batches : callable
        From the names of columns and the number of a first row, the rows from there on. Null is what the file calls
        missing; text has no blanks at its ends.
    notes : tuple of str
        What a user should know of how it is read.
    seekable : bool
        Whether rows can be read without those before them.
    exact : bool
    title : str
        What the file calls this table (EXTNAME, name or ID).
    """

    where: str
    columns: tuple[Column, ...]
    rows: int
    batches: Batches
    notes: tuple[str, ...] = ()
    seekable: bool = True
    exact: bool = True
    title: str = ""

    @property
    def names(self) -> list[str]:
        """Names of the columns, in order."""
        return [column.name for column in self.columns]

    def column(self, name: str) -> Column:
        """Return the first column of a name."""
        return next(column for column in self.columns if column.name == name)


def listed(names: Sequence[str], most: int = 20) -> str:
    """Write the first of many names."""
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")


def skipped(tables: Iterator[pa.Table], first: int) -> Iterator[pa.Table]:
    """Pass over so many rows."""
    for table in tables:
        if first < len(table):
            yield table.slice(first)
        first = max(0, first - len(table))


def in_memory(where: str, table: pa.Table, units: dict[str, str] | None = None, title: str = "") -> OpenTable:
    """Take an Arrow table as one that was opened.

    Parameters
    ----------
    where : str
        What messages call it.
    table : pyarrow.Table
    units : dict of str to str, optional
        By column.
    title : str
        What its file calls it.
    """
    columns, sources = [], {}
    for at, field in enumerate(table.schema):
        for name, kind, _element in plain_types(field.name, field.type):
            kept = pa.string() if pa.types.is_null(kind) else kind
            columns.append(Column(name, kept, (units or {}).get(field.name, "")))
            # Of columns that have one name, the first; whoever wants it has to be told.
            sources.setdefault(name, at)

    def batches(wanted: Sequence[str], first: int) -> Iterator[pa.Table]:
        for start in range(first, len(table), ROWS_PER_BATCH):
            piece = table.slice(start, ROWS_PER_BATCH)
            cells = {}
            for at in dict.fromkeys(sources[name] for name in wanted):
                cells |= dict(plain_columns(table.column_names[at], piece.column(at)))
            yield pa.table({name: cells[name] for name in wanted})

    return OpenTable(where, tuple(columns), len(table), batches, title=title)


def plain_columns(name: str, cells: pa.ChunkedArray) -> Iterator[tuple[str, pa.ChunkedArray]]:
    """Bring a column to one of few types: text, integers, floats; an array column to one for each element.

    Parameters
    ----------
    name : str
    cells : pyarrow.ChunkedArray
    """
    for element, kind, take in plain_types(name, cells.type):
        chosen = cells.cast(cells.type.value_type) if pa.types.is_dictionary(cells.type) else cells
        if take is not None:
            chosen = pa.chunked_array([pc.list_element(chunk, take) for chunk in chosen.chunks], chosen.type.value_type)
        yield element, _plain(chosen, kind)


def _plain(cells: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if pa.types.is_null(kind):
        # What has no value in it may be anything.
        return cells.cast(pa.string())
    if not pa.types.is_string(kind):
        return cells.cast(kind)
    text = pc.utf8_trim_whitespace(cells.cast(kind))
    return pc.if_else(pc.equal(text, ""), pa.scalar(None, kind), text)


def plain_types(name: str, kind: pa.DataType) -> Iterator[tuple[str, pa.DataType, int | None]]:
    """Tell what `plain_columns` makes of a column: name, type, and which element it is of an array.

    Parameters
    ----------
    name : str
    kind : pyarrow.DataType
    """
    if pa.types.is_fixed_size_list(kind):
        for element in range(min(kind.list_size, WIDEST_ARRAY)):
            for _, inner, _ in plain_types(name, kind.value_type):
                yield f"{name}[{element}]", inner, element
        return
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if any(
        is_kept(kind) for is_kept in (pa.types.is_uint64, pa.types.is_floating, pa.types.is_boolean, pa.types.is_null)
    ):
        yield name, kind, None
    elif pa.types.is_integer(kind):
        yield name, pa.int64(), None
    elif pa.types.is_decimal(kind):
        whole = pa.int64() if kind.precision <= 18 else pa.string()
        yield name, whole if kind.scale == 0 else pa.float64(), None
    elif any(is_text(kind) for is_text in TEXTS):
        yield name, pa.string(), None


TEXTS = (
    pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_binary, pa.types.is_large_binary,
    pa.types.is_fixed_size_binary, pa.types.is_binary_view,
)  # fmt: skip
