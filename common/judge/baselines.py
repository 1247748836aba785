"""What a model must beat: predictions that need no network, made for the same test objects."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.base import BaseEstimator, is_classifier
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from common.outputs.coding import decode, encode
from common.outputs.metrics import cost, headline, log_mass
from common.outputs.vote_scores import MEAN_ACCURACY
from sdss_gs.schema import Output

CONSTANTS = ("mean", "median", "majority")
"""Baselines that predict the same for every object."""

FEWEST_JUDGED = 30
COLLAPSED_SPREAD, COLLAPSED_SHARE, DOMINANT_SHARE = 0.05, 0.98, 0.9
_SECOND = {"redshift": "mse", "mass": "r2", "classes": "log_loss", "number": "mae", "votes": MEAN_ACCURACY}
"""By kind of output, what must be better than a constant's besides the headline metric."""

_REDUCTIONS = {"mean": np.mean, "median": np.median}


@dataclass(frozen=True)
class Rivals:
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
    """

    count: int
    magnitudes: np.ndarray | None = None
    features: np.ndarray | None = None
    centre: np.ndarray | None = None
    colour: np.ndarray | None = None


def baselines(output: Output, train: Rivals, train_truth: np.ndarray, test: Rivals, seed: int) -> dict[str, np.ndarray]:
    """Predict the test objects without a network.

    Parameters
    ----------
    output : Output
    train, test : Rivals
    train_truth : ndarray, shape (train.count,)
        Catalogue unit or class numbers.
    seed : int

    Returns
    -------
    dict of str to ndarray of float64, shape (test.count,), (test.count, classes) or (test.count, answers)
        Predictions like `outputs.decode` gives them, by baseline: ``mean`` and ``median``, or ``majority`` (the class
        shares of the training objects); ``gradient boosting`` on magnitudes and colours where any are known;
        ``linear on image features`` where there are such. For votes instead of trees, ``linear on central pixel`` and
        ``linear on mean colour``, the benchmarks of the Galaxy Zoo challenge.
    """
    found = {
        name: np.broadcast_to(value, (test.count, *value.shape))
        for name, value in _constants(output, train_truth).items()
    }
    if output.kind == "votes":
        for name, seen in (("linear on central pixel", "centre"), ("linear on mean colour", "colour")):
            if getattr(train, seen) is not None:
                found[name] = _learnt(output, Ridge(), getattr(train, seen), train_truth, getattr(test, seen))
    elif train.magnitudes is not None and np.isfinite(train.magnitudes).any():
        values = _with_colours(train.magnitudes)
        # A column without any value cannot be binned.
        known = np.isfinite(values).any(axis=0)
        test_values = _with_colours(test.magnitudes)[:, known]
        found["gradient boosting"] = _learnt(
            output, _boosting(output, seed), values[:, known], train_truth, test_values
        )
    if train.features is not None:
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000) if output.classes else Ridge())
        found["linear on image features"] = _learnt(output, model, train.features, train_truth, test.features)
    return found


def collapse(output: Output, truth: np.ndarray, predicted: np.ndarray, scores: dict[str, dict[str, float]]) -> str:
    """Say so if a model has learnt no more than a constant.

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

    Returns
    -------
    str
        One sentence; empty for a model that has learnt something.
    """
    if len(truth) < FEWEST_JUDGED:
        return ""
    name = next(iter(scores))
    if fault := _one_value(output, truth, predicted) or _no_better(output, scores):
        return f"{name} has learnt no more than a constant: {fault}."
    return ""


def _one_value(output: Output, truth: np.ndarray, predicted: np.ndarray) -> str:
    if output.classes:
        shares = np.bincount(predicted.argmax(axis=1), minlength=len(output.classes)) / len(truth)
        label, share = int(shares.argmax()), float(shares.max())
        true_share = float(np.mean(truth == label))
        if share < COLLAPSED_SHARE or true_share >= DOMINANT_SHARE:
            return ""
        return f"it names {output.classes[label]} for {share:.0%} of the test objects, {true_share:.0%} are"
    if output.kind == "mass":
        truth, predicted = log_mass(truth), log_mass(predicted)
    # Votes differ from answer to answer: what counts is how much they do from galaxy to galaxy.
    spread, true_spread = (float(np.sqrt(np.var(values, axis=0).mean())) for values in (predicted, truth))
    if spread >= COLLAPSED_SPREAD * true_spread:
        return ""
    unit = " dex" if output.kind == "mass" else ""
    return f"its predictions spread by only {spread:.2g}{unit}, the truth by {true_spread:.2g}{unit}"


def _no_better(output: Output, scores: dict[str, dict[str, float]]) -> str:
    name = next(iter(scores))
    lines = []
    for metric in (headline(output), _SECOND[output.kind]):
        own = scores[name].get(metric)
        if own is None:
            continue
        rivals = [(cost(metric, scores[rival][metric]), rival) for rival in CONSTANTS if rival in scores]
        best, rival = min(rivals, default=(np.inf, ""))
        if cost(metric, own) < best:
            return ""
        lines.append(f"{metric} {own:.3g}, of the {rival} {scores[rival][metric]:.3g}")
    return "; ".join(lines)


def _constants(output: Output, truth: np.ndarray) -> dict[str, np.ndarray]:
    if output.classes:
        return {"majority": np.bincount(truth, minlength=len(output.classes)) / len(truth)}
    target = encode(output, truth)
    reductions = {"mean": np.mean} if output.kind == "votes" else _REDUCTIONS
    return {name: decode(output, reduce(target, axis=0)[None])[0] for name, reduce in reductions.items()}


def _with_colours(magnitudes: np.ndarray) -> np.ndarray:
    """Add the differences of neighbouring magnitudes: a tree cannot form them, and they carry the redshift."""
    return np.concatenate([magnitudes, np.diff(magnitudes, axis=1)], axis=1)


def _boosting(output: Output, seed: int) -> BaseEstimator:
    """Make the trees, which give missing values a branch of their own (Ke et al. 2017, NeurIPS 30, 3146)."""
    if not output.classes:
        return HistGradientBoostingRegressor(random_state=seed)
    # Small, damped steps: the defaults diverge on rare classes (a log loss of 26 against 2.7 of the class shares).
    # Early stopping would need at least two objects of every class.
    return HistGradientBoostingClassifier(
        learning_rate=0.05, max_leaf_nodes=8, l2_regularization=10, early_stopping=False, random_state=seed
    )


def _learnt(
    output: Output, model: BaseEstimator, train: np.ndarray, train_truth: np.ndarray, test: np.ndarray
) -> np.ndarray:
    # On busy cores the trees' threads wait for one another, many times longer than one thread takes.
    with threadpool_limits(1, user_api="openmp"):
        if output.kind == "votes":
            return np.clip(model.fit(train, train_truth).predict(test), 0, 1)
        if not is_classifier(model):
            return decode(output, model.fit(train, encode(output, train_truth)[:, 0]).predict(test)[:, None])
        present = np.unique(train_truth)
        probabilities = np.zeros((len(test), len(output.classes)))
        probabilities[:, present] = model.fit(train, train_truth).predict_proba(test) if len(present) > 1 else 1
        return probabilities
