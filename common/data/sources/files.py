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
from sdss_gs.formats.raw import STANDARD_GRIDS, Layout, read_file
from sdss_gs.schema import INPUTS, PIXEL_SCALE, SPECTRUM_COLUMNS, Input

ENDINGS = {
    ".jpg": ("img",), ".jpeg": ("img",), ".png": ("img",), ".npy": ("fits",), ".csv": ("spectra", "ssel"),
    ".fits": ("fits", "spectra", "ssel"), ".fit": ("fits", "spectra", "ssel"),
}  # fmt: skip
"""Inputs that a file may hold, by its ending."""


def files_source(paths: Sequence[Path], image_scale: float = PIXEL_SCALE) -> Source:
    """Take files, each of which is an object; its id is the file's name without the ending.

    Raises
    ------
    DataError
        If there is none, or one has an ending that no model takes.
    """
    for path in paths:
        if path.suffix.lower() not in ENDINGS:
            raise DataError(f"{path}: expected a file that ends in {', '.join(ENDINGS)}, or a catalogue")
    held = {name for path in paths for name in ENDINGS[path.suffix.lower()]}

    def chunks(first: int = 0) -> Iterator[Chunk]:
        for start in range(first, len(paths), FILES_PER_CHUNK):
            chosen = paths[start : start + FILES_PER_CHUNK]
            yield Chunk(pa.array([path.stem for path in chosen]), partial(_load, chosen, image_scale))

    inputs = tuple(name for name in INPUTS if name in held)
    return Source("id", len(paths), inputs, stamp_of(paths), [], chunks, FILES_PER_CHUNK)


def folder_files(folder: Path) -> list[Path]:
    """List a folder's files that a model may take, by name.

    Raises
    ------
    DataError
        If there is none.
    """
    paths = sorted(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS and path.is_file())
    if not paths:
        raise DataError(f"{folder}: expected data.csv, or files that end in {', '.join(ENDINGS)}, found neither")
    return paths


def _load(paths: Sequence[Path], scale: float, item: Input, shape: tuple[int, ...], column: str) -> Loaded:
    loaded = Loaded(np.zeros((len(paths), *shape), item.dtype), np.zeros(len(paths), np.int32))
    for position, path in enumerate(paths):
        if item.name not in ENDINGS[path.suffix.lower()]:
            loaded.flags[position] = Flag.MISSING
            loaded.problems[position] = f"{path.name}: expected {item.name}, found a {path.suffix} file"
            continue
        try:
            loaded.values[position], loaded.flags[position] = read_object(item, path, shape, column, scale)
        except BadFileError as error:
            loaded.flags[position] = Flag.BAD_INPUT
            loaded.problems[position] = f"{path.name}: {error.problem}"
    return loaded


def read_object(
    item: Input, path: Path, shape: tuple[int, ...], column: str = SPECTRUM_COLUMNS[0], scale: float = PIXEL_SCALE
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
    scale : float
        Arcsec per pixel of an image.

    Returns
    -------
    values : ndarray, shape `shape`
    flag : int
        `Flag.RESAMPLED` for an image or cut-out of another size.

    Raises
    ------
    BadFileError
        If the file is damaged, or too small or large to enter by the stated rule (`img`, `fits.centre`).
    """
    if item.name == "img":
        native = scale == PIXEL_SCALE and img.probe(path) == shape[1::-1]
        return img.read(path, scale=scale), 0 if native else int(Flag.RESAMPLED)
    if item.name == "fits":
        cutout = fits.read_any(path)
        return fits.centre(path, cutout), 0 if cutout.shape == shape else int(Flag.RESAMPLED)
    if shape != STANDARD_GRIDS[item.name].shape:
        raise OptionError(
            f"{item.name}: expected an SDSS-GS folder for a model with a grid of its own ({shape[0]} points), "
            f"found {path}"
        )
    return read_file(item.name, str(path), Layout(shape))[SPECTRUM_COLUMNS.index(column)], 0
