"""Read every file of a data set and name everything that is wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from tqdm import tqdm

from sdss_gs.dataset import is_known
from sdss_gs.formats import img
from sdss_gs.formats.raw import Layout, list_paths, probe_layout, strangers_note
from sdss_gs.logs import hidden
from sdss_gs.packing.reading import FILES_PER_GROUP, Group, read_groups
from sdss_gs.schema import INPUTS, PIXEL_SCALE
from sdss_gs.tables.catalogue import Catalogue, Problem, read_catalogue
from sdss_gs.tables.votes import find_votes, read_votes


def verify(
    folder: str | Path, *, image_scale: float = PIXEL_SCALE, processes: int | None = None, progress: bool = True
) -> tuple[list[Problem], list[str]]:
    """Check a whole data set.

    Parameters
    ----------
    folder : path-like
    image_scale : float
        Arcsec per pixel of the ``img`` files; another value than 0.2 has them resampled.
    processes : int, optional
        All cores by default.
    progress : bool

    Returns
    -------
    problems : list of Problem
        What is wrong. An absent file, an empty cell or a sentinel is missing, not wrong.
    notes : list of str
        What is right but worth knowing.

    Raises
    ------
    DataError
        If there is no usable catalogue.
    """
    folder = Path(folder)
    catalogue = read_catalogue(folder)
    problems, notes = list(catalogue.problems), list(catalogue.notes)
    if nothing := _nothing_usable(folder, catalogue):
        problems.append(nothing)
    known = set(catalogue.objid.tolist())
    for name, item in INPUTS.items():
        if item.columns or not (folder / name).is_dir():
            continue
        notes += strangers_note(folder, name)
        files = list_paths(folder, name)
        if not files:
            problems.append(Problem(str(folder / name), name, f"expected files <objid>{item.suffix}, found none"))
            continue
        strangers = len(files.keys() - known)
        if strangers:
            notes.append(f"{name}: {strangers} files belong to no row of data.csv and are passed over")
        paths = list(files.values())
        layout = probe_layout(name, paths, image_scale)
        notes += layout_notes(name, layout)
        with tqdm(total=len(paths), desc=f"reading {name}", unit=" files", disable=hidden(progress)) as bar:
            starts = range(0, len(paths), FILES_PER_GROUP)
            groups = (Group(name, layout, start, paths[start : start + FILES_PER_GROUP]) for start in starts)
            lacks: list[list[str]] = []
            for group, outcome in read_groups(groups, len(paths), processes):
                lacks += outcome.lacks.values()
                for path, problem in zip(group.paths, outcome.problems, strict=True):
                    if problem:
                        problems.append(Problem(str(Path(path).relative_to(folder)), name, problem))
                bar.update(len(group.paths))
        notes += lacking_notes(name, lacks)
    if find_votes(folder) is not None:
        votes = read_votes(folder, catalogue.objid)
        problems += votes.problems
        bad = int(votes.tree.inconsistent(votes.values[is_known(votes.values)]).any(axis=1).sum())
        if bad:
            notes.append(f"votes: the answers of {bad} objects do not sum to the answer that leads to them")
    return problems, notes


def lacking_notes(name: str, lacks: Iterable[Sequence[str]]) -> list[str]:
    """Say how many spectra can be used for one column only, whose names are given of each."""
    counts = Counter(column for columns in lacks for column in columns)
    return [f"{name}: {count} files have no usable {column}" for column, count in counts.items()]


def _nothing_usable(folder: Path, catalogue: Catalogue) -> Problem | None:
    """Say so where no object has any input: every cell may be good, and no model reads one of them."""
    tables = [item.columns for item in INPUTS.values() if item.columns]
    if any(np.isfinite(catalogue.table(columns)).all(axis=1).any() for columns in tables):
        return None
    if any((folder / name).is_dir() for name, item in INPUTS.items() if not item.columns):
        return None
    wanted = " or ".join(f"{columns[0]} … {columns[-1]}" for columns in tables)
    return Problem("data.csv", "inputs", f"expected columns {wanted}, or folders of files, found nothing to learn from")


def layout_notes(name: str, layout: Layout) -> list[str]:
    """Say how a set whose files are not the standard ones enters."""
    if layout.size is not None:
        return _image_notes(name, layout) if name == "img" else _cutout_notes(name, layout)
    if layout.grid is not None:
        return [f"{name}: {len(layout.grid)} points (SDSS's standard is {INPUTS[name].shape[0]})"]
    return []


def _cutout_notes(name: str, layout: Layout) -> list[str]:
    height, width, _ = layout.shape
    if layout.size == (width, height):
        return []
    found = f"{name}: {layout.size[0]}x{layout.size[1]} pixels"
    if layout.size[0] < width or layout.size[1] < height:
        return [f"{found} are refused: expected at least {width}x{height}"]
    return [f"{found}, of which the middle {width}x{height} are taken"]


def _image_notes(name: str, layout: Layout) -> list[str]:
    """Say by which rule images of a size and scale enter, or that they do not."""
    if problem := img.refusal(layout.size, layout.stated_scale):
        return [f"{name}: refused: {problem}"]
    width, height = layout.size
    resampled, cropped = img.entering(layout.size, layout.stated_scale)
    notes = [f"{name}: resampled from {layout.scale} to {PIXEL_SCALE} arcsec per pixel"] if resampled else []
    if cropped:
        scale = "" if resampled else f", taken for {PIXEL_SCALE} arcsec per pixel"
        notes.append(
            f"{name}: {width}x{height} pixels, cropped or edge-padded about the centre to {img.SIDE}x{img.SIDE}{scale}"
        )
    return notes
