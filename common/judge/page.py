"""The report of a run: one HTML page that holds everything, pictures included, and loads nothing."""

from __future__ import annotations

import base64

from matplotlib.figure import Figure

from common.judge.card import best_rivals, card_data, template
from common.judge.summary import Summary

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


def html_page(summary: Summary, images: dict[str, bytes]) -> str:
    """Write the report of a run.

    Parameters
    ----------
    summary : Summary
    images : dict of str to bytes
        PNG of each of the summary's figures, by name.

    Returns
    -------
    str
        HTML5 without scripts and without anything to load.
    """
    card = card_data(summary)
    names = [*(name for name in CAPTIONS if name in images), *(name for name in images if name not in CAPTIONS)]
    return template("report.html").render(
        card=card,
        headlines=[_headline(card, metric) for metric in list(card["metrics"])[:HEADLINES]],
        pictures=[
            picture(CAPTIONS.get(name, name.replace("_", " ")), images[name], summary.figures.get(name))
            for name in names
        ],
    )


def _headline(card: dict, metric: str) -> dict:
    """Set the model's score beside that of the best baseline."""
    baselines = {rival: values for rival, values in card["scores"].items() if rival != card["model"]}
    best = sorted(best_rivals(card | {"scores": baselines}, metric))
    return {"metric": metric, "baseline": best[0] if best else ""}


def picture(caption: str, png: bytes, figure: Figure | None) -> dict:
    """Say what the page needs to know of a picture; `figure` is what `png` shows."""
    return {
        "caption": caption,
        "base64": base64.b64encode(png).decode("ascii"),
        "wide": figure is not None and figure.get_figwidth() > WIDE,
    }
