"""Which of several ways to adapt is kept."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from common.models.adapted import Tried


def choose(costs: Mapping[str, np.ndarray], weights: np.ndarray | None = None) -> tuple[str, list[Tried]]:
    """Choose the simplest way that is not worse than the best one by more than a standard error.

    The rule of one standard error (Breiman, Friedman, Olshen & Stone 1984, Classification and Regression Trees, 3.4.3),
    here of the differences object by object, which are smaller than those between objects.

    Parameters
    ----------
    costs : mapping of str to ndarray of float64, shape (n,)
        By way, the simplest first, those of the same objects.
    weights : ndarray of float64, shape (n,), optional
        How much each object counts.

    Returns
    -------
    way : str
    tried : list of Tried

    Examples
    --------
    >>> choose({"simple": np.array([1.0, 2.0, 3.0]), "other": np.array([1.1, 1.8, 3.05])})[0]
    'simple'
    """
    count = len(next(iter(costs.values())))
    share = np.full(count, 1 / count) if weights is None else weights / weights.sum()
    means = {way: float(values @ share) for way, values in costs.items()}
    best, tried = min(means, key=means.get), []
    for way, values in costs.items():
        behind = values - costs[best]
        error = float(np.sqrt(np.sum((share * (behind - behind @ share)) ** 2)))
        tried.append(Tried(way, means[way], means[way] - means[best], error))
    return next(one.way for one in tried if one.behind <= one.error), tried


def table(tried: list[Tried], kept: str) -> str:
    """Lay out what was tried for a terminal, a line per way."""
    lines = [f"{'way':<38}{'cost':>10}{'behind the best':>26}"]
    for one in tried:
        behind = f"{one.behind:.4g} ± {one.error:.2g}" if one.behind else "–"
        lines.append(f"{one.way:<38}{one.cost:>10.4g}{behind:>26}{'   kept' * (one.way == kept)}")
    return "\n".join(lines)
