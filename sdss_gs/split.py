"""Which objects train, validate and test a model: decided by the object's id alone, unless the user says it.

By its id the same object is in the same part for every model, run, machine and size of the data set, so that models can
be compared and combined without one of them having seen another's test objects.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from sdss_gs.errors import DataError, OptionError

SHARES = {"train": 0.70, "validation": 0.15, "test": 0.15}
HASH, ALL, COLUMN = "hash", "all", "column"
"""Ways to divide."""
USUAL_COLUMN = "split"
WITHOUT_TEST = {"train": 0.85, "validation": 0.15, "test": 0.0}
"""Shares of `ALL`."""
PARTS = {
    "train": "train", "training": "train", "valid": "validation", "validation": "validation", "val": "validation",
    "test": "test", "testing": "test",
}  # fmt: skip
"""Parts by what people call them; without case."""
_SPLIT_SALT, _FOLD_SALT, _ORDER_SALT = 0x5D55, 0xF01D, 0x0DE2


def _mix(objid: np.ndarray, salt: int) -> np.ndarray:
    """Hash ids to uint64 with the finaliser of SplitMix64 (Steele, Lea & Flood 2014, OOPSLA)."""
    bits = np.asarray(objid).astype(np.uint64) + np.uint64((salt + 1) * 0x9E3779B97F4A7C15 % 2**64)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


@dataclass(frozen=True)
class Split:
    """How objects are divided into train, validation and test.

    Parameters
    ----------
    shares : mapping of str to float
        Share of each part, chosen by the hash of the ids.
    column : str
        Column of ``data.csv`` that names each object's part instead; empty: none.
    """

    shares: Mapping[str, float] = field(default_factory=lambda: SHARES)
    column: str = ""

    @property
    def may_lack_test(self) -> bool:
        """Whether it is no mistake if there are no test objects."""
        return bool(self.column) or not self.shares["test"]


def parse_split(text: str) -> Split:
    """Read how objects are to be divided.

    Parameters
    ----------
    text : str
        ``hash``, 70/15/15; ``all``, without test objects; ``column`` or ``column:NAME``; or the shares of train,
        validation and test, ``.8,.1,.1``, of which the last may be 0.

    Raises
    ------
    OptionError
        If it is none of these.

    Examples
    --------
    >>> parse_split("column").column, parse_split("column:fold").column, parse_split(".9,.1,0").shares["train"]
    ('split', 'fold', 0.9)
    """
    if text in (HASH, ALL):
        return Split(SHARES if text == HASH else WITHOUT_TEST)
    kind, _, name = text.partition(":")
    if kind == COLUMN:
        return Split(column=name.strip() or USUAL_COLUMN)
    try:
        train, validation, test = map(float, text.split(","))
    except ValueError:
        train = validation = test = math.nan
    if not (train > 0 and validation > 0 and test >= 0 and math.isclose(train + validation + test, 1, abs_tol=1e-6)):
        raise OptionError(
            f"split: expected {HASH}, {ALL}, {COLUMN}, {COLUMN}:NAME, or shares of train, validation and test that sum "
            f"to 1 (.8,.1,.1), found {text!r}"
        )
    return Split({"train": train, "validation": validation, "test": test})


def split(objid: np.ndarray, shares: Mapping[str, float] = SHARES) -> dict[str, np.ndarray]:
    """Divide objects into train, validation and test by the hash of their ids.

    Parameters
    ----------
    objid : ndarray of int64, shape (n,)
    shares : mapping of str to float
        Of ``train``, ``validation`` and ``test``; they sum to 1.

    Returns
    -------
    dict of str to ndarray of int64
        Positions in `objid`, ascending, for ``train``, ``validation`` and ``test``.

    Examples
    --------
    >>> {name: part.tolist() for name, part in split(1237668296598683803 + np.arange(8)).items()}
    {'train': [1, 2, 3, 4, 5, 6], 'validation': [0], 'test': [7]}
    """
    uniform = _mix(objid, _SPLIT_SALT) / 2.0**64
    edges = np.cumsum(list(shares.values()))[:-1]
    # Rounding must put nothing into a part whose share is 0.
    last = max(number for number, share in enumerate(shares.values()) if share)
    part = np.minimum(np.searchsorted(edges, uniform, side="right"), last)
    return {name: np.flatnonzero(part == number) for number, name in enumerate(shares)}


def split_as_named(names: Sequence[str], where: str) -> dict[str, np.ndarray]:
    """Divide objects by the part that each is said to be in.

    Parameters
    ----------
    names : sequence of str
        One of `PARTS`; empty for an object that is in none.
    where : str
        What messages call the column.

    Returns
    -------
    dict of str to ndarray of int64
        Positions in `names`, ascending, for ``train``, ``validation`` and ``test``.

    Raises
    ------
    DataError
        If there is another name.

    Examples
    --------
    >>> {name: part.tolist() for name, part in split_as_named(["train", "val", "", "Train"], "split").items()}
    {'train': [0, 3], 'validation': [1], 'test': []}
    """
    parts = np.array([PARTS.get(name.lower(), name) for name in names], dtype=object)
    if unknown := [name for name in parts if name and name not in SHARES]:
        count = f"{len(unknown):,} rows" if len(unknown) > 1 else "a row"
        raise DataError(f"{where}: expected {', '.join(SHARES)} or nothing, found {unknown[0]!r} in {count}")
    return {part: np.flatnonzero(parts == part) for part in SHARES}


def folds(objid: np.ndarray, count: int) -> np.ndarray:
    """Give each object its fold for k-fold cross-validation, int64 ``(n,)`` in ``[0, count)``.

    Raises
    ------
    OptionError
        If `count` is below 2.

    Examples
    --------
    >>> folds(1237668296598683803 + np.arange(8), 4).tolist()
    [0, 0, 2, 2, 1, 1, 3, 0]
    """
    if count < 2:
        raise OptionError(f"folds: expected at least 2, found {count}")
    return (_mix(objid, _FOLD_SALT) % np.uint64(count)).astype(np.int64)


def fold_split(objid: np.ndarray, count: int, fold: int) -> dict[str, np.ndarray]:
    """Divide objects for one fold of a cross-validation: it tests, the next one validates, the others train.

    Parameters
    ----------
    objid : ndarray of int64
    count : int
        Number of folds.
    fold : int
        Which, from 0.

    Returns
    -------
    dict of str to ndarray of int64
        Positions in `objid`, ascending, for ``train``, ``validation`` and ``test``.

    Raises
    ------
    OptionError
        If `count` is below 3: nothing would be left to train on.
    """
    if count < 3:
        raise OptionError(f"folds: expected at least 3, found {count}")
    number = folds(objid, count)
    validation = (fold + 1) % count
    return {
        "train": np.flatnonzero((number != fold) & (number != validation)),
        "validation": np.flatnonzero(number == validation),
        "test": np.flatnonzero(number == fold),
    }


def limited(objid: np.ndarray, limit: int) -> np.ndarray:
    """Choose `limit` objects by their ids' hash: a larger limit keeps the smaller one's objects.

    Returns
    -------
    ndarray of int64
        Positions in `objid`, ascending.

    Examples
    --------
    >>> objid = 1237668296598683803 + np.arange(8)
    >>> limited(objid, 2).tolist(), limited(objid, 3).tolist()
    ([5, 6], [0, 5, 6])
    """
    return np.sort(np.argsort(_mix(objid, _ORDER_SALT), kind="stable")[:limit])
