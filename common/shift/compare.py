"""Two samples of objects, trait by trait: how far apart they are, by more than chance, and in which direction.

Chance alone moves some of many traits, and the least of differences is beyond chance where objects are many. So a
trait has moved where its p-value, corrected for the number of traits, and its effect size both say so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from common.data.novelty import Novelty
from common.models.model import Model
from common.models.reference import Sample
from common.outputs.kinds import kind_of
from common.shift.traits import trait_names

SIGNIFICANT = 0.01
"""Corrected p-value below which a difference is more than chance."""
SMALL, LARGE = 0.2, 0.5
"""Standardised differences of means that are called small and medium (Cohen 1988, Statistical Power Analysis, §2.2)."""
APART = 0.1
"""Kolmogorov–Smirnov distance that counts like a small difference of means: of spreads or shapes."""
TRIMMED = 0.001
"""Share of the objects at either end whose values count as that of the last one: one absurd value is no shift."""
PERMUTATIONS = 200


@dataclass(frozen=True)
class Difference:
    """How one trait differs between reference and other survey.

    Parameters
    ----------
    input, name : str
        Of which input it is a trait; ``prediction`` for what the model says. What people call it.
    reference, other : float
        Medians; NaN where a survey has no value.
    effect : float
        Difference of the means, other minus reference, over the root of the mean variance (Cohen's d).
    spread : float
        Ratio of the spreads (84th minus 16th percentile), other over reference.
    distance : float
        Kolmogorov–Smirnov: the largest distance of the cumulative distributions.
    p : float
        Of that distance, corrected for the number of traits (Holm 1979, Scand. J. Stat. 6, 65).
    missing_reference, missing_other : float
        Shares of the objects without the trait.
    beyond_low, beyond_high : float
        Shares of the other survey below and above nearly all training objects; 0 where it is not known.
    limit_low, limit_high : float
        What is meant by that.
    """

    input: str
    name: str
    reference: float
    other: float
    effect: float
    spread: float
    distance: float
    p: float
    missing_reference: float
    missing_other: float
    beyond_low: float = 0.0
    beyond_high: float = 0.0
    limit_low: float = float("nan")
    limit_high: float = float("nan")

    @property
    def moved(self) -> bool:
        """Whether it differs by more than chance and by enough to matter."""
        return self.p < SIGNIFICANT and (abs(self.effect) >= SMALL or self.distance >= APART)


def differences(model: Model, reference: Sample, other: Sample) -> list[Difference]:
    """Compare all traits, and the predictions, of two samples.

    Parameters
    ----------
    model : Model
    reference, other : Sample

    Returns
    -------
    list of Difference
        In the order of the model's inputs, then its outputs.
    """
    columns = []
    for item in model.inputs:
        ours, theirs = reference.traits[item.name], other.traits[item.name]
        for number, name in enumerate(trait_names(item)):
            low, high = _limits(model.training_ranges[item.name], number)
            if item.columns and number >= len(item.magnitudes):
                # A trait is the second band minus the first, a colour the other way round.
                columns.append((item.name, name, -ours[:, number], -theirs[:, number], (-high, -low)))
            else:
                columns.append((item.name, name, ours[:, number], theirs[:, number], (low, high)))
    for output in model.outputs:
        if not (output.classes or output.answers):
            scaled = (kind_of(output).to_scale(one.predicted[output.name]) for one in (reference, other))
            columns.append(("prediction", output.name, *scaled, (-np.inf, np.inf)))
    return _corrected([_difference(*column) for column in columns])


def _limits(known: object, number: int) -> tuple[float, float]:
    """Return between which values nearly all training objects have a trait, if that is known."""
    knots = known.knots if isinstance(known, Novelty) else ()
    return (knots[number][0], knots[number][-1]) if number < len(knots) else (-np.inf, np.inf)


def _difference(item: str, name: str, ours: np.ndarray, theirs: np.ndarray, limits: tuple[float, float]) -> Difference:
    from scipy.stats import ks_2samp

    missing = [float(1 - np.isfinite(one).mean()) if len(one) else 1.0 for one in (ours, theirs)]
    ours, theirs = (one[np.isfinite(one)] for one in (ours, theirs))
    if min(len(ours), len(theirs)) < 2:
        medians = [float(np.median(one)) if len(one) else float("nan") for one in (ours, theirs)]
        return Difference(item, name, *medians, 0.0, 1.0, 0.0, 1.0, *missing)
    tested = ks_2samp(ours, theirs, method="auto" if max(len(ours), len(theirs)) < 1000 else "asymp")
    effect, spread = effect_size(ours, theirs)
    low, high = limits
    return Difference(
        item, name, float(np.median(ours)), float(np.median(theirs)), effect, spread,
        float(tested.statistic), float(tested.pvalue), *missing,
        float(np.mean(theirs < low)), float(np.mean(theirs > high)), low, high,
    )  # fmt: skip


def effect_size(ours: np.ndarray, theirs: np.ndarray) -> tuple[float, float]:
    """Measure how far means are apart, in standard deviations, and the ratio of the spreads.

    Parameters
    ----------
    ours, theirs : ndarray, shape (n,), (m,)
        Finite.

    Examples
    --------
    >>> effect, ratio = effect_size(np.arange(100.0), np.arange(100.0) + 10)
    >>> round(effect, 3), ratio
    (0.346, 1.0)
    """
    ends = [np.quantile(one, [TRIMMED, 1 - TRIMMED]) for one in (ours, theirs)]
    tame = [np.clip(one, *end) for one, end in zip((ours, theirs), ends, strict=True)]
    width = np.sqrt(np.mean([one.var() for one in tame]))
    spreads = [np.subtract(*np.quantile(one, [0.84, 0.16])) for one in (ours, theirs)]
    effect = (tame[1].mean() - tame[0].mean()) / width if width > 0 else 0.0
    return float(effect), float(spreads[1] / spreads[0]) if spreads[0] > 0 else 1.0


def _corrected(found: Sequence[Difference]) -> list[Difference]:
    """Correct the p-values for their number."""
    from dataclasses import replace

    order = np.argsort([one.p for one in found])
    steps = np.array([found[k].p for k in order]) * np.arange(len(found), 0, -1)
    corrected = np.empty(len(found))
    corrected[order] = np.minimum(np.maximum.accumulate(steps), 1)
    return [replace(one, p=float(p)) for one, p in zip(found, corrected, strict=True)]


def class_shares(model: Model, reference: Sample, other: Sample) -> dict[str, dict[str, tuple[float, float]]]:
    """Count how often each class is predicted in reference and other survey, shares, by output and class.

    Parameters
    ----------
    model : Model
    reference, other : Sample
    """
    found = {}
    for output in model.outputs:
        if output.classes:
            best = [one.predicted[output.name].argmax(axis=1) for one in (reference, other)]
            shares = [np.bincount(one, minlength=len(output.classes)) / max(len(one), 1) for one in best]
            found[output.name] = {
                label: (float(ours), float(theirs)) for label, ours, theirs in zip(output.classes, *shares, strict=True)
            }
    return found


@dataclass(frozen=True)
class EmbeddingDistance:
    """How far apart two samples are in what feeds a model's heads.

    Parameters
    ----------
    distance : float
        Fréchet distance of two normal distributions with their means and covariances, squared, over the reference's
        total variance (Fréchet 1957; Heusel et al. 2017, NeurIPS 30, 6626).
    chance : float
        Median of what it is where objects change surveys at random.
    p : float
        Share of such exchanges with a distance as large.
    """

    distance: float
    chance: float
    p: float


def embedding_distance(ours: np.ndarray, theirs: np.ndarray, seed: int = 0) -> EmbeddingDistance | None:
    """Measure how far embeddings ``(n, k)`` and ``(m, k)`` are apart; None where there are none or too few.

    Parameters
    ----------
    ours, theirs : ndarray
    seed : int
        Of the exchanges.
    """
    if not ours.size or min(len(ours), len(theirs)) <= ours.shape[1] + 1:
        return None
    rng, pool = np.random.default_rng(seed), np.concatenate([ours, theirs])
    scale = ours.var(axis=0).sum() or 1.0
    found = frechet(ours, theirs) / scale
    orders = (rng.permutation(len(pool)) for _ in range(PERMUTATIONS))
    null = np.array([frechet(pool[one[: len(ours)]], pool[one[len(ours) :]]) for one in orders]) / scale
    return EmbeddingDistance(float(found), float(np.median(null)), float((1 + (null >= found).sum()) / (1 + len(null))))


def frechet(ours: np.ndarray, theirs: np.ndarray) -> float:
    """Return the squared Fréchet distance of the normal distributions that describe two samples.

    Parameters
    ----------
    ours, theirs : ndarray of float64, shape (n, k), (m, k)
    """
    means = ours.mean(axis=0) - theirs.mean(axis=0)
    first, second = (np.atleast_2d(np.cov(one, rowvar=False)) for one in (ours, theirs))
    # The trace of the root of a product of two covariances: the roots of its eigenvalues.
    root = np.sqrt(np.maximum(np.linalg.eigvals(first @ second).real, 0)).sum()
    return float(max(means @ means + np.trace(first) + np.trace(second) - 2 * root, 0.0))


def as_matrix(sample: Sample, names: Mapping[str, object] | Sequence[str]) -> np.ndarray:
    """Lay the traits of some inputs, and the embedding, side by side, float64 ``(n, k)``; NaN where one is missing."""
    parts = [sample.traits[name] for name in names]
    return np.concatenate([*parts, *([sample.embedding] if sample.embedding.size else [])], axis=1)
