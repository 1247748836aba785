"""One row of ``data.csv``: identifiers, measured values and the dirt that real tables hold."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sdss_gs.sample import votes
from sdss_gs.schema import BANDS, INPUTS

COLUMNS = (
    "objid", "mjd", "plate", "tile", "fiberid", "run", "rerun", "camcol", "field", "ra", "dec", "class", "subclass",
    *INPUTS["bands"].columns, "redshift", "stellarmass", *INPUTS["wise"].columns, "gz2c_f", "gz2c_s",
    *votes.COLUMNS,
)  # fmt: skip
RERUN = 301
MISSING_FILE, MISSING_WISE, BAD_MAGNITUDE, BAD_MASS = 0.01, 0.04, 0.003, 0.006
"""Shares of galaxies without a file (per input), without WISE, with -9999 for a magnitude, without a usable mass."""


@dataclass(frozen=True)
class Measurements:
    """What the surveys publish about one galaxy.

    Parameters
    ----------
    subclass, gz2c_full, gz2c_simplified : str
    bands : ndarray of float64, shape (5,)
        Asinh magnitudes u g r i z.
    wise : ndarray of float64, shape (4,)
        Vega magnitudes W1-W4.
    redshift : float
    stellar_mass : float
        Solar masses.
    votes : ndarray of float64, shape (37,)
        NaN for a galaxy that nobody was shown.
    """

    subclass: str
    gz2c_full: str
    gz2c_simplified: str
    bands: np.ndarray
    wise: np.ndarray
    redshift: float
    stellar_mass: float
    votes: np.ndarray


def object_id(run: int, camcol: int, field: int, number: int) -> int:
    """SDSS's 64-bit photometric identifier of sky version 2, rerun 301 (SkyServer's fObjidFromSDSS).

    Parameters
    ----------
    run, camcol, field, number : int
        The field, and the object's number in it.

    Examples
    --------
    >>> object_id(5314, 1, 135, 155)
    1237668296598683803
    """
    return 2 << 59 | RERUN << 48 | run << 32 | camcol << 29 | field << 16 | number


def identifiers(position: int, rng: np.random.Generator) -> dict[str, int | str]:
    """Draw the keys of a galaxy in the survey's tables.

    Parameters
    ----------
    position : int
        Number of the galaxy in the sample; makes the identifier unique up to 393,216 galaxies.
    rng : numpy.random.Generator

    Returns
    -------
    dict
        The columns from ``objid`` to ``dec``.
    """
    run, field, plate = int(rng.integers(745, 8163)), int(rng.integers(11, 800)), int(rng.integers(266, 2975))
    number, camcol = position % 65536, 1 + (position + position // 65536) % 6
    declination = np.degrees(np.arcsin(rng.uniform(np.sin(np.radians(-2)), np.sin(np.radians(65)))))
    return {
        "objid": object_id(run, camcol, field, number),
        "mjd": 51600 + plate + int(rng.integers(-25, 40)),
        "plate": plate,
        "tile": int(rng.integers(1, 1800)),
        "fiberid": int(rng.integers(1, 641)),
        "run": run,
        "rerun": RERUN,
        "camcol": camcol,
        "field": field,
        "ra": f"{rng.uniform(112, 262):.7f}",
        "dec": f"{declination:.7f}",
    }


def catalogue_row(keys: dict[str, int | str], values: Measurements) -> dict[str, int | str]:
    """Put keys and measurements together as a row of ``data.csv``.

    Parameters
    ----------
    keys : dict
        Of `identifiers`.
    values : Measurements

    Returns
    -------
    dict
        By the names in ``COLUMNS``.
    """
    bands = (f"{value:.5f}" for value in values.bands)
    wise = (f"{value:.3f}" for value in values.wise)
    return {
        **keys,
        "class": "GALAXY",
        "subclass": values.subclass,
        **dict(zip(INPUTS["bands"].columns, bands, strict=True)),
        "redshift": f"{values.redshift:.7f}",
        "stellarmass": f"{values.stellar_mass:.6g}",
        **dict(zip(INPUTS["wise"].columns, wise, strict=True)),
        "gz2c_f": values.gz2c_full,
        "gz2c_s": values.gz2c_simplified,
        **{
            column: "" if np.isnan(share) else f"{share:.6f}"
            for column, share in zip(votes.COLUMNS, values.votes, strict=True)
        },
    }


def soil(row: dict[str, int | str], rng: np.random.Generator) -> dict[str, int | str]:
    """Spoil a row now and then as real tables are: empty cells and the surveys' numbers for "not measured".

    Parameters
    ----------
    row : dict
        By the names in ``COLUMNS``.
    rng : numpy.random.Generator

    Returns
    -------
    dict
    """
    wise, bad_band, bad_mass = rng.random(3)
    row = dict(row)
    if wise < MISSING_WISE:
        row |= dict.fromkeys(INPUTS["wise"].columns, "9999" if wise < 0.1 * MISSING_WISE else "")
    if bad_band < BAD_MAGNITUDE:
        row[f"modelMag_{BANDS[rng.integers(len(BANDS))]}"] = "-9999"
    if bad_mass < BAD_MASS:
        row["stellarmass"] = ("0", "-1", "")[rng.integers(3)]
    return row


def absent_files(rng: np.random.Generator) -> set[str]:
    """Draw the inputs whose file the galaxy lacks, independently of one another."""
    names = [name for name, item in INPUTS.items() if item.suffix]
    return {name for name, chance in zip(names, rng.random(len(names)), strict=True) if chance < MISSING_FILE}
