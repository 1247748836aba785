"""The raw files of a data set: where they are, what they have in common, how one of them becomes an array."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np

from sdss_gs.errors import BadFileError
from sdss_gs.formats import fits, img
from sdss_gs.schema import INPUTS, PIXEL_SCALE, SPECTRUM_COLUMNS, SSEL_INDEX, WAVELENGTH

NAMED = 5
"""Files that were passed over, of which a note names so many."""
PROBED = 25
"""Files looked at to learn the layout of a set."""
STANDARD_GRIDS = {"spectra": WAVELENGTH, "ssel": WAVELENGTH[SSEL_INDEX]}
FITS_ENDINGS = (".fits", ".fit", ".fits.gz", ".fit.gz", ".fits.fz")
SUFFIXES = {
    ".jpg": img.ENDINGS, ".npy": (".npy", *FITS_ENDINGS), ".csv": (".csv", ".csv.gz", *FITS_ENDINGS),
}  # fmt: skip
"""Endings of the files that may hold an input, by that of the schema."""


class RawFile(NamedTuple):
    """One file on disk; `size` and `mtime` (ns) tell whether it has changed since it was packed."""

    path: str
    size: int
    mtime: int


@dataclass(frozen=True)
class Layout:
    """What all files of one input in a set have in common.

    Parameters
    ----------
    shape : tuple of int
        Shape of one packed object.
    size : tuple of int, optional
        Width and height in pixels of the ``img`` files, all of which have it, or of most ``fits`` files.
    scale : float, optional
        Arcsec per pixel of the ``img`` files.
    grid : tuple of float, optional
        Wavelengths, Å, where they are not the standard ones.
    """

    shape: tuple[int, ...]
    size: tuple[int, int] | None = None
    scale: float | None = None
    grid: tuple[float, ...] | None = None

    @property
    def stated_scale(self) -> float | None:
        """Arcsec per pixel of the ``img`` files where another scale than the zoo's was given."""
        return None if self.scale == PIXEL_SCALE else self.scale

    def wavelengths(self, name: str) -> np.ndarray:
        """Return the wavelength grid of ``spectra`` or ``ssel``, Å, float64 ``(n,)``."""
        return STANDARD_GRIDS[name] if self.grid is None else np.array(self.grid)


def list_files(folder: str | Path, name: str) -> dict[int, RawFile]:
    """List the files of one input by object id, as `list_paths` does, with size and time."""
    return {objid: stamped(path) for objid, path in list_paths(folder, name).items()}


def stamped(path: str) -> RawFile:
    """Look up a file's size and time."""
    status = os.stat(path)
    return RawFile(path, status.st_size, status.st_mtime_ns)


def list_paths(folder: str | Path, name: str) -> dict[int, str]:
    """List the files of one input by object id; an empty dict where there is no such folder.

    Endings are compared without case (``.JPG`` is taken); files whose name is no id are passed over. Of several
    files of one object that with the first ending counts.
    """
    rank = {ending[1:]: place for place, ending in enumerate(SUFFIXES[INPUTS[name].suffix])}
    # Plain joining of strings: this runs for every file whenever a set is opened.
    prefix = os.path.join(folder, name, "")
    found, places = {}, {}
    try:
        with os.scandir(prefix) as entries:
            for entry in entries:
                stem, _, ending = entry.name.partition(".")
                place = rank.get(ending.lower())
                if place is None or not (stem.isdigit() and stem.isascii() and entry.is_file()):
                    continue
                number = int(stem)
                if number not in found or place < places[number]:
                    found[number], places[number] = prefix + entry.name, place
    except FileNotFoundError:
        return {}
    return found


def strangers_note(folder: str | Path, name: str) -> list[str]:
    """Say which files in an input's folder are none of it: of another ending, named by no id, a second one of an id."""
    place = Path(folder) / name
    if not place.is_dir():
        return []
    taken = {os.path.basename(path) for path in list_paths(folder, name).values()}
    with os.scandir(place) as entries:
        other = sorted(entry.name + "/" * entry.is_dir() for entry in entries if entry.name not in taken)
    suffixes = ", ".join(SUFFIXES[INPUTS[name].suffix])
    return [f"{name}: {passed_over(place, other, f'one <objid> that ends in {suffixes}')}"] if other else []


def passed_over(place: Path, names: Sequence[str], taken: str) -> str:
    """Say in one line what of a folder is not looked at.

    Parameters
    ----------
    place : Path
    names : sequence of str
        Files and folders.
    taken : str
        What is looked at.
    """
    shown = ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")
    files = "file or folder" if len(names) == 1 else "files or folders"
    return f"{place}: passed over {len(names):,} {files}: {shown} (taken: {taken})"


def probe_layout(name: str, paths: Sequence[str], image_scale: float = PIXEL_SCALE) -> Layout:
    """Learn the layout of a set from some of its files: the commonest one wins, others are refused when read.

    Parameters
    ----------
    name : str
        Input with one file per object.
    paths : sequence of str
        The set's files; none gives the standard layout.
    image_scale : float
        Arcsec per pixel of the images.
    """
    chosen = [paths[position] for position in np.unique(np.linspace(0, len(paths) - 1, PROBED).astype(int)) if paths]
    probe = {"img": img.probe, "fits": fits.probe}[name] if name in ("img", "fits") else _tables(name).probe
    probed = []
    for path in chosen:
        try:
            probed.append(probe(path))
        except BadFileError:
            continue
    if name == "fits":
        return Layout(INPUTS[name].shape, Counter(probed).most_common(1)[0][0] if probed else None)
    if name == "img":
        return Layout(INPUTS[name].shape, Counter(probed).most_common(1)[0][0] if probed else None, image_scale)
    return _spectrum_layout(name, probed)


def _spectrum_layout(name: str, probed: list[np.ndarray]) -> Layout:
    standard = STANDARD_GRIDS[name]
    lengths = Counter(len(wavelength) for wavelength in probed)
    length = lengths.most_common(1)[0][0] if lengths else len(standard)
    if length in (0, len(standard)):
        return Layout((len(SPECTRUM_COLUMNS), len(standard)))
    grid = next(wavelength for wavelength in probed if len(wavelength) == length)
    return Layout((len(SPECTRUM_COLUMNS), length), grid=tuple(grid.tolist()))


def read_file(name: str, path: str, layout: Layout, column: str = "") -> np.ndarray:
    """Read one raw file as the array that is packed: ``layout.shape``, dtype of the schema.

    Parameters
    ----------
    name : str
        Of the input.
    path : str
    layout : Layout
        How the files of the data set look.
    column : str
        ``BestFit`` or ``Flux``, if only that is wanted of a spectrum.

    Raises
    ------
    BadFileError
        Names the file, what was expected and what was found.
    """
    if name == "img":
        return img.read(path, layout.size, layout.stated_scale)
    if name == "fits":
        return fits.read(path)
    return _tables(name).read(path, layout.wavelengths(name), column)


def _tables(name: str) -> ModuleType:
    # Imported here: pyarrow takes a while, which a process that reads images can do without.
    from sdss_gs.formats import spectra, ssel

    return {"spectra": spectra, "ssel": ssel}[name]


def served_by(folder: str | Path, name: str) -> str:
    """Tell which input's packed array serves an input: ``ssel`` is cut out of ``spectra`` where a set has them."""
    return "spectra" if name == "ssel" and (Path(folder) / "spectra").is_dir() else name
