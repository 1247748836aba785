"""The report of a run: one HTML page that holds everything, pictures included, and loads nothing."""

from __future__ import annotations

import base64
from collections.abc import Mapping

from matplotlib.figure import Figure

from common.judge.card import best_rows, template

CAPTIONS = {
    "predicted_vs_true": "Predicted against true value of every test galaxy; a perfect model lies on the line.",
    "residuals": "Error against the true value: the line is the median, the band holds the middle 68 %.",
    "confusion": "Where each true class (row) ends up; the diagonal is right, each row adds up to 1.",
    "answers": "Predicted against true share of the votes, answer by answer; a perfect model lies on the lines.",
    "loss": "Loss of every epoch on the training and validation galaxies; the marked epoch was kept.",
    "influence": "What in some test images matters to the network: bright for what speaks for the class it chooses, or "
    "for what moves its number most.",
    "worst_cases": "The test galaxies with the largest errors, the largest first.",
    "best_cases": "The test galaxies with the smallest errors, the smallest first.",
}
"""What the known pictures show, in the order of the page."""

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
    order = {name: place for place, name in enumerate(CAPTIONS)}
    split = {name: _split(card, name) for name in images}
    outputs = [output["name"] for output in card["outputs"]]
    names = sorted(images, key=lambda name: (outputs.index(split[name][0]), order.get(split[name][1], len(order))))
    return template("report.html").render(
        card=card,
        headlines=[_headline(output, metric) for output, metric in _headline_metrics(card)],
        pictures=[_picture(_caption(card, *split[name]), images[name], figures.get(name)) for name in names],
    )


def _split(card: dict, name: str) -> tuple[str, str]:
    """Split a figure's name into output and kind; what belongs to all outputs stands with the first."""
    outputs = [output["name"] for output in card["outputs"]]
    own = next((output for output in outputs if name.startswith(f"{output}_") and name not in CAPTIONS), "")
    return own or outputs[0], name.removeprefix(f"{own}_") if own else name


def _caption(card: dict, output: str, kind: str) -> str:
    text = CAPTIONS.get(kind, kind.replace("_", " "))
    return f"{output}: {text}" if len(card["outputs"]) > 1 and kind != "loss" else text


def _headline_metrics(card: dict) -> list[tuple[dict, str]]:
    """Choose what the page begins with: the first scores of the one output, or the first of each."""
    if len(card["outputs"]) > 1:
        return [(output, next(iter(output["metrics"]))) for output in card["outputs"]]
    (output,) = card["outputs"]
    return [(output, metric) for metric in list(output["metrics"])[:HEADLINES]]


def _headline(output: dict, metric: str) -> dict:
    """Set the model's score beside that of the best baseline."""
    baselines = {row: values for row, values in output["scores"].items() if row in output["baselines"]}
    best = sorted(best_rows(output | {"scores": baselines}, metric)) if baselines else []
    return {"output": output, "metric": metric, "baseline": best[0] if best else ""}


def _picture(caption: str, png: bytes, figure: Figure | None) -> dict:
    """Say what the page needs to know of a picture; `figure` is what `png` shows."""
    return {
        "caption": caption,
        "base64": base64.b64encode(png).decode("ascii"),
        "wide": figure is not None and figure.get_figwidth() > WIDE,
    }
