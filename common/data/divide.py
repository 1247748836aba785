"""Which objects of a data set train, validate and test: as the options of a run say."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import numpy as np

from common.options import TrainingOptions
from sdss_gs.errors import OptionError
from sdss_gs.schema import CATALOGUE_FILE
from sdss_gs.split import HASH, Split, fold_split, parse_split, split, split_as_named
from sdss_gs.tables.own import read_columns


def split_of(options: TrainingOptions) -> Split:
    """Read how the objects are to be divided.

    Raises
    ------
    OptionError
        If they cannot be divided so.
    """
    if options.folds and options.split != HASH:
        raise OptionError(f"split: expected {HASH} with folds={options.folds}, found {options.split}")
    return parse_split(options.split)


def divide(folder: Path, objid: np.ndarray, options: TrainingOptions, fold: int | None) -> dict[str, np.ndarray]:
    """Divide objects into parts.

    Parameters
    ----------
    folder : Path
        The data set, whose ``data.csv`` may name the part of each object.
    objid : ndarray of int64, shape (n,)
    options : TrainingOptions
        ``split`` and ``folds``.
    fold : int or None
        Which of the folds of a cross-validation are the test objects.

    Returns
    -------
    dict of str to ndarray of int64
        Positions in `objid`, ascending, for ``train``, ``validation`` and ``test``; none of an object without a part.

    Raises
    ------
    ZooError
        If the column that names the parts is not there, or holds something else.
    """
    if fold is not None:
        return fold_split(objid, options.folds, fold)
    how, path = split_of(options), folder / CATALOGUE_FILE
    if how.column:
        cells = read_columns(path, (how.column,), objid)[how.column]
        return split_as_named(cells.to_pylist(), f"{path}: column {how.column}")
    return split(objid, how.shares)


def with_parts(fingerprint: str, objid: Mapping[str, np.ndarray]) -> str:
    """Return the fingerprint of data whose parts do not follow from the ids.

    Parameters
    ----------
    fingerprint : str
        Of what the model sees.
    objid : mapping of str to ndarray of int64
        Ids of each part.
    """
    digest = sha256(fingerprint.encode())
    for part, ids in objid.items():
        digest.update(part.encode() + ids.tobytes())
    return digest.hexdigest()[: len(fingerprint)]
