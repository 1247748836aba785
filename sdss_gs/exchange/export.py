"""A data set → Parquet, HATS or tar files that other tools read: shard by shard, so that a killed run goes on."""

from __future__ import annotations

import hashlib
import json
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
from filelock import FileLock, Timeout
from tqdm import tqdm

from sdss_gs import __version__
from sdss_gs.dataset import open_dataset
from sdss_gs.errors import DataError, OptionError
from sdss_gs.exchange import FORMATS, sky
from sdss_gs.exchange.columns import read_table
from sdss_gs.exchange.writers import Source, input_columns, write_parquet, write_tar
from sdss_gs.files import remove_leftovers, replacing
from sdss_gs.formats.raw import list_paths, served_by
from sdss_gs.inputs import refuse_inputs
from sdss_gs.logs import hidden
from sdss_gs.schema import CATALOGUE_FILE, INPUTS, PIXEL_SCALE, VOTES_FILE

MANIFEST = "manifest.json"
TAR_END = 10_240
"""Bytes at most that close a tar file."""


def export_set(
    folder: Path,
    target: Path,
    form: str,
    inputs: list[str] | None = None,
    *,
    shard_mb: float = 256,
    complete: bool = False,
    image_scale: float = PIXEL_SCALE,
) -> dict:
    """Export a data set; run again, it writes only what is missing.

    Parameters
    ----------
    folder, target : Path
        SDSS-GS folder, and the folder to make.
    form : str
        One of `FORMATS`.
    inputs : list of str, optional
        Inputs with one file per object; all that the folder has by default.
    shard_mb : float
        Size of a file at most, 10^6 bytes; one with a single object may be larger.
    complete : bool
        Leave out objects that lack one of the inputs.
    image_scale : float
        Arcsec per pixel of the ``img`` files, as for `open_dataset`; they are exported as they are.

    Returns
    -------
    dict
        The manifest: ``objects``, ``with_input``, ``files`` (``path``, ``objects``, ``bytes``, ``sha256``), ….

    Raises
    ------
    DataError
        If the data set cannot be used, lacks what the format needs, or the target cannot be written.
    OptionError
        If an option is impossible, or the target was made from something else.
    """
    if form not in FORMATS:
        raise OptionError(f"--format {form}: expected one of {', '.join(FORMATS)}")
    if not shard_mb >= 1:
        raise OptionError(f"--shard-mb {shard_mb:g}: expected at least 1")
    refuse_inputs(target, [folder])
    source = _open(folder, inputs, image_scale)
    objects = source.data.usable(source.inputs if complete else ())
    if not len(objects):
        raise DataError(f"{folder}: expected objects with {', '.join(source.inputs)}, found none")
    described, shards = None, []
    limit = shard_mb * 1e6 - TAR_END
    if form == "hats":
        ra, dec, *places = sky.positions(source.table, folder / CATALOGUE_FILE)
        healpix = sky.healpix_index(*places)
        default = [sky.HEALPIX, *source.table.column_names]
        table = source.table.add_column(0, sky.HEALPIX, pa.array(healpix))
        source = Source(source.data, source.inputs, source.images, table)
        shards = [(path, objects[rows]) for path, rows in sky.partition(
            healpix[objects], source.sizes()[objects], limit)]  # fmt: skip
        described = partial(sky.describe, target, folder.resolve().name, ra, dec, default)
    else:
        name = "part-{:05d}.parquet" if form == "parquet" else "shard-{:06d}.tar"
        pieces = _divide(objects, source.sizes()[objects], limit)
        shards = [(name.format(number), piece) for number, piece in enumerate(pieces)]
    manifest = _about(source, objects, form) | {"digest": _digest(source, shards, form), "files": []}
    try:
        target.mkdir(parents=True, exist_ok=True)
        with FileLock(target / ".lock", timeout=0):
            return _write(source, target, manifest, shards, described)
    except Timeout:
        raise DataError(f"{target}: another process exports into this folder") from None
    except OSError as error:
        raise DataError(f"{target}: cannot be written: {error}") from None


def _open(folder: Path, inputs: list[str] | None, image_scale: float) -> Source:
    have = [name for name, item in INPUTS.items() if item.suffix and list_paths(folder, name)]
    chosen = tuple(dict.fromkeys(served_by(folder, name) for name in (have if inputs is None else inputs)))
    absent = [name for name in chosen if name not in have]
    if absent:
        raise OptionError(f"--inputs {absent[0]}: expected some of {', '.join(have)}, which {folder} has")
    data = open_dataset(folder, chosen, image_scale=image_scale)
    images = list_paths(folder, "img") if "img" in chosen else {}
    source = Source(data, chosen, images, read_table(folder, data.catalogue.objid))
    taken = {sky.HEALPIX, *(field.name for field in input_columns(source))} & set(source.table.column_names)
    if taken:
        raise DataError(f"{folder / CATALOGUE_FILE}: expected no column {sorted(taken)[0]}, which the export adds")
    return source


def _divide(objects: np.ndarray, sizes: np.ndarray, limit: float) -> list[np.ndarray]:
    """Divide objects, in their order, into pieces of at most `limit` bytes."""
    starts, total = [0], 0
    for position, size in enumerate(sizes.tolist()):
        if total + size > limit and position > starts[-1]:
            starts.append(position)
            total = 0
        total += size
    return np.split(objects, starts[1:])


def _about(source: Source, objects: np.ndarray, form: str) -> dict:
    grids = {name: source.data.wavelengths(name).tolist() for name in source.inputs if name in ("spectra", "ssel")}
    return {
        "format": form,
        "made_by": f"sdss_gs {__version__}",
        "data_set": source.data.folder.resolve().name,
        "objects": len(objects),
        "with_input": {name: int(source.has(name, objects).sum()) for name in source.inputs},
        "shape": {name: list(source.shape(name)) for name in source.inputs if name != "img"},
        "unit": {name: INPUTS[name].unit for name in source.inputs},
        "wavelength": grids,
        "complete": False,
    }


def _digest(source: Source, shards: list[tuple[str, np.ndarray]], form: str) -> str:
    """Hash what is exported and how: ids, inputs, tables, files."""
    digest = hashlib.sha256(json.dumps([form, __version__, source.inputs]).encode())
    for name in source.inputs:
        digest.update(source.data.checksums[name].tobytes())
        # Two JPEG files may have the same pixels.
        digest.update(source.data.arrays[name].index[["objid", "size"]].tobytes())
    for path in (source.data.folder / CATALOGUE_FILE, source.data.folder / VOTES_FILE):
        if path.is_file():
            with open(path, "rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
    for path, members in shards:
        digest.update(path.encode() + source.data.catalogue.objid[members].tobytes())
    return digest.hexdigest()


def _write(source: Source, target: Path, manifest: dict, shards, described) -> dict:
    finished = _finished(target, manifest["digest"])
    write = write_tar if manifest["format"] == "webdataset" else write_parquet
    done = sum(len(members) for path, members in shards if path in finished)
    _store(target, manifest | {"files": list(finished.values())})
    with tqdm(total=manifest["objects"], initial=done, desc="exporting", unit=" objects", disable=hidden()) as bar:
        for path, members in shards:
            if path not in finished:
                place = target / path
                place.parent.mkdir(parents=True, exist_ok=True)
                remove_leftovers(place.parent)
                with replacing(place) as temporary:
                    write(source, members, temporary, bar)
                    entry = _entry(path, temporary, len(members))
                finished[path] = entry
                _store(target, manifest | {"files": list(finished.values())})
    manifest["files"] = [finished[path] for path, _ in shards]
    if described is not None:
        described(manifest["files"])
    return _store(target, manifest | {"complete": True})


def _finished(target: Path, digest: str) -> dict[str, dict]:
    """Return the entries of files that an earlier run has finished and that are still there, by path."""
    record = target / MANIFEST
    if not record.exists():
        remove_leftovers(target)
        if any(path.name != ".lock" for path in target.iterdir()):
            raise OptionError(f"{target}: expected a new or empty folder, or one with a {MANIFEST} of an export")
        return {}
    try:
        stored = json.loads(record.read_text())
        entries, known = stored["files"], stored["digest"]
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{record}: expected the manifest of an export, found another file ({error})") from None
    if known != digest:
        raise OptionError(f"{target}: made from a data set that has changed since, or with other options; name another")
    return {entry["path"]: entry for entry in entries if _size(target / entry["path"]) == entry["bytes"]}


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else -1


def _entry(path: str, written: Path, objects: int) -> dict:
    with open(written, "rb") as file:
        checksum = hashlib.file_digest(file, "sha256").hexdigest()
    return {"path": path, "objects": objects, "bytes": written.stat().st_size, "sha256": checksum}


def _store(target: Path, manifest: dict) -> dict:
    with replacing(target / MANIFEST) as temporary:
        temporary.write_text(json.dumps(manifest))
    return manifest
