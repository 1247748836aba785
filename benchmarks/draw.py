"""The picture of a run: ratios with their targets, and time and memory as the number of objects grows."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .targets import EPOCH, PACKING

MET, MISSED, NEUTRAL, MARK = "#3b7d4f", "#b5483a", "#7a8899", "#202020"
CURVES = {
    "time per step or batch, µs": (
        ("tables", "step_us", "b2r step"),
        ("images", "step_us", "i2r step"),
        ("images", "feed_us_per_batch", "images: feed a batch"),
    ),
    "time, s": (
        ("tables", "open_cold_s", "catalogue: first open"),
        ("tables", "open_warm_s", "catalogue: warm open"),
        ("packing", "pack_s", "images: packing"),
        ("packing", "open_warm_s", "images: warm open"),
    ),
    "peak anonymous memory, MB": (
        ("tables", "peak_anonymous_mb", "train b2r"),
        ("images", "peak_anonymous_mb", "train i2r"),
        ("packing", "peak_anonymous_mb", "pack images"),
    ),
}


def draw(results: dict, path: Path) -> None:
    """Draw four panels into a PNG file."""
    figure = Figure(figsize=(12, 9), layout="constrained")
    first, *others = figure.subplots(2, 2).flat
    _ratios(first, results["rows"])
    for axes, (label, curves) in zip(others, CURVES.items(), strict=True):
        _growth(axes, results["rows"], label, curves)
    machine = results["machine"]
    quick = ", quick run: not to be quoted" if results["quick"] else ""
    measured = [machine, *(about["machine"] for about in results.get("added", {}).values())]
    dates = " and ".join(sorted({one["date"][:10] for one in measured}))
    figure.suptitle(f"{machine['processor']}, {machine['cores']} cores, {dates}{quick}", fontsize=10)
    figure.savefig(path, dpi=100)


def _bars(rows: list[dict]) -> list[tuple[str, float, float | None]]:
    """List label, ratio and target of each bar, the first at the bottom."""
    bars = []
    for row in rows:
        if "ratio" not in row or row.get("way") in ("naive", "memory"):
            continue
        name, way = row["input"], row.get("way", "")
        target = PACKING.get(name) if row["part"] == "packing" else None
        if row["part"] == "training" and way == "packed":
            target = EPOCH[name]
        label = f"{row['part']} {name}" + (f" ({way})" if way not in ("", "packed", "reference") else "")
        bars.append((label, row["ratio"], target))
    return bars[::-1]


def _ratios(axes: Axes, rows: list[dict]) -> None:
    bars = _bars(rows)
    for position, (_, ratio, target) in enumerate(bars):
        colour = NEUTRAL if target is None else MET if ratio >= target else MISSED
        axes.barh(position, ratio - 1, left=1, color=colour, height=0.7)
        if target is not None:
            axes.plot([target, target], [position - 0.45, position + 0.45], color=MARK, linewidth=2)
    axes.axvline(1, color=MARK, linewidth=0.8)
    axes.set_xscale("log")
    axes.set_yticks(range(len(bars)), [label for label, _, _ in bars], fontsize=6.5)
    axes.set_xlabel("rate over the naive way's; line: target, green: met, red: missed")
    axes.grid(axis="x", alpha=0.3)


def _growth(axes: Axes, rows: list[dict], label: str, curves: tuple) -> None:
    for kind, column, name in curves:
        points = sorted((row["objects"], row[column]) for row in rows if row.get("kind") == kind and column in row)
        if points:
            axes.plot(*zip(*points, strict=True), marker="o", label=name)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("objects")
    axes.set_ylabel(label)
    axes.grid(alpha=0.3)
    if axes.lines:
        # A flat curve alone would fill the panel with its noise.
        low, high = axes.get_ylim()
        axes.set_ylim(low / 3, high * 3)
        axes.legend(fontsize=8)
