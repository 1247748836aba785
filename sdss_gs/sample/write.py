"""Write a sample of synthetic galaxies in the layout of the real data set."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from joblib import Parallel, cpu_count, delayed
from tqdm import tqdm

from sdss_gs.errors import OptionError
from sdss_gs.files import new_folder
from sdss_gs.gz2_class import simplify
from sdss_gs.logs import hidden
from sdss_gs.sample import labels
from sdss_gs.sample.camera import (
    add_noise,
    colour_image,
    cutout,
    draw_neighbours,
    draw_seeing,
    fibre_fractions,
    render,
)
from sdss_gs.sample.catalogue import COLUMNS, Measurements, absent_files, catalogue_row, identifiers, soil
from sdss_gs.sample.image import component_maps
from sdss_gs.sample.morphology import draw_shape
from sdss_gs.sample.photometry import WISE, maggies, measure_bands, measure_wise
from sdss_gs.sample.population import draw_galaxy
from sdss_gs.sample.sed import galaxy_sed
from sdss_gs.sample.spectrum import format_table, spectrum_table
from sdss_gs.sample.votes import COLUMNS as VOTE_COLUMNS
from sdss_gs.sample.votes import draw_votes
from sdss_gs.schema import BANDS, INPUTS, SAMPLE_FILE, in_windows

SAMPLE_VERSION = 2
"""Raised whenever the same seed gives other galaxies, or more is written about them."""
VOTE_STREAM = 1
LARGEST_SAMPLE = 393_216


def write_sample(
    folder: str | Path, n: int = 2000, seed: int = 0, processes: int | None = None, progress: bool = True
) -> Path:
    """Write a data set of synthetic galaxies.

    The files appear under their final name only when all are written. Galaxy k of a seed is the same for every `n` and
    every number of processes.

    Parameters
    ----------
    folder : str or Path
        Must not exist; gets ``data.csv``, ``sample.json`` and the folders ``img``, ``fits``, ``spectra``, ``ssel``.
    n : int
        Number of galaxies, about 0.25 MB each.
    seed : int
        Not negative.
    processes : int or None
        Default: one per core.
    progress : bool
        Show a progress bar.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    OptionError
        If `n`, `seed` or `processes` is impossible, or the folder exists.
    """
    folder = Path(folder)
    limits = (("n", n, 1, LARGEST_SAMPLE), ("seed", seed, 0, 2**63), ("processes", processes, 1, 512))
    for name, value, low, high in limits:
        if value is not None and not (isinstance(value, int | np.integer) and low <= value <= high):
            raise OptionError(f"{name} {value!r}: expected a whole number from {low} to {high}")
    with new_folder(folder) as temporary:
        _write_files(temporary, n, seed, processes or cpu_count(), progress)
    return folder


def _write_files(folder: Path, n: int, seed: int, processes: int, progress: bool) -> None:
    for name, item in INPUTS.items():
        if item.suffix:
            (folder / name).mkdir()
    with open(folder / "data.csv", "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        rows = _rows(folder, seed, n, min(processes, n))
        writer.writerows(tqdm(rows, "synthetic galaxies", n, unit=" galaxies", disable=hidden(progress)))
    (folder / SAMPLE_FILE).write_text(json.dumps({"n": n, "seed": seed, "version": SAMPLE_VERSION}) + "\n")


def _rows(folder: Path, seed: int, n: int, processes: int) -> Iterator[dict]:
    if processes == 1:
        yield from (write_galaxy(folder, seed, position) for position in range(n))
    else:
        tasks = (delayed(write_galaxy)(folder, seed, position) for position in range(n))
        # joblib's workers, unlike those of the standard library, do not import the main module, which may be a
        # model's train.py with all of Keras.
        yield from Parallel(n_jobs=processes, return_as="generator")(tasks)


def write_galaxy(folder: Path, seed: int, position: int) -> dict[str, int | str]:
    """Make one galaxy and write its files.

    Parameters
    ----------
    folder : Path
        With the sub-folders of the layout.
    seed, position : int
        Together they decide everything about the galaxy.

    Returns
    -------
    dict
        Its row of ``data.csv``.
    """
    rng = np.random.default_rng([seed, position])
    galaxy = draw_galaxy(rng)
    sed = galaxy_sed(galaxy, rng)
    shape = draw_shape(galaxy, sed.stellar_mass, rng)
    flux = maggies(sed.wavelength, sed.flux, (*BANDS, *WISE))
    nanomaggies = 1e9 * flux[:, : len(BANDS)]
    seeing = draw_seeing(rng)
    offset = rng.uniform(-0.15, 0.15, 2)
    maps = component_maps(shape, offset, rng)
    neighbours, hidden = draw_neighbours(shape, nanomaggies.sum(axis=0), rng)
    scene = add_noise(render(maps, nanomaggies, neighbours, seeing), rng)
    fractions = fibre_fractions(maps, offset, seeing[2])
    bands = measure_bands(nanomaggies.sum(axis=0), shape.radius, seeing, rng)
    zoo, votes = "", np.full(len(VOTE_COLUMNS), np.nan)
    if labels.zoo_is_available(bands[2], shape.radius, rng):
        zoo = labels.zoo_class(galaxy, shape, seeing[2], hidden, rng)
        # Chance of its own: the rest of the galaxy is the same with and without votes.
        votes = draw_votes(zoo, galaxy, shape, seeing[2], np.random.default_rng([seed, position, VOTE_STREAM]))
    values = Measurements(
        subclass=labels.spectroscopic_subclass(galaxy, sed, fractions, rng),
        gz2c_full=zoo,
        gz2c_simplified=simplify(zoo),
        bands=bands,
        wise=measure_wise(flux[:, len(BANDS) :].sum(axis=0), rng),
        redshift=galaxy.redshift + 1.5e-5 * rng.standard_normal(),
        stellar_mass=sed.stellar_mass * 10 ** (0.1 * rng.standard_normal()),
        votes=votes,
    )
    row = soil(catalogue_row(identifiers(position, rng), values), rng)
    _write_inputs(folder, str(row["objid"]), scene, spectrum_table(sed, fractions, rng), absent_files(rng))
    return row


def _write_inputs(folder: Path, objid: str, scene: np.ndarray, table: np.ndarray, absent: set[str]) -> None:
    if "img" not in absent:
        colour_image(scene).save(folder / "img" / f"{objid}.jpg", quality=90)
    if "fits" not in absent:
        np.save(folder / "fits" / f"{objid}.npy", cutout(scene))
    for name, rows in (("spectra", table), ("ssel", table[in_windows(table[:, 0])])):
        if name not in absent:
            (folder / name / f"{objid}.csv").write_text(format_table(rows), encoding="ascii", newline="")
