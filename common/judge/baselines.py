"""What a model must beat: predictions that need no network, made for the same test objects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from common.outputs.kinds import kind_of
from common.outputs.kinds.kind import CONSTANTS
from sdss_gs.schema import Output

FEWEST_JUDGED = 30
COLLAPSED = "has learnt no more than a constant"
"""By which `collapse` is known among the warnings of a card."""
MOST_LEARNT = 100_000
"""Training objects that a baseline learns from: more would take longer than the network."""


@dataclass(frozen=True)
class BaselineInputs:
    """What the baselines see of one part of the data.

    Parameters
    ----------
    count : int
        Objects.
    magnitudes : ndarray of float32, shape (count, k), or None
        Catalogue magnitudes from blue to red, NaN where missing; whatever the model's own input is.
    features : ndarray of float32, shape (count, m), or None
        `measure.image_features` of the model's images; None for a model that sees none.
    centre, colour : ndarray of float32, shape (count, channels), or None
        The central pixel and the mean pixel of the model's images.
    own : ndarray of float32, shape (count, j), or None
        Those of the magnitudes that the model sees; None where it sees all that are known, or none.
    """

    count: int
    magnitudes: np.ndarray | None = None
    features: np.ndarray | None = None
    centre: np.ndarray | None = None
    colour: np.ndarray | None = None
    own: np.ndarray | None = None


def baselines(
    output: Output, train: BaselineInputs, train_truth: np.ndarray, test: BaselineInputs, seed: int
) -> dict[str, np.ndarray]:
    """Predict the test objects without a network.

    Parameters
    ----------
    output : Output
    train, test : BaselineInputs
    train_truth : ndarray, shape (train.count,)
        Catalogue unit or class numbers.
    seed : int

    Returns
    -------
    dict of str to ndarray of float64, shape (test.count,), (test.count, classes) or (test.count, answers)
        Predictions like `Kind.decode` gives them, by baseline: ``mean`` and ``median``, or ``majority`` (the class
        shares of the training objects); ``gradient boosting`` on magnitudes and colours where any are known, and
        ``boosting on the same input`` on those that the model sees;
        ``linear on image features`` where there are such. For votes instead of trees, ``linear on central pixel`` and
        ``linear on mean colour``, the benchmarks of the Galaxy Zoo challenge.
    """
    kind = kind_of(output)
    constants = kind.constants(train_truth).items()
    predictions = {name: np.broadcast_to(value, (test.count, *value.shape)) for name, value in constants}
    for name, (seen, model) in kind.baselines(seed, train.count).items():
        before, now = getattr(train, seen), getattr(test, seen)
        if seen in ("magnitudes", "own") and before is not None:
            # Colours: a tree cannot form differences of magnitudes, and they carry the redshift.
            before, now = (np.concatenate([mags, np.diff(mags, axis=1)], axis=1) for mags in (before, now))
            # A column without any value cannot be binned.
            known = np.isfinite(before).any(axis=0)
            before, now = (before[:, known], now[:, known]) if known.any() else (None, None)
        if before is not None:
            chosen = _some(len(before), seed)
            # On busy cores the trees' threads wait for one another, many times longer than one thread takes.
            with threadpool_limits(1, user_api="openmp"):
                predictions[name] = kind.learnt(model, before[chosen], train_truth[chosen], now)
    return predictions


def _some(count: int, seed: int) -> np.ndarray:
    """Choose at most `MOST_LEARNT` of so many training objects by chance."""
    if count <= MOST_LEARNT:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, MOST_LEARNT, replace=False))


def collapse(output: Output, truth: np.ndarray, predicted: np.ndarray, scores: dict[str, dict[str, float]]) -> str:
    """Say so if a model has learnt no more than a constant: one sentence, empty for one that has learnt something.

    That is: its predictions spread by less than 5 % of the truth (in dex for masses), or name one class for 98 % of the
    objects where less than 90 % have it; or the best constant does at least as well both by the headline metric and by
    the squared error (log loss for classes). Below 30 test objects chance decides such things, and nothing is said.

    Parameters
    ----------
    output : Output
    truth : ndarray, shape (n,)
    predicted : ndarray, shape (n,) or (n, classes)
        Of the model.
    scores : dict of str to dict of str to float
        By rival, the model first.
    """
    if len(truth) < FEWEST_JUDGED:
        return ""
    name = next(iter(scores))
    if fault := kind_of(output).collapsed(truth, predicted) or _no_better(output, scores):
        return f"{name} {COLLAPSED}: {fault}."
    return ""


def _no_better(output: Output, scores: dict[str, dict[str, float]]) -> str:
    kind, own = kind_of(output), next(iter(scores.values()))
    lines = []
    for metric in (kind.headline, kind.second):
        if metric in own:
            cost = kind.metrics[metric].cost
            rivals = [(cost(scores[rival][metric]), rival) for rival in CONSTANTS if rival in scores]
            best, rival = min(rivals, default=(np.inf, ""))
            if cost(own[metric]) < best:
                return ""
            lines.append(f"{metric} {own[metric]:.3g}, of the {rival} {scores[rival][metric]:.3g}")
    return "; ".join(lines)
