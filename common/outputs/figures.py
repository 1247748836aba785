"""Pictures of predictions beside the truth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from common.outputs import distribution

INK, ACCENT = "#24476b", "#c8553d"
MARGINS = {"left": 0.16, "right": 0.96, "bottom": 0.13, "top": 0.92}
"""Of a picture with one pair of axes: a layout that is worked out takes as long as all of the drawing."""
SEEN = 0.01
"""Share of its highest value from which on a density is shown."""
PANELS = 8
"""Answers beside one another."""


def predicted_against_true(truth: np.ndarray, predicted: np.ndarray, label: str) -> Figure:
    """Draw predicted against true values as a density, with the one-to-one line.

    Parameters
    ----------
    truth, predicted : ndarray, shape (n,)
    label : str
        What they are.
    """
    figure = Figure(figsize=(5.6, 5))
    axes = figure.subplots(gridspec_kw=MARGINS | {"right": 0.88})
    low, high = np.percentile(np.concatenate([truth, predicted]), [0.1, 99.9])
    margin = 0.03 * (high - low)
    extent = (low - margin, high + margin)
    cells = axes.hexbin(truth, predicted, gridsize=60, extent=extent * 2, bins="log", mincnt=1, cmap="viridis")
    axes.plot(extent, extent, color=ACCENT, linewidth=1)
    outside = int(((truth < extent[0]) | (truth > extent[1]) | (predicted < extent[0]) | (predicted > extent[1])).sum())
    note = f", {outside} outside the frame" if outside else ""
    axes.set(xlabel=f"true {label}", ylabel=f"predicted {label}", xlim=extent, ylim=extent)
    axes.set_title(f"{len(truth):,} test galaxies{note}")
    figure.colorbar(cells, ax=axes, label="galaxies per cell")
    return figure


def residuals(truth: np.ndarray, error: np.ndarray, label: str, error_label: str) -> Figure:
    """Draw errors against the truth, with their median and 16–84 % range in bins of equal number.

    Parameters
    ----------
    truth, error : ndarray, shape (n,)
    label, error_label : str
        What they are.
    """
    figure = Figure(figsize=(6.4, 4))
    axes = figure.subplots(gridspec_kw=MARGINS)
    axes.scatter(truth, error, s=4, color=INK, alpha=min(1.0, 300 / len(truth)), linewidths=0)
    axes.axhline(0, color="0.6", linewidth=0.8)
    bins = np.array_split(np.argsort(truth), max(2, min(12, len(truth) // 25)))
    middle = [np.median(truth[chosen]) for chosen in bins]
    low, median, high = np.transpose([np.percentile(error[chosen], [16, 50, 84]) for chosen in bins])
    axes.plot(middle, median, color=ACCENT, label="median")
    axes.fill_between(middle, low, high, color=ACCENT, alpha=0.25, linewidth=0, label="16–84 %")
    limit, xlim = 1.1 * np.percentile(np.abs(error), 99), np.percentile(truth, [0.1, 99.7])
    beyond = int(((np.abs(error) > limit) | (truth < xlim[0]) | (truth > xlim[1])).sum())
    axes.set(xlabel=f"true {label}", ylabel=error_label, ylim=(-limit, limit), xlim=xlim)
    axes.set_title(f"Residuals ({beyond} outside the frame)")
    axes.legend()
    return figure


def confusion(classes: Sequence[str], matrix: np.ndarray) -> Figure:
    """Draw a confusion matrix ``(classes, classes)``, rows normalised to the true class."""
    count = len(classes)
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    size = 3 + 0.35 * count
    figure = Figure(figsize=(size + 1, size), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(count), classes, rotation=90)
    axes.set_yticks(range(count), [f"{label} ({n})" for label, n in zip(classes, matrix.sum(axis=1), strict=True)])
    axes.set(xlabel="predicted", ylabel="true (test galaxies)", title="Confusion")
    figure.colorbar(image, label="share of the true class")
    return figure


def shares(titles: Sequence[str], truth: np.ndarray, predicted: np.ndarray) -> Figure:
    """Draw predicted against true shares of the votes, a panel per answer.

    Parameters
    ----------
    titles : sequence of str
    truth, predicted : ndarray, shape (n, answers)
    """
    lines = -(-len(titles) // PANELS)
    # No layout that is worked out: that takes as long as all of the drawing.
    width, height = 1.6 * PANELS, 1.8 * lines + 0.6
    figure = Figure(figsize=(width, height))
    grid = figure.subplots(
        lines, PANELS, squeeze=False, sharex=True, sharey=True,
        gridspec_kw={"left": 0.5 / width, "right": 1 - 0.1 / width, "bottom": 0.5 / height, "top": 1 - 0.9 / height,
                     "wspace": 0.12, "hspace": 0.45},
    )  # fmt: skip
    for axes in grid.ravel()[len(titles) :]:
        axes.set_axis_off()
    for axes, title, x, y in zip(grid.ravel(), titles, truth.T, predicted.T, strict=False):
        axes.scatter(x, y, s=5, color=INK, alpha=min(1.0, 0.1 + 60 / len(truth)), linewidths=0)
        axes.plot([0, 1], [0, 1], color=ACCENT, linewidth=1)
        axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), xticks=[0, 1], yticks=[0, 1])
        axes.set_title(f"{title}\nRMSE {np.sqrt(np.mean((y - x) ** 2)):.3f}", fontsize=8)
    figure.suptitle(f"Shares of the votes by question and answer, {len(truth):,} test galaxies", fontsize=10)
    figure.supxlabel("true", fontsize=9)
    figure.supylabel("predicted", fontsize=9, x=0.004)
    return figure


def example_distributions(shares: np.ndarray, grid: Sequence[float], truth: np.ndarray, label: str) -> Figure:
    """Draw the density of four objects: the surest, one of median width, the least sure and the most two-peaked.

    Parameters
    ----------
    shares : ndarray, shape (n, bins)
    grid : sequence of float
        Borders of the bins.
    truth : ndarray, shape (n,)
        In the scale of the grid.
    label : str
        What that is.
    """
    low, high = distribution.quantiles(shares, grid, [0.16, 0.84]).T
    order, peaks = np.argsort(high - low, kind="stable"), distribution.second_peaks(shares, grid)
    chosen = {
        "surest": order[0], "median width": order[len(order) // 2], "least sure": order[-1],
        f"most two-peaked ({peaks.max():.0%})": np.argmax(peaks),
    }  # fmt: skip
    figure = Figure(figsize=(11, 2.8))
    margins = {"left": 0.065, "right": 0.99, "bottom": 0.19, "top": 0.85, "wspace": 0.2}
    borders, widths = np.asarray(grid), np.diff(grid)
    for axes, (title, row) in zip(figure.subplots(1, len(chosen), gridspec_kw=margins), chosen.items(), strict=True):
        density = shares[row] / widths
        shown = np.flatnonzero(density > SEEN * density.max())
        ends = np.array([borders[shown[0]], borders[shown[-1] + 1], truth[row]])
        margin = 0.05 * np.ptp(ends)
        axes.stairs(density, borders, fill=True, color=INK, alpha=0.25)
        axes.stairs(density, borders, color=INK, linewidth=0.9)
        axes.axvline(truth[row], color=ACCENT, linewidth=1.4)
        axes.set(xlim=(ends.min() - margin, ends.max() + margin), ylim=(0, None), xlabel=label)
        axes.set_title(title, fontsize="medium")
        axes.tick_params(labelsize="small")
        axes.xaxis.set_major_locator(MaxNLocator(4))
    figure.axes[0].set_ylabel("probability density")
    return figure


def pit_histogram(levels: np.ndarray, bins: int = 20) -> Figure:
    """Draw how often the truth lies at each cumulative probability: flat where distributions are right.

    Parameters
    ----------
    levels : ndarray, shape (n,)
        Cumulative probability of each distribution at the truth (the probability integral transform).
    bins : int
    """
    figure = Figure(figsize=(5.6, 4))
    axes = figure.subplots(gridspec_kw=MARGINS)
    axes.hist(levels, np.linspace(0, 1, bins + 1), color=INK, alpha=0.8, zorder=2)
    expected = len(levels) / bins
    noise = 2 * np.sqrt(expected * (1 - 1 / bins))
    axes.axhline(expected, color=ACCENT, linewidth=1, zorder=3)
    for border in (expected - noise, expected + noise):
        axes.axhline(border, color=ACCENT, linewidth=1, linestyle=":", zorder=3)
    axes.set(xlabel="cumulative probability at the true value (PIT)", ylabel="test galaxies", xlim=(0, 1))
    axes.set_title("flat to within the dotted lines where distributions are right", fontsize="medium")
    return figure
