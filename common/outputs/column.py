"""What a column of a file of predictions holds, in the words that FITS, VOTable and Parquet have for it."""

from __future__ import annotations

from dataclasses import dataclass

LONGEST = 68
"""Characters of a text that a card of a FITS header has room for."""


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
    """

    description: str
    ucd: str = ""
    unit: str = ""
