"""The rows of a table that hold magnitudes: a catalogue on disk, or what Python has in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from common.data.sources import chunk
from common.data.sources.chunk import Chunk, Loaded, Source, stamp_of
from common.outputs.flags import Flag
from sdss_gs.errors import DataError, OptionError, first_line
from sdss_gs.schema import QUANTITIES, Input
from sdss_gs.tables.cells import expected_number, read_numbers
from sdss_gs.tables.columns import TABLES, Choice, no_columns, table_with_magnitudes
from sdss_gs.tables.identifiers import NO_ID, ROW, as_ids, id_column, id_type
from sdss_gs.tables.readers import OpenTable, listed, open_tables, shards


def catalogue_source(
    path: Path,
    inputs: Sequence[str] = tuple(TABLES),
    columns: Mapping[str, str] | None = None,
    id_name: str = "",
    table: str = "",
    photometry: Mapping[str, str] | None = None,
) -> Source:
    """Take the rows of a catalogue.

    Parameters
    ----------
    path : Path
        Whatever `sdss_gs.tables.readers` opens.
    inputs : sequence of str
        Those of tables that are asked for.
    columns : mapping of str to str, optional
        Name in the file by name in the zoo (``modelMag_r`` or ``r``).
    id_name : str
        Column of the ids; by default one whose name says so. ``none`` numbers the rows from 0, as does a file without.
    table : str
        Which table of a file that has several; by default the one with magnitudes.
    photometry : mapping of str to str, optional
        Preferred kind of magnitudes, by input.

    Raises
    ------
    OptionError
        If a column that was named is not there.
    DataError
        If the file is unreadable.
    """
    opened, choice = table_with_magnitudes(path, open_tables(path, table), inputs, columns, photometry)
    if not choice.columns:
        raise OptionError(no_columns(opened))
    files = shards(path) if path.is_dir() else [path]
    return table_source(opened, choice, id_name, stamp_of(files))


def table_source(table: OpenTable, choice: Choice, id_name: str = "", stamp: str = "") -> Source:
    """Take the rows of a table that was opened.

    Parameters
    ----------
    table : OpenTable
    choice : Choice
        The columns that are read.
    id_name : str
        As for `catalogue_source`.
    stamp : str
        Changes when the table does.
    """
    if id_name and id_name != NO_ID and id_name not in table.names:
        raise OptionError(f"id {id_name}: expected a column of {table.where}, which has {listed(table.names)}")
    name = id_column(table, id_name)
    kind = id_type(table, name) if name else pa.int64()
    wanted = list(dict.fromkeys(filter(None, (name, *(chosen.name for chosen in choice.columns.values())))))
    if table.names.count(name) > 1:
        raise DataError(f"{table.where}: expected one column {name}, found {table.names.count(name)}")

    if not table.rows or next(iter(table.batches(wanted[:1], 0)), None) is None:
        raise DataError(f"{table.where}: expected at least one row, found none")

    # What another process is sent need not know how the table is read.
    where = table.where

    def load(batch: pa.Table, item: Input, _shape: tuple[int, ...], _column: str) -> Loaded:
        try:
            return _load(batch, choice, item)
        except pa.ArrowException as error:
            raise DataError(f"{where}: expected a table, found {first_line(error)}") from None

    def chunks(first: int = 0) -> Iterator[Chunk]:
        start = first
        for batch in rechunked(table.batches(wanted, first)):
            ids = as_ids(batch[name], kind) if name else pa.array(np.arange(start, start + len(batch)))
            yield Chunk(ids, partial(load, batch))
            start += len(batch)

    inputs = tuple(own for own, needed in TABLES.items() if set(needed) <= set(choice.columns))
    notes = [*table.notes, *choice.notes] + (
        [] if name else [f"{table.where}: rows are numbered from 0, no column of ids"]
    )
    return Source(
        name or ROW, table.rows, inputs, stamp, notes, chunks, chunk.ROWS_PER_CHUNK if table.seekable else 0,
        photometry=choice.photometry,
    )  # fmt: skip


def _load(batch: pa.Table, choice: Choice, item: Input) -> Loaded:
    loaded = Loaded(np.zeros((len(batch), len(item.columns)), item.dtype), np.zeros(len(batch), np.int32))
    for number, column in enumerate(item.columns):
        if column not in choice.columns:
            loaded.flags[:] |= Flag.MISSING
            continue
        chosen = choice.columns[column]
        cells = batch[chosen.name]
        numbers = read_numbers(cells, QUANTITIES[column], chosen.convert)
        wrong = numbers.unreadable | numbers.impossible
        absent = np.isnan(numbers.values)
        loaded.values[:, number] = np.where(absent, 0, numbers.values)
        loaded.flags |= np.where(wrong, int(Flag.BAD_INPUT), absent * int(Flag.MISSING)).astype(np.int32)
        for row in np.flatnonzero(wrong).tolist():
            expected = expected_number(QUANTITIES[column], bool(numbers.unreadable[row]))
            text = f"{chosen.name}: expected {expected}, found {cells[row].as_py()}"
            loaded.problems[row] = "; ".join(filter(None, (loaded.problems.get(row), text)))
    return loaded


def rechunked(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Cut and join tables to chunks of `chunk.ROWS_PER_CHUNK` rows."""
    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table)
        while sum(map(len, waiting)) >= chunk.ROWS_PER_CHUNK:
            whole = pa.concat_tables(waiting)
            yield whole.slice(0, chunk.ROWS_PER_CHUNK).combine_chunks()
            waiting = [whole.slice(chunk.ROWS_PER_CHUNK)]
    if any(map(len, waiting)):
        yield pa.concat_tables(waiting).combine_chunks()
