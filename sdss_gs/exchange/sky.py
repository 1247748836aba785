"""Positions to HEALPix, and the HATS layout: partitions by pixel and the files that describe them.

HATS (Hierarchical Adaptive Tiling Scheme) is what LSDB reads: https://hats.readthedocs.io.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pyarrow as pa

from sdss_gs import __version__
from sdss_gs.errors import DataError, OptionError
from sdss_gs.files import replacing
from sdss_gs.schema import Quantity
from sdss_gs.tables.cells import read_numbers

HEALPIX, ORDER = "_healpix_29", 29
"""Column and order of the index by which LSDB and hats-import sort."""
DEEPEST = 12
"""Pixels of this order, 0.9 arcmin wide, are not divided further."""
PER_FOLDER = 10_000
_RANGES = {"ra": (0.0, 360.0), "dec": (-90.0, 90.0)}


def positions(table: pa.Table, where: Path) -> tuple[str, str, np.ndarray, np.ndarray]:
    """Find the columns of positions.

    Returns
    -------
    ra_column, dec_column : str
    ra, dec : ndarray of float64, shape (n,)
        Degrees.

    Raises
    ------
    DataError
        If a column is absent, or an object has no position.
    """
    found = {name.lower(): name for name in reversed(table.column_names) if name.lower() in _RANGES}
    if len(found) < len(_RANGES):
        raise DataError(
            f"{where}: HATS expects columns ra and dec (degrees), found {', '.join(found.values()) or 'none of them'}"
        )
    values = []
    for name, (low, high) in _RANGES.items():
        column = found[name]
        quantity = Quantity(column, np.nextafter(low, -np.inf), np.nextafter(high, np.inf), (), "deg")
        numbers = read_numbers(table[column], quantity).values
        if np.isnan(numbers).any():
            first = table["objid"][int(np.argmax(np.isnan(numbers)))]
            raise DataError(
                f"{where}: {column}: HATS expects {low:g} to {high:g} degrees for every object, found none or another "
                f"value for {int(np.isnan(numbers).sum()):,}, the first objid {first}"
            )
        values.append(numbers)
    return found["ra"], found["dec"], *values


def healpix_index(ra: np.ndarray, dec: np.ndarray) -> np.ndarray:
    """Return the nested HEALPix pixel of order 29 of positions in degrees, int64 ``(n,)``.

    Raises
    ------
    OptionError
        If astropy-healpix is not installed.
    """
    try:
        from astropy_healpix import lonlat_to_healpix
    except ImportError:
        raise OptionError('HATS needs an extra package: pip install -e ".[export]" in the repository') from None
    from astropy import units

    return lonlat_to_healpix(ra * units.deg, dec * units.deg, 2**ORDER, order="nested").astype(np.int64)


def partition(healpix: np.ndarray, sizes: np.ndarray, limit: float) -> list[tuple[str, np.ndarray]]:
    """Divide the sky into the largest HEALPix pixels whose objects take at most `limit` bytes.

    Parameters
    ----------
    healpix : ndarray of int64, shape (n,)
        Pixels of order 29.
    sizes : ndarray of int64, shape (n,)
        Bytes.
    limit : float

    Returns
    -------
    list of (str, ndarray of int64)
        Path of a partition's file, and its objects in ascending order of `healpix`.
    """
    order = np.argsort(healpix, kind="stable")
    waiting, parts = [(0, order)], []
    while waiting:
        level, rows = waiting.pop()
        pixels = healpix[rows] >> 2 * (ORDER - level)
        for members in np.split(rows, np.flatnonzero(np.diff(pixels)) + 1):
            if sizes[members].sum() > limit and len(members) > 1 and level < DEEPEST:
                waiting.append((level + 1, members))
            else:
                parts.append((level, int(healpix[members[0]] >> 2 * (ORDER - level)), members))
    parts.sort(key=lambda part: (part[0], part[1]))
    return [
        (f"dataset/Norder={level}/Dir={pixel // PER_FOLDER * PER_FOLDER}/Npix={pixel}.parquet", members)
        for level, pixel, members in parts
    ]


def describe(folder: Path, name: str, ra: str, dec: str, default: list[str], files: list[dict]) -> None:
    """Write the files by which a HATS reader knows a catalogue; the partitions are there.

    Parameters
    ----------
    folder : Path
    name : str
        Of the catalogue.
    ra, dec : str
        Columns.
    default : list of str
        Columns that a reader loads when none are named.
    files : list of dict
        ``path``, ``objects`` and ``bytes`` of each partition.
    """
    import pyarrow.parquet as pq

    dataset, footers = folder / "dataset", []
    for entry in files:
        footer = pq.read_metadata(folder / entry["path"])
        footer.set_file_path(entry["path"].removeprefix("dataset/"))
        footers.append(footer)
    schema = pq.read_schema(folder / files[0]["path"])
    for target, collected in (("_common_metadata", None), ("_metadata", footers)):
        with replacing(dataset / target) as temporary:
            pq.write_metadata(schema, temporary, metadata_collector=collected)
    pixels = [tuple(map(int, re.findall(r"(?:Norder|Npix)=(\d+)", entry["path"]))) for entry in files]
    _write(folder / "partition_info.csv", ["Norder,Npix", *(f"{order},{pixel}" for order, pixel in pixels)])
    properties = {
        "obs_collection": re.sub(r"\W+", "_", name) or "sdss_gs",
        "dataproduct_type": "object",
        "hats_nrows": sum(entry["objects"] for entry in files),
        "hats_col_ra": ra,
        "hats_col_dec": dec,
        "hats_col_healpix": HEALPIX,
        "hats_col_healpix_order": ORDER,
        "hats_npix_suffix": ".parquet",
        "hats_order": max(order for order, _ in pixels),
        "moc_sky_fraction": f"{sum(1 / (12 * 4**order) for order, _ in pixels):.8g}",
        "hats_estsize": sum(entry["bytes"] for entry in files) // 1024,
        "hats_builder": f"sdss_gs {__version__}",
        "hats_version": "v1.0",
    }
    if not any(" " in column for column in default):
        properties["hats_cols_default"] = " ".join(default)
    for target in ("properties", "hats.properties"):
        _write(folder / target, ["#HATS catalog", *(f"{key}={value}" for key, value in properties.items())])


def _write(path: Path, lines: list[str]) -> None:
    with replacing(path) as temporary:
        temporary.write_text("\n".join(lines) + "\n")
