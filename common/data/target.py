"""What a run learns, as far as only the data can say: a user's own column, or whose questions the votes answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from common.options import TrainingOptions
from common.outputs.kinds.mass import TARGETS
from common.outputs.kinds.votes import SUMMING_LOSSES
from sdss_gs.dataset import Dataset
from sdss_gs.decision_tree import KAGGLE, TREES
from sdss_gs.errors import DataError, OptionError
from sdss_gs.schema import CATALOGUE_FILE, Output
from sdss_gs.tables.own import is_own, own_output, own_truth, read_columns
from sdss_gs.tables.votes import USUAL_TOTAL, Votes, read_votes


@dataclass(frozen=True)
class Target:
    """What is learnt of one output.

    Parameters
    ----------
    output : Output
    votes : Votes or None
        For votes, the table they are from.
    """

    output: Output
    votes: Votes | None = None


def find_target(data: Dataset, output: Output, options: TrainingOptions) -> Target:
    """Find out what is learnt, and put its truth into the data set where the catalogue does not have it.

    Parameters
    ----------
    data : Dataset
    output : Output
        Of the model folder, or of a stored model.
    options : TrainingOptions
        ``target`` of a classification may name a user's own column; ``class_weights``.

    Raises
    ------
    DataError, OptionError
        If there is no such column, it cannot be learnt, or there are no votes.
    """
    objid = data.catalogue.objid
    if output.kind == "votes":
        # A stored model answers the questions it has learnt; a new one those of the table that is there.
        votes = read_votes(data.folder, objid, tuple(TREES) if output.tree == KAGGLE else (output.tree,))
        data.truths[output.name] = votes.values
        if votes.tree.name != output.tree:
            output = replace(output, column=votes.tree.columns[0], tree=votes.tree.name)
        return Target(output, votes)
    column = output.column if is_own(output) else options.target if output.classes else ""
    if not column or column in TARGETS:
        return Target(output)
    path = data.folder / CATALOGUE_FILE
    text = read_columns(path, (column,), objid)[column]
    if not is_own(output):
        output = own_output(path, column, text, output.code)
    if not output.classes and options.class_weights != "none":
        raise OptionError(f"class_weights: expected none for the numbers of {column}, found {options.class_weights}")
    data.truths[output.name] = own_truth(output, text)
    return Target(output)


def standardised(output: Output, truth: np.ndarray) -> Output:
    """Give a user's own number the mean and spread of the training objects."""
    if output.kind != "number":
        return output
    return replace(output, centre=float(truth.mean()), spread=float(truth.std()) or 1.0)


def require_learnable(data: Dataset, target: Target, parts: Mapping[str, np.ndarray], loss: str) -> None:
    """Refuse what no network can learn.

    Parameters
    ----------
    data : Dataset
    target : Target
    parts : mapping of str to ndarray of int64
        Positions of the objects of ``train``, ``validation`` and ``test``.
    loss : str

    Raises
    ------
    DataError
        If all training objects are of one class, a part lacks one of a user's own classes, or votes do not sum as the
        loss needs it.
    """
    output = target.output
    if target.votes and loss in SUMMING_LOSSES:
        target.votes.require_sums(np.concatenate(list(parts.values())), data.catalogue.objid)
    if not output.classes:
        return
    occurring = {part: set(data.target(output.name, objects).tolist()) for part, objects in parts.items()}
    if len(occurring["train"]) < 2:
        only = output.classes[next(iter(occurring["train"]))]
        raise DataError(f"{data.folder}: expected objects of at least two {output.name}, found only {only}")
    for part, numbers in occurring.items():
        lacking = [label for number, label in enumerate(output.classes) if number not in numbers]
        if is_own(output) and lacking:
            raise DataError(
                f"{data.folder}: column {output.column}: expected objects of each of {len(output.classes)} classes in "
                f"every part of the split, found no {part} object of {', '.join(lacking)} (leave these cells empty, or "
                "join classes)"
            )


def described(target: Target, truth: np.ndarray, objects: np.ndarray, loss: str) -> str:
    """Say in a line what votes or a user's own column hold; empty for the zoo's own outputs.

    Parameters
    ----------
    target : Target
    truth : ndarray, shape (n, ...)
        Of the objects that are used.
    objects : ndarray of int64, shape (n,)
        Their positions in the catalogue.
    loss : str
    """
    output, votes = target.output, target.votes
    if votes:
        parts = [f"votes: {output.size} answers in {votes.path.name}"]
        if bad := int(votes.tree.inconsistent(votes.values[objects]).any(axis=1).sum()):
            parts.append(f"of {bad:,} objects they do not sum as they must")
        if loss == "dirichlet" and not votes.counted:
            parts.append(f"no numbers of volunteers ({votes.tree.total}), taken as {USUAL_TOTAL:g}")
        return "; ".join(parts)
    if not is_own(output):
        return ""
    if not output.classes:
        return f"{output.column}: numbers from {truth.min():g} to {truth.max():g}"
    counts = zip(output.classes, np.bincount(truth, minlength=len(output.classes)), strict=True)
    return f"{output.column}: " + ", ".join(f"{label} {count:,}" for label, count in counts)
