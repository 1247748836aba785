"""The pictures of a run, and its table of scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from common.outputs.metrics import confusion_matrix, log_mass, normalised_difference
from sdss_gs.decision_tree import TREES
from sdss_gs.schema import Output

AXIS_LABELS = {"redshift": "redshift z", "mass": "log10 stellar mass / Msun"}
GALLERY_ROWS, GALLERY_COLUMNS = 3, 6
PANELS = 8
"""Answers beside one another."""
INK, ACCENT = "#24476b", "#c8553d"


def loss_curves(history: Sequence[dict[str, float]], best_epoch: int, loss: str) -> Figure:
    """Draw training and validation loss by epoch."""
    figure = Figure(figsize=(6.4, 4), layout="constrained")
    axes = figure.subplots()
    epochs = np.arange(1, len(history) + 1)
    axes.plot(epochs, [line["loss"] for line in history], color=INK, marker=".", label="training")
    axes.plot(epochs, [line["val_loss"] for line in history], color=ACCENT, marker=".", label="validation")
    axes.axvline(best_epoch, color="0.6", linestyle=":", label=f"kept: epoch {best_epoch}")
    axes.set(xlabel="epoch", ylabel=f"loss ({loss})", yscale="log", title="Loss")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend()
    return figure


def predicted_against_true(output: Output, truth: np.ndarray, predicted: np.ndarray) -> Figure:
    """Draw predicted against true values of a regression as a density, with the one-to-one line."""
    truth, predicted = _plotted(output, truth, predicted)
    figure = Figure(figsize=(5.6, 5), layout="constrained")
    axes = figure.subplots()
    low, high = np.percentile(np.concatenate([truth, predicted]), [0.1, 99.9])
    margin = 0.03 * (high - low)
    extent = (low - margin, high + margin)
    cells = axes.hexbin(truth, predicted, gridsize=60, extent=extent * 2, bins="log", mincnt=1, cmap="viridis")
    axes.plot(extent, extent, color=ACCENT, linewidth=1)
    label = AXIS_LABELS.get(output.kind, output.column)
    outside = int(((truth < extent[0]) | (truth > extent[1]) | (predicted < extent[0]) | (predicted > extent[1])).sum())
    note = f", {outside} outside the frame" if outside else ""
    axes.set(xlabel=f"true {label}", ylabel=f"predicted {label}", xlim=extent, ylim=extent)
    axes.set_title(f"{len(truth):,} test galaxies{note}")
    figure.colorbar(cells, label="galaxies per cell")
    return figure


def residuals(output: Output, truth: np.ndarray, predicted: np.ndarray) -> Figure:
    """Draw residuals against the truth, with their median and 16–84 % range in bins of equal number."""
    if output.kind == "redshift":
        difference, ylabel = normalised_difference(truth, predicted), "Δz = (predicted − true) / (1 + true)"
        truth = _plotted(output, truth, predicted)[0]
    else:
        truth, logarithm = _plotted(output, truth, predicted)
        difference = logarithm - truth
        ylabel = "predicted − true, dex" if output.kind == "mass" else "predicted − true"
    figure = Figure(figsize=(6.4, 4), layout="constrained")
    axes = figure.subplots()
    axes.scatter(truth, difference, s=4, color=INK, alpha=min(1.0, 300 / len(truth)), linewidths=0)
    axes.axhline(0, color="0.6", linewidth=0.8)
    bins = np.array_split(np.argsort(truth), max(2, min(12, len(truth) // 25)))
    middle = [np.median(truth[chosen]) for chosen in bins]
    low, median, high = np.transpose([np.percentile(difference[chosen], [16, 50, 84]) for chosen in bins])
    axes.plot(middle, median, color=ACCENT, label="median")
    axes.fill_between(middle, low, high, color=ACCENT, alpha=0.25, linewidth=0, label="16–84 %")
    limit, xlim = 1.1 * np.percentile(np.abs(difference), 99), np.percentile(truth, [0.1, 99.7])
    beyond = int(((np.abs(difference) > limit) | (truth < xlim[0]) | (truth > xlim[1])).sum())
    xlabel = f"true {AXIS_LABELS.get(output.kind, output.column)}"
    axes.set(xlabel=xlabel, ylabel=ylabel, ylim=(-limit, limit), xlim=xlim)
    axes.set_title(f"Residuals ({beyond} outside the frame)")
    axes.legend()
    return figure


def confusion(output: Output, truth: np.ndarray, probabilities: np.ndarray) -> Figure:
    """Draw the confusion matrix, rows normalised to the true class."""
    count = len(output.classes)
    matrix = confusion_matrix(output, truth, probabilities)
    share = matrix / np.maximum(matrix.sum(axis=1, keepdims=True), 1)
    size = 3 + 0.35 * count
    figure = Figure(figsize=(size + 1, size), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    axes.set_xticks(range(count), output.classes, rotation=90)
    axes.set_yticks(
        range(count), [f"{label} ({n})" for label, n in zip(output.classes, matrix.sum(axis=1), strict=True)]
    )
    axes.set(xlabel="predicted", ylabel="true (test galaxies)", title="Confusion")
    figure.colorbar(image, label="share of the true class")
    return figure


def answers(output: Output, truth: np.ndarray, predicted: np.ndarray) -> Figure:
    """Draw predicted against true shares of the votes, a panel per answer, titled with the question's number."""
    titles = [f"{question.number} {answer}" for question in TREES[output.tree].questions for answer in question.answers]
    lines = -(-len(titles) // PANELS)
    figure = Figure(figsize=(1.6 * PANELS, 1.8 * lines + 0.6), layout="constrained")
    grid = figure.subplots(lines, PANELS, squeeze=False, sharex=True, sharey=True)
    for axes in grid.ravel()[len(titles) :]:
        axes.set_axis_off()
    for axes, title, x, y in zip(grid.ravel(), titles, truth.T, predicted.T, strict=False):
        axes.scatter(x, y, s=5, color=INK, alpha=min(1.0, 0.1 + 60 / len(truth)), linewidths=0)
        axes.plot([0, 1], [0, 1], color=ACCENT, linewidth=1)
        axes.set(xlim=(-0.03, 1.03), ylim=(-0.03, 1.03), xticks=[0, 1], yticks=[0, 1])
        axes.set_title(f"{title}\nRMSE {np.sqrt(np.mean((y - x) ** 2)):.3f}", fontsize=8)
    figure.suptitle(f"Shares of the votes by question and answer, {len(truth):,} test galaxies", fontsize=10)
    figure.supxlabel("true", fontsize=9)
    figure.supylabel("predicted", fontsize=9)
    return figure


def gallery(title: str, captions: Sequence[str], pictures: Sequence[np.ndarray | None]) -> Figure:
    """Draw some objects side by side.

    Parameters
    ----------
    title : str
    captions : sequence of str
    pictures : sequence of ndarray or None
        Per object an image, uint8 ``(150, 150, 3)``; a spectrum, float ``(n,)``; or None where there is neither.
    """
    figure = Figure(figsize=(2 * GALLERY_COLUMNS, 2.5 * GALLERY_ROWS), layout="constrained")
    grid = figure.subplots(GALLERY_ROWS, GALLERY_COLUMNS).ravel()
    for axes in grid:
        axes.set_axis_off()
    for axes, caption, picture in zip(grid, captions, pictures, strict=False):
        if picture is None:
            axes.text(0.5, 0.5, "no image", ha="center", va="center", color="0.5", transform=axes.transAxes)
        elif picture.ndim == 1:
            axes.plot(picture, color=INK, linewidth=0.5)
        else:
            axes.imshow(picture)
        axes.set_title(caption, fontsize=7)
    figure.suptitle(title)
    return figure


def influence(method: str, captions: Sequence[str], pictures: Sequence[np.ndarray], maps: np.ndarray) -> Figure:
    """Draw images, and below each what in it matters to the network.

    Parameters
    ----------
    method : str
    captions : sequence of str
    pictures : sequence of ndarray of uint8, shape (side, side, 3)
    maps : ndarray, shape (n, side, side)
        From 0 to 1.
    """
    figure = Figure(figsize=(2 * len(pictures) + 0.6, 4.6), layout="constrained")
    grid = figure.subplots(2, len(pictures), squeeze=False)
    for axes, caption, picture, shown in zip(grid.T, captions, pictures, maps, strict=True):
        axes[0].imshow(picture)
        axes[0].set_title(caption, fontsize=7)
        axes[1].imshow(picture.mean(axis=-1), cmap="gray")
        drawn = axes[1].imshow(shown, cmap="inferno", alpha=np.clip(shown, 0.1, 0.75), vmin=0, vmax=1)
    for axes in grid.ravel():
        axes.set_axis_off()
    colours = ScalarMappable(drawn.norm, drawn.cmap)
    figure.colorbar(colours, ax=grid[1], label="influence, largest = 1", shrink=0.8)
    figure.suptitle(f"What the network looks at ({method})")
    return figure


def score_table(scores: dict[str, dict[str, float]]) -> str:
    """Lay scores out as text: a line for the model and one for each baseline, a column for each metric."""
    metrics = list(dict.fromkeys(metric for values in scores.values() for metric in values))
    width = max(len(name) for name in scores) + 2
    columns = [max(13, len(metric) + 2) for metric in metrics]
    lines = [" " * width + "".join(f"{metric:>{column}}" for metric, column in zip(metrics, columns, strict=True))]
    for name, values in scores.items():
        # Judged on other objects, a score may be undefined that is not elsewhere.
        texts = (f"{values[metric]:.5g}" if metric in values else "–" for metric in metrics)
        cells = (f"{text:>{column}}" for text, column in zip(texts, columns, strict=True))
        lines.append(f"{name:<{width}}" + "".join(cells))
    return "\n".join(lines)


def _plotted(output: Output, *values: np.ndarray) -> tuple[np.ndarray, ...]:
    return tuple(log_mass(value) for value in values) if output.kind == "mass" else values
