"""Objects that Python has in memory: tables of any library, by the names of their columns, or arrays."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from common.data.sources.chunk import Loaded
from common.data.sources.magnitudes import load_magnitudes
from common.outputs.flags import Flag
from sdss_gs.errors import OptionError, first_line
from sdss_gs.schema import ERRORS, Input
from sdss_gs.tables.columns import DUSTY, NO_EXTRAS, Choice, Chosen, Extras
from sdss_gs.tables.error_columns import ErrorColumn
from sdss_gs.tables.names import ID_COLUMNS, STATEMENTS, UNSTATED, meaning_of
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
        If a column of ids or magnitudes holds what no table does; any other is left out.
    """
    # Whoever has something of astropy has imported it.
    astropy, fits = sys.modules.get("astropy.table"), sys.modules.get("astropy.io.fits")
    if astropy and isinstance(values, astropy.Table):
        return _from_astropy(values)
    if fits and isinstance(values, fits.FITS_rec):
        from sdss_gs.tables.readers.fits import from_records

        return from_records(WHERE, values)
    if isinstance(values, np.ndarray) and values.dtype.names:
        from astropy.table import Table

        return _from_astropy(Table(values))
    if hasattr(values, "iloc"):
        if values.ndim == 1:
            raise OptionError(f"{WHERE}: expected a DataFrame, found a Series; of one row, take frame.iloc[[0]]")
        return _gathered([(str(name), values.iloc[:, at]) for at, name in enumerate(values.columns)])
    if not (isinstance(values, pa.Table) or hasattr(values, "__arrow_c_stream__")):
        return None
    try:
        return in_memory(WHERE, pa.table(values))
    except (pa.ArrowException, TypeError, ValueError) as error:
        if isinstance(getattr(values, "columns", None), list) and hasattr(values, "get_column"):
            return _gathered([(name, values.get_column(name)) for name in values.columns])
        raise OptionError(f"{WHERE}: expected columns of one type each, found {first_line(error)}") from None


def loaded_arrays(
    name: str,
    inputs: Sequence[Input],
    shapes: Mapping[str, tuple[int, ...]],
    values: object,
    extras: Extras = NO_EXTRAS,
) -> dict[str, Loaded]:
    """Take arrays by input as what was loaded, each ``(n, *shape)``.

    Parameters
    ----------
    name : str
        Of the model, for messages.
    inputs : sequence of Input
        As it has them.
    shapes : mapping of str to tuple of int
        Shape of one object, by input.
    values : object
        Arrays by input; one of an object alone has its shape. Errors of magnitudes may be left out.
    extras : Extras
        What the user says of magnitudes.

    Raises
    ------
    OptionError
        If they are no such arrays.
    """
    if not isinstance(values, Mapping) or not values or not set(values) <= set(shapes):
        given = ", ".join(map(str, values)) if isinstance(values, Mapping) else type(values).__name__
        raise OptionError(f"{name}: expected arrays by input ({', '.join(shapes)}), found {given}")
    loaded, items = {}, {item.name: item for item in inputs}
    for key, numbers in values.items():
        array, shape, item = np.ma.asarray(numbers), shapes[key], items[key]
        if item.columns and array.shape[-1:] == (len(item.magnitudes),):
            shape = array.shape[-1:]
        if array.dtype.kind not in "fiu" or array.shape[-len(shape) :] != shape:
            wanted, given = ", ".join(map(str, shape)), f"{array.dtype} {array.shape}"
            raise OptionError(f"{name}: expected numbers of shape (n, {wanted}), found {given}")
        array = array.reshape(-1, *shape)
        if item.columns:
            loaded[key] = loaded_rows(array, item, extras)
            continue
        flags = np.zeros(len(array), np.int32)
        if np.ma.is_masked(array):
            # What stands under a mask is no pixel, and a picture of bytes has no NaN to say so.
            flags[array.mask.reshape(len(array), -1).any(axis=1)] = Flag.BAD_INPUT
        loaded[key] = Loaded(np.asarray(array), flags)
    if len({len(one.flags) for one in loaded.values()}) > 1:
        lengths = ", ".join(f"{len(one.flags)} of {key}" for key, one in loaded.items())
        raise OptionError(f"{name}: expected equally many objects of each input, found {lengths}")
    return loaded


def named_columns(values: Mapping) -> OpenTable:
    """Take columns by name as a table; a single value each is one row.

    Parameters
    ----------
    values : mapping of str to sequence
        Masked values are null; a unit that a column has (`astropy.units.Quantity`) is believed.

    Raises
    ------
    OptionError
        If they are not equally long, or one of ids or magnitudes holds what no table does.
    """
    units = {str(name): str(getattr(cells, "unit", None) or "") for name, cells in values.items()}
    return _gathered([(str(name), cells) for name, cells in values.items()], units)


def _gathered(columns: Sequence[tuple[str, object]], units: Mapping[str, str] | None = None) -> OpenTable:
    """Bring columns to Arrow one by one: one that nobody needs may hold anything."""
    names, arrays, notes = [], [], []
    for name, values in columns:
        try:
            arrays.append(_arrow(values))
        except (pa.ArrowException, TypeError, ValueError) as error:
            if meaning_of(name) or name.lower() in ID_COLUMNS:
                found = first_line(error)
                raise OptionError(f"{WHERE}: column {name}: expected values of one type, found {found}") from None
            notes.append(f"{name} is left out: its values are of no type that tables have")
            continue
        names.append(name)
    lengths = {len(cells): name for name, cells in zip(names, arrays, strict=True)}
    if len(lengths) > 1:
        found = ", ".join(f"{length} of {name}" for length, name in lengths.items())
        raise OptionError(f"{WHERE}: expected columns of equal length, found {found}")
    return replace(in_memory(WHERE, pa.Table.from_arrays(arrays, names), units), notes=tuple(notes))


def _arrow(values: object) -> pa.Array | pa.ChunkedArray:
    if hasattr(values, "iloc"):
        values = values.sparse.to_dense() if hasattr(values, "sparse") else values
        if not isinstance(values.dtype, np.dtype):
            return pa.array(values)
        return pa.array(_native(values.to_numpy()), from_pandas=True)
    if hasattr(values, "__arrow_c_stream__"):
        return pa.chunked_array(values)
    if isinstance(values, np.ma.MaskedArray):
        return pa.array(_native(values.data), mask=np.ma.getmaskarray(values))
    return pa.array(_native(np.atleast_1d(np.asarray(values))))


def _native(values: np.ndarray) -> np.ndarray:
    """Bring numbers to the byte order of this machine, without which Arrow takes none: those of FITS have the other."""
    return values if values.dtype.isnative else values.astype(values.dtype.newbyteorder("="))


def _from_astropy(table: object) -> OpenTable:
    from sdss_gs.tables.readers.astronomical import from_astropy

    return from_astropy(WHERE, table)


def loaded_rows(values: np.ndarray, item: Input, extras: Extras = NO_EXTRAS) -> Loaded:
    """Take an array of magnitudes, in the order of the input's columns, by the rules of a catalogue.

    Parameters
    ----------
    values : ndarray of float or int, shape (n, columns) or (n, magnitudes)
        Masked values are missing, as are NaN and what surveys write for "not measured". Without errors these are
        unknown.
    item : Input
    extras : Extras
        What the user says of magnitudes.
    """
    mask = np.ma.getmaskarray(values)
    plain = np.asarray(np.ma.getdata(values), np.float64)
    there = item.columns[: plain.shape[1]]
    cells = [pa.array(plain[:, number], mask=mask[:, number]) for number in range(len(there))]
    choice = in_order(item, len(there), extras.stated)
    loaded = load_magnitudes(pa.Table.from_arrays(cells, list(there)), choice, item, extras.limits)
    if item.told_apart and len(there) == len(item.columns):
        loaded.values[:, -1] = plain[:, -1]
    return loaded


def in_order(item: Input, width: int, stated: str = "") -> Choice:
    """Choose the columns of an array of magnitudes, the first of an input's, by their names in the zoo.

    Parameters
    ----------
    item : Input
    width : int
        How many columns there are; without errors these are unknown.
    stated : str
        What the user says of magnitudes, see `Extras`.
    """
    names = {column: ERRORS[column] for column in item.magnitudes if ERRORS[column] in item.columns[:width]}
    errors = {column: ErrorColumn(name) for column, name in names.items()}
    kinds = {item.name: STATEMENTS.get(stated, UNSTATED)} if item.name == DUSTY else {}
    return Choice({column: Chosen(column) for column in item.magnitudes}, kinds, errors=errors)
