"""A five-band cut-out in a FITS file, with what its header states: bands, unit and scale are believed, or refused."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence

import numpy as np

from sdss_gs.errors import first_line
from sdss_gs.formats.flux_units import in_nanomaggies
from sdss_gs.schema import BANDS, CUTOUT_SCALE

BAND_LISTS = ("BANDS", "FILTERS")
"""Cards that name the bands of a cube in one text."""
BAND_CARDS = ("BAND", "FILTER", "FILT")
"""Cards that name a band each, with a number from 0 or 1 on; without one, that of an image."""
SCALE_CARDS = ("PIXSCALE", "PIXSCAL1", "PIXSCAL", "PIXELSCL", "SECPIX", "SECPIX1")
"""Arcsec per pixel."""
ZERO_POINTS = ("MAGZERO", "MAGZPT", "MAGZP", "MAGZPNT", "ZEROPNT", "ZEROPOIN", "PHOTZP", "ZPT", "ZP")
NANOMAGGY_ZERO_POINT = 22.5
MOST_BANDS = 100
SCALE_TOLERANCE = 0.01
"""Of the frames themselves, the scale varies by a thousandth."""
BAND_NAME = re.compile(r"(?:sdss[\W_]*)?([a-z])(?:[\W_]*(?:sdss|band|filter))?['′]?", re.IGNORECASE)
DIGITS = "0123456789"
WANTED = " ".join(BANDS)


class StatedError(ValueError):
    """What a file states is understood, and is not what the zoo takes: what was expected and found, what to do."""


def cube_of(units: Sequence) -> np.ndarray | None:
    """Find the cut-out in an opened FITS file: a cube, or one image of each band.

    Parameters
    ----------
    units : HDUList

    Returns
    -------
    ndarray of float, shape (height, width, 5)
        Nanomaggies per pixel; something else where the file holds none, for the caller to refuse.

    Raises
    ------
    StatedError
        If the file states other bands, another unit or another scale, which no exact rule turns into the zoo's.
    """
    images = [unit for unit in units if unit.is_image and unit.data is not None]
    if not images:
        return None
    whole = units[0].header
    if images[0].data.ndim == 2 and len(images) > 1:
        return _stacked(images, whole)
    header, cube = _with(images[0].header, whole, BAND_LISTS + BAND_CARDS), images[0].data
    while cube.ndim > 3 and cube.shape[0] == 1:
        cube = cube[0]
    if cube.ndim != 3:
        return cube
    bands = _stated_bands(header, cube.shape) or list(BANDS)
    order = _order_of(bands)
    cube = _bands_last(cube, len(bands))
    if cube.shape[2] != len(bands):
        raise StatedError(f"expected bands {WANTED} on one axis, found {' '.join(bands)} and an array of {cube.shape}")
    _check_scale(header)
    return cube[..., order] * _factor(header, cube.dtype)


def _with(header, whole, more: tuple[str, ...] = ()):
    """Add to an image's header what only the file's first one states: unit, scale, zero point, and more."""
    known = {card.rstrip(DIGITS) for card in ("BUNIT", "FLUXMAG0", *SCALE_CARDS, *ZERO_POINTS, *more)}
    if whole is header:
        return header
    header = header.copy()
    for name in whole:
        if name.rstrip(DIGITS) in known and name not in header:
            header[name] = whole[name]
    return header


def _native(array):
    return array.astype(array.dtype.newbyteorder("="), copy=False)


def _bands_last(cube: np.ndarray, count: int) -> np.ndarray:
    return _native(np.moveaxis(cube, 0, 2) if cube.shape[0] == count else cube)


def _order_of(bands: list[str]) -> list[int]:
    """Find the zoo's bands among those of a cube."""
    chosen = [_plain(band) for band in bands]
    twice = {band for band in chosen if chosen.count(band) > 1 and band in BANDS}
    if twice or not set(BANDS) <= set(chosen):
        raise StatedError(f"expected bands {WANTED}, found {' '.join(bands)}; a model takes those five and no others")
    return [chosen.index(band) for band in BANDS]


def _plain(band: str) -> str:
    known = BAND_NAME.fullmatch(band.strip())
    return known.group(1).lower() if known else band


def _stated_bands(header, shape: tuple[int, ...]) -> list[str] | None:
    """Return the names of a cube's bands, in its order; None where nothing is said of them."""
    for card in BAND_LISTS:
        if isinstance(text := header.get(card), str) and text.strip():
            return _listed(text.strip()) or list(text.strip())
    for card in BAND_CARDS:
        for start in (0, 1):
            cards = [f"{card}{number}" for number in range(start, start + MOST_BANDS)]
            if cards[0] in header:
                return [str(header[name]).strip() for name in cards if name in header]
    for card in BAND_CARDS:
        if isinstance(text := header.get(card), str) and (text := text.strip()):
            return _listed(text) or (list(text) if len(text) in shape and len(text) > 1 else [text])
    return None


def _listed(text: str) -> list[str]:
    """Take a list apart; empty for one word."""
    words = re.split(r"[\s,;|/]+", re.sub(r"[\[\]()'\"]", " ", text).strip())
    return words if len(words) > 1 else []


def _stacked(images, whole) -> np.ndarray | None:
    """Stack images of one band each, told by FILTER, BAND or the name of the extension."""
    found: dict[str, np.ndarray] = {}
    names = []
    for image in images:
        names.append(next((str(image.header[card]) for card in BAND_CARDS if card in image.header), image.name))
        band = _plain(names[-1])
        if band not in BANDS or image.data.ndim != 2:
            continue
        if band in found:
            raise StatedError(f"expected one image of {band}, found two")
        header = _with(image.header, whole)
        _check_scale(header)
        found[band] = _native(image.data) * _factor(header, image.data.dtype)
    sizes = {band.shape for band in found.values()}
    if set(found) != set(BANDS) or len(sizes) != 1:
        there = ", ".join(name or "one without a name (FILTER, EXTNAME)" for name in names[:8])
        raise StatedError(f"expected images of the bands {WANTED} with one size, found {len(images)} images: {there}")
    return np.stack([found[band] for band in BANDS], axis=2)


def _factor(header, dtype: np.dtype) -> float:
    """Return what pixels are to be multiplied with to be nanomaggies."""
    unit = str(header.get("BUNIT", "")).strip()
    if unit:
        factor = in_nanomaggies(unit)
        if factor is None:
            raise StatedError(
                f"expected pixels in nanomaggy, maggy, nJy, uJy or Jy, found BUNIT = {unit!r}; calibrate them first"
            )
        return factor
    for card in ZERO_POINTS:
        point = header.get(card)
        if isinstance(point, int | float) and abs(point - NANOMAGGY_ZERO_POINT) > 1e-6:
            raise StatedError(
                f"expected nanomaggies, whose zero point is {NANOMAGGY_ZERO_POINT}, found {card} = {point}; "
                f"multiply the pixels by {10 ** (0.4 * (NANOMAGGY_ZERO_POINT - point)):.6g} if it is of AB magnitudes"
            )
    flux = header.get("FLUXMAG0")
    if isinstance(flux, int | float) and abs(flux / 1e9 - 1) > 1e-6:
        raise StatedError(f"expected nanomaggies, found FLUXMAG0 = {flux}; multiply the pixels by 1e9 / FLUXMAG0")
    if dtype.kind != "f":
        raise StatedError(
            f"expected nanomaggies, found whole numbers ({dtype.name}) without a unit, perhaps counts; "
            "calibrate them, or state their unit in BUNIT"
        )
    return 1.0


def _check_scale(header) -> None:
    for card, scale in _stated_scales(header):
        if not abs(scale / CUTOUT_SCALE - 1) <= SCALE_TOLERANCE:
            raise StatedError(
                f"expected {CUTOUT_SCALE} arcsec per pixel, found {scale:.4g} ({card}); "
                "ask for the cut-out at that scale, or resample it"
            )


def _stated_scales(header) -> list[tuple[str, float]]:
    found = [(card, float(header[card])) for card in SCALE_CARDS if isinstance(header.get(card), int | float)]
    linear = any(card in header for card in ("CD1_1", "CD1_2", "CD2_1", "CD2_2"))
    if not linear and "CDELT1" not in header:
        return found
    # Without names of axes, 1 is what programs write that know nothing of the sky.
    if not linear and "CTYPE1" not in header and abs(header["CDELT1"]) == 1:
        return found
    axes = [str(header[f"CTYPE{number}"]) for number in (1, 2, 3) if f"CTYPE{number}" in header]
    if axes and not any(re.match(r"(RA|DEC|[GES]LON|[GES]LAT)-", axis.strip()) for axis in axes):
        return found
    from astropy.wcs import WCS
    from astropy.wcs.utils import proj_plane_pixel_scales

    try:
        with warnings.catch_warnings():
            # Headers written in old ways, which astropy mends and tells.
            warnings.simplefilter("ignore")
            wcs = WCS(header)
            wcs = wcs.celestial if wcs.has_celestial else WCS(header, naxis=2)
            degrees = [float(scale) for scale in proj_plane_pixel_scales(wcs)]
    except Exception as error:
        # astropy and wcslib raise nearly anything on damaged coordinates.
        raise StatedError(f"expected coordinates of the sky that can be read, found {first_line(error)}") from None
    return found + [("WCS", scale * 3600) for scale in degrees]
