"""A source → the SDSS-GS layout: images, ``data.csv`` and what was refused."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from sdss_gs.errors import DataError, OptionError, one_line
from sdss_gs.exchange.sources import SOURCES, Item
from sdss_gs.files import replacing
from sdss_gs.formats.img import JPEG, LARGEST, SMALLEST, crop_or_pad
from sdss_gs.logs import hidden
from sdss_gs.schema import INPUTS

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


def image_bytes(item: Item, crop: int | None, size: int | None) -> bytes | None:
    """Make an object's JPEG; None where the file enters the zoo as it is.

    Without options, an RGB JPEG of 150 x 150 pixels is left alone, and another file of 100 to 300 pixels a side is
    cropped or padded at its scale (`img.crop_or_pad`). Any other image: the middle square of `crop` pixels (the
    source's own, else the shorter side) is resampled to `size` (150).

    Parameters
    ----------
    item : Item
    crop, size : int or None
        Pixels.

    Raises
    ------
    OSError, SyntaxError, ValueError, DecompressionBombError
        If the image is absent, damaged, smaller than `crop`, or larger than a machine may hold.
    """
    if isinstance(item.image, np.ndarray):
        picture, jpeg = Image.fromarray(item.image), False
    else:
        content = item.image.read_bytes()
        jpeg = content.startswith(JPEG)
        with Image.open(io.BytesIO(content)) as opened:
            opened.load()
            jpeg, picture = jpeg and opened.mode == "RGB", opened.convert("RGB")
    standard = INPUTS["img"].shape[0]
    if isinstance(item.image, Path) and crop is None and size is None:
        if jpeg and picture.size == (standard, standard):
            return None
        if all(SMALLEST <= side <= LARGEST for side in picture.size):
            # All images of a set must have one size, or the commonest wins and the others are refused.
            return _as_jpeg(Image.fromarray(crop_or_pad(np.asarray(picture))))
    side, target = crop or item.crop or min(picture.size), size or standard
    if side > min(picture.size):
        raise ValueError(f"expected at least {side} pixels a side, found {picture.width}x{picture.height}")
    x, y = (picture.width - side) // 2, (picture.height - side) // 2
    box = (x, y, x + side, y + side)
    return _as_jpeg(picture.resize((target, target), Image.Resampling.LANCZOS, box=box))


def _as_jpeg(picture: Image.Image) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=95)
    return buffer.getvalue()


def import_set(
    source: str,
    path: Path,
    folder: Path,
    *,
    target: str = "label",
    images: Path | None = None,
    crop: int | None = None,
    size: int | None = None,
) -> tuple[int, int]:
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
        Folder with the images of ``gz2``; the catalogue's by default.
    crop, size : int, optional
        See `image_bytes`.

    Returns
    -------
    taken, refused : int
        Rows of ``data.csv`` and of ``rejects.csv``.

    Raises
    ------
    DataError
        If the source cannot be read, is empty, or two names have one id.
    OptionError
        If an option is impossible or `folder` was made with other options.
    """
    if any(value is not None and value < 1 for value in (crop, size)):
        raise OptionError(f"--crop {crop} --size {size}: expected at least 1 pixel")
    if size is not None and not SMALLEST <= size <= LARGEST:
        raise OptionError(f"--size {size}: expected {SMALLEST} to {LARGEST} pixels")
    if not path.exists():
        raise DataError(f"{path}: no such file or folder")
    more = {"tree": {"target": target}, "gz2": {"images": images or path.parent}}.get(source, {})
    if images is not None and source != "gz2":
        raise OptionError(f"--images {images}: only gz2 has its images beside a catalogue, not {source}")
    (folder / "img").mkdir(parents=True, exist_ok=True)
    chosen = {"source": source, "path": str(path.resolve()), "crop": crop, "size": size}
    _same_options(folder, chosen | {name: str(value) for name, value in more.items()})
    rows: dict[int, dict[str, str]] = {}
    names: dict[int, str] = {}
    rejects = []
    for item in tqdm(SOURCES[source](path, **more), desc=f"importing {source}", unit=" images", disable=hidden()):
        objid = objid_of(item.name)
        if names.setdefault(objid, item.name) != item.name or objid in rows:
            raise DataError(f"{path}: expected distinct ids, found {objid} for {names[objid]} and {item.name}")
        place = folder / "img" / f"{objid}.jpg"
        try:
            content = None if place.exists() else _content(item, crop, size)
        except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
            rejects.append({"name": item.name, "reason": one_line(str(error))})
            continue
        if content is not None:
            with replacing(place) as temporary:
                temporary.write_bytes(content)
        rows[objid] = {"objid": str(objid), **item.cells}
    _write_table(folder / "rejects.csv", ["name", "reason"], rejects)
    if not rows:
        raise DataError(f"{path}: expected at least one usable image, found none ({len(rejects)} refused)")
    _write_table(folder / "data.csv", list(next(iter(rows.values()))), list(rows.values()))
    return len(rows), len(rejects)


def _same_options(folder: Path, options: dict) -> None:
    record = folder / "import.json"
    if record.exists() and json.loads(record.read_text()) != options:
        raise OptionError(f"{folder}: made from another source or with other options ({record}); name a new folder")
    with replacing(record) as temporary:
        temporary.write_text(json.dumps(options))


def _content(item: Item, crop: int | None, size: int | None) -> bytes:
    content = image_bytes(item, crop, size)
    # A copy, no hard link: what is done to the data set later must not reach the source.
    return item.image.read_bytes() if content is None else content


def _write_table(path: Path, columns: list[str], rows: list[dict[str, str]]) -> None:
    with replacing(path) as temporary, open(temporary, "w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)
