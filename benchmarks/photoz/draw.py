"""How far distributions can be relied on, as a picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from common.outputs.calibration import LEVELS, percent

from .answers import WIDTH
from .summary import OURS, STRONG, grouped, label_of

COLOURS = {OURS: "#c8553d"} | dict(zip(STRONG, ("#7a8899", "#2f6690"), strict=True))


def draw(rows: list[dict], path: Path) -> None:
    """Draw the histograms of the PIT, and the coverage by the width that was predicted; of each tool the first seed."""
    tools = {name: some[0] for name, some in grouped(rows, "zoo", "rival").items() if name in COLOURS}
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    histogram, coverage = figure.subplots(1, 2)
    for name, row in tools.items():
        counts = np.array(row["pit"])
        histogram.stairs(
            counts / counts.mean(), np.linspace(0, 1, len(counts) + 1), color=COLOURS[name], label=label_of(row)
        )
        lines = row["bins"].get(WIDTH, [])
        for level in map(str, LEVELS):
            held = [line["coverage"][level] for line in lines]
            coverage.plot(range(1, len(held) + 1), held, marker=".", color=COLOURS[name])
    histogram.axhline(1, color="black", linewidth=0.8, linestyle=":")
    histogram.set(xlabel="cumulative probability at the true redshift", ylabel="galaxies / uniform", ylim=(0, None))
    for level in LEVELS:
        coverage.axhline(level, color="black", linewidth=0.8, linestyle=":")
    label = ", ".join(percent(level) for level in LEVELS)
    coverage.xaxis.set_major_locator(MaxNLocator(integer=True))
    coverage.set(xlabel="fifth by predicted width, the surest first", ylabel=f"held by the {label} % intervals")
    if tools:
        histogram.legend(loc="lower center")
    figure.savefig(path, dpi=100)
