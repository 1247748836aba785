"""A ``spec`` FITS file of the survey → the spectrum table of a data set."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from sdss_gs.errors import BadFileError, first_line
from sdss_gs.formats.fits_units import open_fits
from sdss_gs.formats.spectra import FITS_COLUMNS, on_grid
from sdss_gs.schema import GRID_STEP, SPECTRUM_COLUMNS, WAVELENGTH, WAVELENGTH_RANGE

FITS_BLOCK = 2880
TARGET_COLUMNS = ("SOURCETYPE", "TARGETTYPE", "OBJTYPE")
"""What a fibre was pointed at, in files of the SDSS and of the BOSS spectrograph (SDSS data model, spec)."""


def convert(path: str | Path, name: str) -> str:
    """Turn a spectrum of the survey into the text of ``spectra/<objid>.csv``.

    The whole spectrum is kept, as in SkyServer's own tables; what the zoo reads of it, 4000 to 9000 Å, is checked.

    Parameters
    ----------
    path : path-like
        ``spec-<plate>-<mjd>-<fibre>.fits``, full or lite.
    name : str
        What errors call it.

    Returns
    -------
    str
        Columns Wavelength (Å, vacuum), Flux, BestFit, SkyFlux (1e-17 erg/s/cm²/Å), three decimals.

    Raises
    ------
    BadFileError
        If the file is damaged or no such spectrum.
    UnfitError
        If the spectrum is of the sky or a star, does not cover 4000 to 9000 Å, is off the survey's grid or empty.
    """
    from sdss_gs.sample.spectrum import format_table

    table, target = _read(path, name)
    _refuse_other_than_galaxies(name, target)
    # Stored in single precision, a wavelength is up to 0.005 Å off its place on the grid.
    wavelength = 10.0 ** (np.round(table["loglam"] / GRID_STEP) * GRID_STEP)
    if np.abs(np.log10(wavelength) - table["loglam"]).max() > 0.1 * GRID_STEP:
        raise UnfitError(name, "expected wavelengths on the survey's grid of 0.0001 dex, found others")
    inside = (wavelength >= WAVELENGTH_RANGE[0]) & (wavelength <= WAVELENGTH_RANGE[1])
    fluxes = np.stack([table[FITS_COLUMNS[column]][inside] for column in SPECTRUM_COLUMNS])
    try:
        for column in SPECTRUM_COLUMNS:
            on_grid(name, wavelength[inside], fluxes.copy(), WAVELENGTH, column)
    except BadFileError as error:
        outside = len(wavelength) > 0 and inside.sum() != len(WAVELENGTH)
        reach = f"; it reaches from {wavelength.min():.0f} to {wavelength.max():.0f} Å" if outside else ""
        raise UnfitError(name, error.problem + reach) from None
    return format_table(np.column_stack([wavelength, *(table[column] for column in ("flux", "model", "sky"))]))


class UnfitError(BadFileError):
    """A sound file of something that cannot stand in the data set: fetching it again changes nothing."""


def _read(path: str | Path, name: str) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    try:
        if Path(path).stat().st_size % FITS_BLOCK:
            raise ValueError("its end is missing")
        with open(path, "rb") as file, open_fits(file, memmap=False) as units:
            rows = units[1].data
            table = {column: rows[column].astype(np.float64) for column in ("loglam", "flux", "model", "sky")}
            about = units[2].data
            wanted = (*TARGET_COLUMNS, "CLASS")
            return table, {column: str(about[column][0]).strip() for column in wanted if column in about.names}
    except Exception as error:
        # astropy raises nearly anything on a damaged header.
        raise BadFileError(
            name, f"expected a spec FITS file, found a damaged or other one ({first_line(error)})"
        ) from None


def _refuse_other_than_galaxies(name: str, target: dict[str, str]) -> None:
    for column in TARGET_COLUMNS:
        if target.get(column, "").upper().startswith("SKY"):
            raise UnfitError(name, f"expected a galaxy, found a spectrum of the sky ({column} {target[column]})")
    if target.get("CLASS", "").upper() == "STAR":
        raise UnfitError(name, "expected a galaxy, found a star (CLASS STAR)")
