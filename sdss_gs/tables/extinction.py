"""Whether magnitudes are corrected for the extinction by the Galaxy's dust, and by how much: E(B-V) of their rows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sdss_gs.schema import BANDS, DEREDDENED, EXTINCTION, PER_EBV, QUANTITIES, Quantity
from sdss_gs.tables.cells import read_numbers
from sdss_gs.tables.names import EBV_NAMES, PHOTOMETRY_COLUMN, STATEMENTS, same_name
from sdss_gs.tables.readers.table import OpenTable
from sdss_gs.tables.units import MAGNITUDE, NO_UNIT

_SAID = {PHOTOMETRY_COLUMN: [*STATEMENTS], DEREDDENED: ["0", "1", "0.0", "1.0", "false", "true"]}
"""By column, in turn what says raw and what says dereddened."""
EBV = Quantity("ebv", -0.01, 20.0, QUANTITIES[EXTINCTION["modelMag_r"]].sentinels, "mag")


@dataclass(frozen=True)
class ExtinctionColumns:
    """The columns that say how much light the dust took.

    Parameters
    ----------
    names : tuple of str
        In the file: extinction of u g r i z in magnitudes, or E(B-V) alone.
    """

    names: tuple[str, ...]

    def read(self, table: pa.Table) -> np.ndarray:
        """Read the extinction in u g r i z, magnitudes, float64 ``(n, 5)``; NaN in rows that do not say it.

        Parameters
        ----------
        table : Table
            Of numbers or stripped text, with these columns.
        """
        if len(self.names) == 1:
            return read_numbers(table[self.names[0]], EBV).values[:, None] * np.array(list(PER_EBV.values()))
        cells = zip(self.names, EXTINCTION.values(), strict=True)
        found = np.stack([read_numbers(table[name], QUANTITIES[column]).values for name, column in cells], axis=1)
        return np.where(np.isfinite(found).all(axis=1, keepdims=True), found, np.nan)


def find_extinction(table: OpenTable) -> ExtinctionColumns | None:
    """Find a table's extinction: of all five bands, else E(B-V); None where there is neither, or in another unit.

    Parameters
    ----------
    table : OpenTable
    """
    for shape in ("extinction_{}", "extinction[{}]"):
        keys = BANDS if "_" in shape else range(len(BANDS))
        found = [same_name(table.names, shape.format(key)) for key in keys]
        if all(len(one) == 1 for one in found) and all(_in_magnitudes(table, one[0]) for one in found):
            return ExtinctionColumns(tuple(one[0] for one in found))
    for wanted in EBV_NAMES:
        same = same_name(table.names, wanted)
        if len(same) == 1 and _in_magnitudes(table, same[0]):
            return ExtinctionColumns((same[0],))
    return None


def _in_magnitudes(table: OpenTable, name: str) -> bool:
    unit = table.column(name).unit.strip().lower()
    return unit in NO_UNIT or unit in MAGNITUDE


def find_statement(names: Sequence[str]) -> str:
    """Find the column that says of each row whether it is dereddened, in words or as 1 and 0; empty where none does."""
    found = [same_name(names, wanted) for wanted in _SAID]
    return next((same[0] for same in found if len(same) == 1), "")


def read_statement(table: pa.Table, name: str) -> np.ndarray:
    """Read that column, float64 ``(n,)``: 1 for dereddened, 0 for raw, NaN for anything else.

    Parameters
    ----------
    table : Table
        Of numbers or stripped text, with this column.
    name : str
        From `find_statement`.

    Examples
    --------
    >>> read_statement(pa.table({"photometry": ["raw", "Dereddened", None]}), "photometry").tolist()
    [0.0, 1.0, nan]
    >>> read_statement(pa.table({"dereddened": [True, False]}), "dereddened").tolist()
    [1.0, 0.0]
    """
    words = pc.utf8_lower(pc.utf8_trim_whitespace(pc.fill_null(table[name].cast(pa.string()), "")))
    place = pc.index_in(words, value_set=pa.array(_SAID[name.strip().lower()]))
    return pc.fill_null(place.cast(pa.float64()), np.nan).to_numpy(zero_copy_only=False) % 2


def says_nothing(table: OpenTable, names: Sequence[str], read: Callable[[pa.Table], np.ndarray]) -> bool:
    """Tell whether columns say nothing in any row; not of a table without rows, nor of one that cannot be read.

    Parameters
    ----------
    table : OpenTable
    names : sequence of str
        The columns, of which so many rows are read as are needed to find one that says something.
    read : callable
        Takes these columns of some rows, and returns numbers, NaN where they say nothing.
    """
    rows = 0
    try:
        for piece in table.batches(names, 0):
            if np.isfinite(read(piece)).any():
                return False
            rows += len(piece)
    except pa.ArrowException:
        # Whoever reads the magnitudes says what is wrong with the file.
        return False
    return rows > 0
