"""The objects of an SDSS-GS folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from common.data.sources.chunk import FILES_PER_CHUNK, Chunk, Loaded, Photometry, Source, stamp_of
from common.data.sources.files import entry_flag
from common.outputs.flags import Flag
from sdss_gs.dataset import Dataset, open_dataset
from sdss_gs.errors import OptionError
from sdss_gs.formats import img
from sdss_gs.formats.raw import strangers_note
from sdss_gs.schema import DEREDDENED, EXTINCTION, INPUTS, PIXEL_SCALE, Input
from sdss_gs.tables.catalogue import Catalogue
from sdss_gs.tables.columns import DUSTY
from sdss_gs.tables.names import UNSTATED


def open_folder(
    folder: Path, inputs: Sequence[str], image_scale: float = PIXEL_SCALE, progress: bool = True
) -> Dataset:
    """Open an SDSS-GS folder; it is packed first where it is not yet.

    Parameters
    ----------
    folder : Path
    inputs : sequence of str
        Inputs that will be asked for; those that the folder lacks altogether are left out.
    image_scale : float
        Arcsec per pixel of the images.
    progress : bool

    Raises
    ------
    DataError
        If it is no such folder.
    """
    present = [name for name in inputs if has_input(folder, name)]
    return open_dataset(folder, present, image_scale=image_scale, progress=progress)


def has_input(folder: Path, name: str) -> bool:
    """Tell whether an SDSS-GS folder has an input; those of tables are in every ``data.csv``."""
    folders = (name, "spectra") if name == "ssel" else (name,)
    return bool(INPUTS[name].columns) or any((folder / one).is_dir() for one in folders)


def dataset_source(data: Dataset, repeats: bool = True) -> Source:
    """Take the objects of a data set, with the inputs that it was opened with.

    Every row of ``data.csv`` that has an id is one, in order; without `repeats` each object is there once.
    """
    load, present = loader(data), tuple(data.rows)
    catalogue = data.catalogue
    rows = catalogue.rows if repeats else np.arange(len(data))
    notes = list(catalogue.notes)
    for item, what in (("objid", "no usable objid"), ("row", "another number of cells than the header")):
        if dropped := sum(problem.item == item for problem in catalogue.problems):
            notes.append(f"{dropped} rows of data.csv have {what} and are left out")
    for name in present:
        notes += strangers_note(data.folder, name) if INPUTS[name].suffix else []

    def chunks(first: int = 0) -> Iterator[Chunk]:
        for start in range(first, len(rows), FILES_PER_CHUNK):
            objects = rows[start : start + FILES_PER_CHUNK]
            yield Chunk(pa.array(catalogue.objid[objects]), partial(load, objects))

    stamp = stamp_of([data.folder / "data.csv"]) + "".join(
        str(int(data.checksums[name].sum())) for name in present if not INPUTS[name].columns
    )
    return Source(
        "objid", len(rows), present, stamp, notes, chunks, FILES_PER_CHUNK, catalogue.photometry,
        extinction=catalogue.extinction, by_row=catalogue.statement,
    )  # fmt: skip


def loader(data: Dataset) -> Callable[[np.ndarray, Input, tuple[int, ...], str], Loaded]:
    """Return what loads one input of some objects of a data set.

    It takes their positions in the catalogue (int64, shape ``(n,)``), then what a `chunk.Load` takes, and raises an
    `OptionError` if the data set's objects have another shape.
    """
    reasons = _reasons(data)
    # Asked once for each chunk, of all objects.
    lacking = lru_cache(maxsize=None)(data.lacks)

    def load(objects: np.ndarray, item: Input, shape: tuple[int, ...], column: str) -> Loaded:
        loaded = Loaded(np.zeros((len(objects), *shape), item.dtype), np.full(len(objects), Flag.MISSING, np.int32))
        if item.name not in data.arrays:
            return loaded
        if item.columns:
            return _magnitudes(data, objects, item, reasons)
        if data.shape(item.name) != shape:
            raise OptionError(f"{data.folder}: expected {item.name} of shape {shape}, found {data.shape(item.name)}")
        lacks = lacking(item.name, column)[objects]
        good = (data.rows[item.name][objects] >= 0) & ~lacks
        loaded.values[good] = data.load(item.name, objects[good], column)
        loaded.flags[good] = _entry_flag(data, item)
        for position in np.flatnonzero(~good).tolist():
            objid = int(data.catalogue.objid[objects[position]])
            texts = [reasons[objid, item.name]] if (objid, item.name) in reasons else []
            if lacks[position]:
                texts.append(f"{item.name}: expected a usable {column}, found none")
            if texts:
                loaded.flags[position] = Flag.BAD_INPUT
                loaded.problems[position] = "; ".join(texts)
        return loaded

    return load


def _magnitudes(data: Dataset, objects: np.ndarray, item: Input, reasons: Mapping[tuple[int, str], str]) -> Loaded:
    """Return the magnitudes of objects, NaN where one is missing; what is wrong with an error is no flaw."""
    values = data.catalogue.table(item.columns)[objects]
    lacking = np.isnan(values[:, : len(item.magnitudes)]).any(axis=1)
    loaded = Loaded(values, lacking * np.int32(Flag.MISSING), photometry=photometry_of(data.catalogue, objects, item))
    for position in np.flatnonzero(lacking).tolist():
        objid = int(data.catalogue.objid[objects[position]])
        texts = [reasons[objid, key] for key in (item.name, *item.magnitudes) if (objid, key) in reasons]
        if texts:
            loaded.flags[position] = Flag.BAD_INPUT
            loaded.problems[position] = "; ".join(texts)
    return loaded


def photometry_of(catalogue: Catalogue, objects: np.ndarray, item: Input) -> Photometry:
    """Say of which kind the magnitudes of some objects of a catalogue are.

    Parameters
    ----------
    catalogue : Catalogue
    objects : ndarray of int64, shape (n,)
    item : Input
    """
    kind = catalogue.photometry.get(item.name, UNSTATED)
    if item.name != DUSTY:
        return Photometry(kind)
    extinction = [catalogue.numbers[column][objects] for column in EXTINCTION.values()]
    return Photometry(kind, catalogue.numbers[DEREDDENED][objects], np.stack(extinction, axis=1))


def _entry_flag(data: Dataset, item: Input) -> int:
    """Return the flag of a set's images, all of which have one size and scale."""
    layout = data.arrays["img"].manifest.layout if item.name == "img" else None
    return entry_flag(*img.entering(layout.size, layout.stated_scale)) if layout and layout.size else 0


def _reasons(data: Dataset) -> dict[tuple[int, str], str]:
    """Gather what is wrong with a data set, by object id and input (or column)."""
    reasons = {}
    for problem in data.catalogue.problems:
        where = problem.where.removeprefix("data.csv objid ")
        if where.isdigit():
            reasons[int(where), problem.item] = f"{problem.item}: {problem.text}"
    for name, array in data.arrays.items():
        for objid, text in getattr(getattr(array, "manifest", None), "rejects", {}).items():
            reasons[int(objid), name] = text
    return reasons
