"""What the catalogue says: classes, numbers, colours."""

from __future__ import annotations

import numpy as np

from sdss_gs.dataset import Dataset
from sdss_gs.explore.page import ACCENT, INK, Picture, Section, plot
from sdss_gs.schema import BANDS, OUTPUTS, QUANTITIES, Output

SHOWN_CLASSES, FEWEST = 8, 5
"""Classes drawn apart in one picture, the commonest; objects that a distribution needs."""
BINS = 60


def table_sections(data: Dataset) -> list[Section]:
    """Draw counts of classes, distributions of numbers, colour and magnitude, redshift by class."""
    found = [_numbers(data), *(_classes(data, output) for output in _labelled(data))]
    return [section for section in [*found, _colours(data), _redshifts(data)] if section is not None]


def _labelled(data: Dataset) -> list[Output]:
    labels = data.catalogue.labels
    return [output for output in OUTPUTS.values() if output.name in labels and (labels[output.name] >= 0).any()]


def _numbers(data: Dataset) -> Section:
    rows, pictures = [("column", "known", "lowest", "median", "highest", "unit")], []
    for column, quantity in QUANTITIES.items():
        values = data.catalogue.numbers.get(column, np.empty(0))
        values = values[np.isfinite(values)]
        if not len(values):
            continue
        rows.append(
            (column, f"{len(values):,}", *(f"{v:.4g}" for v in np.quantile(values, (0, 0.5, 1))), quantity.unit)
        )
        if column in ("redshift", "stellarmass"):
            shown = np.log10(values) if column == "stellarmass" else values
            label = "log10 stellar mass / Msun" if column == "stellarmass" else "redshift"

            def draw(axes, shown=shown, label=label):
                axes.hist(shown, min(BINS, 5 + len(shown) // 10), color=INK)
                axes.set(xlabel=label, ylabel="objects")

            pictures.append(plot(draw, f"Distribution of {label}"))
    return Section("Numbers", "Values that count as missing or impossible are left out.", pictures, rows)


def _classes(data: Dataset, output: Output) -> Section:
    labels = data.catalogue.labels[output.name]
    counts = np.bincount(labels[labels >= 0], minlength=len(output.classes))
    order = np.argsort(-counts, kind="stable")
    names = [output.classes[k] for k in order if counts[k]]
    heights = [int(counts[k]) for k in order if counts[k]]

    def draw(axes):
        axes.bar(names, heights, color=INK)
        axes.set(ylabel="objects", yscale="log")
        axes.tick_params(axis="x", rotation=90 if len(names) > 6 else 0)
        for place, height in enumerate(heights):
            axes.annotate(f"{height:,}", (place, height), ha="center", va="bottom", fontsize=7)

    missing = len(labels) - int(counts.sum())
    absent = [name for name, count in zip(output.classes, counts, strict=True) if not count]
    text = f"{counts.sum():,} objects have a {output.description}, {missing:,} have none."
    if absent:
        text += f" Without any object: {', '.join(absent)}."
    return Section(f"Classes: {output.name}", text, [plot(draw, f"Objects by {output.description}")])


def _commonest(data: Dataset) -> tuple[Output, list[int]] | None:
    """Return the first output with classes and its commonest classes that have enough objects."""
    for output in _labelled(data):
        labels = data.catalogue.labels[output.name]
        counts = np.bincount(labels[labels >= 0], minlength=len(output.classes))
        shown = [int(k) for k in np.argsort(-counts, kind="stable")[:SHOWN_CLASSES] if counts[k] >= FEWEST]
        if len(shown) > 1:
            return output, shown
    return None


def _colours(data: Dataset) -> Section | None:
    magnitudes = data.catalogue.table(tuple(f"modelMag_{band}" for band in BANDS))
    good = np.isfinite(magnitudes[:, 1:3]).all(axis=1)
    if good.sum() < FEWEST:
        return None
    red, colour = magnitudes[good, 2], magnitudes[good, 1] - magnitudes[good, 2]
    low, high = np.quantile(colour, (0.002, 0.998))
    first, last = np.quantile(red, (0.002, 0.998))
    frame = (first - 0.2, last + 0.2, low - 0.1, high + 0.1)

    def everything(axes):
        axes.hexbin(red, colour, gridsize=60, extent=frame, bins="log", mincnt=1, cmap="viridis")
        axes.set(xlabel="r, mag", ylabel="g − r, mag", xlim=frame[:2], ylim=frame[2:])

    pictures = [plot(everything, "Colour and magnitude of all objects; the scale of the shades is logarithmic")]
    chosen = _commonest(data)
    if chosen:
        output, classes = chosen
        labels = data.catalogue.labels[output.name][good]

        def by_class(axes):
            for k in classes:
                mine = labels == k
                if mine.any():
                    axes.plot(red[mine], colour[mine], ".", ms=3, alpha=0.5, label=output.classes[k])
            axes.set(xlabel="r, mag", ylabel="g − r, mag", xlim=frame[:2], ylim=frame[2:])
            axes.legend(fontsize=7, markerscale=3)

        pictures.append(plot(by_class, f"The same by {output.description}"))
    return Section("Colour and magnitude", "", pictures)


def _redshifts(data: Dataset) -> Section | None:
    redshift = data.catalogue.numbers.get("redshift", np.empty(0))
    pictures: list[Picture] = []
    for output in _labelled(data):
        labels = data.catalogue.labels[output.name]
        groups = {
            name: redshift[(labels == k) & np.isfinite(redshift)]
            for k, name in enumerate(output.classes)
            if len(redshift)
        }
        groups = {name: values for name, values in groups.items() if len(values) >= FEWEST}
        if not groups:
            continue

        def draw(axes, groups=groups):
            axes.boxplot(list(groups.values()), whis=(5, 95), sym="", medianprops={"color": ACCENT})
            axes.set_xticks(range(1, len(groups) + 1), list(groups), rotation=90 if len(groups) > 6 else 0)
            axes.set(ylabel="redshift")

        caption = f"Redshift by {output.description}: median, middle half, and 5 to 95 %"
        pictures.append(plot(draw, caption))
    return Section("Redshift by class", "", pictures) if pictures else None
