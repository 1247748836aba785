"""Columns of numbers as people write them: what is missing, what is wrong, and what is left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sdss_gs.schema import Quantity

NUMBER_PATTERN = r"(?i)^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?$"
MISSING = ("", "null", "none", "na", "n/a", "--")
"""Cells that say that there is no value, in lower case; ``nan`` in a number column is named as wrong."""


@dataclass(frozen=True)
class Numbers:
    """One column of numbers, cell by cell; ``n`` cells.

    Parameters
    ----------
    values : ndarray of float64, shape (n,)
        NaN where there is no number that can be used.
    empty, sentinel : ndarray of bool, shape (n,)
        Nothing there, or a survey's way to write that: missing, not wrong.
    unreadable, impossible : ndarray of bool, shape (n,)
        No number, or one outside the quantity's range: wrong.
    sentinels : ndarray of float64
        The sentinels found.
    """

    values: np.ndarray
    empty: np.ndarray
    sentinel: np.ndarray
    unreadable: np.ndarray
    impossible: np.ndarray
    sentinels: np.ndarray


def read_numbers(column: pa.ChunkedArray | pa.Array, quantity: Quantity) -> Numbers:
    """Read a column of stripped text, or of numbers, by the rules of a quantity."""
    if pa.types.is_string(column.type):
        empty = pc.is_in(pc.utf8_lower(column), value_set=pa.array(MISSING)).to_numpy(zero_copy_only=False)
        numeric = pc.match_substring_regex(column, NUMBER_PATTERN)
        values = pc.cast(pc.if_else(numeric, column, "nan"), pa.float64()).to_numpy(zero_copy_only=False).copy()
        unreadable = ~empty & ~numeric.to_numpy(zero_copy_only=False)
    else:
        values = pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False).astype(np.float64)
        empty, unreadable = np.isnan(values), np.zeros(len(values), bool)
    sentinel = np.isin(values, quantity.sentinels)
    impossible = np.isfinite(values) & ~sentinel & ~((values > quantity.low) & (values < quantity.high))
    impossible |= np.isinf(values)
    found = values[sentinel]
    values[sentinel | impossible] = np.nan
    return Numbers(values, empty, sentinel, unreadable, impossible, found)


def expected_number(quantity: Quantity, unreadable: bool) -> str:
    """Say what was expected of a cell that is wrong."""
    return "a number" if unreadable else f"{quantity.low:g} < value < {quantity.high:g}"
