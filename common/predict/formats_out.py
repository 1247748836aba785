"""The formats of a file of predictions, by its ending.

What is missing is null in Parquet and VOTable, empty in CSV, TNULL or NaN in FITS, NaN in ensembles of qp. However
many rows there are, one piece of them is in memory.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq

from common.predict.fits_out import write_fits
from common.predict.qp_out import ENDINGS, write_qp
from common.predict.rows import Rows
from common.predict.votable_out import write_votable


def _write_with(writer_of: Callable, rows: Rows, path: Path) -> None:
    """Write the pieces one after the other with one of Arrow's writers."""
    pieces = rows.pieces()
    first = next(pieces)
    fields = [one.with_metadata(rows.columns[one.name].metadata()) if one.name in rows.columns else one
              for one in first.schema]  # fmt: skip
    schema = pa.schema(fields, dict(rows.about))
    with writer_of(path, schema) as writer:
        for piece in itertools.chain([first], pieces):
            writer.write_table(piece.cast(schema))


WRITERS = {
    ".parquet": partial(_write_with, partial(pq.ParquetWriter, compression="zstd")),
    ".csv": partial(_write_with, partial(pa.csv.CSVWriter, write_options=pa.csv.WriteOptions(quoting_style="needed"))),
    ".fits": write_fits,
    ".vot": write_votable,
    ".xml": write_votable,
    **dict.fromkeys(ENDINGS, write_qp),
}
