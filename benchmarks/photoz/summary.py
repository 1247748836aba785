"""Rows of all seeds brought together, and the targets."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from common.outputs.calibration import LEVELS

from ..targets import target
from .answers import BRIGHTNESS, WIDTH

OURS = "binned"
HEADS: dict[str, dict[str, object]] = {
    "binned": {"head": "binned"},
    "mixture": {"head": "mixture"},
    "point": {"head": "point"},
    "ensemble": {"head": "binned", "ensemble": 5},
}
"""Options in which the rows of the zoo differ from its defaults."""
STRONG = ("boosting-colours", "rail-flexzboost")
"""Rivals that the targets name."""


def grouped(rows: Iterable[dict], *kinds: str) -> dict[str, list[dict]]:
    """Put the rows of each tool together, by its name; only those of some kinds."""
    found: dict[str, list[dict]] = {}
    for row in rows:
        if row["kind"] in kinds:
            found.setdefault(row["name"], []).append(row)
    return found


def label_of(row: dict) -> str:
    """Name the tool of a row for people."""
    return f"b2r, {row['name']}" if row["kind"] == "zoo" else row["name"]


def spread(rows: list[dict], read: Callable[[dict], float | None]) -> tuple[float, float] | None:
    """Return mean and standard deviation of a number over seeds, 0 for one seed; None where a tool has none."""
    values = [value for row in rows if (value := read(row)) is not None]
    return (float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else 0.0) if values else None


def judge(rows: list[dict]) -> list[dict]:
    """Compare the zoo's default with what it is meant to reach on the real galaxies of docs/measured/photoz.md.

    Returns
    -------
    list of dict
        See `targets.target`.
    """
    tools = grouped(rows, "zoo", "rival")
    ours = tools.get(OURS, [])

    def mean(read: Callable[[dict], float | None], of: list[dict] = ours) -> float | None:
        found = spread(of, read)
        return found and found[0]

    def of_score(name: str, of: list[dict] = ours) -> float | None:
        return mean(lambda row: row["scores"].get(name), of)

    bounds = (("nmad", "NMAD", 0.0147), ("crps", "CRPS", 0.0115), ("cde_loss", "CDE loss", -18.5))
    bounds += (("pit_ks", "PIT KS", 0.02), ("interval_score_90", "interval score 90 %", 0.09))
    found = [target(label, "≤", bound, of_score(name), "") for name, label, bound in bounds]
    found += [
        target("coverage overall, largest difference", "≤", 0.015, mean(_overall), ""),
        target(
            "coverage in bins of magnitude, largest difference", "≤", 0.04, mean(lambda row: _bins(row, BRIGHTNESS)), ""
        ),
        target("coverage in bins of width, largest difference", "≤", 0.04, mean(lambda row: _bins(row, WIDTH)), ""),
        target("AUC of the width for outliers > 0.05", "≥", 0.8, of_score("auc"), ""),
    ]
    for bands, bound in (("u", 0.0172), ("z", 0.0156), ("uz", 0.0183)):
        value = mean(lambda row, bands=bands: row["hidden"][bands]["nmad"])
        found.append(target(f"NMAD without {' and '.join(bands)}", "≤", bound, value, ""))
    for rival in STRONG:
        for name, label in (("nmad", "NMAD"), ("crps", "CRPS")):
            own, other = of_score(name), of_score(name, tools.get(rival, []))
            lead = None if own is None or other is None else 1 - own / other
            found.append(target(f"lead over {rival}, {label}", "≥", 0.05, lead, ""))
    found.append(target("galaxies with p(z)", "≥", 150_000, mean(lambda row: row["per_cpu_s"]), "a CPU second"))
    return [*found, target("fit", "≤", 10, mean(lambda row: row["cpu_s"]), "CPU s")]


def _overall(row: dict) -> float:
    return max(abs(row["scores"][f"coverage_{100 * level:.0f}"] - level) for level in LEVELS)


def _bins(row: dict, quantity: str) -> float | None:
    lines = row["bins"].get(quantity, [])
    return max((abs(line["coverage"][str(level)] - level) for line in lines for level in LEVELS), default=None)
