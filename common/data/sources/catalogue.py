"""The rows of a catalogue: CSV, Parquet (one file or a folder of shards), FITS or VOTable, read in pieces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
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

TABLE_INPUTS = tuple(name for name, item in INPUTS.items() if item.columns)
WANTED = {
    column: column.removeprefix("modelMag_").removesuffix("mag") for n in TABLE_INPUTS for column in INPUTS[n].columns
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
    found = _resolve(path, names, dict(columns or {}))
    inputs = tuple(name for name in TABLE_INPUTS if all(column in found for column in INPUTS[name].columns))
    id_name = _id(path, names, id_column)
    for name in (id_name, *found.values()):
        if names.count(name) > 1:
            raise DataError(f"{path}: expected one column {name}, found {names.count(name)}")
    wanted = list(dict.fromkeys([*([id_name] if id_name else []), *found.values()]))
    if not inputs:
        needed = " or ".join(f"{', '.join(INPUTS[name].columns)} ({name})" for name in TABLE_INPUTS)
        raise OptionError(
            f"{path}: expected columns {needed}, found {', '.join(names[:20])}; say which is which with --column r=NAME"
        )

    def load(batch: pa.Table, item: Input) -> Loaded:
        try:
            return _load(batch, found, item)
        except pa.ArrowException as error:
            raise DataError(f"{path}: expected a table, found {first_line(error)}") from None

    def chunks_from(first: int) -> Iterator[Chunk]:
        start = first
        try:
            for batch in rechunked(batches(wanted, first)):
                ids = batch[id_name] if id_name else pa.array(np.arange(start, start + len(batch)))
                yield Chunk(ids, lambda item, _shape, _column, batch=batch: load(batch, item))
                start += len(batch)
        except Exception as error:
            raise DataError(f"{path}: expected a table, found {first_line(error)}") from None

    renamed = [f"{column} is read from {name}" for column, name in found.items() if name != column]
    anywhere = chunk.ROWS_PER_CHUNK if files[0].suffix.lower() in (*PARQUET, *FITS) else 0
    return Source(id_name or ROW, count, inputs, stamp_of(files), renamed, chunks_from, anywhere)


def _resolve(path: Path, names: list[str], columns: dict[str, str]) -> dict[str, str]:
    """Find the file's name of each wanted column: as the user says, else its own or short name, without case."""
    known = {key.lower(): column for column, short in WANTED.items() for key in (column, short)}
    found = {}
    for key, name in columns.items():
        if key.lower() not in known:
            raise OptionError(f"column {key}: expected one of {', '.join(WANTED)} (or {', '.join(WANTED.values())})")
        if name not in names:
            raise OptionError(f"column {key}={name}: expected a column of {path}, which has {', '.join(names[:20])}")
        found[known[key.lower()]] = name
    lower = {name.lower(): name for name in reversed(names)}
    for column, short in WANTED.items():
        for key in (column.lower(), short.lower()):
            if column not in found and key in lower:
                found[column] = lower[key]
    return found


def _id(path: Path, names: list[str], wanted: str) -> str:
    if wanted and wanted not in names:
        raise OptionError(f"id {wanted}: expected a column of {path}, which has {', '.join(names[:20])}")
    lower = {name.lower(): name for name in reversed(names)}
    return wanted or next((lower[name] for name in ID_COLUMNS if name in lower), "")


def _load(batch: pa.Table, found: dict[str, str], item: Input) -> Loaded:
    values = np.zeros((len(batch), len(item.columns)), item.dtype)
    loaded = Loaded(values, np.zeros(len(batch), np.int32))
    for number, column in enumerate(item.columns):
        if column not in found:
            loaded.flags[:] |= Flag.MISSING
            continue
        cells = _plain(batch[found[column]])
        numbers = read_numbers(cells, QUANTITIES[column])
        wrong = numbers.unreadable | numbers.impossible
        absent = np.isnan(numbers.values)
        values[:, number] = np.where(absent, 0, numbers.values)
        loaded.flags |= np.where(wrong, int(Flag.BAD_INPUT), absent * int(Flag.MISSING)).astype(np.int32)
        for row in np.flatnonzero(wrong).tolist():
            expected = expected_number(QUANTITIES[column], bool(numbers.unreadable[row]))
            text = f"{found[column]}: expected {expected}, found {cells[row].as_py()}"
            loaded.problems[row] = "; ".join(filter(None, (loaded.problems.get(row), text)))
    return loaded


def _plain(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    """Turn every kind of text that Arrow and Parquet know into stripped strings, empty where there is none."""
    kind = cells.type.value_type if pa.types.is_dictionary(cells.type) else cells.type
    if any(is_kind(kind) for is_kind in TEXTS):
        return pc.utf8_trim_whitespace(pc.fill_null(cells.cast(pa.string()), ""))
    return cells.cast(kind)
