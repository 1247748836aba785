"""Galaxies with five magnitudes and a redshift in the zoo's three parts: what all learn from and are judged by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from pathlib import Path

import numpy as np
import pandas as pd

from sdss_gs.dataset import open_dataset
from sdss_gs.errors import DataError
from sdss_gs.exchange.catalogues import import_catalogue
from sdss_gs.schema import BANDS, ERRORS, INPUTS
from sdss_gs.split import split
from sdss_gs.tables.error_columns import PER_SHARE

MAGNITUDES = INPUTS["bands"].columns
FAINTEST_SHARE = 0.05
"""Of a flux that noise leaves: below, a magnitude would be a limit."""
FEWEST = 200


@dataclass(frozen=True)
class Galaxies:
    """Some galaxies.

    Parameters
    ----------
    objid : ndarray of int64, shape (n,)
    magnitudes : ndarray of float32, shape (n, 5)
        u g r i z, mag; NaN where hidden.
    errors : ndarray of float32, shape (n, 5)
        One standard deviation, mag; NaN where unknown.
    redshift : ndarray of float64, shape (n,)
    """

    objid: np.ndarray
    magnitudes: np.ndarray
    errors: np.ndarray
    redshift: np.ndarray

    def __len__(self) -> int:
        return len(self.objid)

    def chosen(self, which: np.ndarray) -> Galaxies:
        """Choose some by their positions or a mask."""
        return Galaxies(self.objid[which], self.magnitudes[which], self.errors[which], self.redshift[which])

    def without(self, bands: str) -> Galaxies:
        """Hide the magnitudes of some bands, for example ``uz``."""
        hidden = [BANDS.index(band) for band in bands]
        magnitudes, errors = self.magnitudes.copy(), self.errors.copy()
        magnitudes[:, hidden], errors[:, hidden] = np.nan, np.nan
        return replace(self, magnitudes=magnitudes, errors=errors)

    def colours(self) -> np.ndarray:
        """Return the magnitudes and the differences of all pairs of them, ``(n, 15)``."""
        pairs = [self.magnitudes[:, one] - self.magnitudes[:, two] for one, two in combinations(range(len(BANDS)), 2)]
        return np.column_stack([self.magnitudes, *pairs])


def read(path: Path, work: Path) -> Galaxies:
    """Read those galaxies of a data set, or of a table, that have all five magnitudes and a redshift.

    Parameters
    ----------
    path : Path
        A folder with ``data.csv``, or a table that ``zoo data import catalogue`` takes.
    work : Path
        Where that writes.

    Raises
    ------
    ZooError
        If it cannot be read, or has fewer than `FEWEST` such galaxies.
    """
    folder = path
    if not path.is_dir():
        folder = work / "imported"
        import_catalogue(path, folder)
    data = open_dataset(folder, ["bands"], progress=False)
    good = data.usable(["bands"], "redshift")
    if len(good) < FEWEST:
        raise DataError(f"{path}: expected {FEWEST} galaxies with ugriz and redshift or more, found {len(good)}")
    errors = data.catalogue.table(tuple(ERRORS[name] for name in MAGNITUDES))
    truth = data.target("redshift", good)
    return Galaxies(data.catalogue.objid[good], data.load("bands", good), errors[good].astype(np.float32), truth)


def write(galaxies: Galaxies, folder: Path) -> Path:
    """Write galaxies as a data set, every digit of them."""
    folder.mkdir(parents=True, exist_ok=True)
    columns = {"objid": galaxies.objid, "redshift": galaxies.redshift}
    for name, magnitude, error in zip(MAGNITUDES, galaxies.magnitudes.T, galaxies.errors.T, strict=True):
        columns |= {name: magnitude, ERRORS[name]: error}
    pd.DataFrame(columns).to_csv(folder / "data.csv", index=False)
    return folder


def parts(galaxies: Galaxies) -> dict[str, Galaxies]:
    """Divide galaxies into train, validation and test, as every run of the zoo does."""
    return {name: galaxies.chosen(which) for name, which in split(galaxies.objid).items()}


def noisy(galaxies: Galaxies, signal_to_noise: Sequence[float], seed: int = 0) -> Galaxies:
    """Add noise to the flux in each band, and note the error that it makes beside the one that was known.

    Parameters
    ----------
    galaxies : Galaxies
    signal_to_noise : sequence of float
        Lowest and highest ratio of a flux to its noise; each galaxy and band has one between them, uniform in its
        logarithm.
    seed : int
    """
    random = np.random.default_rng(seed)
    ratio = np.exp(random.uniform(*np.log(signal_to_noise), galaxies.magnitudes.shape))
    flux = np.maximum(1 + random.standard_normal(ratio.shape) / ratio, FAINTEST_SHARE)
    errors = np.hypot(np.nan_to_num(galaxies.errors), PER_SHARE / ratio)
    magnitudes = galaxies.magnitudes - 2.5 * np.log10(flux)
    return replace(galaxies, magnitudes=magnitudes.astype(np.float32), errors=errors.astype(np.float32))
