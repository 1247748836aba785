"""Rows of magnitudes and their errors as a network takes them: what is missing, wrong, or a limit."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pyarrow as pa

from common.data.sources.chunk import Loaded, Photometry
from common.outputs.flags import NO_PREDICTION, Flag
from sdss_gs.schema import ERRORS, QUANTITIES, Input
from sdss_gs.tables.cells import expected_number, plain_numbers, read_numbers
from sdss_gs.tables.columns import DUSTY, Choice
from sdss_gs.tables.error_columns import PER_SHARE
from sdss_gs.tables.extinction import read_statement
from sdss_gs.tables.names import UNSTATED

NOT_DETECTED = 99.0
"""Stands for a magnitude that is fainter than the limit in the column of its error; -99 for one not observed at all."""
LIMIT_ERROR = PER_SHARE
"""Of a magnitude that is a limit. Who writes 99 (BPZ, RAIL, LSST's simulations) puts the limit beside it at which the
signal is as large as its noise: 1.0857 mag is the error of a magnitude with such a signal-to-noise ratio of 1."""


def load_magnitudes(batch: pa.Table, choice: Choice, item: Input, limits: bool = False) -> Loaded:
    """Read the magnitudes, and errors, of some rows.

    Parameters
    ----------
    batch : Table
        With the columns that were chosen.
    choice : Choice
    item : Input
        As the model has it that asks.
    limits : bool
        See `taken_as_limits`.

    Returns
    -------
    Loaded
        NaN where a value is missing or wrong. A row has flag MISSING or BAD_INPUT where a magnitude is; errors that are
        missing or absurd are unknown, which is no flaw.
    """
    loaded = Loaded(np.full((len(batch), len(item.columns)), np.nan, item.dtype), np.zeros(len(batch), np.int32))
    for number, column in enumerate(item.magnitudes):
        if column not in choice.columns:
            loaded.flags |= int(Flag.MISSING)
            continue
        chosen = choice.columns[column]
        cells = batch[chosen.name]
        numbers = read_numbers(cells, QUANTITIES[column], chosen.convert)
        values = numbers.values
        errors = _errors(batch, choice, column) if item.errors else None
        if limits and errors is not None:
            taken = taken_as_limits(batch, choice, column)
            values, errors = np.where(np.isnan(taken), values, taken), np.where(np.isnan(taken), errors, LIMIT_ERROR)
        absent = np.isnan(values)
        loaded.values[:, number] = values
        if errors is not None:
            loaded.values[:, len(item.magnitudes) + number] = np.where(absent, np.nan, errors)
        wrong = numbers.unreadable | numbers.impossible
        loaded.flags |= np.where(wrong, int(Flag.BAD_INPUT), absent * int(Flag.MISSING)).astype(np.int32)
        for row in np.flatnonzero(wrong).tolist():
            expected = expected_number(QUANTITIES[column], bool(numbers.unreadable[row]))
            text = f"{chosen.name}: expected {expected}, found {cells[row].as_py()}"
            loaded.problems[row] = "; ".join(filter(None, (loaded.problems.get(row), text)))
    loaded.photometry = read_photometry(batch, choice, item)
    return loaded


def read_photometry(batch: pa.Table, choice: Choice, item: Input) -> Photometry:
    """Read of which kind the magnitudes of some rows are.

    Parameters
    ----------
    batch : Table
        With the columns that were chosen.
    choice : Choice
    item : Input
    """
    kind = choice.photometry.get(item.name, UNSTATED)
    if item.name != DUSTY:
        return Photometry(kind)
    stated = read_statement(batch, choice.statement) if choice.statement else None
    return Photometry(kind, stated, choice.extinction.read(batch) if choice.extinction else None)


def _errors(batch: pa.Table, choice: Choice, column: str) -> np.ndarray:
    """Return errors in magnitudes, NaN where they are unknown."""
    if column not in choice.errors:
        return np.full(len(batch), np.nan)
    return choice.errors[column].read(batch, choice.columns[column].name, QUANTITIES[ERRORS[column]])


def taken_as_limits(batch: pa.Table, choice: Choice, column: str) -> np.ndarray:
    """Find the limits of magnitudes that were not detected.

    A cell of `NOT_DETECTED` is one where the column of its error has a possible magnitude, the limit.

    Parameters
    ----------
    batch : Table
        With the columns that were chosen.
    choice : Choice
    column : str
        Of the magnitude, in the zoo.

    Returns
    -------
    ndarray of float64, shape (n,)
        NaN where there is none.
    """
    chosen, error = choice.columns[column], choice.errors.get(column)
    if error is None or chosen.convert is not None or error.inverse:
        return np.full(len(batch), np.nan)
    limit = read_numbers(batch[error.name], QUANTITIES[column]).values
    return np.where(plain_numbers(batch[chosen.name]) == NOT_DETECTED, limit, np.nan)


def with_gaps(item: Input, values: np.ndarray, flags: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Let rows in which some magnitudes are missing, or wrong, be answered from the others.

    Parameters
    ----------
    item : Input
        One of a table that may have gaps.
    values : ndarray of float, shape (n, columns)
    flags : ndarray of int32, shape (n,)

    Returns
    -------
    values : ndarray, shape (n, columns)
        NaN for what is not finite.
    flags : ndarray of int32, shape (n,)
        Of rows with a magnitude no longer MISSING or BAD_INPUT, but MISSING_BAND if another one is missing.
    """
    values = np.where(np.isfinite(values), values, np.asarray(np.nan, values.dtype))
    there = ~np.isnan(values[:, : len(item.magnitudes)])
    some, whole = there.any(axis=1), there.all(axis=1)
    flags = np.where(some, flags & ~int(NO_PREDICTION), flags)
    flags[some & ~whole] |= int(Flag.MISSING_BAND)
    flags[~some & ((flags & NO_PREDICTION) == 0)] |= int(Flag.MISSING)
    return values, flags


def count_not_detected(batches: Iterable[pa.Table], choice: Choice) -> tuple[int, int]:
    """Count the cells of magnitudes that say "not detected": those with a limit beside them, and those without."""
    limited = without = 0
    for batch in batches:
        for column, chosen in choice.columns.items():
            if chosen.convert is None:
                cells = int((plain_numbers(batch[chosen.name]) == NOT_DETECTED).sum())
                known = int(np.isfinite(taken_as_limits(batch, choice, column)).sum())
                limited, without = limited + known, without + cells - known
    return limited, without
