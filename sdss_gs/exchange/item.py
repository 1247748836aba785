"""What a source yields, one by one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np


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


@dataclass(frozen=True)
class LeftOut:
    """A file of a source that becomes no galaxy, and why."""

    name: str
    reason: str
