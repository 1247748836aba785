"""Predictions on disk: finished pieces that survive a kill, then one file in the format that its ending names."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq
from filelock import FileLock, Timeout
from tqdm import tqdm

from common.data.sources import Chunk, Source
from sdss_gs.errors import DataError, OptionError
from sdss_gs.files import move_into_place, remove_leftovers, replacing, temporary_path
from sdss_gs.logs import hidden

PLAN = "plan.json"
FITS_BLOCK = 2880
"""Bytes; every part of a FITS file is filled up to a multiple of it (FITS standard 4.0, section 3.1)."""


class Pieces:
    """The finished pieces of a prediction, ``<output>.pieces/000000.parquet``, ….

    Parameters
    ----------
    output : Path
        The file they will become.
    plan : dict
        What is predicted from what, as JSON has it; pieces of another plan are not mixed in.
    overwrite : bool
        Replace an output, and pieces of another plan.
    about : dict of str to str, optional
        What a Parquet file's schema is to say besides.

    Attributes
    ----------
    finished : dict of int to int
        Objects of each finished piece, by its number from 0. Several workers may finish a later one before an earlier.

    Raises
    ------
    OptionError
        If the ending is unknown, or there is an output or a different plan already.
    """

    def __init__(self, output: Path, plan: dict, overwrite: bool = False, about: dict[str, str] | None = None):
        if output.suffix.lower() not in WRITERS:
            raise OptionError(f"output {output}: expected a file that ends in {', '.join(WRITERS)}")
        if not output.resolve().parent.is_dir():
            raise OptionError(f"output {output}: expected a file in an existing folder")
        self.output, self.folder, self.about = output, output.with_name(output.name + ".pieces"), about
        path = self.folder / PLAN
        known = json.loads(path.read_text()) if path.is_file() else None
        if known != plan and known is not None and not overwrite:
            what = ", ".join(sorted(key for key in plan if plan[key] != known.get(key)))
            raise OptionError(f"output {output}: {self.folder} holds another prediction ({what}); give --overwrite")
        if known != plan:
            # Also what a run left that was killed after its last step.
            shutil.rmtree(self.folder, ignore_errors=True)
        if known is None and output.exists() and not overwrite:
            raise OptionError(f"output {output}: there is such a file already; give --overwrite to replace it")
        self.folder.mkdir(exist_ok=True)
        remove_leftovers(self.folder)
        with replacing(path) as temporary:
            temporary.write_text(json.dumps(plan))
        self.finished = {
            int(path.stem): pq.read_metadata(path).num_rows for path in sorted(self.folder.glob("[0-9]*.parquet"))
        }

    @property
    def rows(self) -> int:
        """Objects of all finished pieces."""
        return sum(self.finished.values())

    def path(self, number: int) -> Path:
        """Return where a piece is kept."""
        return self.folder / f"{number:06d}.parquet"

    def add(self, number: int, rows: pd.DataFrame | pa.Table) -> None:
        """Keep a piece."""
        temporary = temporary_path(self.path(number))
        write_piece(rows, temporary)
        self.take(number, temporary, len(rows))

    def take(self, number: int, temporary: Path, rows: int) -> None:
        """Keep a piece that was written by `write_piece` into the same folder.

        Parameters
        ----------
        number : int
        temporary : Path
        rows : int
        """
        move_into_place(temporary, self.path(number))
        self.finished[number] = rows

    def finish(self) -> int:
        """Make the output of the pieces and remove them; return its number of rows."""
        # Among the pieces, where the next run removes it if this one is killed.
        temporary = temporary_path(self.folder / self.output.name)
        WRITERS[self.output.suffix.lower()](self, temporary)
        move_into_place(temporary, self.output)
        shutil.rmtree(self.folder)
        return self.rows

    def tables(self) -> Iterator[pa.Table]:
        """Read the pieces in order."""
        for number in range(len(self.finished)):
            # Not `read_table`, which would take the folder's name for a column.
            yield pq.ParquetFile(self.path(number)).read()


def write_piece(rows: pd.DataFrame | pa.Table, path: Path) -> None:
    """Write one piece."""
    table = pa.Table.from_pandas(rows, preserve_index=False) if isinstance(rows, pd.DataFrame) else rows
    # Text may arrive as any of Arrow's kinds of it, or as nothing where no object of the piece has a class.
    kept = [_is_number(field.type) or pa.types.is_fixed_size_list(field.type) for field in table.schema]
    fields = [field if keep else field.with_type(pa.string()) for field, keep in zip(table.schema, kept, strict=True)]
    pq.write_table(table.cast(pa.schema(fields)), path)


def unfinished(source: Source, pieces: Pieces) -> Iterator[tuple[int, Chunk]]:
    """Read the chunks of a source of which there is no piece yet, with their numbers."""
    leading = next(number for number in itertools.count() if number not in pieces.finished)
    first = sum(pieces.finished[number] for number in range(leading))
    for number, chunk in enumerate(source.chunks(first), leading):
        if number not in pieces.finished:
            yield number, chunk


def write_in_pieces(
    source: Source,
    output: Path,
    plan: dict,
    work: Callable[[Pieces], Iterator[int]],
    doing: str,
    overwrite: bool = False,
    about: dict[str, str] | None = None,
) -> int:
    """Make one file of what is worked out of each chunk of a source; killed, the same call goes on after its pieces.

    Parameters
    ----------
    source : Source
    output, overwrite, about
        As for `Pieces`.
    plan : dict
        As for `Pieces`; the source is added.
    work : callable
        Fills the pieces that are not finished, and yields of each how many objects it has.
    doing : str
        What the progress bar says.

    Returns
    -------
    int
        Rows.

    Raises
    ------
    ZooError
        If the output cannot be written, or another process is writing it.
    """
    plan = {"source": source.stamp, "objects": source.count, "piece": source.chunk_objects} | plan
    lock = FileLock(output.with_name(output.name + ".lock"))
    try:
        with lock.acquire(timeout=0):
            try:
                pieces = Pieces(output, plan, overwrite, about)
                bar = tqdm(total=source.count, initial=pieces.rows, unit=" galaxies", desc=doing, disable=hidden())
                with bar:
                    for rows in work(pieces):
                        bar.update(rows)
                return pieces.finish()
            finally:
                # Only by the process that has it: a second one that is sent away must not let a third one in.
                Path(lock.lock_file).unlink(missing_ok=True)
    except Timeout:
        raise OptionError(f"output {output}: another process is writing it") from None
    except OSError as error:
        raise DataError(f"{output}: cannot write it: {error}") from None


# === Formats ===


def _write_with(writer_of: Callable, pieces: Pieces, path: Path) -> None:
    """Write the pieces one after the other with one of Arrow's writers."""
    tables = pieces.tables()
    first = next(tables)
    schema = first.schema.with_metadata(pieces.about)
    with writer_of(path, schema) as writer:
        for table in itertools.chain([first], tables):
            writer.write_table(table.cast(schema))


def _write_fits(pieces: Pieces, path: Path) -> None:
    """Write a binary table piece by piece: however long it is, one piece is in memory."""
    from astropy.io import fits

    types: dict[str, np.dtype] = {}
    for piece in pieces.tables():
        for name, column in zip(piece.column_names, piece.columns, strict=True):
            kind = _fits_type(column)
            # Of texts, the longest.
            types[name] = np.promote_types(types.get(name, kind), kind)
    dtype = np.dtype(list(types.items())).newbyteorder(">")
    table = fits.BinTableHDU(np.zeros(0, dtype), name="PREDICTIONS")
    table.header["NAXIS2"] = pieces.rows
    with open(path, "wb") as file:
        for header in (fits.PrimaryHDU().header, table.header):
            file.write(header.tostring().encode("ascii"))
        for piece in pieces.tables():
            block = np.zeros(len(piece), dtype)
            for name in dtype.names:
                block[name] = _fits_values(piece[name])
            file.write(block.tobytes())
        file.write(bytes(-pieces.rows * dtype.itemsize % FITS_BLOCK))


def _fits_type(column: pa.ChunkedArray) -> np.dtype:
    if _is_number(column.type):
        return np.dtype(np.float64 if pa.types.is_floating(column.type) else np.int64)
    return np.dtype(f"S{pc.max(pc.binary_length(column)).as_py() or 1}")


def _fits_values(column: pa.ChunkedArray) -> np.ndarray:
    if _is_number(column.type):
        return column.to_numpy()
    return np.array([(text or "").encode("ascii", "replace") for text in column.to_pylist()])


def _is_number(kind: pa.DataType) -> bool:
    return pa.types.is_floating(kind) or pa.types.is_integer(kind)


def _write_votable(pieces: Pieces, path: Path) -> None:
    from astropy.table import Table

    frame = pd.concat([piece.to_pandas() for piece in pieces.tables()], ignore_index=True)
    texts = [name for name in frame if not pd.api.types.is_numeric_dtype(frame[name])]
    Table.from_pandas(frame.fillna(dict.fromkeys(texts, ""))).write(path, format="votable")


WRITERS = {
    ".parquet": partial(_write_with, partial(pq.ParquetWriter, compression="zstd")),
    ".csv": partial(_write_with, partial(pa.csv.CSVWriter, write_options=pa.csv.WriteOptions(quoting_style="needed"))),
    ".fits": _write_fits,
    ".vot": _write_votable,
    ".xml": _write_votable,
}
