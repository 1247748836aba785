"""Objects as files of their own: images, cut-outs, spectra, in a folder or named one by one."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from common.data.sources.chunk import FILES_PER_CHUNK, Chunk, Loaded, Source, stamp_of
from common.outputs.flags import Flag
from sdss_gs.errors import BadFileError, DataError, OptionError
from sdss_gs.formats import fits, img
from sdss_gs.formats.raw import FITS_ENDINGS, STANDARD_GRIDS, Layout, passed_over, read_file
from sdss_gs.schema import INPUTS, SPECTRUM_COLUMNS, Input
from sdss_gs.tables.readers import ENDINGS as TABLES

ENDINGS = {
    **dict.fromkeys(img.ENDINGS, ("img",)), ".npy": ("fits",),
    **dict.fromkeys((".csv", ".csv.gz"), ("spectra", "ssel")),
    **dict.fromkeys(FITS_ENDINGS, ("fits", "spectra", "ssel")),
}  # fmt: skip
"""Inputs that a file may hold, by its ending."""


def ending_of(name: str) -> str:
    """Return the ending by which a file is known; empty for a hidden file, or one that no model takes.

    Examples
    --------
    >>> ending_of("a.JPG"), ending_of("spec.fits.gz"), ending_of("._a.jpg"), ending_of("a.gif")
    ('.jpg', '.fits.gz', '', '')
    """
    lower = name.lower()
    return "" if lower.startswith(".") else next((ending for ending in ENDINGS if lower.endswith(ending)), "")


def files_source(paths: Sequence[Path], image_scale: float | None = None, notes: Sequence[str] = ()) -> Source:
    """Take files, each of which is an object; its id is the file's name without the ending.

    Parameters
    ----------
    paths : sequence of Path
    image_scale : float, optional
        Arcsec per pixel of the images, where it was given.
    notes : sequence of str
        What is to be said of them.

    Raises
    ------
    DataError
        If there is none, or one has an ending that no model takes.
    """
    for path in paths:
        if not ending_of(path.name):
            known, tables = ", ".join(ENDINGS), ", ".join(TABLES)
            raise DataError(f"{path}: expected a file that ends in {known}, or a catalogue ({tables})")
    held = {name for path in paths for name in ENDINGS[ending_of(path.name)]}

    def chunks(first: int = 0) -> Iterator[Chunk]:
        for start in range(first, len(paths), FILES_PER_CHUNK):
            chosen = paths[start : start + FILES_PER_CHUNK]
            yield Chunk(pa.array([_stem(path) for path in chosen]), partial(_load, chosen, image_scale))

    inputs = tuple(name for name in INPUTS if name in held)
    return Source("id", len(paths), inputs, stamp_of(paths), list(notes), chunks, FILES_PER_CHUNK)


def _stem(path: Path) -> str:
    return path.name[: -len(ending_of(path.name))]


def folder_files(folder: Path, inputs: Sequence[str] = ()) -> tuple[list[Path], list[str]]:
    """List a folder's files that may hold one of some inputs (of any, where none is of files); say what else there is.

    Raises
    ------
    DataError
        If there is none.
    """
    entries = sorted(folder.iterdir())
    endings = [ending for ending, held in ENDINGS.items() if set(held) & set(inputs)] or list(ENDINGS)
    paths = [path for path in entries if ending_of(path.name) in endings and path.is_file()]
    if not paths:
        found = ", ".join(f"{path.name}/" if path.is_dir() else path.name for path in entries[:5]) or "nothing"
        raise DataError(
            f"{folder}: expected data.csv, or files that end in {', '.join(endings)}, found neither but {found}"
        )
    taken = set(paths)
    other = [f"{path.name}/" if path.is_dir() else path.name for path in entries if path not in taken]
    return paths, [passed_over(folder, other, f"files that end in {', '.join(endings)}")] if other else []


def _load(paths: Sequence[Path], scale: float | None, item: Input, shape: tuple[int, ...], column: str) -> Loaded:
    loaded = Loaded(np.zeros((len(paths), *shape), item.dtype), np.zeros(len(paths), np.int32))
    for position, path in enumerate(paths):
        if item.name not in ENDINGS[ending_of(path.name)]:
            loaded.flags[position] = Flag.MISSING
            loaded.problems[position] = f"{path.name}: expected {item.name}, found a {ending_of(path.name)} file"
            continue
        try:
            loaded.values[position], loaded.flags[position] = read_object(item, path, shape, column, scale)
        except BadFileError as error:
            loaded.flags[position] = Flag.BAD_INPUT
            loaded.problems[position] = f"{path.name}: {error.problem}"
    return loaded


def read_object(
    item: Input, path: Path, shape: tuple[int, ...], column: str = SPECTRUM_COLUMNS[0], scale: float | None = None
) -> tuple[np.ndarray, int]:
    """Read one file as a network wants it.

    Parameters
    ----------
    item : Input
    path : Path
    shape : tuple of int
        Shape of one object.
    column : str
        ``BestFit`` or ``Flux``, for spectra.
    scale : float, optional
        Arcsec per pixel of an image, where it was given.

    Returns
    -------
    values : ndarray, shape `shape`
    flag : int
        `Flag.RESAMPLED` for an image of another scale, `Flag.CROPPED` for an image or cut-out of another size.

    Raises
    ------
    BadFileError
        If the file is damaged, or too small or large to enter by the stated rule (`img`, `fits.centre`).
    """
    if item.name == "img":
        values = img.read(path, scale=scale)
        return values, entry_flag(*img.entering(img.probe(path), scale))
    if item.name == "fits":
        cutout = fits.read_pixels(path)
        return fits.centre(path, cutout), entry_flag(False, cutout.shape != shape)
    if shape != STANDARD_GRIDS[item.name].shape:
        raise OptionError(
            f"{item.name}: expected an SDSS-GS folder for a model with a grid of its own ({shape[0]} points), "
            f"found {path}"
        )
    return read_file(item.name, str(path), Layout(shape), column)[SPECTRUM_COLUMNS.index(column)], 0


def entry_flag(resampled: bool, cropped: bool) -> int:
    """Return the flag of an image that entered by a rule."""
    return int(Flag.RESAMPLED) * resampled | int(Flag.CROPPED) * cropped
