"""Units of flux that a file states, and what they are in those of the zoo, where the conversion is exact."""

from __future__ import annotations

import re
import warnings
from functools import lru_cache

NANOMAGGY = ("nanomaggy", "nanomaggies", "nmgy", "nanomgy", "nmaggy", "nmaggies")
MAGGY = ("maggy", "maggies", "mgy")
_PER_PIXEL = re.compile(r"\s*(/\s*|\s+per\s+)(pixel|pix|px)\b\.?|\s+(pixel|pix|px)\s*\^?(-1|\*\*-1)", re.IGNORECASE)
_SPELLINGS = (
    (re.compile(r"\bergs\b"), "erg"),
    (re.compile(r"\b(angstroms?|ang|AA|A)\b|[\u00c5\u212b]", re.IGNORECASE), "Angstrom"),
    (re.compile(r"\b10\s*(\*\*|\^)\s*\(?\s*([+-]?\d+)\s*\)?"), r"1e\2"),
    (re.compile(r"\b1(\.0*)?[eE]"), "1e"),
    (re.compile(r"(?<![a-z])(maggies|maggy|mgy)\b", re.IGNORECASE), "AB"),
    # Not mJy and MJy, which differ by case alone.
    (re.compile(r"\b(nano|n)jy\b", re.IGNORECASE), "nJy"),
    (re.compile(r"\b(micro|mu|u)jy\b", re.IGNORECASE), "uJy"),
    (re.compile(r"\bjy\b", re.IGNORECASE), "Jy"),
)
"""How surveys write units that `astropy.units` knows by other names."""


@lru_cache(maxsize=64)
def in_nanomaggies(text: str) -> float | None:
    """Return how many nanomaggies (AB) one of a unit is; None where it is no flux per frequency.

    Parameters
    ----------
    text : str
        As a file has it; *per pixel* is understood.

    Examples
    --------
    >>> in_nanomaggies("nanomaggies"), in_nanomaggies("maggy/pixel"), in_nanomaggies("adu")
    (1.0, 1000000000.0, None)
    >>> round(in_nanomaggies("nJy"), 8), in_nanomaggies("1e-9 maggies"), in_nanomaggies("dex(nJy)")
    (0.00027542, 1.0, None)
    """
    plain = _PER_PIXEL.sub("", text.strip())
    if plain.lower() in NANOMAGGY:
        return 1.0
    if plain.lower() in MAGGY:
        return 1e9
    return _ratio(plain, "nanomaggy")


@lru_cache(maxsize=64)
def in_spectrum_units(text: str) -> float | None:
    """Return how many 1e-17 erg/s/cm²/Å one of a unit is; None where it is no flux per wavelength.

    Examples
    --------
    >>> in_spectrum_units("1E-17 erg/cm^2/s/Ang"), in_spectrum_units("10^-17 ergs/s/cm^2/Å"), in_spectrum_units("nJy")
    (1.0, 1.0, None)
    >>> f"{in_spectrum_units('erg/s/cm2/Angstrom'):.6g}"
    '1e+17'
    """
    return _ratio(text, "spectrum")


@lru_cache(maxsize=64)
def in_angstrom(text: str) -> float | None:
    """Return how many Å one of a unit is; None where it is no length."""
    return _ratio(text, "wavelength")


def _ratio(text, wanted):
    # Imported here: most files state no unit, and astropy takes a while.
    from astropy import units

    known = {"nanomaggy": 1e-9 * units.AB, "spectrum": units.Unit(1e-17 * units.erg / units.s / units.cm**2 / units.AA)}
    for pattern, spelling in _SPELLINGS:
        text = pattern.sub(spelling, text)
    try:
        with warnings.catch_warnings():
            # That a unit is written in a discouraged way is no news to the user.
            warnings.simplefilter("ignore")
            unit = units.Unit(text, parse_strict="raise")
            if isinstance(unit, units.function.FunctionUnitBase):
                # Of a logarithm, astropy converts what one of it stands for.
                return None
            ratio = float(unit.to(known.get(wanted, units.AA)))
    except Exception:
        # Of a text that is no unit, astropy raises nearly anything.
        return None
    # 1e-17 is no power of two: what is the same unit is to stay the same number.
    return 1.0 if abs(ratio - 1) < 1e-9 else ratio
