"""Rows of a table that are of one object: its several spectra, or a row that was written twice.

Rows with the same id are merged column by column: where they agree, or only some of them have a value, the first value
is taken; where they contradict each other, there is none. Where magnitudes contradict each other the rows may be of
different objects, and nothing but the other magnitudes is taken from any of them.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sdss_gs.tables.cells import MISSING, NUMBER_PATTERN

Read = Callable[[pa.ChunkedArray], np.ndarray]
"""Turns cells into numbers, float64, NaN where there is none that can be used."""
MARGIN = 1e-3
"""By which numbers may differ and still agree: magnitudes that are rounded differently."""
SCALES: dict[str, tuple[Callable[[np.ndarray], np.ndarray], float]] = {
    "redshift": (np.log1p, MARGIN),
    "stellarmass": (np.log10, 0.1),
}
"""Of measurements that differ from spectrum to spectrum: redshifts by up to 300 km/s, masses by up to 0.1 dex."""
SAME_NUMBER = 1e-6
"""Share by which numbers in a column of which nothing is known may differ: 0.5 and 0.50 are the same."""


@dataclass(frozen=True)
class Contradiction:
    """Cells of one object that exclude each other: its id, the column, the first two cells that do."""

    objid: int
    column: str
    found: tuple[str, str]


@dataclass(frozen=True)
class Merged:
    """A table with one row for each object, in the order of their first rows.

    Parameters
    ----------
    table : Table
        ``n`` rows.
    rows : ndarray of int64, shape (m,)
        Which of these each row of the original table has become.
    contradictions : tuple of Contradiction
    """

    table: pa.Table
    rows: np.ndarray
    contradictions: tuple[Contradiction, ...] = ()

    def notes(self) -> list[str]:
        """Say how many rows were merged and why; nothing where every row has an object of its own."""
        repeats = len(self.rows) - len(self.table)
        if not repeats:
            return []
        left = f"{len(self.contradictions):,} values in which they contradict each other left out"
        found = f"{repeats:,} rows of data.csv repeat the objid of another, as of an object with two spectra"
        return [f"{found}: merged with it, {left if self.contradictions else 'they agree'}"]


def merge_repeats(
    table: pa.Table, objid: np.ndarray, numbers: Mapping[str, tuple[str, Read]], inputs: Collection[str] = ()
) -> Merged:
    """Merge rows of one object.

    Parameters
    ----------
    table : Table
        ``m`` rows of text with a column ``objid``.
    objid : ndarray of int64, shape (m,)
    numbers : mapping of str to (str, callable)
        By column: the quantity that it holds, and how it is read. Others are compared as text, or as numbers.
    inputs : collection of str
        Columns that say what the object looks like, and so whether rows are of one object.
    """
    _, first, rows = np.unique(objid, return_index=True, return_inverse=True)
    order = np.argsort(first)
    first, rows = first[order], np.argsort(order)[rows]
    if len(first) == len(objid):
        return Merged(table, rows)
    # Rows of repeated objects, those of one object side by side, in the order of the table.
    counts = np.bincount(rows)
    places = np.flatnonzero(counts[rows] > 1)
    places = places[np.argsort(rows[places], kind="stable")]
    objects, starts, group = np.unique(rows[places], return_index=True, return_inverse=True)
    columns, contradictions = {}, []
    unlike = np.zeros(len(objects), bool)
    for name in sorted(table.column_names, key=lambda name: name not in inputs):
        taken, other, apart = first.copy(), places[starts], np.zeros(len(objects), bool)
        if name != "objid":
            cells = table[name].take(pa.array(places))
            taken[objects], other, apart = _compared(cells, *numbers.get(name, (name, None)), places, starts, group)
            contradictions += [
                Contradiction(int(objid[one]), name, (table[name][int(one)].as_py(), table[name][int(two)].as_py()))
                for one, two in zip(taken[objects[apart]], other[apart], strict=True)
            ]
            unlike |= apart & (name in inputs)
            apart |= unlike & (name not in inputs)
        blank = np.zeros(len(first), bool)
        blank[objects[apart]] = True
        columns[name] = pc.if_else(pa.array(blank), "", table[name].take(pa.array(taken)))
    return Merged(pa.table({name: columns[name] for name in table.column_names}), rows, tuple(contradictions))


def _compared(
    cells: pa.ChunkedArray, quantity: str, read: Read | None, places: np.ndarray, starts: np.ndarray, group: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Find each object's first row with a value, the first row that contradicts it, and whether there is one."""
    if read is not None:
        turned, margin = SCALES.get(quantity, (np.asarray, MARGIN))
        values = turned(read(cells))
        there = ~np.isnan(values)
    else:
        there = pc.invert(pc.is_in(pc.utf8_lower(cells), value_set=pa.array(MISSING))).to_numpy(zero_copy_only=False)
    index = np.arange(len(places))
    chosen = np.minimum.reduceat(np.where(there, index, len(index)), starts)
    chosen = np.where(chosen == len(index), starts, chosen)
    if read is not None:
        apart = there & (np.abs(values - values[chosen][group]) > margin)
    else:
        apart = there & ~_same_text(cells, cells.take(pa.array(chosen[group])))
    other = np.minimum.reduceat(np.where(apart, index, len(index)), starts)
    contradicted = other < len(index)
    return places[chosen], places[np.where(contradicted, other, starts)], contradicted


def _same_text(cells: pa.ChunkedArray, others: pa.ChunkedArray) -> np.ndarray:
    same = pc.equal(cells, others).to_numpy(zero_copy_only=False).copy()
    numeric = pc.and_(*(pc.match_substring_regex(one, NUMBER_PATTERN) for one in (cells, others)))
    numeric = np.flatnonzero(numeric.to_numpy(zero_copy_only=False) & ~same)
    if len(numeric):
        one, two = (pc.cast(text.take(pa.array(numeric)), pa.float64()).to_numpy() for text in (cells, others))
        same[numeric] = np.abs(one - two) <= SAME_NUMBER * np.abs(two)
    return same
