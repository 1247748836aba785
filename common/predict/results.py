"""Predictions on disk: finished pieces that survive a kill, then one file in the format that its ending names."""

from __future__ import annotations

import itertools
import json
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout
from tqdm import tqdm

from common.data.sources import Chunk, Source
from common.outputs.column import Column
from common.predict.fits_out import MOST_COLUMNS
from common.predict.formats_out import WRITERS
from common.predict.rows import Rows, stored
from sdss_gs.errors import DataError, OptionError
from sdss_gs.files import move_into_place, remove_leftovers, replacing, temporary_path
from sdss_gs.inputs import refuse_inputs
from sdss_gs.logs import hidden

PLAN = "plan.json"
ID_COLUMN = Column("the object, as the input names it", "meta.id;meta.main")
EMPTY: Mapping = MappingProxyType({})


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
    about : mapping of str to str
        What a Parquet file's schema is to say besides.
    columns : mapping of str to Column
        What is known of the columns, by name.

    Attributes
    ----------
    finished : dict of int to int
        Objects of each finished piece, by its number from 0. Several workers may finish a later one before an earlier.

    Raises
    ------
    OptionError
        If the ending is unknown, or there is an output or a different plan already.
    """

    def __init__(
        self,
        output: Path,
        plan: dict,
        overwrite: bool = False,
        about: Mapping[str, str] = EMPTY,
        columns: Mapping[str, Column] = EMPTY,
    ):
        if output.suffix.lower() not in WRITERS:
            raise OptionError(f"output {output}: expected a file that ends in {', '.join(WRITERS)}")
        if not output.resolve().parent.is_dir():
            raise OptionError(f"output {output}: expected a file in an existing folder")
        self.output, self.folder = output, output.with_name(output.name + ".pieces")
        self.about, self.columns = about, columns
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

    def add(self, number: int, rows: pa.Table) -> None:
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
        rows = Rows(self.tables, self.rows, self.columns, self.about)
        WRITERS[self.output.suffix.lower()](rows, temporary)
        move_into_place(temporary, self.output)
        shutil.rmtree(self.folder)
        return self.rows

    def tables(self) -> Iterator[pa.Table]:
        """Read the pieces in order."""
        for number in range(len(self.finished)):
            # Not `read_table`, which would take the folder's name for a column.
            yield pq.ParquetFile(self.path(number)).read()


def write_piece(rows: pa.Table, path: Path) -> None:
    """Write one piece."""
    pq.write_table(stored(rows), path)


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
    about: Mapping[str, str] = EMPTY,
    columns: Mapping[str, Column] = EMPTY,
) -> int:
    """Make one file of what is worked out of each chunk of a source; killed, the same call goes on after its pieces.

    Parameters
    ----------
    source : Source
    output, overwrite, about
        As for `Pieces`.
    columns : mapping of str to Column
        As for `Pieces`; the id is added.
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
        If the output is an input or cannot be written, the id is called like one of its columns, or another process is
        writing it.
    """
    refuse_inputs(output, source.paths)
    if output.is_dir():
        raise OptionError(f"output {output}: expected a file that ends in {', '.join(WRITERS)}, found a folder")
    # Without case, as FITS and DuckDB tell columns apart.
    taken = next((name for name in columns if name.lower() == source.id_name.lower()), "")
    if taken:
        raise OptionError(f"id {source.id_name}: the output has a column {taken} of its own; rename the id")
    columns = {source.id_name: ID_COLUMN, **columns}
    if output.suffix.lower() == ".fits" and len(columns) > MOST_COLUMNS:
        raise OptionError(
            f"output {output}: expected at most {MOST_COLUMNS} columns for FITS, found {len(columns):,}; use .parquet"
        )
    plan = {"source": source.stamp, "objects": source.count, "piece": source.chunk_objects} | plan
    lock = FileLock(output.with_name(output.name + ".lock"))
    try:
        with lock.acquire(timeout=0):
            try:
                pieces = Pieces(output, plan, overwrite, about, columns)
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
