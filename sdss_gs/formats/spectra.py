"""Reader of ``spectra``: one spectrum, 4000–9000 Å, from a CSV export or the survey's own ``spec`` FITS file."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pyarrow as pa
from pyarrow import csv

from sdss_gs.errors import BadFileError, first_line
from sdss_gs.files import read_bytes
from sdss_gs.formats.fits_units import open_fits
from sdss_gs.schema import SPECTRUM_COLUMNS, WAVELENGTH, WAVELENGTH_RANGE

FITS_COLUMNS = {"BestFit": "model", "Flux": "flux"}
"""Names in the first table of a ``spec-<plate>-<mjd>-<fibre>.fits`` file (SDSS data model, spec)."""
TOLERANCE = 0.1
"""How far a wavelength may lie from the grid, Å: tables print three decimals, the grid step is 0.9 to 2.1 Å."""
CSV_COLUMNS = ("Wavelength", *SPECTRUM_COLUMNS)
# Made once: a file is read in less than half a millisecond.
READING = csv.ReadOptions(use_threads=False)
CONVERSION = csv.ConvertOptions(include_columns=CSV_COLUMNS, column_types=dict.fromkeys(CSV_COLUMNS, pa.float64()))


def probe(path: str | Path) -> np.ndarray:
    """Read a table's wavelengths between 4000 and 9000 Å, float64 ``(n,)``."""
    return read_table(path)[0]


def read(path: str | Path, grid: np.ndarray = WAVELENGTH) -> np.ndarray:
    """Read one spectrum.

    Parameters
    ----------
    path : path-like
        CSV with the columns Wavelength, Flux and BestFit, or a ``spec`` FITS file.
    grid : ndarray of float64, shape (n,)
        Wavelengths, Å, that every spectrum of the set has; SDSS's 3522 by default.

    Returns
    -------
    ndarray of float32, shape (2, n)
        Rows `schema.SPECTRUM_COLUMNS`, 1e-17 erg/s/cm²/Å.

    Raises
    ------
    BadFileError
        If the table is unreadable, has other wavelengths, or holds a flux that is not finite.
    """
    return on_grid(path, *read_table(path), grid)


def on_grid(path, wavelength: np.ndarray, fluxes: np.ndarray, grid: np.ndarray) -> np.ndarray:
    """Check wavelengths against the set's grid and fluxes for being finite; return float32 ``(2, n)``.

    Parameters
    ----------
    path : Path
        What an error names.
    wavelength : ndarray of float, shape (n,)
        Å.
    fluxes : ndarray of float, shape (2, n)
    grid : ndarray of float, shape (n,)
        Wavelengths of the data set, Å.
    """
    if len(wavelength) != len(grid):
        standard = "" if len(grid) == len(WAVELENGTH) else f" (SDSS's standard is {len(WAVELENGTH)})"
        raise BadFileError(path, f"expected {len(grid)} points{standard}, found {len(wavelength)}")
    worst = float(np.abs(wavelength - grid).max())
    if not worst < TOLERANCE:
        raise BadFileError(path, f"expected wavelengths on the grid of the set, found one {worst:.2f} Å off")
    bad = fluxes.size - int(np.isfinite(fluxes).sum())
    if bad:
        raise BadFileError(path, f"expected finite fluxes, found {bad} that are missing or not finite")
    return fluxes


def read_table(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Read wavelengths (Å, float64, shape (n,)) and fluxes (float32, shape (2, n)) between 4000 and 9000 Å.

    Raises
    ------
    BadFileError
        If the file is no such table.
    """
    read = _read_fits if str(path).lower().endswith(".fits") else _read_csv
    wavelength, columns = read(path)
    low, high = WAVELENGTH_RANGE
    inside = np.flatnonzero((wavelength >= low) & (wavelength <= high))
    if len(inside) and inside[-1] - inside[0] == len(inside) - 1:
        # In one piece, as in every table of the survey: a slice is copied faster.
        inside = slice(inside[0], inside[-1] + 1)
    wavelength = wavelength[inside]
    fluxes = np.empty((len(columns), len(wavelength)), np.float32)
    # What is too large for float32 becomes infinite, which `on_grid` refuses.
    with np.errstate(over="ignore"):
        for row, column in zip(fluxes, columns, strict=True):
            row[...] = column[inside]
    return wavelength, fluxes


def _read_csv(path) -> tuple[np.ndarray, list[np.ndarray]]:
    try:
        # From memory: given a path, Arrow reads the file in a thread of its own and waits for it.
        content = pa.BufferReader(read_bytes(path))
        table = csv.read_csv(content, read_options=READING, convert_options=CONVERSION)
    except (OSError, pa.ArrowException) as error:
        expected = f"a table with {', '.join(CSV_COLUMNS)}"
        raise BadFileError(path, f"expected {expected}, found an unreadable file ({first_line(error)})") from None
    return table["Wavelength"].to_numpy(), [table[name].to_numpy() for name in SPECTRUM_COLUMNS]


def _read_fits(path) -> tuple[np.ndarray, list[np.ndarray]]:
    try:
        # From memory: astropy leaves a file open that it refuses.
        with open_fits(io.BytesIO(read_bytes(path)), memmap=False) as units:
            table = units[1].data
            wavelength = 10.0 ** table["loglam"].astype(np.float64)
            return wavelength, [table[FITS_COLUMNS[name]].astype(np.float64) for name in SPECTRUM_COLUMNS]
    except Exception as error:
        # astropy raises nearly anything on a damaged header.
        expected = "a spec FITS file with loglam, model and flux"
        raise BadFileError(path, f"expected {expected}, found an unreadable file ({first_line(error)})") from None
