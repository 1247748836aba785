"""A source → the SDSS-GS layout: images, ``data.csv`` and what was refused."""

from __future__ import annotations

import csv
import hashlib
import json
import os
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from tqdm import tqdm

from sdss_gs.errors import BadFileError, DataError, OptionError, one_line
from sdss_gs.exchange.entry import CROPPED, WHOLE, Entry, image_bytes
from sdss_gs.exchange.item import Item, LeftOut
from sdss_gs.exchange.sources import SOURCES
from sdss_gs.files import replacing
from sdss_gs.formats.img import SIDE
from sdss_gs.inputs import refuse_inputs
from sdss_gs.logs import hidden
from sdss_gs.schema import PIXEL_SCALE

FILES = "files.csv"
"""Which file of the source each object is."""
LARGEST_ID = np.iinfo(np.int64).max


def objid_of(name: str) -> int:
    """Return the id of an object: its name where that is an int64, else 63 bits of the name's SHA-256.

    Examples
    --------
    >>> objid_of("1237668296598683803"), objid_of("NGC 1300")
    (1237668296598683803, 5496543273855649362)
    """
    if name.isdigit() and name.isascii() and int(name) <= LARGEST_ID:
        return int(name)
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 1


def import_set(
    source: str,
    path: Path,
    folder: Path,
    *,
    target: str = "label",
    images: Path | None = None,
    entry: Entry | None = None,
) -> tuple[int, int, list[str]]:
    """Import a data set; run again, it does only what is missing.

    Parameters
    ----------
    source : str
        One of `SOURCES`.
    path, folder : Path
        Where it is, and the SDSS-GS folder to make.
    target : str
        Column for the class of a tree.
    images : Path, optional
        Folder with the images of ``gz2`` or ``labels``; the catalogue's by default.
    entry : Entry, optional
        How images enter.

    Returns
    -------
    taken, refused : int
        Rows of ``data.csv`` and of ``rejects.csv``.
    notes : list of str
        What a user should know of how images entered.

    Raises
    ------
    DataError
        If the source cannot be read, is empty, or two names have one id.
    OptionError
        If an option is impossible or `folder` was made with other options.
    """
    entry = entry or Entry()
    entry.check()
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    more = _own_options(source, path, folder, target, images)
    (folder / "img").mkdir(parents=True, exist_ok=True)
    chosen = {"source": source, "path": str(path.resolve()), "crop": entry.crop, "size": entry.size}
    chosen |= {} if entry.scale is None else {"scale": entry.scale}
    _same_options(folder, chosen | {name: str(value) for name, value in more.items()})
    before, done = _files_before(folder), Imported()
    for item in tqdm(SOURCES[source](path, **more), desc=f"importing {source}", unit=" images", disable=hidden()):
        try:
            _take(item, done, path, folder, before, entry)
        except BadFileError as error:
            done.rejects.append({"name": item.name, "reason": error.problem})
        except ValueError as error:
            done.rejects.append({"name": item.name, "reason": one_line(str(error))})
    _write_table(folder / "rejects.csv", ["name", "reason"], done.rejects)
    if not done.rows:
        first = ", the first ({name}): {reason}".format(**done.rejects[0]) if done.rejects else ""
        raise DataError(f"{path}: expected at least one usable image, found none ({len(done.rejects)} refused{first})")
    files = [{"objid": str(objid), "file": done.files[objid]} for objid in done.rows]
    _write_table(folder / FILES, ["objid", "file"], files)
    _write_table(folder / "data.csv", list(next(iter(done.rows.values()))), list(done.rows.values()))
    return len(done.rows), len(done.rejects), _notes(done.hows)


@dataclass
class Imported:
    """What came of a source so far: by object id its row, name and file; what was refused; how images entered."""

    rows: dict[int, dict[str, str]] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    files: dict[int, str] = field(default_factory=dict)
    rejects: list[dict[str, str]] = field(default_factory=list)
    hows: Counter = field(default_factory=Counter)


def _own_options(source: str, path: Path, folder: Path, target: str, images: Path | None) -> dict[str, object]:
    """Return the options that only this source has."""
    if images is not None and source not in ("gz2", "labels"):
        raise OptionError(f"--images {images}: only gz2 and labels have images beside a table, not {source}")
    if source in ("tree", "labels"):
        # Every file in there is looked at: the next run would import what this one has made.
        refuse_inputs(folder, [images or (path if path.is_dir() else path.parent)])
    own = {"tree": {"target": target}, "gz2": {"images": images or path.parent}, "labels": {"images": images}}
    return own.get(source, {})


def _take(item: Item | LeftOut, done: Imported, path: Path, folder: Path, before: dict[int, str], entry: Entry) -> None:
    """Bring one object's image into the folder, unless it is there; raise what `image_bytes` does if it is refused."""
    if isinstance(item, LeftOut):
        raise ValueError(item.reason)
    objid = objid_of(item.name)
    if done.names.setdefault(objid, item.name) != item.name or objid in done.rows:
        raise DataError(f"{path}: expected distinct ids, found {objid} for {done.names[objid]} and {item.name}")
    called = done.files[objid] = _file_of(item, path)
    place = folder / "img" / f"{objid}.jpg"
    if not place.exists() or before.get(objid, called) != called:
        content, how = _content(item, entry)
        done.hows[how] += 1
        with replacing(place) as temporary:
            temporary.write_bytes(content)
    done.rows[objid] = {"objid": str(objid), **item.cells}


def _notes(hows: Counter) -> list[str]:
    """Say of how many images the scale was taken for granted, or lost."""
    notes = []
    if hows[CROPPED]:
        notes.append(
            f"{hows[CROPPED]:,} images were taken for {PIXEL_SCALE} arcsec per pixel and cropped or edge-padded to "
            f"{SIDE}x{SIDE} (--image-scale says another scale)"
        )
    if hows[WHOLE]:
        notes.append(
            f"{hows[WHOLE]:,} images were taken whole and resampled to {SIDE}x{SIDE}, which does not keep their scale "
            f"(--image-scale does); predict files of the kind with --image-scale of {PIXEL_SCALE} * {SIDE} / side"
        )
    return notes


def _file_of(item: Item, source: Path) -> str:
    if not isinstance(item.image, Path):
        return item.name
    folder = source if source.is_dir() else source.parent
    return os.path.relpath(item.image, folder).replace(os.sep, "/")


def _files_before(folder: Path) -> dict[int, str]:
    """Return which files the objects of an earlier run are: another one may have the id by now."""
    try:
        with open(folder / FILES, newline="") as file:
            return {int(row["objid"]): row["file"] for row in csv.DictReader(file)}
    except FileNotFoundError:
        return {}


def _same_options(folder: Path, options: dict) -> None:
    record = folder / "import.json"
    if record.exists() and json.loads(record.read_text()) != options:
        raise OptionError(f"{folder}: made from another source or with other options ({record}); name a new folder")
    with replacing(record) as temporary:
        temporary.write_text(json.dumps(options))


def _content(item: Item, entry: Entry) -> tuple[bytes, str]:
    content, how = image_bytes(item, entry)
    # A copy, no hard link: what is done to the data set later must not reach the source.
    return item.image.read_bytes() if content is None else content, how


def _write_table(path: Path, columns: list[str], rows: list[dict[str, str]]) -> None:
    with replacing(path) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
