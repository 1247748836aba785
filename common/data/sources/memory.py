"""Objects that Python has in memory: tables of any library, by the names of their columns, or arrays."""

from __future__ import annotations

import sys
from collections.abc import Mapping

import numpy as np
import pyarrow as pa

from common.data.sources.chunk import Loaded
from common.outputs.flags import Flag
from sdss_gs.errors import OptionError, first_line
from sdss_gs.schema import QUANTITIES, Input
from sdss_gs.tables.cells import expected_number, read_numbers
from sdss_gs.tables.readers import OpenTable
from sdss_gs.tables.readers.table import in_memory

WHERE = "table"
"""What messages call a table without a file."""


def opened_in_memory(values: object) -> OpenTable | None:
    """Take a table of pandas, polars, pyarrow, DuckDB or astropy, or numpy's with named fields; None for anything else.

    Parameters
    ----------
    values : object

    Raises
    ------
    OptionError
        If a column holds what no table does.
    """
    # Whoever has a table of astropy has imported it.
    astropy = sys.modules.get("astropy.table")
    if astropy and isinstance(values, astropy.Table):
        return _from_astropy(values)
    if isinstance(values, np.ndarray) and values.dtype.names:
        from astropy.table import Table

        return _from_astropy(Table(values))
    if not (isinstance(values, pa.Table) or hasattr(values, "__arrow_c_stream__")):
        return None
    try:
        if hasattr(values, "iloc"):
            return in_memory(WHERE, pa.Table.from_pandas(values, preserve_index=False))
        return in_memory(WHERE, pa.table(values))
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise OptionError(f"{WHERE}: expected columns of one type each, found {first_line(error)}") from None


def _from_astropy(table: object) -> OpenTable:
    from sdss_gs.tables.readers.astronomical import from_astropy

    return from_astropy(WHERE, table)


def loaded_rows(values: np.ndarray, item: Input) -> Loaded:
    """Take an array of magnitudes, in the order of the input's columns, by the rules of a catalogue.

    Parameters
    ----------
    values : ndarray of float or int, shape (n, columns)
        Masked values are missing, as are NaN and what surveys write for "not measured".
    item : Input
    """
    mask = np.ma.getmaskarray(values)
    plain = np.asarray(np.ma.getdata(values), np.float64)
    loaded = Loaded(np.zeros(plain.shape, item.dtype), np.zeros(len(plain), np.int32))
    for number, column in enumerate(item.columns):
        numbers = read_numbers(pa.array(plain[:, number], mask=mask[:, number]), QUANTITIES[column])
        absent = np.isnan(numbers.values)
        loaded.values[:, number] = np.where(absent, 0, numbers.values)
        loaded.flags |= np.where(numbers.impossible, int(Flag.BAD_INPUT), absent * int(Flag.MISSING)).astype(np.int32)
        for row in np.flatnonzero(numbers.impossible).tolist():
            text = f"{column}: expected {expected_number(QUANTITIES[column], False)}, found {plain[row, number]:g}"
            loaded.problems[row] = "; ".join(filter(None, (loaded.problems.get(row), text)))
    return loaded


def named_columns(values: Mapping) -> pa.Table:
    """Take columns by name as a table.

    Parameters
    ----------
    values : mapping of str to sequence
    """
    try:
        return pa.table({str(name): pa.array(np.asarray(cells)) for name, cells in values.items()})
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise OptionError(f"{WHERE}: expected columns of equal length, found {first_line(error)}") from None
