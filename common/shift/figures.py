"""Pictures of two surveys beside one another."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from common.outputs.figures import ACCENT, INK
from common.outputs.kinds import kind_of
from common.shift.diagnose import Diagnosis
from common.shift.performance import Performance
from common.shift.traits import trait_names

PANELS, COLUMNS, BINS = 12, 4, 40


def pictures(found: Diagnosis) -> list[tuple[str, Figure]]:
    """Draw effect sizes, the traits that moved most, the embedding, and the scores; captions and figures."""
    drawn = [
        ("By how many standard deviations the mean of each trait moved; filled where that is more than chance and "
         "enough to matter.", effects(found)),
        ("The traits that moved most: shares of the reference objects (filled) and of the other survey (line).",
         histograms(found)),
    ]  # fmt: skip
    if found.embedding:
        drawn.append(
            ("What the network sees: first two principal components of what feeds its heads.", embedding(found))
        )
    drawn += [
        (f"Scores of {one.output.name} with 95 % intervals: on reference objects as they are, weighted to look like "
         "the other survey, and measured on its labels.", scores(one)) for one in found.performances
    ]  # fmt: skip
    return drawn


def effects(found: Diagnosis) -> Figure:
    """Draw the effect size of each trait."""
    rows = found.differences
    figure = Figure(figsize=(6.4, max(2.5, 0.22 * len(rows) + 1)), layout="constrained")
    axes = figure.subplots()
    colours = [ACCENT if one.moved else "none" for one in rows]
    axes.barh(range(len(rows)), [one.effect for one in rows], color=colours, edgecolor=INK, linewidth=0.7)
    axes.set_yticks(range(len(rows)), [one.name for one in rows], fontsize=7)
    axes.invert_yaxis()
    axes.axvline(0, color=INK, linewidth=0.8)
    axes.set(xlabel="other − reference, standard deviations")
    return figure


def histograms(found: Diagnosis) -> Figure:
    """Draw the distributions of the traits that moved most."""
    rows = [one for one in found.differences if one.input != "prediction"]
    shown = sorted(rows, key=lambda one: -max(abs(one.effect), one.distance))[:PANELS]
    lines = -(-len(shown) // COLUMNS)
    figure = Figure(figsize=(12, 2.4 * lines), layout="constrained")
    panels = figure.subplots(lines, COLUMNS, squeeze=False).ravel()
    for axes in panels[len(shown) :]:
        axes.set_axis_off()
    items = {item.name: item for item in found.model.inputs}
    for axes, one in zip(panels, shown, strict=False):
        number = trait_names(items[one.input]).index(one.name)
        parts = [sample.traits[one.input][:, number] for sample in (found.reference, found.survey.sample)]
        parts = [part[np.isfinite(part)] for part in parts]
        everything = np.concatenate(parts)
        if len(everything):
            low, high = np.quantile(everything, [0.002, 0.998])
            edges = np.linspace(low, high if high > low else low + 1, BINS + 1)
            for part, colour, fill in zip(parts, (INK, ACCENT), (True, False), strict=True):
                shares = np.histogram(np.clip(part, edges[0], edges[-1]), edges)[0] / max(len(part), 1)
                axes.stairs(shares, edges, color=colour, fill=fill, alpha=0.6 if fill else 1, linewidth=1.5)
        axes.set_title(one.name, fontsize=9)
        axes.tick_params(labelsize=7)
        axes.set_yticks([])
    return figure


def embedding(found: Diagnosis) -> Figure:
    """Draw the first two components of what feeds the heads."""
    figure = Figure(figsize=(5.6, 5), layout="constrained")
    axes = figure.subplots()
    for sample, colour, label in ((found.reference, INK, "reference"), (found.survey.sample, ACCENT, "other survey")):
        axes.scatter(*sample.embedding[:2000, :2].T, s=5, color=colour, alpha=0.5, linewidths=0, label=label)
    axes.set(xlabel="first component", ylabel="second component")
    axes.legend(fontsize=8)
    return figure


def scores(one: Performance) -> Figure:
    """Draw each metric before, as expected and as measured."""
    names = list(one.reference)
    figure = Figure(figsize=(2.2 * len(names) + 0.6, 2.8), layout="constrained")
    parts = (("reference", one.reference), ("expected", one.expected), ("measured", one.measured))
    for axes, name in zip(figure.subplots(1, len(names), squeeze=False)[0], names, strict=True):
        for place, (_, found) in enumerate(parts):
            if name in found:
                value = found[name]
                axes.plot([place, place], [value.low, value.high], color=INK, linewidth=2)
                axes.plot(place, value.value, "o", color=ACCENT if place else INK)
        axes.set_xticks(range(len(parts)), [label for label, _ in parts], fontsize=7, rotation=30)
        axes.set_xlim(-0.5, len(parts) - 0.5)
        axes.set_title(kind_of(one.output).metrics[name].label, fontsize=9)
        axes.tick_params(axis="y", labelsize=7)
    return figure
