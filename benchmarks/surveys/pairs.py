"""Pairs of surveys that differ as real ones do, as data sets: the old one; labels and test objects of the new one."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from sdss_gs.errors import DataError
from sdss_gs.exchange.entry import Entry
from sdss_gs.exchange.importing import import_set
from sdss_gs.schema import BANDS, CATALOGUE_FILE, PER_EBV
from sdss_gs.split import folds, limited
from weights import tables

OLD, NEW, TEST = "old", "new", "test"
"""Folders of a pair: what the model learnt from; the new survey's objects that may be labelled; those it is judged on.
With folds their number follows the name."""
MOST = 20_000
"""Objects of a survey: enough for b2r, and a minute of training."""
MAGNITUDES = [f"modelMag_{band}" for band in BANDS]
EXTINCTION = np.array(list(PER_EBV.values()))
SHAPES = {"elliptical": "elliptical", "edge_on": "edge_on", "spiral_acw": "spiral", "spiral_cw": "spiral"}
"""Classes of `SHAPE` by the commonest vote in Galaxy Zoo 1; mergers and "don't know" are left out."""
SHAPE = "shape"
SAME_GALAXY = 3.0
"""Arcsec within which two rows of different catalogues are one galaxy."""
_SIDE = 150


@dataclass(frozen=True)
class Survey:
    """Objects of a survey.

    Parameters
    ----------
    table : DataFrame
        As ``data.csv``.
    images : mapping of int to Path
        JPEG files, by ``objid``.
    """

    table: pd.DataFrame
    images: Mapping[int, Path] = field(default_factory=dict)

    def chosen(self, which: np.ndarray) -> Survey:
        """Choose some by their positions or a mask."""
        return Survey(self.table[which] if which.dtype == bool else self.table.iloc[which], self.images)

    def write(self, folder: Path) -> Path:
        """Write them as a data set; images are hard links where that is possible."""
        folder.mkdir(parents=True)
        for objid in self.table["objid"] if self.images else ():
            (folder / "img").mkdir(exist_ok=True)
            _link(self.images[objid], folder / "img" / f"{objid}.jpg")
        self.table.to_csv(folder / CATALOGUE_FILE, index=False)
        return folder


@dataclass(frozen=True)
class Pair:
    """Two surveys, and the model that knows the old one.

    Parameters
    ----------
    title, shift : str
        What the surveys are, and in what they differ, in a line.
    model : str
        Model folder.
    read : callable
        Takes the folders of the tables (weights/recipe.md), of real data sets, and one for what is in between; returns
        old and new survey.
    folds : int
        One out of so many objects of the new survey is a test object.
    rounds : int
        How many of these parts are test objects in turn.
    options : mapping of str to object
        Of a training, besides the model's defaults.
    adapting : mapping of str to object
        Of an adaptation, besides its defaults.
    enough : bool
        Whether there are labels enough to say from them what can be reached; else that is what the model reaches on
        its own survey.
    sources, real : tuple of str
        Files and folders that are read.
    """

    title: str
    shift: str
    model: str
    read: Callable[[Path, Path, Path], tuple[Survey, Survey]]
    folds: int = 5
    rounds: int = 1
    options: Mapping[str, object] = field(default_factory=dict)
    adapting: Mapping[str, object] = field(default_factory=dict)
    enough: bool = True
    sources: tuple[str, ...] = ()
    real: tuple[str, ...] = ()


def write_pair(pair: Pair, sources: Path, real: Path, folder: Path) -> None:
    """Write the data sets of a pair; nothing if they are there.

    Parameters
    ----------
    pair : Pair
    sources, real : Path
        See `Pair.read`.
    folder : Path
        Where `OLD`, and for each round `NEW` and `TEST`, will be.

    Raises
    ------
    DataError
        If what it is made of is not there.
    """
    if (folder / OLD / CATALOGUE_FILE).is_file():
        return
    for path in [*(sources / name for name in pair.sources), *(real / name for name in pair.real)]:
        if not path.exists():
            raise DataError(f"{path}: expected data for {pair.title}, found none")
    old, new = pair.read(sources, real, folder / "read")
    number = folds(new.table["objid"].to_numpy(), pair.folds)
    for turn in range(pair.rounds):
        new.chosen(number != turn).write(folder / f"{NEW}{turn or ''}")
        new.chosen(number == turn).write(folder / f"{TEST}{turn or ''}")
    # Last: where it is, the others are whole.
    old.write(folder / OLD)


def turns(pair: Pair, folder: Path) -> Iterator[tuple[Path, Path]]:
    """Yield the folders `NEW` and `TEST` of each round."""
    for turn in range(pair.rounds):
        yield folder / f"{NEW}{turn or ''}", folder / f"{TEST}{turn or ''}"


def few(table: pd.DataFrame, count: int = MOST) -> pd.DataFrame:
    """Choose so many rows by the hash of their ids."""
    return table.iloc[limited(table["objid"].to_numpy(), count)]


# === Surveys ===


def from_source(old: str, new: str) -> Callable[[Path, Path, Path], tuple[Survey, Survey]]:
    """Take two of the `weights.tables.SOURCES_OF`, magnitudes as each has them; a galaxy of both is in one."""

    def read(sources: Path, real: Path, work: Path) -> tuple[Survey, Survey]:
        everything = tables.redshifts(sources)
        of_old, of_new = (few(everything[everything["source"] == name]) for name in (old, new))
        return Survey(_as_they_are(of_old)), Survey(_as_they_are(of_new))

    return read


def reddened(sources: Path, real: Path, work: Path) -> tuple[Survey, Survey]:
    """Take galaxies of one survey, half of them dereddened, the others with the extinction left in, unsaid."""
    everything = tables.redshifts(sources)
    one = everything[everything["source"] == "LM"]
    half = folds(one["objid"].to_numpy(), 2)
    other = few(one[half == 1])
    other = other.assign(**dict(zip(MAGNITUDES, _with_dust(other, 1), strict=True)))
    return Survey(_as_they_are(few(one[half == 0]))), Survey(_as_they_are(other))


def dwarfs(sources: Path, real: Path, work: Path) -> tuple[Survey, Survey]:
    """Take masses of the main sample, dereddened as those of RESOLVE and ECO are, and the nearby dwarfs of these."""
    old = tables.masses(sources)
    raw = (old["photometry"] == tables.RAW).to_numpy(int)
    old = old.assign(**dict(zip(MAGNITUDES, _with_dust(old, -raw), strict=True)))
    kept = ["objid", *MAGNITUDES, "redshift", "stellarmass"]
    new = pd.read_csv(real / "resolve" / CATALOGUE_FILE)
    return Survey(few(old)[kept]), Survey(new[once_each(new["ra"], new["dec"])][kept])


def shapes(sources: Path, real: Path, work: Path) -> tuple[Survey, Survey]:
    """Take Galaxy Zoo 1's images, each scaled to its galaxy, and Galaxy Zoo 2's at one scale; three shapes of both."""
    work.mkdir(parents=True, exist_ok=True)
    import_set(
        "labels", real / "gz1" / "labels.csv", work / "gz1", images=real / "gz1" / "images", entry=Entry(size=_SIDE)
    )
    old = pd.read_csv(work / "gz1" / CATALOGUE_FILE)
    new = pd.read_csv(real / "gz2" / CATALOGUE_FILE)
    named = {"old": old["label"].map(SHAPES), "new": new["gz2c_s"].map(shape_of)}
    folders = {"old": work / "gz1" / "img", "new": real / "gz2" / "img"}
    found = {}
    for name, table in (("old", old), ("new", new)):
        table = table[["objid"]].assign(**{SHAPE: named[name]}).dropna()
        found[name] = Survey(table, {objid: folders[name] / f"{objid}.jpg" for objid in table["objid"]})
    return found["old"], found["new"]


def shape_of(text: str) -> str | None:
    """Return the shape of a class of Galaxy Zoo 2 (Willett et al. 2013), None of a star or an artefact.

    Examples
    --------
    >>> shape_of("Ei"), shape_of("Sen"), shape_of("SBcR"), shape_of("A")
    ('elliptical', 'edge_on', 'spiral', None)
    """
    return {"E": "elliptical", "A": None}.get(text[0], "edge_on" if text.startswith("Se") else "spiral")


def once_each(ra: pd.Series, dec: pd.Series) -> np.ndarray:
    """Tell which rows are the first of their galaxy, bool ``(n,)``: none before it lies within `SAME_GALAXY`.

    Parameters
    ----------
    ra, dec : Series of float64
        Degrees.
    """
    longitude, latitude = np.deg2rad(ra), np.deg2rad(dec)
    x, y = np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude)
    tree = cKDTree(np.column_stack([x, y, np.sin(latitude)]))
    first = np.ones(len(ra), bool)
    first[[later for _, later in tree.query_pairs(np.deg2rad(SAME_GALAXY / 3600))]] = False
    return first


def _as_they_are(table: pd.DataFrame) -> pd.DataFrame:
    """Leave out what a catalogue that says little does not have: errors, kind of magnitudes, dust."""
    return table[["objid", *MAGNITUDES, "redshift"]]


def _with_dust(table: pd.DataFrame, times: int | np.ndarray) -> np.ndarray:
    """Return the magnitudes with so many times the extinction added, ``(5, n)``."""
    times = np.broadcast_to(times, len(table))
    dust = np.outer(np.where(times, table["ebv"], 0) * times, EXTINCTION)
    return (table[MAGNITUDES].to_numpy() + dust).round(5).T


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        target.write_bytes(source.read_bytes())


TABLES = ("galaxies.parquet", "ebv_sample.csv")
PAIRS = {
    "a1-kc": Pair(
        "A1 → KC", "a cut at u ≤ 19.6 → SDSS's main sample", "b2r", from_source("A1", "KC"),
        sources=TABLES,
    ),
    "a1-lm": Pair(
        "A1 → LM", "a cut at u ≤ 19.6, raw → to r = 21 and z = 1, dereddened", "b2r", from_source("A1", "LM"),
        sources=TABLES,
    ),
    "dereddened-raw": Pair(
        "dereddened → raw", "the Galaxy's extinction, unsaid", "b2r", reddened, sources=TABLES,
    ),
    "masses-resolve": Pair(
        "masses → RESOLVE and ECO", "MPA-JHU and kcorrect, main sample → dwarfs within 100 Mpc, other photometry",
        "b2sm", dwarfs, folds=3, sources=(*TABLES, "masses_kcorrect.parquet"), real=("resolve",),
    ),
    "gz1-gz2": Pair(
        "Galaxy Zoo 1 → 2", "images scaled to each galaxy → 0.2 arcsec per pixel", "i2c", shapes, folds=4, rounds=4,
        enough=False, adapting={"epochs": 10}, options={
            "target": SHAPE, "backbone": "small", "crop": 80, "augment": "full", "class_weights": "balanced",
            "label_smoothing": 0.1, "optimizer": "adamw", "weight_decay": 0.02, "learning_rate": 0.003, "epochs": 60,
        },
        real=("gz1", "gz2"),
    ),
}  # fmt: skip
"""By the name of their folder."""
