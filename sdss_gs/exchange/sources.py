"""What other projects ship: where the images are and what is known of each galaxy."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..decision_tree import KAGGLE, TREES
from ..errors import DataError
from ..schema import INPUTS, MORPHOLOGIES, PIXEL_SCALE

IMAGES = (".jpg", ".jpeg", ".png")


@dataclass(frozen=True)
class Item:
    """One galaxy of a source.

    Parameters
    ----------
    name : str
        Its id where it is a number, else what an id is made from.
    image : Path or ndarray of uint8, shape (height, width, 3)
    cells : dict of str to str
        Columns of ``data.csv``.
    crop : int, optional
        Side in pixels of the middle that has the zoo's field, where the source's scale is known.
    """

    name: str
    image: Path | np.ndarray
    cells: dict[str, str]
    crop: int | None = None


def kaggle(folder: Path, target: str) -> Iterator[Item]:
    """Galaxy Zoo challenge: ``images_training*/<GalaxyID>.jpg`` and ``training_solutions_rev1.csv``."""
    path = next(iter(sorted(folder.glob("training_solutions*.csv"))), folder / "training_solutions_rev1.csv")
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: expected the challenge's answers, cannot be read ({error})") from None
    answers = TREES[KAGGLE].columns
    absent = [column for column in ("GalaxyID", *answers) if not rows or column not in rows[0]]
    if absent:
        raise DataError(f"{path}: expected columns GalaxyID and {len(answers)} answers, lacks {', '.join(absent[:4])}")
    images = {image.stem: image for image in sorted(folder.glob("images_training*/*.jpg"))}
    for row in rows:
        name = row["GalaxyID"].strip()
        image = images.get(name, folder / "images_training_rev1" / f"{name}.jpg")
        yield Item(name, image, {column: row[column] for column in answers})


def tree(folder: Path, target: str) -> Iterator[Item]:
    """One folder per class; the class goes to the column `target`."""
    for path in sorted(folder.glob("*/*")):
        if path.suffix.lower() in IMAGES:
            name = path.stem if path.stem.isdigit() else path.relative_to(folder).as_posix()
            yield Item(name, path, {target: path.parent.name})


def galaxy10(path: Path, target: str) -> Iterator[Item]:
    """Galaxy10 DECaLS: HDF5 with ``images``, ``ans``, ``ra``, ``dec``, ``redshift``, ``pxscale``."""
    import h5py

    try:
        with h5py.File(path) as file:
            columns = {name: file[name][:] for name in ("ans", "ra", "dec", "redshift", "pxscale")}
            for row, number in enumerate(columns["ans"].tolist()):
                redshift = columns["redshift"][row]
                cells = {"morph10": MORPHOLOGIES[number], "ra": repr(float(columns["ra"][row]))}
                cells["dec"] = repr(float(columns["dec"][row]))
                cells["redshift"] = repr(float(redshift)) if np.isfinite(redshift) else ""
                field = INPUTS["img"].shape[0] * PIXEL_SCALE
                yield Item(f"galaxy10/{row}", file["images"][row], cells, round(field / columns["pxscale"][row]))
    except (OSError, KeyError, IndexError) as error:
        raise DataError(f"{path}: expected Galaxy10 DECaLS (HDF5), cannot be read ({error})") from None


SOURCES = {"kaggle": kaggle, "tree": tree, "galaxy10": galaxy10}
