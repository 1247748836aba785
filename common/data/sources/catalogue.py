"""The rows of a catalogue: CSV, Parquet (one file or a folder of shards), FITS or VOTable, read in pieces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from common.data.sources import chunk
from common.data.sources.chunk import Chunk, Loaded, Source, stamp_of
from common.data.sources.formats import ENDINGS, FITS, ID_COLUMNS, PARQUET, open_table, rechunked, shards
from common.outputs.flags import Flag
from sdss_gs.errors import DataError, OptionError, ZooError, first_line
from sdss_gs.schema import INPUTS, QUANTITIES, Input
from sdss_gs.tables.cells import expected_number, read_numbers

TABLES = {name: item.columns for name, item in INPUTS.items() if item.columns}
WANTED = {
    column: column.removeprefix("modelMag_").removesuffix("mag") for columns in TABLES.values() for column in columns
}
"""Columns that a model may need, with the short name that also does: ``modelMag_u``, ``u``; ``w1mag``, ``w1``."""
ROW = "row"
TEXTS = (
    pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_binary, pa.types.is_large_binary,
)  # fmt: skip


def catalogue_source(path: Path, columns: Mapping[str, str] | None = None, id_column: str = "") -> Source:
    """Take the rows of a catalogue.

    Parameters
    ----------
    path : Path
        ``.csv``, ``.parquet``, ``.fits``, ``.vot`` or ``.xml``; or a folder of Parquet files, which are read by name.
    columns : mapping of str to str, optional
        Name in the file by name in the zoo (``modelMag_r`` or ``r``).
    id_column : str
        ``objid`` or ``id`` by default; a file without one gets ``row``, counted from 0.

    Raises
    ------
    OptionError
        If a column that was named is not there.
    DataError
        If the file is unreadable.
    """
    files = shards(path) if path.is_dir() else [path]
    try:
        names, count, batches = open_table(files)
    except ZooError:
        raise
    except Exception as error:
        # The libraries raise nearly anything on a damaged file.
        raise DataError(f"{path}: expected a catalogue ({', '.join(ENDINGS)}), found {first_line(error)}") from None
    # Of names that differ by case only, the first.
    by_lower = {name.lower(): name for name in reversed(names)}
    name_of = _resolve(path, names, by_lower, columns or {})
    if id_column and id_column not in names:
        raise OptionError(f"id {id_column}: expected a column of {path}, which has {', '.join(names[:20])}")
    id_name = id_column or next((by_lower[name] for name in ID_COLUMNS if name in by_lower), "")
    wanted = list(dict.fromkeys(filter(None, (id_name, *name_of.values()))))
    for name in wanted:
        if names.count(name) > 1:
            raise DataError(f"{path}: expected one column {name}, found {names.count(name)}")
    inputs = tuple(name for name, needed in TABLES.items() if set(needed) <= set(name_of))
    if not inputs:
        needed = " or ".join(f"{', '.join(own)} ({name})" for name, own in TABLES.items())
        raise OptionError(
            f"{path}: expected columns {needed}, found {', '.join(names[:20])}; say which is which with --column r=NAME"
        )

    def load(batch: pa.Table, item: Input, _shape: tuple[int, ...], _column: str) -> Loaded:
        try:
            return _load(batch, name_of, item)
        except pa.ArrowException as error:
            raise DataError(f"{path}: expected a table, found {first_line(error)}") from None

    def chunks(first: int = 0) -> Iterator[Chunk]:
        start = first
        try:
            for batch in rechunked(batches(wanted, first)):
                ids = batch[id_name] if id_name else pa.array(np.arange(start, start + len(batch)))
                yield Chunk(ids, partial(load, batch))
                start += len(batch)
        except Exception as error:
            raise DataError(f"{path}: expected a table, found {first_line(error)}") from None

    renamed = [f"{column} is read from {name}" for column, name in name_of.items() if name != column]
    anywhere = chunk.ROWS_PER_CHUNK if files[0].suffix.lower() in (*PARQUET, *FITS) else 0
    return Source(id_name or ROW, count, inputs, stamp_of(files), renamed, chunks, anywhere)


def _resolve(path: Path, names: list[str], by_lower: dict[str, str], columns: Mapping[str, str]) -> dict[str, str]:
    """Find the file's name of each wanted column: as the user says, else its own or short name, without case."""
    known = {key.lower(): column for column, short in WANTED.items() for key in (column, short)}
    name_of = {}
    for key, name in columns.items():
        if key.lower() not in known:
            raise OptionError(f"column {key}: expected one of {', '.join(WANTED)} (or {', '.join(WANTED.values())})")
        if name not in names:
            raise OptionError(f"column {key}={name}: expected a column of {path}, which has {', '.join(names[:20])}")
        name_of[known[key.lower()]] = name
    for key, column in known.items():
        if key in by_lower:
            name_of.setdefault(column, by_lower[key])
    return name_of


def _load(batch: pa.Table, name_of: dict[str, str], item: Input) -> Loaded:
    loaded = Loaded(np.zeros((len(batch), len(item.columns)), item.dtype), np.zeros(len(batch), np.int32))
    for number, column in enumerate(item.columns):
        if column not in name_of:
            loaded.flags[:] |= Flag.MISSING
            continue
        cells = _plain(batch[name_of[column]])
        numbers = read_numbers(cells, QUANTITIES[column])
        wrong = numbers.unreadable | numbers.impossible
        absent = np.isnan(numbers.values)
        loaded.values[:, number] = np.where(absent, 0, numbers.values)
        loaded.flags |= np.where(wrong, int(Flag.BAD_INPUT), absent * int(Flag.MISSING)).astype(np.int32)
        for row in np.flatnonzero(wrong).tolist():
            expected = expected_number(QUANTITIES[column], bool(numbers.unreadable[row]))
            text = f"{name_of[column]}: expected {expected}, found {cells[row].as_py()}"
            loaded.problems[row] = "; ".join(filter(None, (loaded.problems.get(row), text)))
    return loaded


def _plain(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Turn every kind of text that Arrow and Parquet know into stripped strings, empty where there is none."""
    kind = cells.type.value_type if pa.types.is_dictionary(cells.type) else cells.type
    if any(is_kind(kind) for is_kind in TEXTS):
        return pc.utf8_trim_whitespace(pc.fill_null(cells.cast(pa.string()), ""))
    return cells.cast(kind)
