"""Compare the champions of all models: ``mlflow run <any model> -e compare`` or ``zoo compare``.

One table and one picture per output, from the model cards in the store, as Markdown and HTML.
"""

from __future__ import annotations

import json
from pathlib import Path

import mlflow
import numpy as np
from matplotlib.figure import Figure
from mlflow import MlflowClient

from common.judge.card import score_text, template
from common.outputs.figures import ACCENT, INK
from common.outputs.kinds import kind_of
from common.outputs.kinds.kind import CONSTANTS
from common.runs.store_location import CHAMPION
from sdss_gs.errors import ZooError
from sdss_gs.files import replacing
from sdss_gs.schema import INPUTS, OUTPUTS

BEGIN, END = "<!-- scores: written by make table -->", "<!-- end of scores -->"


def champion_cards() -> dict[str, dict]:
    """Read the card of every registered champion from the store, by model.

    Raises
    ------
    ZooError
        If there is none.
    """
    client, cards = MlflowClient(), {}
    names = [f"{item.code}2{output.code}" for output in OUTPUTS.values() for item in INPUTS.values()]
    registered = {model.name: model for model in client.search_registered_models()}
    for name in names:
        if name in registered and CHAMPION in registered[name].aliases:
            run = client.get_run(client.get_model_version_by_alias(name, CHAMPION).run_id)
            cards[name] = json.loads(mlflow.artifacts.load_text(f"{run.info.artifact_uri}/card.json"))
    if not cards:
        raise ZooError(f"{mlflow.get_tracking_uri()}: expected a registered champion, found none (train a model first)")
    return cards


def tables(cards: dict[str, dict]) -> dict[str, list[list[str]]]:
    """Lay the cards out, by output: a header, then a line per model, best constant and boosting beside it."""
    found: dict[str, list[list[str]]] = {}
    for name, output in OUTPUTS.items():
        if chosen := _cards_of(name, cards):
            metrics = kind_of(output).compared
            beside = (f"constant ({metrics[0]})", f"boosting ({metrics[0]})", "test galaxies", "note")
            found[name] = [["model", *metrics, *beside], *(_line(model, chosen[model], metrics) for model in chosen)]
    return found


def _cards_of(output: str, cards: dict[str, dict]) -> dict[str, dict]:
    """Choose the cards of an output; votes in another tree than the challenge's have other scores, and no table."""
    headline = kind_of(OUTPUTS[output]).headline
    return {
        name: card for name, card in cards.items() if card["output"]["name"] == output and headline in card["metrics"]
    }


def _line(name: str, card: dict, metrics: tuple[str, ...]) -> list[str]:
    headline = metrics[0]
    constants = [card["scores"][rival].get(headline) for rival in CONSTANTS if rival in card["scores"]]
    better = max if card["metrics"][headline]["better"] == "high" else min
    constant = better(value for value in constants if value is not None)
    boosting = card["scores"].get("gradient boosting", {}).get(headline)
    cells = [_cell(card, name, metric) for metric in metrics]
    note = "no better than a constant" if card["warnings"] else ""
    count = f"{card['data']['objects']['test']:,}"
    return [name, *cells, score_text(constant)[0], score_text(boosting)[0], count, note]


def _cell(card: dict, rival: str, metric: str) -> str:
    value, interval = card["scores"][rival].get(metric), card["intervals"].get(rival, {}).get(metric)
    text, bounds = score_text(value, tuple(interval) if interval else None)
    return f"{text} ({bounds})" if bounds else text


def markdown(found: dict[str, list[list[str]]]) -> str:
    """Write the tables as Markdown."""
    parts = []
    for output, (header, *lines) in found.items():
        rows = [header, ["---"] * len(header), *lines]
        parts.append(f"**{OUTPUTS[output].description}**\n\n" + "\n".join(f"| {' | '.join(row)} |" for row in rows))
    return "\n\n".join(parts) + "\n"


def picture(output: str, cards: dict[str, dict]) -> Figure:
    """Draw the headline metric of every model of an output with its interval, beside constant and boosting."""
    metric, chosen = kind_of(OUTPUTS[output]).headline, _cards_of(output, cards)
    figure = Figure(figsize=(7, 0.5 * len(chosen) + 1.5), layout="constrained")
    axes = figure.subplots()
    for row, (name, card) in enumerate(chosen.items()):
        value, (low, high) = card["scores"][name][metric], card["intervals"][name][metric]
        axes.plot([low, high], [row, row], color=INK, linewidth=2)
        axes.plot(value, row, "o", color=INK, label="model, 95 % interval" if row == 0 else None)
        for rivals, mark in ((CONSTANTS, "x"), (("gradient boosting",), "d")):
            values = [card["scores"][rival].get(metric) for rival in rivals if rival in card["scores"]]
            label = {"x": "constant", "d": "gradient boosting"}[mark] if row == 0 else None
            axes.plot(values, np.full(len(values), row), mark, color=ACCENT, label=label, linestyle="none")
    axes.set_yticks(range(len(chosen)), chosen)
    axes.invert_yaxis()
    axes.set(xlabel=metric, title=OUTPUTS[output].description)
    axes.legend(fontsize=8)
    return figure


def write(folder: Path) -> str:
    """Write ``comparison.md``, ``comparison.html`` and a picture per output; return the Markdown."""
    cards = champion_cards()
    found = tables(cards)
    folder.mkdir(parents=True, exist_ok=True)
    for output in found:
        with replacing(folder / f"{output}.png") as temporary:
            picture(output, cards).savefig(temporary, dpi=110, format="png")
    text = markdown(found)
    page = template("comparison.html").render(tables=found, outputs=OUTPUTS)
    for name, content in (("comparison.md", text), ("comparison.html", page)):
        with replacing(folder / name) as temporary:
            temporary.write_text(content)
    return text


def insert(path: Path, text: str) -> None:
    """Replace what stands between the two marks of a Markdown file.

    Raises
    ------
    ZooError
        If the file has no such marks.
    """
    before, begin, rest = path.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ZooError(f"{path}: expected the marks {BEGIN} and {END}, found none")
    with replacing(path) as temporary:
        temporary.write_text(f"{before}{BEGIN}\n\n{text}\n{END}{after}")
