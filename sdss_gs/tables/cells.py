"""Columns of numbers as people write them: what is missing, what is wrong, and what is left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sdss_gs.schema import Quantity
from sdss_gs.tables.units import NO_FLUX, Convert

NUMBER_PATTERN = r"(?i)^[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)(e[+-]?[0-9]+)?$"
MISSING = ("", "null", "none", "na", "n/a", "--", "-", "\\n", "<na>", "nan", "masked")
"""Cells that say that there is no value, in lower case (``\\N`` is MySQL's)."""
NOT_FINITE = r"(?i)^[+-]?(inf|infinity|nan)$"


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


_ANY = Quantity("", -np.inf, np.inf, (), "")


def read_numbers(column: pa.ChunkedArray | pa.Array, quantity: Quantity, convert: Convert | None = None) -> Numbers:
    """Read a column of stripped text, or of numbers, by the rules of a quantity.

    Null, NaN, infinities and the quantity's sentinels are missing.

    Parameters
    ----------
    column : pyarrow.ChunkedArray or pyarrow.Array, n cells
    quantity : Quantity
    convert : callable, optional
        Turns what the file holds (a flux) into the quantity; see `units.magnitudes_of`.
    """
    numbers = _as_floats(column)
    if numbers is None:
        text = pc.fill_null(column, "")
        # Fortran's and IDL's double precision: 1.95D+01.
        text = pc.replace_substring_regex(text, r"(?i)([0-9.])d([+-]?[0-9]+)$", r"\1e\2")
        numeric = pc.match_substring_regex(text, NUMBER_PATTERN)
        values = pc.cast(pc.if_else(numeric, text, "nan"), pa.float64()).to_numpy(zero_copy_only=False).copy()
        empty = pc.is_in(pc.utf8_lower(text), value_set=pa.array(MISSING))
        empty = pc.or_(empty, pc.match_substring_regex(text, NOT_FINITE)).to_numpy(zero_copy_only=False)
        unreadable = ~empty & ~numeric.to_numpy(zero_copy_only=False)
        too_large = np.isinf(values)
    else:
        values = numbers.to_numpy(zero_copy_only=False).astype(np.float64)
        empty, unreadable = ~np.isfinite(values), np.zeros(len(values), bool)
        too_large = unreadable
    values[np.isinf(values)] = np.nan
    sentinel = np.isin(values, quantity.sentinels if convert is None else NO_FLUX)
    found = values[sentinel]
    values[sentinel] = np.nan
    if convert is not None:
        values = convert(values)
        # A flux that is not above zero has no magnitude.
        empty |= ~np.isfinite(values) & ~sentinel & ~unreadable
    impossible = too_large | (np.isfinite(values) & ~((values > quantity.low) & (values < quantity.high)))
    values[impossible] = np.nan
    return Numbers(values, empty, sentinel, unreadable, impossible, found)


def plain_numbers(column: pa.ChunkedArray | pa.Array) -> np.ndarray:
    """Read a column of stripped text, or of numbers, as it is, float64 ``(n,)``; NaN for what is no finite number.

    Parameters
    ----------
    column : pyarrow.ChunkedArray or pyarrow.Array, n cells
    """
    return read_numbers(column, _ANY).values


def _as_floats(column: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray | pa.Array | None:
    """Convert numbers, or text that is nothing but finite numbers and null, which is what most files have."""
    if not pa.types.is_string(column.type):
        return pc.cast(column, pa.float64(), safe=False)
    try:
        values = pc.cast(column, pa.float64())
    except pa.ArrowInvalid:
        return None
    # What else Arrow takes for a number (nan, inf) is looked at cell by cell.
    return values if pc.all(pc.is_finite(values)).as_py() is not False else None


def expected_number(quantity: Quantity, unreadable: bool) -> str:
    """Say what was expected of a cell that is wrong."""
    return "a number" if unreadable else f"{quantity.low:g} < value < {quantity.high:g}"
