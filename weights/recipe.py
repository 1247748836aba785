"""The shipped models: what each learns from, and how."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from sdss_gs.eigenspectra import write_spectra
from weights import tables
from weights.sources import SOURCES

TABLES = ("galaxies.parquet", "ebv_sample.csv")
TEMPLATES = tuple(name for name in SOURCES if name.startswith("templates/"))
LICENCE = "MIT; sources in weights/recipe.md"
SPECTRA, MORE_SPECTRA = 32_000, 24_000
GALAXIES_AND_STARS = (*("GALAXY",) * 7, "STAR")
"""Of a model of redshifts: it is to know a star by its redshift of 0."""


@dataclass(frozen=True)
class Recipe:
    """How a model is made.

    Parameters
    ----------
    data : str
        Which data set of `DATA`.
    learnt_from : str
        In a line.
    options : dict of str to str
        Of its ``train.py``, besides its defaults.
    limits : tuple of str
        Where it cannot be trusted: sentences for its card, besides those that every model of its kind has.
    published : str
        Whose values stand beside its own in its card; empty for none.
    """

    data: str
    learnt_from: str
    options: dict[str, str] = field(default_factory=dict)
    limits: tuple[str, ...] = ()
    published: str = ""


@dataclass(frozen=True)
class DataSet:
    """A data set that is made of the sources.

    Parameters
    ----------
    sources : tuple of str
        The files it needs.
    make : callable
        Takes the folder of the sources and that of the data set, which it makes.
    """

    sources: tuple[str, ...]
    make: Callable[[Path, Path], object]


def _table(make: Callable) -> Callable[[Path, Path], object]:
    def write(sources: Path, folder: Path) -> None:
        folder.mkdir()
        make(sources).to_csv(folder / "data.csv", index=False)

    return write


def _spectra(count: int, *kinds: str) -> Callable[[Path, Path], object]:
    return lambda sources, folder: write_spectra(folder, sources / "templates", count, 0, kinds, noisy=0.5)


DATA = {
    "redshifts": DataSet(TABLES, _table(tables.redshifts)),
    "masses": DataSet((*TABLES, "masses_kcorrect.parquet"), _table(tables.masses)),
    "subclasses": DataSet(TABLES, _table(tables.subclasses)),
    "classes": DataSet((*TABLES, "stars_quasars.parquet"), _table(tables.classes)),
    "galaxy spectra": DataSet(TEMPLATES, _spectra(SPECTRA, *GALAXIES_AND_STARS)),
    "spectra": DataSet(TEMPLATES, _spectra(MORE_SPECTRA, "GALAXY", "STAR", "QSO")),
}
_MADE = "made of the templates of SDSS and redrock, half of them noisy; never a real one"
_WIDE, _SLIM = {"architecture": "wide"}, {"architecture": "slim"}
_REDSHIFTS = _SLIM | {"epochs": "6", "bins": "2000"}
_OF_REDSHIFTS = (
    "From the observed flux of real galaxies its intervals hold the redshift less often than they say.",
    "A real quasar can get a galaxy's redshift, or a star's, without a flag: s2c tells quasars.",
)
_OF_MAGNITUDES = (
    "Nearby galaxies, dwarfs most of all, are placed too far away: below redshift 0.01 at three times the true one, "
    "from 0.01 to 0.02 at one and a half times; 59 % and 79 % of their 90 % intervals hold it.",
    "Few training galaxies are fainter than r = 21 or beyond redshift 0.7.",
    "Every object is taken for a galaxy: stars and quasars get a redshift too, only some of them a flag; b2c first.",
)
_CLASSES = {
    "class_weights": "balanced", "epochs": "60", "batch_size": "128", "optimizer": "adamw", "learning_rate": "0.002",
    "weight_decay": "0.1",
}  # fmt: skip
_AS_FREQUENT = (
    "Rare classes were weighed up: its probabilities are for classes that are equally frequent. For those in a sample "
    "multiply them by the shares of the classes there, and divide by the sum."
)
RECIPES = {
    "b2r": Recipe(
        "redshifts", "88,762 real galaxies to r = 21, raw and dereddened told apart", _WIDE,
        limits=_OF_MAGNITUDES, published="SDSS's own photometric redshift (DR17)",
    ),
    "b2sm": Recipe(
        "masses", "20,855 real galaxies, masses of MPA-JHU's kind and of kcorrect",
        limits=(
            "Masses of a Chabrier initial mass function, of MPA-JHU's kind and of kcorrect's, which agree; those of "
            "RESOLVE and ECO lie 0.2 dex lower below 10^9.5 Msun.",
            "Magnitudes hold no distance: 1 % of the training galaxies are nearer than redshift 0.02, and dwarfs there "
            "look to it like galaxies farther away. Galaxies of RESOLVE and ECO, all nearer than 0.025, get masses "
            "0.5 dex too large; fine-tuning on 300 of them learns that.",
            "Few training galaxies are fainter than r = 20.3.",
        ),
    ),
    "b2s": Recipe(
        "subclasses", "18,821 real galaxies with a sub-class of SDSS, dereddened",
        _CLASSES | {"photometry": "both"},
        limits=(
            "It answers only if SDSS would have given a sub-class: two thirds of its galaxies have none, for want of "
            "lines, and get one of the four here all the same.",
            "Few training galaxies are fainter than r = 21.",
            _AS_FREQUENT,
        ),
    ),
    "b2c": Recipe(
        "classes", "88,762 real galaxies and 59,686 stars and quasars", _CLASSES,
        limits=(
            "Magnitudes hold no shape: where images tell galaxies from stars, that is better. Fainter than r = 19.5 a "
            "third of the galaxies is taken for another class.",
            _AS_FREQUENT,
        ),
    ),
    "s2r": Recipe("galaxy spectra", f"{SPECTRA:,} spectra of galaxies and stars, {_MADE}", _REDSHIFTS, _OF_REDSHIFTS),
    "ss2r": Recipe(
        "galaxy spectra", f"{SPECTRA:,} spectra of galaxies and stars, {_MADE}",
        _REDSHIFTS | {"epochs": "8"}, _OF_REDSHIFTS,
    ),
    "s2c": Recipe("spectra", f"{MORE_SPECTRA:,} spectra {_MADE}", _SLIM | {"epochs": "4"}),
    "s2s": Recipe(
        "galaxy spectra", f"spectra of galaxies {_MADE}; by the equivalent width of Hα", _SLIM | {"epochs": "6"}
    ),
}  # fmt: skip
