"""The formats of a catalogue: CSV, Parquet, FITS and VOTable as Arrow tables, some rows at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from common.data.sources import chunk
from sdss_gs.formats.fits_units import open_fits
from sdss_gs.tables.catalogue import read_header

PARQUET, FITS = (".parquet", ".pq"), (".fits", ".fit")
ENDINGS = (".csv", *PARQUET, *FITS, ".vot", ".xml", ".votable")
ID_COLUMNS = ("objid", "id")
MOST_COLUMNS = 10_000
"""A survey's widest tables have a thousand; Arrow takes kilobytes for each column before it reads a row."""
CSV_BLOCK = 16 * 2**20
"""Bytes of a CSV file that are read at a time."""

Batches = Callable[[list[str], int], Iterator[pa.Table]]


def shards(folder: Path) -> list[Path]:
    """List the Parquet files of a folder by name."""
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in PARQUET and path.is_file())


def open_table(files: Sequence[Path]) -> tuple[list[str], int, Batches]:
    """Open a table whose format follows from its ending; several files are Parquet shards of one.

    Returns
    -------
    names : list of str
        Of its columns.
    count : int
        Its rows; of a CSV file its line breaks, an upper bound.
    batches : callable
        From the names of columns and a first row, the tables from there on.

    Raises
    ------
    ValueError, OSError, or what the format's library raises
        If the files are none that can be read.
    """
    ending = files[0].suffix.lower()
    if ending in PARQUET:
        return _opened_parquet(files)
    opened = _opened_csv if ending == ".csv" else _opened_fits if ending in FITS else _opened_votable
    return opened(files[0])


def _opened_csv(path: Path):
    header = read_header(path)
    if len(header) > MOST_COLUMNS:
        raise ValueError(f"{len(header):,} columns (at most {MOST_COLUMNS:,})")
    reading = pa.csv.ReadOptions(block_size=CSV_BLOCK)
    with pa.csv.open_csv(path, reading) as reader:
        names, types = reader.schema.names, dict(zip(reader.schema.names, reader.schema.types, strict=True))
    with open(path, "rb") as file:
        # A cell may hold a line break only inside quotes, which no catalogue of numbers has; the bar needs no more.
        blocks = iter(lambda: file.read(2**20), b"")
        count = max(0, sum(block.count(b"\n") + (len(block) < 2**20 and block[-1:] != b"\n") for block in blocks) - 1)

    def batches(wanted: list[str], first: int) -> Iterator[pa.Table]:
        # Numbers as text: what a survey writes for "not measured" would otherwise decide the column's type.
        # An id is an integer or text as well, never a float, which loses its last digits.
        integers = [name for name in wanted if name.lower() in ID_COLUMNS and pa.types.is_integer(types[name])]
        conversion = pa.csv.ConvertOptions(
            include_columns=wanted, strings_can_be_null=False,
            column_types={name: types[name] if name in integers else pa.string() for name in wanted},
        )  # fmt: skip
        with pa.csv.open_csv(path, reading, convert_options=conversion) as reader:
            yield from _skipped((pa.Table.from_batches([batch]) for batch in reader), first)

    return names, count, batches


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
            for path, members in groupby(groups[at:], lambda group: group[0])
            for piece in pa.parquet.ParquetFile(path).iter_batches(
                chunk.ROWS_PER_CHUNK, [number for _path, number, _rows in members], wanted
            )
        )
        yield from _skipped(pieces, first - int(begins[at]))

    return schema.names, int(begins[-1]), batches


def _opened_fits(path: Path):
    from astropy.io import fits

    # astropy leaves a file open that it opened and refuses.
    with open(path, "rb") as file, open_fits(file) as units:
        number = next((n for n, unit in enumerate(units) if isinstance(unit, fits.BinTableHDU | fits.TableHDU)), None)
        if number is None:
            raise ValueError("a FITS file without a table")
        names, count = [name for name in units[number].columns.names if name], int(units[number].header["NAXIS2"])

    def batches(wanted: list[str], first: int) -> Iterator[pa.Table]:
        with open(path, "rb") as file, open_fits(file, memmap=True) as units:
            rows = units[number].data
            for start in range(first, count, chunk.ROWS_PER_CHUNK):
                yield _arrow({name: rows[name][start : start + chunk.ROWS_PER_CHUNK] for name in wanted})

    return names, count, batches


def _opened_votable(path: Path):
    from astropy.table import Table

    table = Table.read(path, format="votable")

    def batches(wanted: list[str], first: int) -> Iterator[pa.Table]:
        for start in range(first, len(table), chunk.ROWS_PER_CHUNK):
            piece = table[start : start + chunk.ROWS_PER_CHUNK]
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
