"""Parquet: a file, a folder of shards, a Hive tree or a HATS catalogue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet

from sdss_gs.errors import DataError
from sdss_gs.tables.readers.table import (
    MOST_COLUMNS,
    ROWS_PER_BATCH,
    Column,
    OpenTable,
    plain_columns,
    plain_types,
    skipped,
)  # fmt: skip

ENDINGS = (".parquet", ".pq", ".parq")
THUMBNAIL = "data_thumbnail.parquet"
"""Some rows once more, which HATS keeps beside its tree (hats.readthedocs.io, directory structure)."""


def shards(folder: Path) -> list[Path]:
    """List the Parquet files of a folder and those below it, by path.

    What begins with ``_`` or ``.`` holds no rows by convention (``_metadata``).
    """
    found = (path for path in folder.rglob("*") if path.suffix.lower() in ENDINGS and path.is_file())
    hidden = ("_", ".")
    return sorted(
        path
        for path in found
        if path.name != THUMBNAIL and not any(part.startswith(hidden) for part in path.relative_to(folder).parts)
    )


def open_parquet(path: Path) -> OpenTable:
    """Open one file, or all below a folder, as one table.

    Shards may order their columns differently and write a column with another width, or as another kind of text; a
    column that some of them lack is left out, and said.

    Parameters
    ----------
    path : Path
        A file or folder.

    Raises
    ------
    DataError
        If a column is text in one shard and a number in another.
    """
    files = shards(path) if path.is_dir() else [path]
    groups, schemas = [], {}
    for file in files:
        metadata = pa.parquet.read_metadata(file)
        if metadata.num_columns > MOST_COLUMNS:
            raise DataError(f"{file}: expected at most {MOST_COLUMNS:,} columns, found {metadata.num_columns:,}")
        schemas[file] = metadata.schema.to_arrow_schema()
        groups += [(file, number, metadata.row_group(number).num_rows) for number in range(metadata.num_row_groups)]
    begins = np.cumsum([0, *(rows for _file, _number, rows in groups)])
    sources, columns, notes = _columns(path, schemas)
    kinds = {column.name: column.type for column in columns}

    def batches(wanted: Sequence[str], first: int) -> Iterator[pa.Table]:
        # The row group that holds the first row, and what lies in it before that row.
        at = max(0, int(np.searchsorted(begins, first, side="right")) - 1)
        needed = list(dict.fromkeys(sources[name] for name in wanted))
        pieces = (
            _chosen(pa.Table.from_batches([piece]), wanted, kinds)
            for file, members in groupby(groups[at:], lambda group: group[0])
            for piece in pa.parquet.ParquetFile(file).iter_batches(
                ROWS_PER_BATCH, [number for _file, number, _rows in members], needed
            )
        )
        yield from skipped(pieces, first - int(begins[at]))

    return OpenTable(str(path), columns, int(begins[-1]), batches, notes)


def _chosen(piece: pa.Table, wanted: Sequence[str], kinds: dict[str, pa.DataType]) -> pa.Table:
    plain = dict(pair for name in piece.column_names for pair in plain_columns(name, piece[name]))
    return pa.table({name: plain[name].cast(kinds[name]) for name in wanted})


def _columns(path: Path, schemas: dict[Path, pa.Schema]) -> tuple[dict[str, str], tuple[Column, ...], tuple[str, ...]]:
    """Find the columns that all shards have: whose name in the file each is, their types, and what is left out."""
    first = next(iter(schemas.values()))
    of_file = {
        file: {name: (field, kind) for field in schema for name, kind, _ in plain_types(field.name, field.type)}
        for file, schema in schemas.items()
    }
    sources, columns, partial = {}, [], {}
    for names in of_file.values():
        for name in names:
            lacking = next((other for other, theirs in of_file.items() if name not in theirs), None)
            if lacking is not None:
                partial[name] = lacking
    units = _units(first)
    for name, (field, _kind) in of_file[next(iter(schemas))].items():
        if name in partial:
            continue
        kinds = {file: names[name][1] for file, names in of_file.items()}
        sources[name] = field.name
        columns.append(Column(name, _common(path, name, kinds), units.get(field.name, "")))
        # A name that stands twice is listed twice: whoever wants it has to be told.
        columns += [columns[-1]] * (first.names.count(field.name) - 1)
    notes = [f"{name} is left out: {file.name} has no such column" for name, file in list(partial.items())[:5]]
    return sources, tuple(columns), tuple(notes)


def _common(path: Path, name: str, kinds: dict[Path, pa.DataType]) -> pa.DataType:
    distinct = list(dict.fromkeys(kind for kind in kinds.values() if not pa.types.is_null(kind)))
    if len(distinct) == 1:
        return distinct[0]
    if all(pa.types.is_floating(kind) for kind in distinct):
        return pa.float64()
    (one, first), (other, second) = [
        next((file, kind) for file, kind in kinds.items() if kind == chosen) for chosen in distinct[:2]
    ]
    raise DataError(
        f"{path}: expected column {name} of one type in all files, found {first} in {one.name} and {second} in "
        f"{other.name}; write it with one type"
    )


def _units(schema: pa.Schema) -> dict[str, str]:
    """Read the units of columns: from a field's own metadata, or from what astropy writes for the whole table."""
    units = {
        field.name: field.metadata[b"unit"].decode() for field in schema if field.metadata and b"unit" in field.metadata
    }
    header = (schema.metadata or {}).get(b"table_meta_yaml")
    if header:
        from astropy.table.meta import get_header_from_yaml

        described = get_header_from_yaml(header.decode().splitlines())
        units |= {one["name"]: str(one["unit"]) for one in described.get("datatype", []) if "unit" in one}
    return units
