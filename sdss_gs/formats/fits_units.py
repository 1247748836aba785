"""FITS files from anywhere, which astropy opens once their headers are known to be possible."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from astropy.io.fits import HDUList

BEGIN, BLOCK = b"SIMPLE", 2880
END = b"END".ljust(80)
LONGEST = 1024
"""Blocks of a header (999 columns need a fifth of them); where none ends, not the whole file is held in memory."""
TOO_MANY = re.compile(rb"(NAXIS|TFIELDS) *= *\+?0*[1-9][0-9]{3}", re.IGNORECASE)
"""More than 999 axes or columns, which the standard forbids (FITS 4.0, sections 4.4.1.1, 7.2.1 and 7.3.1)."""


@contextmanager
def open_fits(file: BinaryIO, **how: object) -> Iterator[HDUList]:
    """Open a FITS file with `astropy.io.fits.open`, once its headers are known to keep to the standard's limits.

    astropy does not check these first, and a damaged header could keep it busy for longer than anybody waits.

    Parameters
    ----------
    file : binary file
        Not compressed. Is closed in the end.
    **how
        What else astropy is told.

    Raises
    ------
    ValueError
        If this is no FITS file, or a header names more than 999 axes or columns, or fewer than 0 bytes of data. astropy
        raises nearly anything.
    """
    from astropy.io import fits

    found = file.read(len(BEGIN))
    if found != BEGIN:
        raise ValueError(f"expected a FITS file, found one that begins with {found!r}")
    _check_headers(file, fits)
    file.seek(0)
    with fits.open(file, **how) as units:
        yield units


def _check_headers(file, fits):
    place = 0
    while header := _read_header(file, place):
        if wrong := TOO_MANY.search(header):
            raise ValueError(f"expected at most 999 axes and columns, found {wrong.group().decode()}…")
        try:
            size = fits.PrimaryHDU.fromstring(header).size
        except Exception:
            # Nobody knows where this unit ends; a later header is found where it is.
            size = 0
        if size < 0:
            raise ValueError(f"expected at least 0 bytes of data in a unit, found {size}")
        place += len(header) + size + -size % BLOCK


def _read_header(file, place):
    file.seek(place)
    blocks = []
    while block := file.read(BLOCK):
        blocks.append(block)
        if END in block or len(blocks) == LONGEST:
            break
    return b"".join(blocks)
