"""Which objects train, validate and test a model: decided by the object's id alone.

The same object is in the same part for every model, run, machine and size of the data set, so that models can be
compared and combined without one of them having seen another's test objects.
"""

from __future__ import annotations

import numpy as np

from sdss_gs.errors import OptionError

SHARES = {"train": 0.70, "validation": 0.15, "test": 0.15}
_SPLIT_SALT, _FOLD_SALT, _ORDER_SALT = 0x5D55, 0xF01D, 0x0DE2


def _mix(objid: np.ndarray, salt: int) -> np.ndarray:
    """Hash ids to uint64 with the finaliser of SplitMix64 (Steele, Lea & Flood 2014, OOPSLA)."""
    bits = np.asarray(objid).astype(np.uint64) + np.uint64((salt + 1) * 0x9E3779B97F4A7C15 % 2**64)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


def split(objid: np.ndarray) -> dict[str, np.ndarray]:
    """Divide objects into train, validation and test (70/15/15).

    Parameters
    ----------
    objid : ndarray of int64, shape (n,)

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
    edges = np.cumsum(list(SHARES.values()))[:-1]
    part = np.searchsorted(edges, uniform, side="right")
    return {name: np.flatnonzero(part == number) for number, name in enumerate(SHARES)}


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
