"""Whether what says how sure a prediction is can be relied on: coverage in bins, and how well flags find errors."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from common.outputs.kinds.kind import area_under_curve

MOST_BINS, FEWEST_IN_BIN = 5, 20


def coverage_in_bins(held: Mapping[float, np.ndarray], quantities: Mapping[str, np.ndarray]) -> dict[str, list[dict]]:
    """Measure how often intervals hold the truth in bins of several quantities, each of about equal number.

    Parameters
    ----------
    held : mapping of float to ndarray of bool, shape (n,)
        By level, whose intervals hold the truth.
    quantities : mapping of str to ndarray of float, shape (n,)
        By what objects are put into bins; those whose number is not finite are in none. A quantity that fewer than
        `FEWEST_IN_BIN` objects have is left out.

    Returns
    -------
    dict of str to list of dict
        By quantity, for each bin: ``low``, ``high`` (least and largest value in it), ``count``, and by level
        (``"0.9"``) ``coverage`` and ``error``, the standard error that chance gives a coverage of the level there.

    Examples
    --------
    >>> values = np.arange(40.0)
    >>> (low, high) = coverage_in_bins({0.9: values < 30}, {"r": values})["r"]
    >>> low["coverage"], high["coverage"], high["count"], round(high["error"]["0.9"], 3)
    ({'0.9': 1.0}, {'0.9': 0.5}, 20, 0.067)
    """
    found = {}
    for name, values in quantities.items():
        finite = np.isfinite(values)
        if finite.sum() < FEWEST_IN_BIN:
            continue
        bins = int(np.clip(finite.sum() // FEWEST_IN_BIN, 1, MOST_BINS))
        # Where many values are equal, bins that would have the same border are one.
        edges = np.unique(np.quantile(values[finite], np.linspace(0, 1, bins + 1)[1:-1]))
        number = np.where(finite, np.searchsorted(edges, values), -1)
        chosen = (number == position for position in range(len(edges) + 1))
        found[name] = [_line(held, values, inside) for inside in chosen if inside.any()]
    return found


def _line(held: Mapping[float, np.ndarray], values: np.ndarray, inside: np.ndarray) -> dict:
    count = int(inside.sum())
    return {
        "low": float(values[inside].min()),
        "high": float(values[inside].max()),
        "count": count,
        "coverage": {str(level): float(one[inside].mean()) for level, one in held.items()},
        "error": {str(level): float(np.sqrt(level * (1 - level) / count)) for level in held},
    }


def found_by(flagged: np.ndarray, doubt: np.ndarray, wrong: np.ndarray) -> dict[str, float | None]:
    """Measure how well a flag, and the number behind it, find wrong predictions.

    Parameters
    ----------
    flagged : ndarray of bool, shape (n,)
    doubt : ndarray of float, shape (n,)
        The larger, the more doubtful.
    wrong : ndarray of bool, shape (n,)

    Returns
    -------
    dict of str to float or None
        ``flagged``, share of all; ``found``, share of the wrong that is flagged; ``wrong``, share of the flagged that
        is wrong; ``auc``, chance that a wrong one has more doubt than a right one. None where there is none of these.

    Examples
    --------
    >>> found_by(np.array([True, False, True]), np.array([3, 1, 2]), np.array([True, False, False]))
    {'flagged': 0.6666666666666666, 'found': 1.0, 'wrong': 0.5, 'auc': 1.0}
    """
    several = wrong.any() and not wrong.all()
    area = area_under_curve(wrong, doubt, np.ones((1, len(wrong)))) if several else [np.nan]
    return {
        "flagged": float(flagged.mean()),
        "found": float(flagged[wrong].mean()) if wrong.any() else None,
        "wrong": float(wrong[flagged].mean()) if flagged.any() else None,
        "auc": float(area[0]) if np.isfinite(area[0]) else None,
    }
