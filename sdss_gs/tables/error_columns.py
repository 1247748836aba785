"""Which columns of a table are the errors of the magnitudes that are read, and how they become errors of magnitudes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from sdss_gs.formats.flux_units import in_nanomaggies
from sdss_gs.schema import ERRORS, Quantity
from sdss_gs.tables.cells import plain_numbers, read_numbers
from sdss_gs.tables.names import MODEL, UNSTATED, meaning_of, short_name
from sdss_gs.tables.readers.table import OpenTable, listed
from sdss_gs.tables.units import ASINH_SOFTENING, MAGNITUDE, NO_UNIT, VEGA

PER_SHARE = 2.5 / np.log(10)
"""Magnitudes that a small relative error of a flux is; of a flux with a signal-to-noise ratio of 1: 1.0857 mag."""
INVERSE_VARIANCE = "ivar"
_WORDS = ("err", "error", "e", "sigma", "sig", "unc", INVERSE_VARIANCE)


@dataclass(frozen=True)
class ErrorColumn:
    """A column of errors that is read.

    Parameters
    ----------
    name : str
        In the file.
    inverse : bool
        Whether it holds inverse variances, 1 / σ².
    of_flux : bool
        Whether it is the error of a flux, which becomes that of a magnitude by propagation.
    scale : float
        Of a flux's error: how many of the flux's units its own one is.
    softening : float
        Of asinh magnitudes, twice ``b`` in units of the flux; 0 for logarithmic ones.
    """

    name: str
    inverse: bool = False
    of_flux: bool = False
    scale: float = 1.0
    softening: float = 0.0

    def magnitudes(self, cells: np.ndarray, of: np.ndarray) -> np.ndarray:
        """Turn cells into errors of magnitudes.

        Parameters
        ----------
        cells : ndarray of float64, shape (n,)
        of : ndarray of float64, shape (n,)
            The fluxes (or magnitudes) themselves, as the file has them.

        Returns
        -------
        ndarray of float64, shape (n,)
            NaN where there is none.
        """
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            sigma = self.deviations(cells)
            if not self.of_flux:
                return sigma
            # The slope of the magnitude: of asinh magnitudes finite where there is no flux.
            slope = 1 / np.hypot(of, self.softening) if self.softening else 1 / np.where(of > 0, of, np.nan)
            return PER_SHARE * sigma * slope

    def deviations(self, cells: np.ndarray) -> np.ndarray:
        """Turn cells, float64 ``(n,)``, into standard deviations in the unit of the magnitude or flux, NaN for none."""
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            sigma = np.where(cells > 0, cells, np.nan)
            return (1 / np.sqrt(sigma) if self.inverse else sigma) * self.scale

    def read(self, table: pa.Table, of: str, quantity: Quantity) -> np.ndarray:
        """Read errors of magnitudes, float64 ``(n,)``, NaN where they are unknown.

        Parameters
        ----------
        table : Table
            Of numbers or stripped text, with this column.
        of : str
            The column of the magnitudes or fluxes.
        quantity : Quantity
            Says which errors can be.
        """
        cells = plain_numbers(table[self.name])
        errors = self.magnitudes(cells, plain_numbers(table[of]) if self.of_flux else cells)
        return read_numbers(pa.array(errors, from_pandas=True), quantity).values


@dataclass(frozen=True)
class FoundErrors:
    """The errors of some magnitudes.

    Parameters
    ----------
    errors : dict of str to ErrorColumn
        By the zoo's name of the magnitude.
    refused : list of str
        Columns that are called so, but whose unit says something else.
    notes : list of str
        From where they are read. Errors that cannot be understood are unknown, which is no reason to refuse.
    """

    errors: dict[str, ErrorColumn]
    refused: list[str]
    notes: list[str]


def find_errors(table: OpenTable, magnitudes: Mapping[str, str], told: Mapping[str, str]) -> FoundErrors:
    """Find the errors of magnitudes beside them.

    Parameters
    ----------
    table : OpenTable
    magnitudes : mapping of str to str
        Names in the file of those that are read, by the zoo's.
    told : mapping of str to str
        Names of errors in the file by the zoo's (``modelMagErr_u``), as far as the user says.
    """
    patterns: dict[int, dict[str, str]] = {}
    for column, name in magnitudes.items():
        for number, candidate in enumerate(error_names(name, table.names)):
            same = [one for one in table.names if one.strip().lower() == candidate.lower()]
            exact = [one for one in same if one == candidate]
            if len(exact or same) == 1:
                patterns.setdefault(number, {})[column] = (exact or same)[0]
    # All written alike: the first of the spellings that the most bands have.
    names = max(sorted(patterns.items()), key=lambda pair: len(pair[1]), default=(0, {}))[1]
    names |= {column: told[ERRORS[column]] for column in magnitudes if ERRORS[column] in told}
    errors, refused, ways, notes = {}, [], set(), []
    for column, name in names.items():
        found, words = _understood(table, column, magnitudes[column], name)
        if found is None:
            refused.append(name)
            notes.append(f"{name} is not read as the error of {column} ({words}): taken to be unknown")
            continue
        errors[column] = found
        ways.add(words)
    if errors:
        read, words = listed([one.name for one in errors.values()]), ", ".join(sorted(filter(None, ways)))
        notes.insert(0, f"errors are read from {read}" + (f" ({words})" if words else ""))
    if lacking := [short_name(column) for column in magnitudes if column not in names]:
        notes.append(f"no columns of errors of {', '.join(lacking)}: taken to be unknown")
    return FoundErrors(errors, refused, notes)


def error_names(name: str, names: Sequence[str]) -> list[str]:
    """List what the errors of a column of magnitudes or fluxes may be called, the likeliest first.

    The list has the same order for each band. Names made from another spelling of a magnitude of which nobody says the
    kind (``e_rmag`` beside ``r``) belong to that where the table has it.

    Examples
    --------
    >>> "mag_err_r_lsst" in error_names("mag_r_lsst", []), "magerr_model_r" in error_names("mag_model_r", [])
    (True, True)
    >>> [one for one in error_names("r", ["rmag"]) if one in ("e_r", "e_rmag", "err_r")]
    ['err_r', 'e_r']
    """
    found = _spelled(name)
    meaning = meaning_of(name)
    if meaning is None:
        return found
    short = short_name(meaning.column)
    if meaning.column.startswith("w"):
        # Of WISE: w1sigm beside w1mag, w1sigmpro beside w1mpro.
        end = name.lower().removeprefix(short)
        return [{"mpro": f"{short}sigmpro"}.get(end, f"{short}sigm{end.removeprefix('mag')}"), *found]
    others = []
    if not meaning.flux and (meaning.photometry == UNSTATED and meaning.family.removeprefix("upper ") in _PLAIN):
        others = [shape.replace("*", short) for shape in _PLAIN if shape != meaning.family.removeprefix("upper ")]
    elif meaning.sdss and meaning.photometry == MODEL and not meaning.flux:
        # SDSS calls its model magnitudes and their errors by the band alone as well.
        others = [short]
    elif meaning.family in ("dered_*", "*_dered"):
        # Those of SDSS: model magnitudes less the extinction, which adds no error.
        others = [f"modelMag_{short}", short]
    there = {one.strip().lower() for one in names} - {name.strip().lower()}
    for other in others:
        # Errors of a magnitude that the table has are its own; dereddened ones share those of what they are made of.
        found += _spelled(other) if other not in there or meaning.family == "dered_*" else ["\0"] * len(_spelled(other))
    return found


_PLAIN = ("*", "*mag", "*_mag", "mag_*", "mag*")


def _spelled(name: str) -> list[str]:
    base, element = (name[: name.index("[")], name[name.index("[") :]) if name.endswith("]") else (name, "")
    found = []
    for word in _WORDS:
        for what in ("mag", "flux"):
            if (start := base.lower().find(what)) >= 0:
                end = start + len(what)
                found += [f"{base[:end]}{joint}{word}{base[end:]}{element}" for joint in ("", "_")]
        found += [f"{word}_{base}{element}", f"{base}_{word}{element}"]
        if len(word) > 1:
            found += [f"{base}{word}{element}", f"{word}{base}{element}"]
    return found


def _understood(table: OpenTable, column: str, magnitude: str, name: str) -> tuple[ErrorColumn | None, str]:
    """Tell how a column of errors is read, and what is done in words; None where its unit says nothing of use."""
    meaning, band = meaning_of(magnitude), short_name(column)
    inverse = INVERSE_VARIANCE in name.lower()
    unit, its = _unit(table, name), _unit(table, magnitude)
    known = VEGA if band.startswith("w") else MAGNITUDE
    flux = in_nanomaggies(its) if its else (1.0 if meaning and meaning.flux and meaning.sdss else None)
    words = "inverse variance" if inverse else ""
    if not (meaning and meaning.flux) and (not its or its.lower().replace("_", " ") in known):
        if unit and not inverse and unit.lower().replace("_", " ") not in known:
            return None, f"unit {unit!r}"
        return ErrorColumn(name, inverse), words
    own = None if inverse or not unit else in_nanomaggies(unit)
    if flux is None or (unit and not inverse and own is None):
        return None, f"unit {unit!r}"
    softening = 2e9 * ASINH_SOFTENING[band] / flux if meaning and meaning.sdss else 0.0
    scale = 1.0 if own is None else own / flux
    return ErrorColumn(name, inverse, True, scale, softening), ", ".join(filter(None, ("of the flux", words)))


def _unit(table: OpenTable, name: str) -> str:
    unit = table.column(name).unit.strip()
    return "" if unit.lower() in NO_UNIT else unit
