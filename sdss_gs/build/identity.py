"""What SDSS's 64-bit identifiers say: the field of a photometric object, the fibre of a spectrum."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sdss_gs.errors import DataError

RERUN = 301
"""The processing of the imaging survey that all releases since DR8 serve."""


class Field(NamedTuple):
    """One field of the imaging survey: a frame of 2048 × 1489 pixels in each band."""

    run: int
    camcol: int
    field: int
    rerun: int = RERUN

    @property
    def name(self) -> str:
        """What names the field in a frame's file name."""
        return f"{self.run:06d}-{self.camcol}-{self.field:04d}"

    def frame(self, band: str) -> str:
        """Return the file name of one band's frame.

        Examples
        --------
        >>> Field(3918, 3, 213).frame("r")
        'frame-r-003918-3-0213.fits.bz2'
        """
        return f"frame-{band}-{self.name}.fits.bz2"


class Fibre(NamedTuple):
    """One spectrum: plate, night, fibre, and the version of the pipeline (empty: not known)."""

    plate: int
    mjd: int
    fibre: int
    run2d: str = ""

    @property
    def name(self) -> str:
        """File name of the spectrum.

        Examples
        --------
        >>> Fibre(266, 51602, 1).name
        'spec-0266-51602-0001.fits'
        """
        return f"spec-{self.plate:04d}-{self.mjd}-{self.fibre:04d}.fits"


def _bits(number: int, first: int, length: int) -> int:
    return number >> first & (1 << length) - 1


def field_of(objid: int) -> Field:
    """Read the field out of a photometric identifier.

    Bits of ``objID`` since DR8 (SDSS glossary, "ObjID", https://www.sdss4.org/dr17/help/glossary/#objid): 59–62 sky
    version, 48–58 rerun, 32–47 run, 29–31 camera column, 28 unassigned, 16–27 field, 0–15 number in the field.

    Parameters
    ----------
    objid : int

    Returns
    -------
    Field

    Raises
    ------
    DataError
        If the bits are not those of a field, as in a made-up id or one of DR7 (5877…).

    Examples
    --------
    >>> field_of(1237668296598683803)
    Field(run=5314, camcol=1, field=135, rerun=301)
    """
    field = Field(_bits(objid, 32, 16), _bits(objid, 29, 3), _bits(objid, 16, 12), _bits(objid, 48, 11))
    if objid < 0 or _bits(objid, 59, 4) != 2 or not (field.run and 1 <= field.camcol <= 6 and field.field):
        raise DataError(f"objid {objid}: expected an identifier of DR8 or later (1237…), which names its field")
    return field


def fibre_of(specobjid: int) -> Fibre:
    """Read plate, night, fibre and pipeline out of a spectroscopic identifier.

    Bits of ``specObjID`` since DR8 (SDSS glossary, "SpecObjID"): 50–63 plate, 38–49 fibre, 24–37 MJD − 50000, 10–23
    run2d. A run2d ``vN_M_P`` is stored as (N − 5) · 10000 + M · 100 + P.

    Examples
    --------
    >>> fibre_of(299489676975171584)
    Fibre(plate=266, mjd=51602, fibre=1, run2d='26')
    >>> fibre_of(4037477977495252992).run2d
    'v5_11_0'
    """
    number = _bits(specobjid, 10, 14)
    run2d = str(number) if number < 1000 else f"v{5 + number // 10000}_{number // 100 % 100}_{number % 100}"
    return Fibre(_bits(specobjid, 50, 14), 50000 + _bits(specobjid, 24, 14), _bits(specobjid, 38, 12), run2d)


def number_of(ra: float, dec: float) -> int:
    """Make an identifier of a position, degrees, to 0.01 arcsec; no identifier of the survey is so small.

    Examples
    --------
    >>> number_of(229.52551, 42.74584)
    8262918447788502
    """
    return round(ra * 360_000) * 10**8 + round((dec + 90) * 360_000)


def parse_id(text: str) -> int | None:
    """Read an identifier: decimal digits that fit into an int64, nothing else.

    Examples
    --------
    >>> parse_id(" 1237668296598683803 "), parse_id("1; DROP TABLE"), parse_id("1.2e18")
    (1237668296598683803, None, None)
    """
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 19):
        return None
    number = int(text)
    return number if 0 < number <= np.iinfo(np.int64).max else None
