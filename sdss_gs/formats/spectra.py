"""Reader of ``spectra``: one spectrum, 4000–9000 Å, from a table or the survey's own ``spec`` FITS file.

A spectrum has two fluxes, and a model looks at one of them. A column that is absent, or cannot be used, is NaN from end
to end: the object lacks it, and can be used for the other one.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sdss_gs.errors import BadFileError
from sdss_gs.formats.spectrum_table import read_columns
from sdss_gs.schema import SPECTRUM_COLUMNS, WAVELENGTH, WAVELENGTH_RANGE

FITS_COLUMNS = {"BestFit": "model", "Flux": "flux"}
"""Names in the first table of a ``spec-<plate>-<mjd>-<fibre>.fits`` file (SDSS data model, spec)."""
TOLERANCE = 0.1
"""How far a wavelength may lie from the grid, Å: tables print three decimals, the grid step is 0.9 to 2.1 Å."""
FAINTEST = 1e-8
"""Of the largest flux; real ones are 1 to 1000, and 1e-17 times that in erg/s/cm²/Å."""


def probe(path: str | Path) -> np.ndarray:
    """Read a table's wavelengths between 4000 and 9000 Å, float64 ``(n,)``."""
    return read_table(path)[0]


def read(path: str | Path, grid: np.ndarray = WAVELENGTH, column: str = "") -> np.ndarray:
    """Read one spectrum.

    Parameters
    ----------
    path : path-like
        CSV with the columns Wavelength, Flux and BestFit, or a ``spec`` FITS file; see `spectrum_table`.
    grid : ndarray of float64, shape (n,)
        Wavelengths, Å, that every spectrum of the set has; SDSS's 3522 by default.
    column : str
        ``BestFit`` or ``Flux``, if only one is wanted.

    Returns
    -------
    ndarray of float32, shape (2, n)
        Rows `schema.SPECTRUM_COLUMNS`, 1e-17 erg/s/cm²/Å; a row of NaN for a column that cannot be used.

    Raises
    ------
    BadFileError
        If the table is unreadable, has other wavelengths, or no usable flux of those that are wanted.
    """
    return on_grid(path, *read_table(path), grid, column)


def on_grid(path, wavelength: np.ndarray, fluxes: np.ndarray, grid: np.ndarray, column: str = "") -> np.ndarray:
    """Check wavelengths against the set's grid, and fluxes for saying something; return float32 ``(2, n)``.

    Parameters
    ----------
    path : Path
        What an error names.
    wavelength : ndarray of float, shape (n,)
        Å.
    fluxes : ndarray of float, shape (2, n)
        A row of NaN for a column that is absent.
    grid : ndarray of float, shape (n,)
        Wavelengths of the data set, Å.
    column : str
        See `read`.

    Raises
    ------
    BadFileError
        See `read`.
    """
    if len(wavelength) != len(grid):
        standard = "" if len(grid) == len(WAVELENGTH) else f" (SDSS's standard is {len(WAVELENGTH)})"
        hint = "" if len(wavelength) else "; are its wavelengths in Å? (a FITS file may state another unit, TUNIT)"
        raise BadFileError(path, f"expected {len(grid)} points{standard}, found {len(wavelength)}{hint}")
    worst = float(np.abs(wavelength - grid).max(initial=0))
    if not worst < TOLERANCE:
        raise BadFileError(path, f"expected wavelengths on the grid of the set, found one {worst:.2f} Å off")
    problems = {name: _problem(name, flux) for name, flux in zip(SPECTRUM_COLUMNS, fluxes, strict=True)}
    wanted = (column,) if column else SPECTRUM_COLUMNS
    if all(problems[name] for name in wanted):
        # What is wrong with a column that is there says more than that the other one is not.
        there = [name for name in wanted if not np.isnan(fluxes[SPECTRUM_COLUMNS.index(name)]).all()]
        raise BadFileError(path, problems[(there or wanted)[0]])
    for name, flux in zip(SPECTRUM_COLUMNS, fluxes, strict=True):
        if problems[name]:
            flux[...] = np.nan
    return fluxes


def _problem(name: str, flux: np.ndarray) -> str:
    """Say why a flux cannot be used; empty where it can."""
    if len(flux):
        low, high = float(flux.min()), float(flux.max())
        # As nearly always: what is not finite makes one of them so.
        if low < high and FAINTEST <= max(-low, high) < np.inf and low > -np.inf:
            return ""
    finite = np.isfinite(flux)
    if not finite.all():
        bad = len(flux) - int(finite.sum())
        if bad == len(flux):
            other = next(column for column in SPECTRUM_COLUMNS if column != name)
            need = f"a model trained with column={other} needs none"
            return f"expected a column {name} ({FITS_COLUMNS[name]}) with numbers, found none; {need}"
        return f"expected finite fluxes, found {bad} of {name} that are missing or not finite"
    largest = float(np.abs(flux).max(initial=0))
    if (flux == flux[:1]).all():
        return f"expected a spectrum, found a {name} that is {flux[0] if len(flux) else 0:g} throughout"
    if largest < FAINTEST:
        return (
            f"expected fluxes in 1e-17 erg/s/cm²/Å, found a {name} of at most {largest:.3g}; "
            "state the unit in the file (TUNIT), or multiply erg/s/cm²/Å by 1e17"
        )
    return ""


def read_table(path: str | Path) -> tuple[np.ndarray, np.ndarray]:
    """Read wavelengths (Å, float64, shape (n,)) and fluxes (float32, shape (2, n)) between 4000 and 9000 Å.

    Raises
    ------
    BadFileError
        If the file is no such table.
    """
    wavelength, columns = read_columns(path)
    low, high = WAVELENGTH_RANGE
    inside = np.flatnonzero((wavelength >= low) & (wavelength <= high))
    if len(inside) and inside[-1] - inside[0] == len(inside) - 1:
        # In one piece, as in every table of the survey: a slice is copied faster.
        inside = slice(inside[0], inside[-1] + 1)
    wavelength = wavelength[inside]
    fluxes = np.empty((len(SPECTRUM_COLUMNS), len(wavelength)), np.float32)
    # What is too large for float32 becomes infinite, which `on_grid` refuses.
    with np.errstate(over="ignore"):
        for row, name in zip(fluxes, SPECTRUM_COLUMNS, strict=True):
            row[...] = columns[name][inside] if name in columns else np.nan
    return wavelength, fluxes
