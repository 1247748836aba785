"""What other projects ship: where the images are and what is known of each galaxy."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from sdss_gs.decision_tree import KAGGLE, TREES, DecisionTree
from sdss_gs.errors import DataError, first_line
from sdss_gs.exchange.folders import labels, tree
from sdss_gs.exchange.item import Item
from sdss_gs.schema import INPUTS, MORPHOLOGIES, PIXEL_SCALE


def kaggle(folder: Path) -> Iterator[Item]:
    """Galaxy Zoo challenge: ``images_training*/<GalaxyID>.jpg`` and ``training_solutions_rev1.csv``."""
    path = next(iter(sorted(folder.glob("training_solutions*.csv"))), folder / "training_solutions_rev1.csv")
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError(f"{path}: expected the challenge's answers, cannot be read ({error})") from None
    answers = TREES[KAGGLE].columns
    absent = [column for column in ("GalaxyID", *answers) if not rows or column not in rows[0]]
    if absent:
        raise DataError(f"{path}: expected columns GalaxyID and {len(answers)} answers, lacks {', '.join(absent[:4])}")
    images = {image.stem: image for image in sorted(folder.glob("images_training*/*.jpg"))}
    for row in rows:
        # A line that ends early has no name, and a name is no way to another folder.
        name = (row["GalaxyID"] or "").strip()
        image = images.get(name, folder / "images_training_rev1" / f"{PurePosixPath(name).name}.jpg")
        yield Item(name, image, {column: row[column] for column in answers})


def galaxy10(path: Path) -> Iterator[Item]:
    """Galaxy10 DECaLS: HDF5 with ``images``, ``ans``, ``ra``, ``dec``, ``redshift``, ``pxscale``."""
    import h5py

    try:
        with h5py.File(path) as file:
            columns = {name: file[name][:] for name in ("ans", "ra", "dec", "redshift", "pxscale")}
            _check_galaxy10(path, file["images"], columns)
            for row, number in enumerate(columns["ans"].tolist()):
                redshift = columns["redshift"][row]
                cells = {"morph10": MORPHOLOGIES[number], "ra": repr(float(columns["ra"][row]))}
                cells["dec"] = repr(float(columns["dec"][row]))
                cells["redshift"] = repr(float(redshift)) if np.isfinite(redshift) else ""
                field = INPUTS["img"].shape[0] * PIXEL_SCALE
                yield Item(f"galaxy10/{row}", file["images"][row], cells, round(field / columns["pxscale"][row]))
    except DataError:
        raise
    except Exception as error:
        # h5py raises nearly anything on a damaged file.
        raise DataError(f"{path}: expected Galaxy10 DECaLS (HDF5), cannot be read ({first_line(error)})") from None


def _check_galaxy10(path, images, columns):
    for name, values in columns.items():
        if values.shape != (len(images),):
            raise DataError(f"{path}: expected one {name} for each of {len(images)} images, found {values.shape}")
    if images.ndim != 4 or images.shape[3] != 3 or images.dtype != np.uint8:
        found = f"{images.shape} of {images.dtype}"
        raise DataError(f"{path}: expected images (n, height, width, 3) of uint8, found {found}")
    classes, scales = columns["ans"], columns["pxscale"]
    if not (good := (classes >= 0) & (classes < len(MORPHOLOGIES))).all():
        raise DataError(f"{path}: expected a class from 0 to {len(MORPHOLOGIES) - 1}, found {classes[~good][0]}")
    if not (good := scales > 0).all():
        raise DataError(f"{path}: expected a pixel scale above 0, found {scales[~good][0]}")


def gz2(path: Path, images: Path) -> Iterator[Item]:
    """Galaxy Zoo 2 as galaxy-datasets (Walmsley et al.) ships it: a Parquet catalogue, images in a folder.

    Votes go to the columns of the tree ``gz2``, with the counts that the catalogue has; a share that it
    lacks is made from the counts, and is empty where nobody was asked.
    """
    import pyarrow.parquet as pq

    tree, counts = TREES["gz2"], [column.removesuffix("_fraction") for column in TREES["gz2"].columns]
    try:
        with pq.ParquetFile(path) as catalogue:
            names = catalogue.schema_arrow.names
            absent = [
                column for column, count in zip(tree.columns, counts, strict=True) if not {column, count} & {*names}
            ]
            if "id_str" not in names or absent:
                lacks = ", ".join((["id_str"] if "id_str" not in names else []) + absent[:4])
                raise DataError(f"{path}: expected columns id_str and {tree.columns[0]} …, lacks {lacks}")
            votes = [*tree.columns, *counts, *sorted(name for name in names if name.endswith("-gz2_total-votes"))]
            places = {name: name.lower() for name in names if name.lower() in ("ra", "dec")}
            wanted = {"id_str", "file_loc", "subfolder", "filename", *votes, *places} & {*names}
            for batch in catalogue.iter_batches(1024, columns=sorted(wanted)):
                for row in batch.to_pylist():
                    cells = {name: _cell(row[name]) for name in votes if name in row}
                    cells |= {name: _share(row, tree, name) for name in tree.columns if name not in row}
                    cells |= {short: _cell(row[name]) for name, short in places.items()}
                    yield Item(str(row["id_str"]), _gz2_image(images, row), cells)
    except DataError:
        raise
    except Exception as error:
        # Names and cells that are no text are errors of Python, others of Arrow.
        raise DataError(f"{path}: expected a Parquet catalogue, cannot be read ({first_line(error)})") from None


def _cell(value) -> str:
    return "" if value is None or value != value else str(value)


def _share(row: dict, tree: DecisionTree, column: str) -> str:
    place = tree.columns.index(column)
    (question,) = (one for one in tree.questions if one.first <= place < one.first + len(one.answers))
    counts = [row.get(name.removesuffix("_fraction")) for name in tree.columns[question.slice]]
    total = sum(count for count in counts if count is not None and count == count)
    mine = counts[place - question.first]
    return str(mine / total) if total and mine is not None and mine == mine else ""


def _gz2_image(images: Path, row: dict) -> Path:
    """Find an image by the end of its path: the catalogue names it as it lay where the catalogue was made."""
    named = [row.get("file_loc"), f"{row.get('subfolder') or ''}/{row['filename']}" if row.get("filename") else None]
    for path in filter(None, named):
        parts = [part for part in PurePosixPath(path).parts if part not in ("/", "..")]
        for start in range(len(parts)):
            if (candidate := images.joinpath(*parts[start:])).is_file():
                return candidate
    return images / f"{row['id_str']}.jpg"


SOURCES = {"kaggle": kaggle, "gz2": gz2, "tree": tree, "labels": labels, "galaxy10": galaxy10}
