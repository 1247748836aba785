"""What a column of a file of predictions holds, in the words that FITS, VOTable and Parquet have for it."""

from __future__ import annotations

import json
from dataclasses import dataclass

LONGEST = 68
"""Characters of a text that a card of a FITS header has room for."""

GRID, QUANTILES, QP = "grid", "quantiles", "qp"
PDF_FORMS = (GRID, QUANTILES, QP)
"""How distributions are written: as columns of vectors, or as an ensemble of qp."""


@dataclass(frozen=True)
class Vector:
    """What the numbers of a column of vectors stand for: densities in bins, or quantiles.

    Parameters
    ----------
    scale : str
        In which the bins, or the quantiles, are: ``redshift z``.
    borders : tuple of float
        Of the bins, one more than there are numbers; empty of quantiles.
    levels : tuple of float
        Cumulative probabilities of quantiles, as many as there are numbers.
    """

    scale: str
    borders: tuple[float, ...] = ()
    levels: tuple[float, ...] = ()

    @property
    def axes(self) -> dict[str, tuple[float, ...]]:
        """What belongs to each number: where its bin begins and ends, or its level."""
        if self.borders:
            return {"low": self.borders[:-1], "high": self.borders[1:]}
        return {"level": self.levels}

    @property
    def ending(self) -> str:
        """How the name of the table of `axes` ends."""
        return "grid" if self.borders else "levels"


@dataclass(frozen=True)
class Column:
    """A column of a file.

    Parameters
    ----------
    description : str
        At most `LONGEST` ASCII characters.
    ucd : str
        What it is in the words of the Virtual Observatory (UCD1+ controlled vocabulary 1.5); empty where none fits.
    unit : str
        As FITS and VOTable write it; empty for a plain number or text.
    vector : Vector, optional
        Of a column with as many numbers for each object.
    """

    description: str
    ucd: str = ""
    unit: str = ""
    vector: Vector | None = None

    def metadata(self) -> dict[str, str]:
        """Say all of it as texts: ``grid`` (the borders) or ``levels`` is a list in JSON."""
        said = {"description": self.description, "ucd": self.ucd, "unit": self.unit}
        if self.vector is None:
            return said
        numbers = json.dumps(self.vector.borders or self.vector.levels)
        return said | {"scale": self.vector.scale, self.vector.ending: numbers}
