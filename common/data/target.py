"""What a run learns, as far as only the data can say: a user's own column, or whose questions the votes answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from common.data.photometry import TOLD_APART
from common.options import OWN_ARCHITECTURES, TrainingOptions
from common.outputs.distribution import make_grid, usual_bins
from common.outputs.kinds import DISTRIBUTED, kind_of
from common.outputs.kinds.distributed import COMPONENTS, HEADS
from common.outputs.kinds.mass import TARGETS
from common.outputs.kinds.votes import SUMMING_LOSSES
from sdss_gs.dataset import Dataset
from sdss_gs.decision_tree import KAGGLE, TREES
from sdss_gs.errors import DataError, OptionError
from sdss_gs.schema import BANDS, CATALOGUE_FILE, DEREDDENED, ERRORS, INPUTS, QUANTITIES, Input, Output
from sdss_gs.tables.catalogue import Catalogue
from sdss_gs.tables.columns import DUSTY
from sdss_gs.tables.own import is_own, own_output, own_truth, read_columns
from sdss_gs.tables.votes import USUAL_TOTAL, Votes, read_votes

ERRORS_KNOWN = 0.2


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


def distributed(output: Output, truth: np.ndarray, inputs: Sequence[Input], options: TrainingOptions) -> Output:
    """Let a number be predicted as a distribution, if the options say so.

    Parameters
    ----------
    output : Output
    truth : ndarray, shape (n,)
        Of the training objects.
    inputs : sequence of Input
        What the network looks at.
    options : TrainingOptions
        ``head`` and ``bins``; ``auto`` decides by ``architecture`` and ``target``.

    Examples
    --------
    >>> from sdss_gs.schema import OUTPUTS
    >>> options = TrainingOptions(head="binned", bins=10)
    >>> distributed(OUTPUTS["redshift"], np.linspace(0.02, 0.3, 100), [INPUTS["bands"]], options).size
    30
    """
    head, old = options.head, options.architecture not in OWN_ARCHITECTURES or options.target == "linear"
    if head == "auto":
        head = "point" if old else "binned"
    # A trained model's keeps its bins.
    if head not in HEADS[1:] or output.kind not in DISTRIBUTED or output.grid:
        return output
    if options.target == "linear":
        raise OptionError(f"head: expected point for target=linear, found {head}")
    values = kind_of(output).to_scale(truth)
    lowest = QUANTITIES[output.column].low if output.kind == "redshift" else -np.inf
    spectral = any(not item.columns and len(item.shape) == 1 for item in inputs)
    grid = make_grid(values, lowest, options.bins or usual_bins(values, output.kind == "redshift", spectral))
    if head == "binned":
        return replace(output, grid=grid)
    if options.ensemble > 1:
        raise OptionError(f"ensemble: expected head=binned or point, found {head}: mixtures have no mean of parameters")
    return replace(
        output, grid=grid, components=COMPONENTS, centre=float(values.mean()), spread=float(values.std()) or 1.0
    )


def widened(item: Input, catalogue: Catalogue, options: TrainingOptions) -> Input:
    """Let a network look at rows in which magnitudes are missing, and at errors, if the options say so.

    Parameters
    ----------
    item : Input
    catalogue : Catalogue
        Errors are looked at where at least `ERRORS_KNOWN` of an input's magnitudes have one.
    options : TrainingOptions
        ``magnitude_dropout`` and ``errors``.
    """
    if not item.columns or item != INPUTS[item.name]:
        return item
    if options.architecture in OWN_ARCHITECTURES and options.magnitude_dropout:
        item = replace(item, gaps=True)
    errors = tuple(ERRORS[column] for column in item.columns)
    known, magnitudes = (int(np.isfinite(catalogue.table(columns)).sum()) for columns in (errors, item.columns))
    if options.errors == "no" or not item.gaps or known < ERRORS_KNOWN * max(magnitudes, 1):
        return item
    return replace(item, columns=item.columns + errors, shape=(2 * len(errors),), errors=len(errors))


def of_kind(item: Input, catalogue: Catalogue) -> Input:
    """Say of an input which magnitudes it has; where the catalogue has both kinds, let the network be told of each row.

    Parameters
    ----------
    item : Input
        From `widened`.
    catalogue : Catalogue
        From `photometry.catalogue_as_learnt`.

    Raises
    ------
    OptionError
        If it looks at complete rows only: such a network has no room for it.
    """
    kind = catalogue.photometry.get(DUSTY)
    if item.name != DUSTY or item.told_apart or kind not in (DEREDDENED, TOLD_APART):
        return item
    description = f"asinh model magnitudes {' '.join(BANDS)}, corrected for the Galaxy's extinction"
    if kind == DEREDDENED:
        return replace(item, description=description)
    if not item.gaps:
        expected = "photometry: expected raw or dereddened for a network that answers complete rows only"
        raise OptionError(f"{expected}, found both; architecture=fast with magnitude_dropout above 0 is told which")
    columns = (*item.columns, DEREDDENED)
    description += ", or not: a last column says which"
    return replace(item, columns=columns, shape=(len(columns),), told_apart=True, description=description)


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
