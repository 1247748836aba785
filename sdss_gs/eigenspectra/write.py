"""A data set of spectra that are made of templates."""

from __future__ import annotations

import csv
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from astropy.io import fits
from tqdm import tqdm

from sdss_gs.eigenspectra.draw import POINTS, draw_star, draw_sum, equivalent_width, subclass_of
from sdss_gs.eigenspectra.read import Templates, read_templates
from sdss_gs.errors import DataError, OptionError
from sdss_gs.files import new_folder
from sdss_gs.logs import hidden
from sdss_gs.sample.spectrum import noise_level, sky_flux
from sdss_gs.schema import GRID_FIRST, GRID_STEP, SAMPLE_FILE, SPECTRAL_CLASSES, WAVELENGTH

VERSION = 2
"""Raised whenever the same seed gives other spectra."""
FIRST_ID = 1_000_000_000_000_000_000
"""Below the ids of SDSS, so that no real object has one of these."""
COLUMNS = ("objid", "redshift", "class", "subclass")
HIGHEST = {"GALAXY": 0.6, "QSO": 3.5}
LOWEST = {"GALAXY": 0.003, "QSO": 0.03}
STAR_VELOCITY = 5e-4
"""Standard deviation of the redshifts of stars: 150 km/s."""
FLUXES = (1.0, 300.0)
"""Median flux between which spectra are bright, 1e-17 erg/s/cm²/Å, evenly in its logarithm."""
FLAWED, FLAWS, LONGEST_FLAW = 0.3, 3, 40
"""Share of the observed spectra with bad points, up to how many stretches of them, and how many points each."""


@dataclass(frozen=True)
class Spectrum:
    """One made-up object; `flux` and `best` are float32 ``(3522,)``, 1e-17 erg/s/cm²/Å."""

    kind: str
    redshift: float
    subclass: str
    flux: np.ndarray
    best: np.ndarray


def write_spectra(
    folder: str | Path, templates: str | Path, n: int = 10_000, seed: int = 0,
    kinds: Sequence[str] = ("GALAXY",), noisy: float = 0.0, progress: bool = True,
) -> Path:  # fmt: skip
    """Write a data set of spectra in the SDSS-GS layout, as ``spec`` files.

    Parameters
    ----------
    folder : path-like
        Must not exist; gets ``data.csv``, ``sample.json`` and the folder ``spectra``.
    templates : path-like
        Folder of template files; see `read_templates`.
    n : int
        Number of spectra, 45 kB each.
    seed : int
        Spectrum k of a seed is the same for every `n`.
    kinds : sequence of str
        Of `schema.SPECTRAL_CLASSES`; in turn, each as often as it is named.
    noisy : float
        Share of the spectra whose best fit is as noisy as the flux: what learns from them reads both.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    OptionError
        If a number or class is impossible, or the folder exists.
    DataError
        If there are no templates of a class.
    """
    folder = Path(folder)
    if n < 1 or seed < 0:
        raise OptionError(f"n, seed: expected at least 1 and 0, found {n} and {seed}")
    if not 0 <= noisy <= 1:
        raise OptionError(f"noisy: expected a share from 0 to 1, found {noisy}")
    found = read_templates(templates)
    for kind in kinds:
        if kind not in SPECTRAL_CLASSES:
            raise OptionError(f"classes: expected some of {', '.join(SPECTRAL_CLASSES)}, found {kind}")
        if all(one.kind != kind for one in found):
            raise DataError(f"--templates {templates}: expected templates of {kind}, found none of these")
    with new_folder(folder) as temporary:
        _write_files(temporary, found, n, seed, kinds, noisy, progress)
    return folder


def _write_files(
    folder: Path, templates: list[Templates], n: int, seed: int, kinds: Sequence[str], noisy: float, progress: bool
) -> None:
    (folder / "spectra").mkdir()
    drawn: dict[str, list[float]] = {kind: [] for kind in kinds}
    with open(folder / "data.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        for number in tqdm(range(n), "spectra from templates", unit=" spectra", disable=hidden(progress)):
            one = draw_spectrum(templates, kinds[number % len(kinds)], noisy, np.random.default_rng([seed, number]))
            writer.writerow((FIRST_ID + number, f"{one.redshift:.7g}", one.kind, one.subclass))
            _write_file(folder / "spectra" / f"{FIRST_ID + number}.fits", one)
            drawn[one.kind].append(round(float(one.redshift), 4))
    used = {one.name: one.sha256 for one in templates if one.kind in kinds}
    redshifts = {kind: [min(some), max(some)] for kind, some in drawn.items() if some}
    made = {"n": n, "seed": seed, "version": VERSION, "redshifts": redshifts, "noisy": noisy, "templates": used}
    (folder / SAMPLE_FILE).write_text(json.dumps(made, indent=1) + "\n")


def draw_spectrum(templates: list[Templates], kind: str, noisy: float, rng: np.random.Generator) -> Spectrum:
    """Draw one object of a class.

    Parameters
    ----------
    templates : list of Templates
        Some are of the class.
    kind : str
    noisy : float
        Chance that the best fit is as noisy as what was observed.
    rng : numpy.random.Generator
    """
    mine = [one for one in templates if one.kind == kind]
    one = mine[rng.integers(len(mine))]
    if kind == "STAR":
        redshift = STAR_VELOCITY * rng.standard_normal()
        shape = draw_star(one, redshift, rng)
    else:
        low, high = one.redshifts(POINTS)
        redshift = rng.uniform(max(low, LOWEST[kind]), min(high, HIGHEST[kind]))
        shape = draw_sum(one, redshift, rng)
    best = shape * np.exp(rng.uniform(*np.log(FLUXES)))
    subclass = subclass_of(equivalent_width(shape, redshift)) if kind == "GALAXY" else ""
    flux = observe(best, rng)
    seen = flux if rng.random() < noisy else best
    return Spectrum(kind, redshift, subclass, flux.astype(np.float32), seen.astype(np.float32))


@cache
def _sky() -> np.ndarray:
    return sky_flux(WAVELENGTH)


def observe(best: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Add the noise of object and sky, and to some the flaws of real spectra: stretches of bad points.

    Parameters
    ----------
    best : ndarray, shape (3522,)
        Noiseless, 1e-17 erg/s/cm²/Å.
    rng : numpy.random.Generator
    """
    noise = noise_level(WAVELENGTH, best, _sky() * rng.uniform(0.7, 1.2)) * rng.uniform(0.8, 1.5)
    flux = best + noise * rng.standard_normal(POINTS)
    if rng.random() < FLAWED:
        for _ in range(rng.integers(1, FLAWS + 1)):
            start, length = rng.integers(0, POINTS), rng.integers(1, LONGEST_FLAW)
            bad = slice(start, start + length)
            flux[bad] = np.median(best) if rng.random() < 0.5 else flux[bad] + noise[bad] * rng.normal(0, 20)
    return flux


def _write_file(path: Path, one: Spectrum) -> None:
    grid = ((GRID_FIRST + np.arange(POINTS)) * GRID_STEP).astype(np.float32)
    columns = [fits.Column(name, "E", array=values) for name, values in
               (("flux", one.flux), ("loglam", grid), ("model", one.best))]  # fmt: skip
    unit = fits.BinTableHDU.from_columns(columns, name="COADD")
    fits.HDUList([fits.PrimaryHDU(), unit]).writeto(path)
