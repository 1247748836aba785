"""The report of a run: one HTML page that holds everything, pictures included, and loads nothing."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from operator import itemgetter

from matplotlib.figure import Figure

from common.judge.card import best_rows, template

CAPTIONS = {
    "predicted_vs_true": "Predicted against true value of every test galaxy; a perfect model lies on the line.",
    "residuals": "Error against the true value: the line is the median, the band holds the middle 68 %.",
    "pit": "How often the true value lies at each cumulative probability of its distribution: flat, to within what "
    "chance does (dotted), where the distributions are right.",
    "distributions": "Distributions of four test galaxies: the surest, one of median width, the least sure, the one "
    "with the highest second peak (as a share of the first); the line is the true value.",
    "confusion": "Where each true class (row) ends up; the diagonal is right, each row adds up to 1.",
    "answers": "Predicted against true share of the votes, answer by answer; a perfect model lies on the lines.",
    "selection": "Magnitudes and true values of the training and the test galaxies; a model does not extrapolate.",
    "loss": "Loss of every epoch on the training and validation galaxies; the marked epoch was kept.",
    "influence": "What in some test images matters to the network: bright for what speaks for the class it chooses, or "
    "for what moves its number most.",
    "worst_cases": "The test galaxies with the largest errors, the largest first.",
    "best_cases": "The test galaxies with the smallest errors, the smallest first.",
}
"""What the known pictures show, in the order of the page."""

OF_ALL = ("loss", "selection")
"""Those that belong to all outputs alike."""
WIDE = 8.0
"""Inches from which a picture takes the full width of the page."""
HEADLINES = 3


def html_page(card: dict, figures: Mapping[str, Figure], images: Mapping[str, bytes]) -> str:
    """Write the report of a run.

    Parameters
    ----------
    card : dict
        As `card.card_data` gathers it.
    figures : mapping of str to Figure
    images : mapping of str to bytes
        PNG of each figure, by name.

    Returns
    -------
    str
        HTML5 without scripts and without anything to load.
    """
    outputs, order, pictures = card["outputs"], list(CAPTIONS), []
    names = [output["name"] for output in outputs]
    for name, png in images.items():
        own = next((output for output in names if name.startswith(f"{output}_") and name not in CAPTIONS), "")
        kind = name.removeprefix(f"{own}_") if own else name
        text = CAPTIONS.get(kind, kind.replace("_", " "))
        # What belongs to all outputs stands with the first.
        output = own or names[0]
        picture = {
            "caption": f"{output}: {text}" if len(names) > 1 and kind not in OF_ALL else text,
            "base64": base64.b64encode(png).decode("ascii"),
            "wide": name in figures and figures[name].get_figwidth() > WIDE,
        }
        pictures.append((names.index(output), order.index(kind) if kind in order else len(order), picture))
    pictures.sort(key=itemgetter(0, 1))
    # The page begins with the first scores of the one output, or the first of each.
    count = HEADLINES if len(outputs) == 1 else 1
    headlines = [_headline(output, metric) for output in outputs for metric in list(output["metrics"])[:count]]
    return template("report.html").render(card=card, headlines=headlines, pictures=[one for *_, one in pictures])


def _headline(output: dict, metric: str) -> dict:
    """Set the model's score beside that of the best baseline."""
    baselines = {row: values for row, values in output["scores"].items() if row in output["baselines"]}
    best = sorted(best_rows(output | {"scores": baselines}, metric)) if baselines else []
    return {"output": output, "metric": metric, "baseline": best[0] if best else ""}
