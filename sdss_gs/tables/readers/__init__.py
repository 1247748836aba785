"""Tables as people have them: one reader for data.csv, catalogues, lists of ids and what Python is given."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pyarrow as pa

from sdss_gs.errors import DataError, OptionError, ZooError, first_line
from sdss_gs.tables.readers import astronomical, fits, parquet, text
from sdss_gs.tables.readers.parquet import shards
from sdss_gs.tables.readers.table import Batches, Column, OpenTable, listed
from sdss_gs.tables.readers.text import OnWrongRow

__all__ = ["ENDINGS", "Column", "OpenTable", "ending_of", "is_table", "listed", "open_tables", "shards", "split_number"]

ENDINGS = (*text.ENDINGS, *parquet.ENDINGS, *fits.ENDINGS, *astronomical.VOTABLE_ENDINGS)
COMPRESSED = (".gz", ".bz2", ".xz")
_NUMBERED = re.compile(r"^(?P<path>.+)\[(?P<table>[^\[\]]+)\]$")


def ending_of(path: Path) -> str:
    """Return what a file's name ends in, in lower case, without that of a compression.

    Examples
    --------
    >>> ending_of(Path("WISE.tbl.gz")), ending_of(Path("stars.fits.fz"))
    ('.tbl', '.fits')
    """
    suffixes = [suffix.lower() for suffix in path.suffixes[-2:]]
    if len(suffixes) == 2 and suffixes[1] in (*COMPRESSED, ".fz"):
        return suffixes[0]
    return suffixes[-1] if suffixes else ""


def is_table(path: Path) -> bool:
    """Tell by its name whether a file may be a table."""
    return ending_of(path) in ENDINGS


def split_number(path: Path) -> tuple[Path, str]:
    """Split ``stars.fits[2]`` into the file and which of its tables is meant; a file of that very name comes first."""
    match = _NUMBERED.match(str(path))
    if path.exists() or match is None:
        return path, ""
    return Path(match["path"]), match["table"]


def open_tables(path: Path, table: str = "", on_wrong_row: OnWrongRow | None = None) -> list[OpenTable]:
    """Open the tables of a file whose format follows from its ending; a folder is a table of Parquet shards.

    Parameters
    ----------
    path : Path
    table : str
        Which of a FITS file or VOTable: the number of its unit, as messages write it, or its name. All by default.
    on_wrong_row : callable, optional
        See `text.open_text`.

    Raises
    ------
    DataError
        If the file is none that can be read.
    OptionError
        If there is no such table.
    """
    ending = ending_of(path)
    try:
        if path.is_dir() or ending in parquet.ENDINGS:
            opened = [parquet.open_parquet(path)]
        elif ending in fits.ENDINGS:
            opened = fits.open_fits_tables(path)
        elif ending in astronomical.VOTABLE_ENDINGS:
            opened = astronomical.open_votable_tables(path)
        elif ending in text.ENDINGS:
            opened = [text.open_text(path, on_wrong_row)]
        else:
            raise DataError(f"{path}: expected a table that ends in {', '.join(ENDINGS)} (or .gz after it)")
    except ZooError:
        raise
    except Exception as error:
        # The libraries raise nearly anything on a damaged file.
        raise DataError(f"{path}: expected a table ({ending}), found an unreadable file: {first_line(error)}") from None
    return [replace(one, batches=_guarded(one)) for one in ([_chosen(path, opened, table)] if table else opened)]


def _guarded(table: OpenTable) -> Batches:
    """Have whatever a library raises in the middle of a damaged file named as what it is."""

    def batches(wanted: Sequence[str], first: int) -> Iterator[pa.Table]:
        try:
            yield from table.batches(wanted, first)
        except ZooError:
            raise
        except Exception as error:
            raise DataError(f"{table.where}: expected a table, found a damaged one: {first_line(error)}") from None

    return batches


def _chosen(path: Path, opened: list[OpenTable], table: str) -> OpenTable:
    for one in opened:
        if table.lower() in (split_label(one.where), one.title.lower()):
            return one
    there = ", ".join(f"{split_label(one.where)} {one.title}".strip() for one in opened)
    raise OptionError(f"table {table}: expected one of {path}: {there or 'it has one table only'}")


def split_label(where: str) -> str:
    """Return the number of a table: ``2`` of ``stars.fits[2]``."""
    match = _NUMBERED.match(where)
    return match["table"] if match else ""
