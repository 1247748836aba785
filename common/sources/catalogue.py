"""The rows of a catalogue: CSV, Parquet (one file or a folder of shards), FITS or VOTable, read in pieces."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet

from sdss_gs.catalogue import read_header
from sdss_gs.cells import expected_number, read_numbers
from sdss_gs.errors import DataError, OptionError, ZooError, first_line
from sdss_gs.schema import INPUTS, QUANTITIES, Input

from ..flags import Flag
from .chunk import ROWS_PER_CHUNK, Chunk, Loaded, Source, stamp_of

TABLE_INPUTS = tuple(name for name, item in INPUTS.items() if item.columns)
WANTED = {
    column: column.removeprefix("modelMag_").removesuffix("mag") for n in TABLE_INPUTS for column in INPUTS[n].columns
}
"""Columns that a model may need, with the short name that also does: ``modelMag_u``, ``u``; ``w1mag``, ``w1``."""
ID_COLUMNS = ("objid", "id")
ROW = "row"
PARQUET, FITS = (".parquet", ".pq"), (".fits", ".fit")
ENDINGS = (".csv", *PARQUET, *FITS, ".vot", ".xml", ".votable")
TEXTS = (
    pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_binary, pa.types.is_large_binary,
)  # fmt: skip
MOST_COLUMNS = 10_000
"""A survey's widest tables have a thousand; Arrow takes kilobytes for each column before it reads a row."""
CSV_BLOCK = 16 * 2**20
"""Bytes of a CSV file that are read at a time."""


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
        names, count, batches = _opened(files)
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
            for batch in _rechunked(batches(wanted, first)):
                ids = batch[id_name] if id_name else pa.array(np.arange(start, start + len(batch)))
                yield Chunk(ids, lambda item, _shape, _column, batch=batch: load(batch, item))
                start += len(batch)
        except Exception as error:
            raise DataError(f"{path}: expected a table, found {first_line(error)}") from None

    renamed = [f"{column} is read from {name}" for column, name in found.items() if name != column]
    anywhere = ROWS_PER_CHUNK if files[0].suffix.lower() in (*PARQUET, *FITS) else 0
    return Source(id_name or ROW, count, inputs, stamp_of(files), renamed, chunks_from, anywhere)


def shards(folder: Path) -> list[Path]:
    """List the Parquet files of a folder by name."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in PARQUET and path.is_file())


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


# === Formats ===


def _opened(files: Sequence[Path]):
    """Return the column names, the number of rows and a function of (columns, first row) that yields tables."""
    path, ending = files[0], files[0].suffix.lower()
    if ending in PARQUET:
        return _opened_parquet(files)
    if ending == ".csv":
        return _opened_csv(path)
    if ending in FITS:
        return _opened_fits(path)
    return _opened_votable(path)


def _opened_csv(path: Path):
    header = read_header(path)
    if len(header) > MOST_COLUMNS:
        raise ValueError(f"{len(header):,} columns (at most {MOST_COLUMNS:,})")
    reading = pa.csv.ReadOptions(block_size=CSV_BLOCK)
    with pa.csv.open_csv(path, reading) as reader:
        names, types = reader.schema.names, reader.schema
    with open(path, "rb") as file:
        # A cell may hold a line break only inside quotes, which no catalogue of numbers has; the bar needs no more.
        blocks = iter(lambda: file.read(2**20), b"")
        count = max(0, sum(block.count(b"\n") + (len(block) < 2**20 and block[-1:] != b"\n") for block in blocks) - 1)

    def batches(wanted: list[str], first: int) -> Iterator[pa.Table]:
        # Numbers as text: what a survey writes for "not measured" would otherwise decide the column's type.
        text = {name: types.field(name).type if name.lower() in ID_COLUMNS else pa.string() for name in wanted}
        conversion = pa.csv.ConvertOptions(
            include_columns=wanted, column_types=_id_types(text), strings_can_be_null=False
        )
        with pa.csv.open_csv(path, reading, convert_options=conversion) as reader:
            yield from _skipped((pa.Table.from_batches([batch]) for batch in reader), first)

    return names, count, batches


def _id_types(types: dict[str, pa.DataType]) -> dict[str, pa.DataType]:
    """Read an id as an integer or as text, never as a float, which loses its last digits."""
    return {name: kind if pa.types.is_integer(kind) else pa.string() for name, kind in types.items()}


def _opened_parquet(files: Sequence[Path]):
    schema, groups = pa.parquet.read_schema(files[0]), []
    for path in files:
        file = pa.parquet.read_metadata(path)
        if not file.schema.to_arrow_schema().equals(schema):
            raise ValueError(f"other columns or types in {path.name} than in {files[0].name}")
        groups += [(path, number, file.row_group(number).num_rows) for number in range(file.num_row_groups)]
    begins = np.cumsum([0, *(rows for _path, _number, rows in groups)])

    def batches(wanted: list[str], first: int) -> Iterator[pa.Table]:
        # The row group that holds the first row, and what lies in it before that row.
        at = int(np.searchsorted(begins, first, side="right")) - 1
        pieces = (
            pa.Table.from_batches([piece])
            for path, numbers in _by_file(groups[at:])
            for piece in pa.parquet.ParquetFile(path).iter_batches(ROWS_PER_CHUNK, numbers, wanted)
        )
        yield from _skipped(pieces, first - int(begins[at]))

    return schema.names, int(begins[-1]), batches


def _by_file(groups: Sequence[tuple[Path, int, int]]) -> Iterator[tuple[Path, list[int]]]:
    for path, members in groupby(groups, lambda group: group[0]):
        yield path, [number for _path, number, _rows in members]


def _opened_fits(path: Path):
    from astropy.io import fits

    # astropy leaves a file open that it opened and refuses.
    with open(path, "rb") as file, fits.open(file) as units:
        number = next((n for n, unit in enumerate(units) if isinstance(unit, fits.BinTableHDU | fits.TableHDU)), None)
        if number is None:
            raise ValueError("a FITS file without a table")
        names, count = [name for name in units[number].columns.names if name], int(units[number].header["NAXIS2"])

    def batches(wanted: list[str], first: int) -> Iterator[pa.Table]:
        with open(path, "rb") as file, fits.open(file, memmap=True) as units:
            rows = units[number].data
            for start in range(first, count, ROWS_PER_CHUNK):
                yield _arrow({name: rows[name][start : start + ROWS_PER_CHUNK] for name in wanted})

    return names, count, batches


def _opened_votable(path: Path):
    from astropy.table import Table

    table = Table.read(path, format="votable")

    def batches(wanted: list[str], first: int) -> Iterator[pa.Table]:
        for start in range(first, len(table), ROWS_PER_CHUNK):
            piece = table[start : start + ROWS_PER_CHUNK]
            yield _arrow({name: _filled(piece[name]) for name in wanted})

    return list(table.colnames), len(table), batches


def _filled(column) -> np.ndarray:
    """Let a column with masked numbers hold NaN."""
    values = np.ma.asarray(column)
    if not np.ma.is_masked(values) or values.dtype.kind not in "iuf":
        return np.asarray(values)
    return values.astype(float).filled(np.nan)


def _arrow(columns: dict[str, np.ndarray]) -> pa.Table:
    native = {name: values.astype(values.dtype.newbyteorder("=")) for name, values in columns.items()}
    return pa.table({name: [str(v) for v in values] if values.dtype.kind in "SUO" else values
                     for name, values in native.items()})  # fmt: skip


def _skipped(tables: Iterator[pa.Table], first: int) -> Iterator[pa.Table]:
    """Pass over so many rows."""
    for table in tables:
        if first < len(table):
            yield table.slice(first)
        first = max(0, first - len(table))


def _rechunked(tables: Iterator[pa.Table]) -> Iterator[pa.Table]:
    """Cut and join tables to chunks of `ROWS_PER_CHUNK` rows."""
    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table)
        while sum(map(len, waiting)) >= ROWS_PER_CHUNK:
            whole = pa.concat_tables(waiting)
            yield whole.slice(0, ROWS_PER_CHUNK).combine_chunks()
            waiting = [whole.slice(ROWS_PER_CHUNK)]
    rest = pa.concat_tables(waiting) if waiting else None
    if rest is not None and len(rest):
        yield rest.combine_chunks()
