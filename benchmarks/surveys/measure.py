"""Every way of using a model on a new survey, measured; what is measured is kept and not measured again."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from common.models.model import Model
from sdss_gs.schema import Output

from . import ways
from .pairs import OLD, Pair, turns
from .scores import Answers, Resampled, headline, part_of_gap, resampled, summary, together

ALL = -1
"""As the number of labels: every one; the option ``labels`` says it so too."""
FEW, MANY = 100, 1000
HOME, BEFORE, ADAPTED, FINE_TUNED = "on its own survey", "before", "adapted", "fine-tuned"
RETRAINED, TOGETHER = "from nothing", "from both"


@dataclass(frozen=True)
class Case:
    """What a way begins with.

    Parameters
    ----------
    pair : Pair
    address : str
        Version of the model that learnt from the old survey.
    old, new : Path
        Old survey; new survey with so many labels.
    work : Path
        Where commands run; for what is in between.
    count, seed : int
        How many labels may be learnt from, `ALL`: every one.
    """

    pair: Pair
    address: str
    old: Path
    new: Path
    work: Path
    count: int
    seed: int


def _before(case: Case) -> Model:
    return ways.stored(case.address)


def _adapted(case: Case) -> Model:
    labels = ALL if case.count else 0
    options = {"start": case.address, "ds": case.new, "replay": case.old, "labels": labels, "seed": case.seed}
    return ways.stored(ways.command(case.pair.model, "adapt", options | dict(case.pair.adapting), case.work))


def _fine_tuned(case: Case) -> Model:
    return ways.fitted(case.pair.model, case.new, _options(case) | {"start": case.address})


def _retrained(case: Case) -> Model:
    return ways.fitted(case.pair.model, case.new, _options(case))


def _together(case: Case) -> Model:
    both = ways.joined([case.old, case.new], case.work / "both", case.seed)
    try:
        return ways.fitted(case.pair.model, both, _options(case))
    finally:
        shutil.rmtree(both)


def _options(case: Case) -> dict[str, object]:
    return dict(case.pair.options) | {"seed": case.seed}


@dataclass(frozen=True)
class Way:
    """A way to a model.

    Parameters
    ----------
    fit : callable
        Makes it of a `Case`.
    counts : tuple of int
        With how many labels.
    """

    fit: Callable[[Case], Model]
    counts: tuple[int, ...]


WAYS: Mapping[str, Way] = {
    HOME: Way(_before, (0,)),
    BEFORE: Way(_before, (0,)),
    ADAPTED: Way(_adapted, (0, FEW, MANY)),
    FINE_TUNED: Way(_fine_tuned, (FEW, MANY)),
    RETRAINED: Way(_retrained, (FEW, MANY, ALL)),
    TOGETHER: Way(_together, (FEW, MANY, ALL)),
}


def old_model(pair: Pair, folder: Path, store: Path) -> str:
    """Train the model of the old survey as a user would; return its version. Nothing if that was done before."""
    noted = folder / "model.txt"
    if not noted.is_file():
        options = {"ds": folder / OLD, "seed": 1} | dict(pair.options)
        noted.write_text(ways.command(pair.model, "main", options, store))
    return noted.read_text().strip()


def measure(
    pair: Pair, folder: Path, store: Path, address: str, names: tuple[str, ...], draws: int
) -> dict[str, object]:
    """Measure some ways with every number of labels.

    Parameters
    ----------
    pair : Pair
    folder : Path
        With its data sets.
    store : Path
        Folder of MLflow's store, see `ways.use_store`.
    address : str
        Version of the model that learnt from the old survey.
    names : tuple of str
        Some of `WAYS`.
    draws : int
        Draws of labels, where not all are taken, and seeds.

    Returns
    -------
    dict
        ``score``, the one that decides; ``kind`` of the output; ``objects``: how many labels there are, and test
        objects. In ``rows`` for each way and number ``way``, ``asked`` and ``labels`` (how many, and how many there
        were), ``draws``, ``scores``, ``intervals``, and of that score ``closed``, see `scores.part_of_gap`, where
        what can be reached was measured, see `Pair.enough`.
    """
    (output,) = ways.stored(address).outputs
    available = {tested: min(ways.labels_in(new, tested) for new, _ in turns(pair, folder)) for tested in (True, False)}
    found: dict[tuple[str, int], tuple[Resampled, int]] = {}
    for name in names:
        if name in (FINE_TUNED, TOGETHER) and "target" in pair.options:
            # No training of a label of the user's own begins with a trained model; and both surveys' images take hours.
            continue
        for count in WAYS[name].counts:
            several = draws if count and pair.rounds == 1 else 1
            learnt = ALL if count >= available[False] else count
            answered = [_answers(pair, folder, store, address, name, learnt, draw) for draw in range(several)]
            found[name, count] = resampled(output, answered), several
            print(f"{pair.title}: {name}, {count} labels: {_line(output, found[name, count][0])}", flush=True)
    sizes = {"labels": available[True], "test": sum(ways.labels_in(test) for _, test in turns(pair, folder))}
    best = (RETRAINED, ALL) if pair.enough else (HOME, 0)
    rows = [row(output, found, key, available, best) for key in found]
    return {"score": headline(output), "kind": output.kind, "objects": sizes, "rows": rows}


def _answers(pair: Pair, folder: Path, store: Path, address: str, name: str, count: int, draw: int) -> Answers:
    if name == HOME:
        return ways.answers(ways.stored(address), pair.model, folder / OLD, whole=False)
    parts = []
    for turn, (new, test) in enumerate(turns(pair, folder)):
        kept = folder / "answers" / f"{name.replace(' ', '-')}-{count}-{draw}-{turn}.npz"
        kept.parent.mkdir(exist_ok=True)
        if not kept.is_file():
            labelled = folder / "labels" / f"{name.replace(' ', '-')}-{new.name}-{count}-{draw}"
            learnt, tested = (None, True) if count == ALL else (count, name == ADAPTED)
            labelled = ways.with_labels(new, labelled, learnt, draw, tested)
            model = WAYS[name].fit(Case(pair, address, folder / OLD, labelled, store, count, draw))
            ways.answers(model, pair.model, test).write(kept)
        parts.append(Answers.read(kept))
    return together(parts)


def row(
    output: Output, found: Mapping, key: tuple[str, int], available: Mapping[bool, int], best: tuple[str, int]
) -> dict:
    """Describe one way with one number of labels, see `measure`.

    Parameters
    ----------
    output : Output
    found : mapping
        By way and number of labels, what `scores.resampled` returned, and of how many draws.
    key : tuple of str and int
    available : mapping of bool to int
        How many labels there are, with and without those that an adaptation leaves for its own test.
    best : tuple of str and int
        What can be reached.
    """
    (name, count), (one, draws) = key, found[key]
    most = available[name != ADAPTED]
    labels = most if count == ALL or count >= available[False] else count
    described = {"way": name, "asked": count, "labels": labels, "draws": draws}
    described |= summary(one)
    if name not in (HOME, BEFORE) and {(BEFORE, 0), best} <= set(found):
        described["closed"] = part_of_gap(headline(output), found[BEFORE, 0][0], one, found[best][0])
    return described


def _line(output: Output, one: Resampled) -> str:
    name = headline(output)
    low, high = summary(one)["intervals"][name]
    return f"{name} {one[0][name]:.4f} ({low:.4f}–{high:.4f})"
