"""A verdict in words: whether a model can be used on another survey as it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from common.outputs.kinds import kind_of
from common.shift.compare import LARGE, Difference
from common.shift.importance import Importance
from common.shift.movement import Movement
from common.shift.performance import FEWEST_EFFECTIVE, Estimate, Performance

VERDICTS = ("use", "use with care", "adapt", "do not use")
USE, CARE, ADAPT, NEVER = range(4)
FEWEST = 30
"""Objects with which surveys can be compared."""
OUTSIDE = (0.03, 0.1, 0.5)
"""Shares outside training from which on care is due, it should be adapted, and should not be used unless labels say
otherwise; 0.01 of objects like the training objects are."""
TOLD_APART = (0.6, 0.75, 0.97)
"""Areas under the curve of the domain classifier, likewise; the last is no overlap to speak of."""
WORSE = (1.15, 1.4)
"""Ratios of errors, other survey over reference, from which on care is due and it should be adapted."""
LOST = (0.03, 0.08)
"""Likewise, what is lost of a share or score of which more is better."""
CERTAIN = 2.6
"""Standard errors by which a change must differ from none: 1 in 100 by chance."""
ENOUGH_LABELS = 100
"""Labels that may clear a model of what the traits alone let fear."""
_LEVELS = {
    "extinction": ADAPT, "zero_point": ADAPT, "scale": ADAPT, "labels": ADAPT, "missing": CARE, "noise": CARE,
    "relation": CARE, "brightness": USE, "colour": USE, "beyond": CARE, "concentration": CARE,
}  # fmt: skip
"""The least that a movement calls for."""


@dataclass(frozen=True)
class Verdict:
    """What to do with a model on another survey.

    Parameters
    ----------
    level : int
        Position in `VERDICTS`.
    reasons : list of str
        Sentences, those that decide first.
    """

    level: int
    reasons: list[str]

    @property
    def words(self) -> str:
        """Name the verdict."""
        return VERDICTS[self.level]


def decide(
    seen: int,
    outside: int,
    importance: Importance,
    found: Sequence[Difference],
    named: Sequence[Movement],
    judged: Sequence[Performance],
) -> Verdict:
    """Weigh all that was found.

    Parameters
    ----------
    seen, outside : int
        Objects that the model could predict, and how many of these lie outside training.
    importance : Importance
    found : sequence of Difference
    named : sequence of Movement
    judged : sequence of Performance
    """
    if seen < FEWEST:
        few = f"{seen:,} objects are too few to compare surveys: {FEWEST} are needed"
        return Verdict(CARE, [few, *([f"{outside:,} of them lie outside training"] if outside else [])])
    measured = [reason for one in judged for reason in _measured(one)]
    feared = [*_outside(seen, outside), *_overlap(importance), *_traits(found)]
    feared += [reason for one in judged for reason in _expected(one)]
    feared += [(_LEVELS[one.kind], one.text) for one in named if one.kind != "labels"]
    measured += [(_LEVELS["labels"], one.text) for one in named if one.kind == "labels"]
    if judged and all(one.labels >= ENOUGH_LABELS and one.measured for one in judged):
        # What labels measure is known; what the traits alone let fear is not.
        feared = [(min(level, CARE), text) for level, text in feared]
        if not measured and any(level for level, _ in feared):
            measured.append((USE, "measured on labelled objects, the errors are as on the reference objects"))
    reasons = sorted([*measured, *feared], key=lambda reason: -reason[0])
    level = max((level for level, _ in reasons), default=USE)
    texts = list(dict.fromkeys(text for _, text in reasons))
    return Verdict(level, texts or ["nothing differs by more than chance and by enough to matter"])


def _step(value: float, steps: Sequence[float]) -> int:
    """Return the level that a value reaches."""
    return int(np.searchsorted(steps, value, side="right"))


def _outside(seen: int, outside: int) -> list[tuple[int, str]]:
    from scipy.stats import binomtest

    share = outside / seen
    # What is certain of the share, not what this sample happens to have.
    least = binomtest(outside, seen).proportion_ci(0.99, "wilson").low
    level = _step(least, OUTSIDE)
    return [
        (level, f"{share:.1%} of the objects lie outside training, 1 % of objects like the training objects do")
    ] * (level > 0)


def _overlap(importance: Importance) -> list[tuple[int, str]]:
    least = importance.auc - CERTAIN * importance.auc_error
    level = min(_step(least, TOLD_APART), ADAPT)
    if not level:
        return []
    apart = (
        f"the surveys can be told apart: a classifier ranks a pair rightly {importance.auc:.0%} of the time (50 %: not)"
    )
    reasons = [(level, apart)]
    effective = importance.effective * len(importance.weights)
    if effective < FEWEST_EFFECTIVE or least >= TOLD_APART[-1]:
        few = f"only {effective:,.0f} of {len(importance.weights):,} reference objects are like these"
        reasons.append((ADAPT, f"{few}: the surveys have too little in common to say how well the model does"))
    return reasons


def _traits(found: Sequence[Difference]) -> list[tuple[int, str]]:
    moved = [one for one in found if one.moved]
    if not moved:
        return []
    most = max(moved, key=lambda one: max(abs(one.effect), one.distance))
    level = CARE if abs(most.effect) >= LARGE or most.distance >= LARGE / 2 else USE
    text = (
        f"{len(moved)} of {len(found)} traits moved, most of all {most.name} (by {most.effect:+.2f} standard "
        f"deviations, median {most.reference:.4g} → {most.other:.4g})"
    )
    return [(level, text)]


# === Scores ===


def _measured(one: Performance) -> list[tuple[int, str]]:
    reasons = _change(one, one.measured, "measured")
    name, kind = kind_of(one.output).headline, kind_of(one.output)
    if name in one.measured and name in one.constant and _no_better(kind, name, one):
        label = kind.metrics[name].label
        scores = f"({label} {one.measured[name].value:.3g}, {one.constant[name]:.3g})"
        text = f"measured {one.output.name} is no better than a constant {scores}"
        reasons.append((NEVER, text))
    return reasons


def _no_better(kind, name: str, one: Performance) -> bool:
    cost = kind.metrics[name].cost
    best = min(cost(end) for end in (one.measured[name].low, one.measured[name].high))
    return best >= cost(one.constant[name])


def _expected(one: Performance) -> list[tuple[int, str]]:
    # Labels measure what is otherwise only expected.
    return [] if one.measured else _change(one, one.expected, "expected, by weighting the reference objects' errors")


def _change(one: Performance, found: dict[str, Estimate], how: str) -> list[tuple[int, str]]:
    """Say of each metric that it is worse, by more than chance."""
    reasons = []
    for name, estimate in found.items():
        before, metric = one.reference[name], kind_of(one.output).metrics[name]
        if metric.better == "zero":
            continue
        error = float(np.hypot(before.error, estimate.error))
        away = estimate.value - before.value if metric.better == "low" else before.value - estimate.value
        if away <= CERTAIN * error:
            continue
        share = metric.better == "high" or name.startswith("outlier_fraction")
        level = _step(away, LOST) if share else _step(estimate.value / max(before.value, 1e-12), WORSE)
        if level:
            shown = f"{one.output.name}: {metric.label} {before.value:.3g} → {estimate.value:.3g}"
            reasons.append((level, f"{shown} ({estimate.low:.3g} to {estimate.high:.3g}), {how}"))
    return reasons
