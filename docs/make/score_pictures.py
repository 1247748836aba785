"""Pictures of the scores of the models that ship, drawn of their cards when the site is built."""

from __future__ import annotations

import json
from pathlib import Path

from matplotlib.figure import Figure

from common.judge.card import BOOSTING, card_of_today, own_row
from common.models.shipped import FOLDER
from common.outputs.figures import ACCENT, INK
from common.outputs.kinds import kind_of
from sdss_gs.schema import OUTPUTS


def shipped_card(name: str) -> dict:
    """Read the card of a shipped model."""
    return card_of_today(json.loads((FOLDER / f"{name}.card.json").read_text(encoding="utf-8")))


def draw(name: str, folder: Path) -> list[str]:
    """Draw the headline score of a shipped model in bins of each quantity, beside gradient boosting; name the files."""
    card, files = shipped_card(name), []
    (output,) = card["outputs"]
    metric = kind_of(OUTPUTS[output["name"]]).headline
    for number, (quantity, bins) in enumerate(output["bins"].items()):
        figure = Figure(figsize=(4.5, 3.2))
        axes = figure.add_axes((0.16, 0.24, 0.82, 0.68))
        for label, row, colour, shift in (
            ("this model", own_row(output), INK, -0.12), (BOOSTING, BOOSTING, ACCENT, 0.12)
        ):  # fmt: skip
            rows = [(k, one["scores"].get(row, {}), one["intervals"].get(row, {})) for k, one in enumerate(bins)]
            rows = [(k, scores[metric], ends.get(metric)) for k, scores, ends in rows if metric in scores]
            places, values = [k + shift for k, _, _ in rows], [value for _, value, _ in rows]
            if rows:
                lows, highs = zip(*(ends or (value, value) for _, value, ends in rows), strict=True)
                axes.vlines(places, lows, highs, color=colour)
                axes.plot(places, values, "o", color=colour, markersize=4, label=label)
        axes.set_xticks(range(len(bins)), [_between(one) for one in bins], rotation=40, ha="right")
        axes.set(xlabel=quantity, ylabel=f"{output['metrics'][metric]['label']}, 95 % interval", ylim=(0, None))
        axes.ticklabel_format(axis="y", scilimits=(-2, 3), useMathText=True)
        axes.legend(fontsize=8)
        files.append(f"{name}.scores-{number}.png")
        figure.savefig(folder / files[-1], dpi=110)
    return files


def picture_links(name: str, card: dict) -> str:
    """Link the pictures that `draw` makes."""
    (output,) = card["outputs"]
    return "\n".join(
        f"![Score in bins of {quantity}, this model and gradient boosting]({name}.scores-{number}.png){{width=340px}}"
        for number, quantity in enumerate(output["bins"])
    )


def _between(one: dict) -> str:
    low, high = one["low"], one["high"]
    return f"< {high:g}" if low is None else f"≥ {low:g}" if high is None else f"{low:g}–{high:g}"
