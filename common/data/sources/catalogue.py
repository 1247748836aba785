"""The rows of a table that hold magnitudes: a catalogue on disk, or what Python has in memory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from common.data.sources import chunk
from common.data.sources.chunk import Chunk, Loaded, Source, stamp_of
from common.data.sources.magnitudes import LIMIT_ERROR, NOT_DETECTED, count_not_detected, load_magnitudes
from sdss_gs.errors import DataError, OptionError, did_you_mean, first_line
from sdss_gs.schema import Input
from sdss_gs.tables.columns import NO_EXTRAS, TABLES, Choice, Extras, no_columns, table_with_magnitudes
from sdss_gs.tables.identifiers import NO_ID, ROW, as_ids, id_column, id_type
from sdss_gs.tables.readers import OpenTable, listed, open_tables, shards


def catalogue_source(
    path: Path,
    inputs: Sequence[str] = tuple(TABLES),
    columns: Mapping[str, str] | None = None,
    id_name: str = "",
    table: str = "",
    photometry: Mapping[str, str] | None = None,
    extras: Extras = NO_EXTRAS,
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
    extras : Extras
        What the models can use beyond whole rows of magnitudes.

    Raises
    ------
    OptionError
        If a column that was named is not there.
    DataError
        If the file is unreadable.
    """
    opened, choice = table_with_magnitudes(path, open_tables(path, table), inputs, columns, photometry, extras)
    if not choice.columns:
        raise OptionError(no_columns(opened))
    files = shards(path) if path.is_dir() else [path]
    return table_source(opened, choice, id_name, stamp_of(files), extras)


def table_source(
    table: OpenTable, choice: Choice, id_name: str = "", stamp: str = "", extras: Extras = NO_EXTRAS
) -> Source:
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
    extras : Extras
        Those of the choice.
    """
    if id_name and id_name != NO_ID and id_name not in table.names:
        meant = did_you_mean(id_name, table.names)
        raise OptionError(f"id {id_name}: expected a column of {table.where}, which has {listed(table.names)}{meant}")
    name = id_column(table, id_name)
    kind = id_type(table, name) if name else pa.int64()
    wanted = list(dict.fromkeys(filter(None, (name, *choice.names()))))
    if table.names.count(name) > 1:
        raise DataError(f"{table.where}: expected one column {name}, found {table.names.count(name)}")

    if not table.rows or next(iter(table.batches(wanted[:1], 0)), None) is None:
        raise DataError(f"{table.where}: expected at least one row, found none")

    # What another process is sent need not know how the table is read.
    where, limits = table.where, extras.limits

    def load(batch: pa.Table, item: Input, _shape: tuple[int, ...], _column: str) -> Loaded:
        try:
            return load_magnitudes(batch, choice, item, limits)
        except pa.ArrowException as error:
            raise DataError(f"{where}: expected a table, found {first_line(error)}") from None

    def chunks(first: int = 0) -> Iterator[Chunk]:
        start = first
        for batch in rechunked(table.batches(wanted, first)):
            ids = as_ids(batch[name], kind) if name else pa.array(np.arange(start, start + len(batch)))
            yield Chunk(ids, partial(load, batch))
            start += len(batch)

    inputs = tuple(own for own in TABLES if own in choice.photometry)
    notes = [*table.notes, *choice.notes] + (
        [] if name else [f"{table.where}: rows are numbered from 0, no column of ids"]
    )
    counted = partial(_of_limits, table, choice, bool(extras.errors)) if limits else list
    return Source(
        name or ROW, table.rows, inputs, stamp + "limits" * limits + extras.stated, notes, chunks,
        chunk.ROWS_PER_CHUNK if table.seekable else 0, photometry=choice.photometry, counted=counted,
        extinction=choice.extinction.names if choice.extinction else (), by_row=choice.statement,
    )  # fmt: skip


def _of_limits(table: OpenTable, choice: Choice, with_errors: bool) -> list[str]:
    """Say how many cells say "not detected", and as what they are taken; the columns are read for that."""
    limited, without = count_not_detected(table.batches(choice.names(), 0), choice)
    notes = []
    if limited and with_errors:
        notes.append(f"{limited:,} magnitudes of {NOT_DETECTED:g} are taken as their limits, ± {LIMIT_ERROR:.4f} mag")
        limited = 0
    if limited + without:
        why = "no limit beside them" if with_errors else "no model here looks at errors"
        notes.append(f"{limited + without:,} magnitudes of {NOT_DETECTED:g} are taken as missing: {why}")
    return notes or [f"no magnitude is {NOT_DETECTED:g}: none is taken as a limit"]


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
