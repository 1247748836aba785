"""From what a column's unit says to AB magnitudes, where that is exact; anything else is refused."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from sdss_gs.errors import DataError

ASINH_SOFTENING = {"u": 1.4e-10, "g": 0.9e-10, "r": 1.2e-10, "i": 1.8e-10, "z": 7.4e-10}
"""Of SDSS's asinh magnitudes, in maggies (Lupton, Gunn & Szalay 1999, AJ 118, 1406; SDSS DR17, Magnitudes)."""
NANOMAGGY = ("nanomaggies", "nanomaggy", "nmgy", "nmaggy", "nmaggies", "nanomgy")
MAGGY = ("maggies", "maggy", "mgy")
MAGNITUDE = ("mag", "mags", "magnitude", "mag(ab)", "abmag", "mag_ab", "ab mag", "ab", "asinh mag", "luptitude")
VEGA = ("mag(vega)", "vegamag", "mag_vega", "vega mag", "vega")
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
    written = unit.strip()
    plain = written.lower()
    vega = band.startswith("w")
    if not plain and flux and sdss:
        plain = NANOMAGGY[0]
    if plain in (("mag", *VEGA) if vega else MAGNITUDE) or (not plain and not flux) or plain in ("-", "---"):
        return None, ""
    way_out = "convert it first, or leave the column out"
    if not plain:
        raise DataError(
            f"{where}: column {name}: expected a flux that states its unit (nJy, nanomaggy), found none; {way_out}"
        )
    scale = _maggies(written or plain)
    if vega or scale is None:
        kind = "Vega magnitudes" if vega else "magnitudes or a flux (nanomaggy, nJy, uJy, Jy, maggy)"
        raise DataError(f"{where}: column {name}: expected {kind}, found the unit {written!r}; {way_out}")
    if sdss:
        return functools.partial(
            asinh_magnitudes, scale=scale, band=band
        ), f"{written or plain}, as asinh magnitudes of SDSS"
    return functools.partial(ab_magnitudes, scale=scale), f"{written}, as AB magnitudes"


def _maggies(unit: str) -> float | None:
    """Return how many maggies one of a unit is; None where it is no flux density per frequency."""
    if unit.lower() in NANOMAGGY:
        return 1e-9
    if unit.lower() in MAGGY:
        return 1.0
    from astropy import units

    try:
        return float(units.Unit(unit, parse_strict="raise").to(units.Jy)) / AB_ZERO_JANSKY
    except (ValueError, TypeError, units.UnitsError):
        return None


AB_ZERO_JANSKY = 10 ** (-48.6 / 2.5) * 1e23
"""Flux density of AB magnitude 0 (Oke & Gunn 1983, ApJ 266, 713), 3630.78 Jy: what `astropy.units.ABmag` has."""


def ab_magnitudes(flux: np.ndarray, scale: float) -> np.ndarray:
    """Turn fluxes into AB magnitudes, -2.5 log10 of the flux in maggies.

    Parameters
    ----------
    flux : ndarray of float64, shape (n,)
    scale : float
        Maggies of one unit.

    Returns
    -------
    ndarray of float64, shape (n,)
        NaN where the flux is not above zero.

    Examples
    --------
    >>> ab_magnitudes(np.array([1.0, 0.0]), 1e-9).tolist()
    [22.5, nan]
    """
    positive = np.where(flux > 0, flux, np.nan)
    return -2.5 * np.log10(positive * scale)


def asinh_magnitudes(flux: np.ndarray, scale: float, band: str) -> np.ndarray:
    """Turn fluxes into SDSS's asinh magnitudes (Lupton, Gunn & Szalay 1999, AJ 118, 1406).

    Parameters
    ----------
    flux : ndarray of float64, shape (n,)
        May be negative.
    scale : float
        Maggies of one unit.
    band : str
        ``u``, ``g``, ``r``, ``i`` or ``z``.

    Examples
    --------
    >>> [round(m, 2) for m in asinh_magnitudes(np.array([1e6, 0.0]), 1e-9, "r").tolist()]
    [7.5, 24.8]
    """
    softening = ASINH_SOFTENING[band]
    return -2.5 / np.log(10) * (np.arcsinh(flux * scale / (2 * softening)) + np.log(softening))
