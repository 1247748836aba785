"""The table in a file with one spectrum: which column is which, and in what unit."""

from __future__ import annotations

import io
import re
from functools import lru_cache
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv

from sdss_gs.errors import BadFileError, first_line
from sdss_gs.formats.compressed import read_content
from sdss_gs.formats.fits_units import open_fits
from sdss_gs.formats.flux_units import in_angstrom, in_spectrum_units
from sdss_gs.schema import SPECTRUM_COLUMNS

NAMES = {
    "wavelength": ("wavelength", "lambda", "wave", "lam", "loglam", "loglambda"),
    "Flux": ("flux",),
    "BestFit": ("bestfit", "model"),
}
"""What columns are called, see `_plain`: in SkyServer's tables, in ``spec`` files, in people's own."""
UNIT = re.compile(r"[\[(](.*)[\])]\s*$")
"""Of a column, in brackets after its name."""
EXPECTED = f"a table with Wavelength (or loglam) and {' or '.join(SPECTRUM_COLUMNS)} (flux, model)"
COADD = "COADD"
"""The table of the spectrum itself in a ``spec`` file, which may hold those of the single exposures too."""
LONGEST_HEADER = 10_000
# Made once: a file is read in less than half a millisecond.
READING = csv.ReadOptions(use_threads=False)


class OtherTableError(ValueError):
    """A sound table that is not what is expected; the text says what was found."""


def read_columns(path: str | Path) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Read wavelengths (Å, float64, shape (n,)) and those of `SPECTRUM_COLUMNS` that there are (float64, shape (n,)).

    Parameters
    ----------
    path : path-like
        CSV or FITS, compressed or not: what it is, its content tells.

    Returns
    -------
    wavelength : ndarray of float64, shape (n,)
        Å.
    fluxes : dict of str to ndarray of float64, shape (n,)
        1e-17 erg/s/cm²/Å, unless the file states another unit of flux per wavelength, which is converted.

    Raises
    ------
    BadFileError
        If the file is unreadable, lacks a column, or states a unit that cannot be converted.
    """
    try:
        content = read_content(path)
        return _read_fits(content) if content.startswith(b"SIMPLE") else _read_csv(content)
    except OtherTableError as error:
        raise BadFileError(path, str(error)) from None
    except Exception as error:
        # astropy raises nearly anything on a damaged header.
        raise BadFileError(path, f"expected {EXPECTED}, found an unreadable file ({first_line(error)})") from None


def _chosen(names: tuple[str, ...]) -> dict[str, str]:
    """Find the columns among those of a table: by `NAMES`, what the table calls them."""
    chosen = {}
    for column, known in NAMES.items():
        alike = [name for name in names if _plain(name) in known]
        exact = [name for name in alike if name.strip() == column]
        if len(exact or alike) > 1 and column != "wavelength":
            raise OtherTableError(f"expected one column {column}, found {', '.join(alike)}")
        if alike:
            chosen[column] = (exact or alike)[0]
    if "wavelength" not in chosen or len(chosen) < 2:
        found = ", ".join(names[:8]) or "no column"
        apart = "; columns are told apart by commas, semicolons or tabs" if len(names) == 1 else ""
        raise OtherTableError(f"expected {EXPECTED}, found {found}{apart}")
    return chosen


def _plain(name: str) -> str:
    """Return a column's name in small letters, without a sign of comment, blanks, underscores and a unit."""
    return UNIT.sub("", name.lower()).strip("# ").replace(" ", "").replace("_", "")


@lru_cache(maxsize=16)
def _conversion(header: bytes) -> tuple[dict[str, str], csv.ParseOptions, csv.ConvertOptions]:
    """Find out from the line with the names what is to be read of a CSV file, and how."""
    text = header.decode("utf-8-sig").rstrip("\r\n")
    delimiter = max(",;\t", key=text.count)
    chosen = _chosen(tuple(name.strip('"') for name in text.split(delimiter)))
    wanted = list(chosen.values())
    conversion = csv.ConvertOptions(include_columns=wanted, column_types=dict.fromkeys(wanted, pa.float64()))
    return chosen, csv.ParseOptions(delimiter=delimiter), conversion


def _read_csv(content: bytes) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    start = 0
    while True:
        end = content.find(b"\n", start, start + LONGEST_HEADER) + 1
        try:
            chosen, parsing, conversion = _conversion(content[start:end])
            break
        except OtherTableError:
            # Comments may stand above the names; numpy writes the names themselves as one.
            if not end or content[start : start + 1] != b"#":
                raise
            start = end
    # From memory: given a path, Arrow reads the file in a thread of its own and waits for it.
    table = csv.read_csv(
        pa.BufferReader(content[start:]), read_options=READING, parse_options=parsing, convert_options=conversion
    )
    stated = {column: unit.group(1).strip() for column, name in chosen.items() if (unit := UNIT.search(name))}
    return _in_zoo_units({column: table[name].to_numpy() for column, name in chosen.items()}, chosen, stated)


def _read_fits(content: bytes) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    # From memory: astropy leaves a file open that it refuses.
    with open_fits(io.BytesIO(content), memmap=False) as units:
        table = _spectrum_of(units)
        chosen = _chosen(tuple(table.columns.names))
        values = {column: _flat(table.data[name]) for column, name in chosen.items()}
        stated = {column: str(table.columns[name].unit or "").strip() for column, name in chosen.items()}
        whole = str(units[0].header.get("BUNIT", "")).strip()
    for column in SPECTRUM_COLUMNS:
        stated[column] = stated.get(column) or whole
    return _in_zoo_units(values, chosen, stated)


def _spectrum_of(units):
    """Choose the table with the spectrum: COADD, else the first that has the columns."""
    tables = [unit for unit in units if getattr(unit, "columns", None) is not None]
    for table in sorted(tables, key=lambda table: table.name != COADD):
        try:
            _chosen(tuple(table.columns.names))
        except OtherTableError:
            continue
        return table
    found = ", ".join(tables[0].columns.names[:8]) if tables else "no table"
    raise OtherTableError(f"expected {EXPECTED}, found {found}")


def _flat(values: np.ndarray) -> np.ndarray:
    """Return a column as numbers, ``(n,)``; some write a spectrum into one row."""
    values = values.astype(np.float64)
    return values[0] if values.ndim == 2 and len(values) == 1 else values


def _in_zoo_units(values: dict[str, np.ndarray], names: dict[str, str], stated: dict[str, str]):
    wavelength = values.pop("wavelength")
    unit = stated.get("wavelength", "")
    if _plain(names["wavelength"]).startswith("log"):
        with np.errstate(over="ignore"):
            wavelength = 10.0**wavelength
    elif unit:
        wavelength = wavelength * _factor(names["wavelength"], unit, in_angstrom, "Angstrom")
    for column in values:
        if unit := stated.get(column, ""):
            values[column] = values[column] * _factor(names[column], unit, in_spectrum_units, "1e-17 erg/s/cm²/Å")
    return wavelength, values


def _factor(name: str, unit: str, known, expected: str) -> float:
    factor = known(unit)
    if factor is None:
        raise OtherTableError(f"expected {name} in {expected}, or in what can be turned into it, found {unit!r}")
    return factor
