"""Volunteers' votes from a table: ``votes.csv`` of a data set, or columns of ``data.csv``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from sdss_gs.decision_tree import TREES, DecisionTree
from sdss_gs.errors import DataError
from sdss_gs.schema import CATALOGUE_FILE, VOTES_FILE, Quantity
from sdss_gs.tables.catalogue import Problem
from sdss_gs.tables.cells import read_numbers
from sdss_gs.tables.own import read_columns
from sdss_gs.tables.readers.text import column_names

USUAL_TOTAL = 40.0
"""Volunteers per galaxy where a table does not say: Galaxy Zoo 2 has a median of 44 (Willett et al. 2013)."""
_MARGIN = 1e-3


@dataclass(frozen=True)
class Votes:
    """The votes for the objects of a catalogue; ``n`` objects.

    Parameters
    ----------
    path : Path
        Where they stand.
    tree : DecisionTree
    values : ndarray of float64, shape (n, answers)
        Weighted votes, see `decision_tree`; NaN for an object without them.
    totals : ndarray of float64, shape (n,)
        Number of volunteers; `USUAL_TOTAL` where the table does not say.
    counted : bool
        Whether it says.
    problems : tuple of Problem
        Cells that are no share; their objects have no votes.
    """

    path: Path
    tree: DecisionTree
    values: np.ndarray
    totals: np.ndarray
    counted: bool
    problems: tuple[Problem, ...] = ()

    def require_sums(self, objects: np.ndarray, objid: np.ndarray) -> None:
        """Refuse votes that no way down the tree can give.

        Parameters
        ----------
        objects : ndarray of int64
            Positions of the objects that matter.
        objid : ndarray of int64, shape (n,)

        Raises
        ------
        DataError
            Names the first object and question.
        """
        bad = self.tree.inconsistent(self.values[objects])
        if not bad.any():
            return
        row = int(np.argmax(bad.any(axis=1)))
        values, number = self.values[objects[row]][None], int(np.argmax(bad[row]))
        found, wanted = (sums[0, number] for sums in (self.tree.sums(values), self.tree.expected_sums(values)))
        first, *_, last = self.tree.columns[self.tree.questions[number].slice]
        raise DataError(
            f"{self.path}: expected the answers of each question to sum to the answer that leads to it, found others "
            f"for {int(bad.any(axis=1).sum()):,} of {len(objects):,} objects: objid {objid[objects[row]]}, {first} "
            f"to {last} sum to {found:.4g} instead of {wanted:.4g} (loss=rmse takes such votes as they are)"
        )


def find_votes(folder: Path, trees: Sequence[str] = tuple(TREES)) -> tuple[Path, DecisionTree] | None:
    """Find the table of votes, ``votes.csv`` before ``data.csv``, and whose questions it answers."""
    for path in (folder / VOTES_FILE, folder / CATALOGUE_FILE):
        if path.is_file():
            present = set(column_names(path))
            for name in trees:
                if present.issuperset(TREES[name].columns):
                    return path, TREES[name]
    return None


def read_votes(folder: Path, objid: np.ndarray, trees: Sequence[str] = tuple(TREES)) -> Votes:
    """Read the votes of a data set.

    Parameters
    ----------
    folder : Path
    objid : ndarray of int64, shape (n,)
        Ids of the objects.
    trees : sequence of str
        Names of the trees that will do.

    Raises
    ------
    DataError
        If there are none.
    """
    found = find_votes(folder, trees)
    if found is None:
        wanted = " or ".join(f"{TREES[name].columns[0]} … {TREES[name].columns[-1]}" for name in trees)
        raise DataError(f"{folder}: expected columns {wanted} in {VOTES_FILE} or {CATALOGUE_FILE}, found none")
    path, tree = found
    table = read_columns(path, tree.columns, objid)
    problems: list[Problem] = []
    columns = [_shares(path, table[column], column, objid, problems) for column in tree.columns]
    values, wrong = (np.stack(arrays, axis=1) for arrays in zip(*columns, strict=True))
    # Among those who were asked, nobody answers where nobody was: then the first question alone must have answers.
    needed = values[:, tree.questions[0].slice] if tree.plain else values
    missing = np.isnan(needed).any(axis=1) | wrong.any(axis=1)
    values = tree.weighted(values) if tree.plain else values
    values[missing] = np.nan
    return Votes(path, tree, values, *_totals(path, tree, objid), tuple(problems))


def _shares(
    path: Path, text: pa.ChunkedArray, column: str, objid: np.ndarray, problems: list[Problem]
) -> tuple[np.ndarray, np.ndarray]:
    """Turn one column into shares, NaN where there is none; tell where there is something else, and name it."""
    quantity = Quantity(column, -_MARGIN, 1 + _MARGIN, (), "")
    cells = read_numbers(text, quantity)
    wrong = cells.unreadable | cells.impossible
    for row in np.flatnonzero(wrong).tolist():
        expected = "a number" if cells.unreadable[row] else "0 to 1"
        found = text[row].as_py()
        problems.append(Problem(f"{path.name} objid {objid[row]}", column, f"expected {expected}, found {found}"))
    return np.clip(cells.values, 0, 1), wrong


def _totals(path: Path, tree: DecisionTree, objid: np.ndarray) -> tuple[np.ndarray, bool]:
    if tree.total not in column_names(path):
        return np.full(len(objid), USUAL_TOTAL), False
    text = read_columns(path, (tree.total,), objid)[tree.total]
    found = read_numbers(text, Quantity(tree.total, 0, np.inf, (), "")).values
    return np.where(np.isfinite(found), found, USUAL_TOTAL), True
