"""Template spectra of SDSS's pipeline (``spEigen*``) and of redrock (``rrtemplate-*``)."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from astropy.io import fits

from sdss_gs.errors import BadFileError, DataError
from sdss_gs.schema import GRID_FIRST, GRID_STEP, SPECTRAL_CLASSES

PATTERNS = ("spEigenGal-*.fits", "spEigenQSO-*.fits", "spEigenStar-*.fits", "rrtemplate-*.fits")
"""``spEigenVdisp.fits`` and others hold no spectra that are added up."""
EXPECTED = "spectra on a grid of 1e-4 in log10 of the wavelength, and the class of their object"
TAPS = range(-2, 4)
"""Points about a place, from the one below it, of which it is interpolated."""


@dataclass(frozen=True)
class Templates:
    """Spectra of one file: of galaxies and quasars those that are added up, of stars one per type.

    Parameters
    ----------
    name : str
        Of the file.
    sha256 : str
    kind : str
        One of `schema.SPECTRAL_CLASSES`.
    offset : float
        Points of the grid, 1e-4 in log10 of the wavelength, between the first of `schema.WAVELENGTH` and theirs.
    vectors : ndarray of float64, shape (k, n)
        Rest-frame vacuum wavelengths.
    """

    name: str
    sha256: str
    kind: str
    offset: float
    vectors: np.ndarray

    def redshifts(self, points: int) -> tuple[float, float]:
        """Return the lowest and highest redshift at which so many points of the grid are covered."""
        return 10 ** (GRID_STEP * (self.offset + points - self.vectors.shape[1])) - 1, 10 ** (
            GRID_STEP * self.offset
        ) - 1

    def at(self, redshift: float, points: int) -> np.ndarray:
        """Return the spectra in the observed frame, float64 ``(k, points)``.

        A redshift is a shift on this grid: all points fall equally far between two others. The pipeline interpolates by
        splines; between two points alone lines would be the wider, the farther they fall from either, and a network
        would read redshifts from that.
        """
        start = self.offset - np.log10(1 + redshift) / GRID_STEP
        whole = int(np.floor(start))
        share = start - whole
        last = self.vectors.shape[1] - 1
        places = np.clip(np.arange(whole + TAPS[0], whole + TAPS[-1] + points), 0, last)
        near = self.vectors[:, places]
        return sum(weight * near[:, tap : tap + points] for tap, weight in enumerate(_lagrange(share)))


def read_templates(folder: str | Path) -> list[Templates]:
    """Read all template files of a folder, by name.

    Raises
    ------
    DataError
        If there are none.
    BadFileError
        If one cannot be understood.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"--templates {folder}: expected a folder, found none")
    paths = sorted(path for pattern in PATTERNS for path in folder.glob(pattern))
    if not paths:
        raise DataError(
            f"--templates {folder}: expected files such as spEigenGal-56436.fits (SDSS's idlspec2d) or "
            "rrtemplate-QSO-LOZ-v1.1.fits (redrock-templates), found none"
        )
    return [_read(path) for path in paths]


def _lagrange(share: float) -> list[float]:
    """Weigh `TAPS` so that what polynomials of the fifth degree have there, they have at this share of the step."""
    return [math.prod((share - other) / (tap - other) for other in TAPS if other != tap) for tap in TAPS]


def _read(path: Path) -> Templates:
    content = path.read_bytes()
    try:
        with fits.open(path, memmap=False) as units:
            header, vectors = units[0].header, np.atleast_2d(np.asarray(units[0].data, np.float64))
    except Exception as error:
        # astropy raises nearly anything on a damaged header.
        raise BadFileError(path, f"expected {EXPECTED}, found an unreadable file") from error
    step = header.get("COEFF1", header.get("CDELT1"))
    # Of redrock's files: the place of the first point is stated besides.
    first = header.get("COEFF0", header.get("CRVAL1"))
    kind = {"GAL": "GALAXY"}.get(_kind(path, header), _kind(path, header))
    if kind not in SPECTRAL_CLASSES or None in (step, first) or not np.isclose(step, GRID_STEP, rtol=1e-6):
        raise BadFileError(path, f"expected {EXPECTED}, found class {kind or 'unknown'}, step {step}")
    if not np.isfinite(vectors).all():
        raise BadFileError(path, f"expected {EXPECTED}, found values that are not finite")
    offset = GRID_FIRST - first / GRID_STEP
    return Templates(path.name, hashlib.sha256(content).hexdigest(), kind, float(offset), vectors)


def _kind(path: Path, header: fits.Header) -> str:
    stated = str(header.get("RRTYPE", header.get("OBJECT", ""))).strip().upper()
    return stated or path.name.removeprefix("spEigen").split("-")[0].upper()
