"""Reader of ``ssel``: the points of a spectrum inside the 17 windows.

They are a subset of ``spectra``; a set that has the spectra is served from those, and this reader is for sets that hold
the selection only.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sdss_gs.formats import spectra
from sdss_gs.schema import SSEL_INDEX, WAVELENGTH, in_windows

SSEL_GRID = WAVELENGTH[SSEL_INDEX]


def probe(path: str | Path) -> np.ndarray:
    """Read a table's wavelengths inside the windows, float64 ``(n,)``."""
    wavelength = spectra.probe(path)
    return wavelength[in_windows(wavelength)]


def read(path: str | Path, grid: np.ndarray = SSEL_GRID, column: str = "") -> np.ndarray:
    """Read one selection, float32 ``(2, n)``; values and errors as in `spectra.read`.

    Parameters
    ----------
    path : path-like
    grid : ndarray of float64, shape (n,)
        Wavelengths of the data set, Å.
    column : str
        ``BestFit`` or ``Flux``, if only one is wanted.
    """
    wavelength, fluxes = spectra.read_table(path)
    inside = in_windows(wavelength)
    return spectra.on_grid(path, wavelength[inside], fluxes[:, inside], grid, column)
