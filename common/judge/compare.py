"""Compare the champions of all models: ``zoo compare``, or ``mlflow run <any model> -e compare``.

One table and one picture per output, from the model cards in the store, as Markdown and HTML.
"""

from __future__ import annotations

import json
from pathlib import Path

import mlflow
import numpy as np
from matplotlib.figure import Figure
from mlflow import MlflowClient

from common.judge.baselines import COLLAPSED
from common.judge.card import BOOSTING, GALAXIES, card_of_today, own_row, score_text, template
from common.outputs.figures import ACCENT, INK
from common.outputs.kinds import kind_of
from common.outputs.kinds.kind import CONSTANTS
from common.runs.store_location import CHAMPION
from sdss_gs.errors import ZooError
from sdss_gs.files import replacing
from sdss_gs.schema import INPUTS, OUTPUTS

CARD = "card.json"
NOTHING = "No champion has test scores of an output that models share."
BEGIN, END = "<!-- scores: written by make table -->", "<!-- end of scores -->"


def champion_cards() -> dict[str, dict]:
    """Read the card of every registered champion from the store, by model: those of one input first, in their order.

    Raises
    ------
    ZooError
        If there is none.
    """
    client, cards = MlflowClient(), {}
    names = [f"{item.code}2{output.code}" for output in OUTPUTS.values() for item in INPUTS.values()]
    registered = {model.name: model for model in client.search_registered_models()}
    for name in (*names, *sorted(set(registered) - set(names))):
        if name in registered and CHAMPION in registered[name].aliases:
            run = client.get_run(client.get_model_version_by_alias(name, CHAMPION).run_id)
            try:
                card = json.loads(mlflow.artifacts.load_text(f"{run.info.artifact_uri}/{CARD}"))
            except (mlflow.MlflowException, OSError):
                # Somebody else's model, in the same store.
                continue
            cards[name] = card_of_today(card)
    if not cards:
        raise ZooError(f"{mlflow.get_tracking_uri()}: expected a registered champion, found none (train a model first)")
    return cards


def tables(cards: dict[str, dict]) -> dict[str, list[list[str]]]:
    """Lay the cards out, by output: a header, then a line per model, best constant and boosting beside it."""
    laid_out: dict[str, list[list[str]]] = {}
    for name, output in OUTPUTS.items():
        if chosen := outputs_of(name, cards):
            metrics = kind_of(output).compared
            beside = (f"constant ({metrics[0]})", f"boosting ({metrics[0]})", "test galaxies", "note")
            lines = (_line(model, part, cards[model], metrics) for model, part in chosen.items())
            laid_out[name] = [["model", *metrics, *beside], *lines]
    return laid_out


def outputs_of(name: str, cards: dict[str, dict]) -> dict[str, dict]:
    """Choose what the cards say of an output, by model.

    Votes in another tree than the challenge's have other scores, and no table.
    """
    headline = kind_of(OUTPUTS[name]).headline
    parts = ((model, part) for model, card in cards.items() for part in card["outputs"])
    return {model: part for model, part in parts if part["name"] == name and headline in part["metrics"]}


def _line(model: str, output: dict, card: dict, metrics: tuple[str, ...]) -> list[str]:
    headline, row = metrics[0], own_row(output)
    # A card may come from elsewhere, and name no rivals.
    constants = [output["scores"][rival].get(headline) for rival in CONSTANTS if rival in output["scores"]]
    better = max if output["metrics"][headline]["better"] == "high" else min
    constant = better((value for value in constants if value is not None), default=None)
    boosting = output["scores"].get(BOOSTING, {}).get(headline)
    bounds = output["intervals"].get(row, {})
    written = [score_text(output["scores"][row].get(metric), bounds.get(metric)) for metric in metrics]
    cells = [f"{text} ({interval})" if interval else text for text, interval in written]
    # A model of several outputs says of which it speaks; of what else it warns is no matter here.
    said = f"{output['name']} {COLLAPSED}" if len(card["outputs"]) > 1 else COLLAPSED
    count = output["scores"][row].get(GALAXIES, card["data"]["objects"]["test"])
    note = "no better than a constant" if any(said in warning for warning in card["warnings"]) else ""
    return [model, *cells, score_text(constant)[0], score_text(boosting)[0], f"{count:,.0f}", note]


def markdown(laid_out: dict[str, list[list[str]]]) -> str:
    """Write `tables` as Markdown."""
    parts = [] if laid_out else [NOTHING]
    for output, (header, *lines) in laid_out.items():
        rows = [header, ["---"] * len(header), *lines]
        parts.append(f"**{OUTPUTS[output].description}**\n\n" + "\n".join(f"| {' | '.join(row)} |" for row in rows))
    return "\n\n".join(parts) + "\n"


def picture(name: str, cards: dict[str, dict]) -> Figure:
    """Draw the headline metric of every model of an output with its interval, beside constant and boosting."""
    metric, chosen = kind_of(OUTPUTS[name]).headline, outputs_of(name, cards)
    figure = Figure(figsize=(7, 0.5 * len(chosen) + 1.5), layout="constrained")
    axes = figure.subplots()
    for place, output in enumerate(chosen.values()):
        scores, row = output["scores"], own_row(output)
        value = scores[row][metric]
        axes.plot(output["intervals"].get(row, {}).get(metric, [value, value]), [place, place], color=INK, linewidth=2)
        axes.plot(value, place, "o", color=INK, label="model, 95 % interval" if place == 0 else None)
        for label, rivals, mark in (("constant", CONSTANTS, "x"), (BOOSTING, (BOOSTING,), "d")):
            values = [scores[rival].get(metric) for rival in rivals if rival in scores]
            label = label if place == 0 else None
            axes.plot(values, np.full(len(values), place), mark, color=ACCENT, label=label, linestyle="none")
    axes.set_yticks(range(len(chosen)), chosen)
    axes.invert_yaxis()
    axes.set(xlabel=metric, title=OUTPUTS[name].description)
    axes.legend(fontsize=8)
    return figure


def write(folder: Path) -> str:
    """Write ``comparison.md``, ``comparison.html`` and a picture per output; return the Markdown."""
    cards = champion_cards()
    laid_out = tables(cards)
    folder.mkdir(parents=True, exist_ok=True)
    for output in laid_out:
        with replacing(folder / f"{output}.png") as temporary:
            picture(output, cards).savefig(temporary, dpi=110, format="png")
    text = markdown(laid_out)
    page = template("comparison.html").render(tables=laid_out, outputs=OUTPUTS, nothing=NOTHING)
    for name, content in (("comparison.md", text), ("comparison.html", page)):
        with replacing(folder / name) as temporary:
            temporary.write_text(content)
    return text


def insert(path: Path, text: str, begin: str = BEGIN, end: str = END) -> None:
    """Replace what stands between two marks of a Markdown file.

    Parameters
    ----------
    path : Path
    text : str
    begin, end : str
        The marks.

    Raises
    ------
    ZooError
        If the file has no such marks.
    """
    before, found, rest = path.read_text().partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise ZooError(f"{path}: expected the marks {begin} and {end}, found none")
    with replacing(path) as temporary:
        temporary.write_text(f"{before}{begin}\n\n{text}\n{end}{after}")
