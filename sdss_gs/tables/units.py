"""From what a column's unit says to AB magnitudes, where that is exact; anything else is refused."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np

from sdss_gs.errors import DataError
from sdss_gs.formats.flux_units import in_nanomaggies

ASINH_SOFTENING = {"u": 1.4e-10, "g": 0.9e-10, "r": 1.2e-10, "i": 1.8e-10, "z": 7.4e-10}
"""Of SDSS's asinh magnitudes, in maggies (Lupton, Gunn & Szalay 1999, AJ 118, 1406; SDSS DR17, Magnitudes)."""
MAGNITUDE = (
    "mag", "mags", "magnitude", "magnitudes", "mag(ab)", "abmag", "magab", "mag ab", "ab mag", "ab", "ab magnitude",
    "ab magnitudes", "asinh mag", "luptitude", "luptitudes",
)  # fmt: skip
NO_UNIT = ("", "-", "--", "---", "none", "null", "unitless", "dimensionless")
VEGA = ("mag", "mags", "magnitude", "magnitudes", "mag(vega)", "vegamag", "mag vega", "vega mag", "vega")
NO_FLUX = (-9999.0,)
"""What surveys write for a flux that was not measured; 99 may be one."""

Convert = Callable[[np.ndarray], np.ndarray]


def magnitudes_of(where: str, name: str, unit: str, band: str, flux: bool, sdss: bool) -> tuple[Convert | None, str]:
    """Find out how a column becomes magnitudes.

    Parameters
    ----------
    where : str
        The table, for messages.
    name : str
        Of the column.
    unit : str
        As the file has it; may be empty.
    band : str
        ``u``, ``g``, ``r``, ``i``, ``z`` (AB), or ``w1`` … ``w4`` (Vega).
    flux : bool
        Whether the name says that it is a flux.
    sdss : bool
        Whether the name is SDSS's own: then the magnitudes are asinh magnitudes, as those that models learn from.

    Returns
    -------
    convert : callable or None
        Takes float64 ``(n,)`` and returns magnitudes, NaN where the flux has none; None for magnitudes.
    words : str
        What is done, for the user.

    Raises
    ------
    DataError
        If the unit is no flux or magnitude of this band.
    """
    stated = "" if unit.strip().lower() in NO_UNIT else unit.strip()
    if not stated and flux and sdss:
        stated = "nanomaggies"
    vega = band.startswith("w")
    if stated.lower().replace("_", " ") in (VEGA if vega else MAGNITUDE) or not (stated or flux):
        return None, ""
    start, way_out = f"{where}: column {name}: expected", "convert it first, or leave the column out"
    if not stated:
        raise DataError(f"{start} a flux that states its unit (nJy, nanomaggy), found none; {way_out}")
    nanomaggies = in_nanomaggies(stated)
    if vega or nanomaggies is None:
        kind = "Vega magnitudes" if vega else "magnitudes or a flux (nanomaggy, nJy, uJy, Jy, maggy)"
        raise DataError(f"{start} {kind}, found the unit {stated!r}; {way_out}")
    if sdss:
        return partial(asinh_magnitudes, nanomaggies=nanomaggies, band=band), f"{stated}, as asinh magnitudes of SDSS"
    return partial(ab_magnitudes, nanomaggies=nanomaggies), f"{stated}, as AB magnitudes"


def ab_magnitudes(flux: np.ndarray, nanomaggies: float = 1.0) -> np.ndarray:
    """Turn fluxes into AB magnitudes, 22.5 - 2.5 log10 of the flux in nanomaggies (Oke & Gunn 1983, ApJ 266, 713).

    Parameters
    ----------
    flux : ndarray of float64, shape (n,)
    nanomaggies : float
        That one unit is.

    Returns
    -------
    ndarray of float64, shape (n,)
        NaN where the flux is not above zero.

    Examples
    --------
    >>> ab_magnitudes(np.array([1.0, 0.0])).tolist()
    [22.5, nan]
    """
    positive = np.where(flux > 0, flux, np.nan)
    return 22.5 - 2.5 * np.log10(positive * nanomaggies)


def asinh_magnitudes(flux: np.ndarray, nanomaggies: float, band: str) -> np.ndarray:
    """Turn fluxes into SDSS's asinh magnitudes (Lupton, Gunn & Szalay 1999, AJ 118, 1406).

    Parameters
    ----------
    flux : ndarray of float64, shape (n,)
        May be negative.
    nanomaggies : float
        That one unit is.
    band : str
        ``u``, ``g``, ``r``, ``i`` or ``z``.

    Examples
    --------
    >>> [round(m, 2) for m in asinh_magnitudes(np.array([1e6, 0.0]), 1.0, "r").tolist()]
    [7.5, 24.8]
    """
    softening = ASINH_SOFTENING[band]
    return -2.5 / np.log(10) * (np.arcsinh(flux * nanomaggies * 1e-9 / (2 * softening)) + np.log(softening))
