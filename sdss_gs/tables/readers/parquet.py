"""Parquet: a file, a folder of shards, a Hive tree or a HATS catalogue."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet

from sdss_gs.errors import DataError, first_line
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
TABLE_META = b"table_meta_yaml"
"""What astropy says of a table, as in ECSV."""
PIXEL = "Norder="
"""With it begin the folders in which HATS keeps its rows; thumbnail and statistics lie outside
(hats.readthedocs.io, directory structure)."""
COLLECTION, PRIMARY = "collection.properties", "hats_primary_table_url="


def shards(folder: Path) -> list[Path]:
    """List the Parquet files of a folder and those below it, by path.

    What begins with ``_`` or ``.`` holds no rows by convention (``_metadata``). Of a collection of HATS, the catalogue
    counts: the margins beside it have some of its rows once more.

    Parameters
    ----------
    folder : Path
    """
    folder = _catalogue_of(folder)
    hidden = ("_", ".")
    found = {
        path: path.relative_to(folder).parts
        for path in sorted(folder.rglob("*"))
        if path.suffix.lower() in ENDINGS and path.is_file()
    }
    found = {path: parts for path, parts in found.items() if not any(part.startswith(hidden) for part in parts)}
    pixels = [path for path, parts in found.items() if any(part.startswith(PIXEL) for part in parts)]
    return pixels or list(found)


def _catalogue_of(folder: Path) -> Path:
    described = folder / COLLECTION
    lines = described.read_text(encoding="utf-8", errors="replace").splitlines() if described.is_file() else []
    names = [Path(line.removeprefix(PRIMARY).strip()).name for line in lines if line.startswith(PRIMARY)]
    return next((folder / name for name in names if name and (folder / name).is_dir()), folder)


def open_parquet(path: Path) -> OpenTable:
    """Open one file, or all below a folder, as one table.

    Shards may order their columns differently and write a column with another width, as another kind of text, or as
    text where others have numbers: then it is text. A column that some of them lack is left out, and said; a shard
    without rows has no say. Of what astropy writes, values are null that the column ``<name>.mask`` masks.

    Parameters
    ----------
    path : Path
        A file or folder.

    Raises
    ------
    DataError
        If there are too many columns, or a file is damaged.
    """
    files = shards(path) if path.is_dir() else [path]
    groups, schemas = [], {}
    for file in files:
        try:
            metadata = pa.parquet.read_metadata(file)
        except (pa.ArrowException, OSError) as error:
            raise DataError(f"{file}: expected a Parquet file, found an unreadable one: {first_line(error)}") from None
        if metadata.num_columns > MOST_COLUMNS:
            raise DataError(f"{file}: expected at most {MOST_COLUMNS:,} columns, found {metadata.num_columns:,}")
        if metadata.num_rows or (file == files[-1] and not schemas):
            schemas[file] = metadata.schema.to_arrow_schema()
        groups += [(file, number, metadata.row_group(number).num_rows) for number in range(metadata.num_row_groups)]
    begins = np.cumsum([0, *(rows for _file, _number, rows in groups)])
    sources, columns, notes = _columns(schemas)
    masks = _masks(next(iter(schemas.values())))
    kinds = {column.name: column.type for column in columns}

    def batches(wanted: Sequence[str], first: int) -> Iterator[pa.Table]:
        # The row group that holds the first row, and what lies in it before that row.
        at = max(0, int(np.searchsorted(begins, first, side="right")) - 1)
        needed = list(dict.fromkeys(one for name in wanted for one in (sources[name], masks.get(sources[name])) if one))
        pieces = (
            _chosen(_without_masked(pa.Table.from_batches([piece]), masks), wanted, kinds)
            for file, members in groupby(groups[at:], lambda group: group[0])
            for piece in pa.parquet.ParquetFile(file).iter_batches(
                ROWS_PER_BATCH, [number for _file, number, _rows in members], needed
            )
        )
        yield from skipped(pieces, first - int(begins[at]))

    return OpenTable(str(path), columns, int(begins[-1]), batches, notes)


def _chosen(piece: pa.Table, wanted: Sequence[str], kinds: dict[str, pa.DataType]) -> pa.Table:
    plain = dict(pair for name in piece.column_names for pair in plain_columns(name, piece[name]))
    return pa.table({name: plain[name].cast(kinds[name], safe=False) for name in wanted})


def _columns(schemas: dict[Path, pa.Schema]) -> tuple[dict[str, str], tuple[Column, ...], tuple[str, ...]]:
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
        sources[name] = field.name
        columns.append(Column(name, _common([names[name][1] for names in of_file.values()]), units.get(field.name, "")))
        # A name that stands twice is listed twice: whoever wants it has to be told.
        columns += [columns[-1]] * (first.names.count(field.name) - 1)
    notes = [f"{name} is left out: {file.name} has no such column" for name, file in list(partial.items())[:5]]
    return sources, tuple(columns), tuple(notes)


def _common(kinds: Sequence[pa.DataType]) -> pa.DataType:
    distinct = list(dict.fromkeys(kind for kind in kinds if not pa.types.is_null(kind)))
    if len(distinct) == 1:
        return distinct[0]
    numbers = all(pa.types.is_floating(kind) or pa.types.is_int64(kind) for kind in distinct)
    # Text keeps the digits of ids that are signed here and unsigned there.
    return pa.float64() if distinct and numbers else pa.string()


def _masks(schema: pa.Schema) -> dict[str, str]:
    """Find the columns in which astropy keeps which values of others are masked (`astropy.table.serialize`)."""
    if TABLE_META not in (schema.metadata or {}):
        return {}
    masks = {name: f"{name}.mask" for name in schema.names if f"{name}.mask" in schema.names}
    return {name: mask for name, mask in masks.items() if pa.types.is_boolean(schema.field(mask).type)}


def _without_masked(piece: pa.Table, masks: dict[str, str]) -> pa.Table:
    for name, mask in masks.items():
        if name in piece.column_names:
            values = pc.if_else(piece[mask], pa.scalar(None, piece[name].type), piece[name])
            piece = piece.set_column(piece.column_names.index(name), name, values)
    return piece


def _units(schema: pa.Schema) -> dict[str, str]:
    """Read the units of columns: from a field's own metadata, or from what astropy writes for the whole table."""
    units = {
        field.name: field.metadata[b"unit"].decode() for field in schema if field.metadata and b"unit" in field.metadata
    }
    header = (schema.metadata or {}).get(TABLE_META)
    if header:
        from astropy.table.meta import get_header_from_yaml

        described = get_header_from_yaml(header.decode().splitlines())
        units |= {one["name"]: str(one["unit"]) for one in described.get("datatype", []) if "unit" in one}
    return units
