"""A data set opened for training or prediction: which objects are usable, and whole batches of their arrays."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

import numpy as np
import pyarrow as pa

from sdss_gs.errors import DataError, OptionError, did_you_mean
from sdss_gs.files import TEMPORARY, replacing
from sdss_gs.formats.raw import served_by
from sdss_gs.logs import LOG
from sdss_gs.packing.pack import pack
from sdss_gs.packing.packed import Packed, packed_folder
from sdss_gs.schema import (
    INPUTS,
    OUTPUTS,
    PIXEL_SCALE,
    QUANTITIES,
    SPECTRUM_COLUMNS,
    VERSION,
    Input,
    Output,
    in_windows,
)  # fmt: skip
from sdss_gs.tables.catalogue import Catalogue, Problem, read_catalogue
from sdss_gs.tables.votes import find_votes, read_votes


@dataclass(frozen=True)
class Dataset:
    """The objects of a catalogue with the inputs that were asked for; ``n`` objects.

    Parameters
    ----------
    folder : Path
    catalogue : Catalogue
    rows : dict of str to ndarray of int64, shape (n,)
        Row of each object in an input's array, -1 where the object lacks the input.
    arrays : dict of str to ndarray or Packed
    checksums : dict of str to ndarray of uint32, shape (n,)
        CRC-32 of each object's input.
    truths : dict of str to ndarray, shape (n, ...)
        Truths by output, as far as they were asked for; those of a user's own output are put here.
    """

    folder: Path
    catalogue: Catalogue
    rows: dict[str, np.ndarray]
    arrays: dict[str, np.ndarray | Packed]
    checksums: dict[str, np.ndarray]
    truths: dict[str, np.ndarray] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.catalogue)

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of one object of an input."""
        if isinstance(self.arrays[name], np.ndarray):
            return self.arrays[name].shape[1:]
        if INPUTS[name].suffix != ".csv":
            return self.arrays[name].manifest.layout.shape
        return self.wavelengths(name).shape

    def wavelengths(self, name: str) -> np.ndarray:
        """Return the wavelengths of ``spectra`` or ``ssel``, Å, float64."""
        source = served_by(self.folder, name)
        grid = self.arrays[name].manifest.layout.wavelengths(source)
        return grid[in_windows(grid)] if source != name else grid

    def widen(self, item: Input) -> None:
        """Take the magnitudes of an input as it says: with their errors, or rows too in which some are missing."""
        self.arrays[item.name], self.rows[item.name] = _table_of(self.catalogue, item)
        self.checksums[item.name] = self.arrays[item.name]

    def usable(self, inputs: Sequence[str], output: str | None = None) -> np.ndarray:
        """List the objects that have all the inputs (and the output).

        Returns
        -------
        ndarray of int64
            Positions in the catalogue, ascending.
        """
        good = np.ones(len(self), bool)
        for name in inputs:
            good &= self.rows[name] >= 0
        if output is not None:
            good &= self.known(output)
        return np.flatnonzero(good)

    def lacks(self, name: str, column: str) -> np.ndarray:
        """Tell which objects have spectra without a usable column (``BestFit`` or ``Flux``), bool ``(n,)``."""
        lacks = getattr(getattr(self.arrays[name], "manifest", None), "lacks", {})
        without = [int(objid) for objid, columns in lacks.items() if column in columns]
        return np.isin(self.catalogue.objid, without) & (self.rows[name] >= 0)

    def load(self, name: str, objects: np.ndarray, column: str = SPECTRUM_COLUMNS[0]) -> np.ndarray:
        """Gather one input of some objects into a new array.

        Parameters
        ----------
        name : str
            Input.
        objects : ndarray of int64, shape (m,)
            Positions in the catalogue, all usable.
        column : str
            ``BestFit`` or ``Flux``, for ``spectra`` and ``ssel``.

        Returns
        -------
        ndarray, shape (m, ...), dtype of the schema
        """
        array, rows = self.arrays[name], self.rows[name][objects]
        if isinstance(array, np.ndarray):
            return array[rows]
        if INPUTS[name].suffix != ".csv":
            return array.take(rows)
        spectra = array.take(rows, SPECTRUM_COLUMNS.index(column))
        source = served_by(self.folder, name)
        return spectra if source == name else spectra[:, in_windows(array.manifest.layout.wavelengths(source))]

    def target(self, name: str, objects: np.ndarray) -> np.ndarray:
        """Return the truth of some objects: numbers float64 in the catalogue's unit, class numbers int16, or votes."""
        return self._truth(name)[objects]

    def _truth(self, name: str) -> np.ndarray:
        if name not in self.truths:
            self.truths[name] = truth_of(self.folder, self.catalogue, OUTPUTS[name])
        return self.truths[name]

    def known(self, name: str) -> np.ndarray:
        """Tell which objects have an output's truth, bool ``(n,)``."""
        return is_known(self._truth(name))

    def fingerprint(self, inputs: Sequence[str], outputs: Sequence[str], objects: np.ndarray) -> str:
        """Hash the content that a model sees: ids, inputs and truths, independent of machine and file dates.

        Parameters
        ----------
        inputs, outputs : sequence of str
        objects : ndarray of int
            Positions in the catalogue.
        """
        digest = hashlib.sha256(self.catalogue.objid[objects].tobytes())
        for name in inputs:
            digest.update(self.checksums[name][objects].tobytes())
        for name in outputs:
            digest.update(self.target(name, objects).tobytes())
        return digest.hexdigest()[:16]


def truth_of(folder: Path, catalogue: Catalogue, output: Output) -> np.ndarray:
    """Return the truth of all objects.

    Parameters
    ----------
    folder : Path
        The data set.
    catalogue : Catalogue
        Of it.
    output : Output

    Returns
    -------
    ndarray
        float64 in the catalogue's unit or int16 class numbers, ``(n,)``; or weighted votes, float64 ``(n, answers)``,
        all NaN where the data set has none.
    """
    if output.kind == "votes":
        if find_votes(folder, [output.tree]) is None:
            return np.full((len(catalogue), output.size), np.nan)
        return read_votes(folder, catalogue.objid, [output.tree]).values
    return catalogue.labels[output.name] if output.classes else catalogue.numbers[output.column]


def is_known(truth: np.ndarray) -> np.ndarray:
    """Tell which objects have a truth, bool ``(n,)``."""
    if truth.ndim > 1:
        return np.isfinite(truth).all(axis=1)
    return truth >= 0 if truth.dtype.kind == "i" else np.isfinite(truth)


def open_dataset(
    folder: str | Path,
    inputs: Sequence[str],
    *,
    image_scale: float = PIXEL_SCALE,
    column: str = "",
    progress: bool = True,
) -> Dataset:
    """Open a data set, packing first what has not been packed or has changed since.

    New and removed files are always noticed. Of more than 10,000 files of an input, 4,000 drawn by chance are looked at
    for a changed size or time; ``zoo data pack`` looks at all.

    Parameters
    ----------
    folder : path-like
        SDSS-GS folder.
    inputs : sequence of str
        Inputs to open.
    image_scale : float
        Arcsec per pixel of the ``img`` files; another value than 0.2 has them resampled.
    column : str
        ``BestFit`` or ``Flux``: objects whose spectrum lacks it are taken to lack the spectrum.
    progress : bool
        Show a progress bar while packing.

    Raises
    ------
    DataError
        If the folder is no data set, or holds no usable file of an input.
    OptionError
        If an input is unknown.
    """
    folder = Path(folder)
    catalogue = open_catalogue(folder)
    LOG.info("data_set folder=%s objects=%d inputs=%s", folder, len(catalogue), ",".join(inputs))
    rows, arrays, checksums = {}, {}, {}
    for name in inputs:
        if name not in INPUTS:
            raise OptionError(f"input {name!r}: expected one of {', '.join(INPUTS)}{did_you_mean(name, INPUTS)}")
        if INPUTS[name].columns:
            arrays[name], rows[name] = _table_of(catalogue, INPUTS[name])
            checksums[name] = arrays[name]
            continue
        source = served_by(folder, name)
        manifest = pack(folder, source, catalogue.objid, image_scale=image_scale, progress=progress)
        _require_some(folder, source, manifest)
        arrays[name] = Packed(packed_folder(folder) / source)
        rows[name], checksums[name] = arrays[name].locate(catalogue.objid)
    data = Dataset(folder, catalogue, rows, arrays, checksums)
    for name in inputs if column else ():
        rows[name] = np.where(data.lacks(name, column), -1, rows[name])
    return data


def _table_of(catalogue: Catalogue, item: Input) -> tuple[np.ndarray, np.ndarray]:
    """Return the magnitudes of all objects, NaN where missing, and the rows of those that have what it takes."""
    table = catalogue.table(item.columns)
    there = np.isfinite(table[:, : len(item.magnitudes)])
    usable = there.any(axis=1) if item.gaps else there.all(axis=1)
    return table, np.where(usable, np.arange(len(table)), -1)


def _require_some(folder: Path, source: str, manifest) -> None:
    if manifest.available:
        return
    if manifest.rejects:
        objid, problem = next(iter(manifest.rejects.items()))
        found = f"all {len(manifest.rejects)} refused, the first ({objid}): {problem}"
    else:
        found = "none"
    raise DataError(
        f"{folder / source}: expected files <objid>{INPUTS[source].suffix} of catalogue objects, found {found}"
    )


def open_catalogue(folder: str | Path) -> Catalogue:
    """Read ``data.csv``, from the packed copy where it is of the file as it is now.

    Raises
    ------
    DataError
        See `read_catalogue`.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder (expected a data set)")
    source, copy = folder / "data.csv", packed_folder(folder) / "catalogue.npz"
    stamp = None
    if source.is_file():
        # What is read too: a copy made before a column, a valid range or a class was known is another table.
        known = hashlib.sha256(repr([QUANTITIES, OUTPUTS]).encode()).hexdigest()[:16]
        stamp = [VERSION, source.stat().st_size, source.stat().st_mtime_ns, known]
    try:
        with open(copy, "rb") as file, np.load(file, allow_pickle=False) as stored:
            about = json.loads(str(stored["about"]))
            if about["stamp"] == stamp:
                objid = stored["objid"]
                return Catalogue(
                    objid,
                    {name[8:]: _column(stored[name], objid) for name in stored.files if name.startswith("numbers_")},
                    {name[7:]: _column(stored[name], objid) for name in stored.files if name.startswith("labels_")},
                    about["missing"],
                    tuple(Problem(**problem) for problem in about["problems"]),
                    about["photometry"],
                    tuple(about["notes"]),
                    stored["rows"],
                    tuple(about["extinction"]),
                    about["statement"],
                )
    except (OSError, EOFError, KeyError, ValueError, zipfile.BadZipFile):
        # No copy yet, or a damaged one: it is made again.
        pass
    catalogue = read_catalogue(folder)
    numbers = {name: _lean(values) for name, values in catalogue.numbers.items()}
    labels = {name: _lean(values) for name, values in catalogue.labels.items()}
    catalogue = replace(catalogue, numbers=numbers, labels=labels)
    # What was read as text is several times as large, and would stay with the process.
    pa.default_memory_pool().release_unused()
    _store_catalogue(catalogue, copy, stamp)
    return catalogue


def _lean(values: np.ndarray) -> np.ndarray:
    """Let a column in which nothing is known, as most are in most tables, take no memory; it cannot be written then."""
    missing = np.isnan(values) if values.dtype.kind == "f" else values < 0
    return np.broadcast_to(values[:1].copy(), values.shape) if missing.all() else values


def _stored(values: np.ndarray) -> np.ndarray:
    return values[:1] if values.strides == (0,) else values


def _column(stored: np.ndarray, objid: np.ndarray) -> np.ndarray:
    return stored if stored.shape == objid.shape else np.broadcast_to(stored, objid.shape)


def _store_catalogue(catalogue: Catalogue, copy: Path, stamp: list[int]) -> None:
    about = {
        "stamp": stamp,
        "missing": catalogue.missing,
        "problems": [asdict(problem) for problem in catalogue.problems],
        "photometry": catalogue.photometry,
        "notes": catalogue.notes,
        "extinction": catalogue.extinction,
        "statement": catalogue.statement,
    }
    columns = {f"numbers_{name}": _stored(values) for name, values in catalogue.numbers.items()}
    columns |= {f"labels_{name}": _stored(values) for name, values in catalogue.labels.items()}
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        for leftover in copy.parent.glob(f"{copy.name}.*{TEMPORARY}"):
            leftover.unlink(missing_ok=True)
        with replacing(copy) as temporary, open(temporary, "wb") as file:
            np.savez(file, objid=catalogue.objid, rows=catalogue.rows, about=np.array(json.dumps(about)), **columns)
    except OSError:
        # The copy saves a second at the next start; a folder that cannot be written costs only that.
        return
