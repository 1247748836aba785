"""How much each object of one survey should count so that together they look like another survey.

The ratio of two densities is the odds of a classifier that tells their objects apart (Bickel, Brückner & Scheffer 2009,
JMLR 10, 2137; Sugiyama, Suzuki & Kanamori 2012, Density Ratio Estimation in Machine Learning, ch. 4). Each object is
scored by classifiers that did not see it. Of a few kinds of classifiers the one with the least cross-validated loss is
taken; none of them, where they do no better than the toss of a coin: objects of the same survey then count the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from threadpoolctl import threadpool_limits

FOLDS = 5
MOST_OBJECTS = 5_000
"""So many objects of each survey are looked at, drawn at random."""
FEWEST_OBJECTS = 10
"""With fewer objects of a survey nothing is fitted."""
CLEARLY = 2.0
"""Standard errors by which a classifier's loss must be below that of a coin."""
BINS = 254
"""So many bins of each trait the trees see, each with as much of the two surveys; even, so that one begins between
surveys that lie apart."""


@dataclass(frozen=True)
class Importance:
    """What `importance` found.

    Parameters
    ----------
    weights : ndarray of float64, shape (n,)
        Density of the other survey over that of the reference survey at each reference object, of mean 1; at most the
        root of ``n`` (Ionides 2008, J. Comput. Graph. Stat. 17, 295).
    auc : float
        Area under the ROC curve of the classifier that tells the surveys apart: 0.5 where nothing does.
    auc_error : float
        Standard error of it (Hanley & McNeil 1982, Radiology 143, 29).
    effective : float
        Effective share of the reference objects, ``(Σw)² / (n Σw²)`` (Kish 1965).
    covered : float
        Share of the other survey that lies where there are reference objects: the weights' mean before it is made 1,
        at most 1.
    classifiers : sequence
        One per fold; empty where nothing tells the surveys apart.
    scale : float
        What the odds are multiplied by.
    """

    weights: np.ndarray
    auc: float
    auc_error: float
    effective: float
    covered: float
    classifiers: Sequence
    scale: float

    def weights_of(self, values: np.ndarray) -> np.ndarray:
        """Weigh other objects of the reference survey, by their traits ``(m, k)``; float64 ``(m,)``.

        On the scale of `weights`; the same bound holds.
        """
        if not self.classifiers or not len(values):
            return np.ones(len(values))
        odds = np.mean([_odds(one, values) for one in self.classifiers], axis=0)
        return np.minimum(odds * self.scale, np.sqrt(len(self.weights)))


def importance(reference: np.ndarray, other: np.ndarray, seed: int = 0) -> Importance:
    """Weigh reference objects so that together they look like those of another survey.

    Parameters
    ----------
    reference : ndarray, shape (n, k)
        Traits, see `common.data.measure.traits`; what is not finite is missing.
    other : ndarray, shape (m, k)
    seed : int
        Of the folds, and of which objects are looked at where there are more than `MOST_OBJECTS`.

    Raises
    ------
    ValueError
        If the surveys have not the same number of traits.
    """
    if reference.ndim != 2 or other.ndim != 2 or reference.shape[1] != other.shape[1]:
        raise ValueError(f"expected traits (n, k) and (m, k), found {reference.shape} and {other.shape}")
    nothing = Importance(np.ones(len(reference)), 0.5, 0.0, 1.0, 1.0, (), 1.0)
    if min(len(reference), len(other)) < FEWEST_OBJECTS:
        return nothing
    rng = np.random.default_rng(seed)
    chosen, drawn = (np.sort(rng.permutation(len(one))[:MOST_OBJECTS]) for one in (reference, other))
    values = _finite(np.concatenate([reference[chosen], other[drawn]]))
    theirs = np.repeat([False, True], [len(chosen), len(drawn)])
    with threadpool_limits(1):
        classifiers, scores = _fit(values, theirs, seed)
        if not classifiers:
            return nothing
        # The folds' classifiers have seen both surveys as often as if they had the same number of objects.
        odds = np.exp(scores[~theirs])
        found = np.empty(len(reference))
        unseen = np.setdiff1d(np.arange(len(reference)), chosen)
        found[chosen] = odds
        if len(unseen):
            found[unseen] = np.mean([_odds(one, reference[unseen]) for one in classifiers], axis=0)
    mean = found.mean()
    weights = np.minimum(found / mean, np.sqrt(len(found)))
    auc = _auc(scores[~theirs], scores[theirs])
    return Importance(
        weights=weights / weights.mean(),
        auc=auc,
        auc_error=_auc_error(auc, len(chosen), len(drawn)),
        effective=float(weights.sum() ** 2 / (len(weights) * np.square(weights).sum())),
        covered=float(min(1.0, mean)),
        classifiers=classifiers,
        scale=float(1 / (mean * weights.mean())),
    )


def _finite(values: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(values), values, np.nan)


def _candidates(values: np.ndarray, theirs: np.ndarray, seed: int) -> list:
    """Make the kinds of classifiers: linear, quadratic, and trees."""
    from sklearn.ensemble import HistGradientBoostingClassifier
    from sklearn.impute import SimpleImputer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import FunctionTransformer, PolynomialFeatures, QuantileTransformer, StandardScaler

    def logistic(*steps: object):
        # The quantiles tame what lies far out; of both surveys together.
        normal = QuantileTransformer(
            n_quantiles=min(200, len(values) // 2), output_distribution="normal", subsample=None, random_state=seed
        )
        impute = SimpleImputer(add_indicator=True, keep_empty_features=True)
        fit = LogisticRegression(C=0.1, max_iter=500, class_weight="balanced")
        return make_pipeline(normal, impute, *steps, StandardScaler(), fit)

    trees = HistGradientBoostingClassifier(
        learning_rate=0.05, max_iter=100, max_leaf_nodes=8, min_samples_leaf=20, l2_regularization=10,
        class_weight="balanced", early_stopping=False, random_state=seed, max_bins=BINS,
    )  # fmt: skip
    # Their own bins of weighted objects take ten times as long as all else: a sort for each bin, trait and fold.
    bins = FunctionTransformer(partial(_binned, edges=[_edges(trait, theirs) for trait in values.T]))
    return [logistic(), logistic(PolynomialFeatures(2, include_bias=False)), make_pipeline(bins, trees)]


def _edges(trait: np.ndarray, theirs: np.ndarray) -> np.ndarray:
    """Return edges of bins, midway between two values; each bin has as much of the surveys, which count the same."""
    known = ~np.isnan(trait)
    found, which = np.unique(trait[known], return_inverse=True)
    # Whole numbers, whose sums are exact.
    weights = np.where(theirs, (~theirs).sum(), theirs.sum())
    below = np.cumsum(np.bincount(which, weights[known]))[:-1]
    last = np.unique(np.searchsorted(below, np.arange(1, BINS) * weights[known].sum() / BINS))
    last = last[last < len(below)]
    return (found[last] + found[last + 1]) / 2


def _binned(values: np.ndarray, edges: Sequence[np.ndarray]) -> np.ndarray:
    bins = np.stack([np.searchsorted(each, trait) for each, trait in zip(edges, values.T, strict=True)], axis=1)
    return np.where(np.isnan(values), np.nan, bins)


def _fit(values: np.ndarray, theirs: np.ndarray, seed: int) -> tuple[list, np.ndarray]:
    """Fit the best kind of classifier fold by fold.

    Returns
    -------
    classifiers : list
        One per fold; empty where none is better than a coin.
    scores : ndarray of float64, shape (n + m,)
        Logarithm of the odds of each object, from the classifier that did not see it.
    """
    from sklearn.base import clone
    from sklearn.model_selection import StratifiedKFold

    folds = list(StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(values, theirs))
    share = np.where(theirs, 0.5 / theirs.sum(), 0.5 / (~theirs).sum())
    best, least = ([], np.zeros(len(values))), 0.0
    for candidate in _candidates(values, theirs, seed):
        fitted, scores = [], np.empty(len(values))
        for train, left_out in folds:
            one = clone(candidate).fit(values[train], theirs[train])
            scores[left_out] = _scores(one, values[left_out])
            fitted.append(one)
        # Less than that of a coin, in nats, with each survey half of the objects.
        gain = np.log(2) - np.logaddexp(0, np.where(theirs, -scores, scores))
        mean = gain @ share
        error = np.sqrt(np.square(share * (gain - mean)).sum())
        if mean > max(least, CLEARLY * error):
            best, least = (fitted, scores), mean
    return best


def _scores(classifier, values: np.ndarray) -> np.ndarray:
    """Return the logarithm of the odds that objects are of the other survey, float64 ``(n,)``, between −10 and 10."""
    return np.clip(classifier.decision_function(values), -10, 10)


def _odds(classifier, values: np.ndarray) -> np.ndarray:
    return np.exp(_scores(classifier, _finite(values)))


def _auc(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Return the share of pairs in which the other survey's object has the higher score (Mann-Whitney)."""
    from scipy.stats import rankdata

    ranks = rankdata(np.concatenate([ours, theirs]))[len(ours) :]
    return float((ranks.mean() - (len(theirs) + 1) / 2) / len(ours))


def _auc_error(auc: float, ours: int, theirs: int) -> float:
    first, second = auc / (2 - auc), 2 * auc**2 / (1 + auc)
    variance = auc * (1 - auc) + (theirs - 1) * (first - auc**2) + (ours - 1) * (second - auc**2)
    return float(np.sqrt(max(0.0, variance) / (ours * theirs)))
