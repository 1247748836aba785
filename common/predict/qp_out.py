"""Predictions as an ensemble of qp, which RAIL and other programs of LSST's read: ``zoo predict --pdf qp``."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from common.outputs.distribution import even_grid, rebinned
from common.predict.rows import ABOVE_SIGNED, FOREIGN, Rows, escaped, is_number, is_vector, vector_values
from sdss_gs.errors import OptionError

ENDINGS = (".hdf5", ".h5")


def check_qp() -> None:
    """Check that qp is installed.

    Raises
    ------
    OptionError
        If not.
    """
    if find_spec("qp") is None:
        raise OptionError('--pdf qp needs qp; in the repository: pip install -e ".[rail]"')


def write_qp(rows: Rows, path: Path) -> None:
    """Write the distributions of the one column of vectors as ``qp.hist``, all other columns as ``ancil``.

    The bins have equal widths: qp 1.1 takes the first one's for all of them where it computes a mean. A galaxy without
    a prediction is a row of NaN, also in the numbers of ``ancil``, and has its flag.
    """
    name, column = next((name, column) for name, column in rows.columns.items() if column.vector is not None)
    widths = _widths(rows)
    start, groups, file = 0, None, None
    for piece in rows.pieces():
        ensemble = _ensemble(piece, name, column.vector.borders, widths)
        if file is None:
            groups, file = ensemble.initializeHdf5Write(str(path), rows.count)
        ensemble.writeHdf5Chunk(groups, start, start + len(piece))
        start += len(piece)
    ensemble.finalizeHdf5Write(file)


def _ensemble(piece: pa.Table, name: str, grid: tuple[float, ...], widths: dict[str, int]):
    import qp

    borders = even_grid(grid)
    shares = rebinned(vector_values(piece[name]) * np.diff(grid), grid, borders)
    # NaN is what a galaxy without a prediction has: nothing to warn of.
    data = {"bins": borders, "pdfs": shares / np.float32(borders[1] - borders[0]), "norm": False, "warn": False}
    kept = [one for one in piece.column_names if one != name]
    return qp.Ensemble(qp.hist, data, {one: _plain(piece[one], widths.get(one, 1)) for one in kept})


def _plain(cells: pa.ChunkedArray, width: int) -> np.ndarray:
    """Return a column as HDF5 has it, which knows no null: an integer is then the smallest, or largest, of 64 bits."""
    if not is_number(cells.type):
        return escaped(cells, FOREIGN).to_numpy().astype(f"S{width}")
    if pa.types.is_integer(cells.type):
        null = 2 * ABOVE_SIGNED - 1 if pa.types.is_uint64(cells.type) else -ABOVE_SIGNED
        cells = pc.fill_null(cells, null) if cells.null_count else cells
    return cells.to_numpy()


def _widths(rows: Rows) -> dict[str, int]:
    """Find how long the longest text of each column is."""
    found: dict[str, int] = {}
    for piece in rows.pieces():
        for name, cells in zip(piece.column_names, piece.columns, strict=True):
            if not is_number(cells.type) and not is_vector(cells.type):
                longest = pc.max(pc.binary_length(escaped(cells, FOREIGN))).as_py()
                found[name] = max(found.get(name, 1), longest or 1)
    return found
