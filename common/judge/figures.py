"""The pictures of a run, and its table of scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.figure import Figure
from matplotlib.ticker import LogFormatter, MaxNLocator

from common.outputs.figures import ACCENT, INK, MARGINS

GALLERY_ROWS, GALLERY_COLUMNS = 3, 6
HISTOGRAM_BINS = 40
TITLE_PAD = 6 / 72
"""Inches between axes and their title, as Matplotlib has it."""


def selection(found: Mapping[str, Mapping[str, np.ndarray]]) -> Figure:
    """Draw which magnitudes and true values the training and the test objects have.

    Parameters
    ----------
    found : mapping of str to mapping of str to ndarray, shape (n,)
        By quantity and part, finite numbers or names of classes.
    """
    panels = max(len(found), 1)
    figure = Figure(figsize=(4 * panels, 3), layout="constrained")
    for axes, (name, parts) in zip(figure.subplots(1, panels, squeeze=False)[0], found.items(), strict=False):
        everything = np.concatenate(list(parts.values()))
        (_bars if everything.dtype == object else _steps)(axes, parts, everything)
        axes.set(xlabel=name, ylabel="share of the galaxies")
        axes.legend(fontsize=7)
    return figure


def _steps(axes: Axes, parts: Mapping[str, np.ndarray], everything: np.ndarray) -> None:
    low, high = np.quantile(everything, [0.001, 0.999])
    edges = np.linspace(low, high, HISTOGRAM_BINS + 1) if high > low else np.array([low - 0.5, low + 0.5])
    for (part, values), colour in zip(parts.items(), (INK, ACCENT), strict=False):
        shares = np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0] / len(values)
        axes.stairs(shares, edges, color=colour, fill=part == "train", label=f"{len(values):,} {part}")


def _bars(axes: Axes, parts: Mapping[str, np.ndarray], everything: np.ndarray) -> None:
    names = sorted(set(everything))
    for side, ((part, values), colour) in enumerate(zip(parts.items(), (INK, ACCENT), strict=False)):
        shares = [np.mean(values == name) for name in names]
        axes.bar(np.arange(len(names)) + 0.4 * side, shares, 0.4, color=colour, label=f"{len(values):,} {part}")
    axes.set_xticks(np.arange(len(names)) + 0.2, names, rotation=90, fontsize=7)


class PlainNumbers(LogFormatter):
    """Labels of a logarithmic axis without powers of ten, which take longer to set than the rest of a picture."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        """Label a tick, if it has a label."""
        return super().__call__(x, pos) and f"{x:g}"


def loss_curves(history: Sequence[dict[str, float]], best_epoch: int, loss: str) -> Figure:
    """Draw training and validation loss by epoch.

    Parameters
    ----------
    history : sequence of dict of str to float
        Keras' numbers of each epoch.
    best_epoch : int
        Which is marked; the first is 1.
    loss : str
        Label of the axis.
    """
    figure = Figure(figsize=(6.4, 4))
    axes = figure.subplots(gridspec_kw=MARGINS)
    epochs = np.arange(1, len(history) + 1)
    axes.plot(epochs, [line["loss"] for line in history], color=INK, marker=".", label="training")
    axes.plot(epochs, [line["val_loss"] for line in history], color=ACCENT, marker=".", label="validation")
    axes.axvline(best_epoch, color="0.6", linestyle=":", label=f"kept: epoch {best_epoch}")
    axes.set(xlabel="epoch", ylabel=f"loss ({loss})", yscale="log", title="Loss")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.yaxis.set_major_formatter(PlainNumbers())
    axes.yaxis.set_minor_formatter(PlainNumbers())
    axes.legend()
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
    # No layout that is worked out, no ticks, and no axes around text: they cost several times what the pictures do.
    figure = Figure(figsize=(2 * GALLERY_COLUMNS, 2.5 * GALLERY_ROWS))
    grid = figure.add_gridspec(
        GALLERY_ROWS, GALLERY_COLUMNS, left=0.01, right=0.99, bottom=0.01, top=0.86, wspace=0.06, hspace=0.3
    )
    for cell, caption, picture in zip(grid, captions, pictures, strict=False):
        if picture is None:
            place = cell.get_position(figure)
            middle = (place.x0 + place.x1) / 2
            figure.text(middle, (place.y0 + place.y1) / 2, "no image", ha="center", va="center", color="0.5")
            figure.text(middle, place.y1 + TITLE_PAD / figure.get_figheight(), caption, ha="center", fontsize=7)
            continue
        axes = figure.add_subplot(cell, xticks=[], yticks=[], frame_on=False)
        if picture.ndim == 1:
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
    # Not `drawn` itself, which is half transparent.
    figure.colorbar(ScalarMappable(drawn.norm, drawn.cmap), ax=grid[1], label="influence, largest = 1", shrink=0.8)
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
