"""The card and the report of a model with several inputs and outputs."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime

from matplotlib.figure import Figure

from common.backend import keras
from common.data.multi_data import MultiData
from common.judge.card import CARD_VERSION, LICENCE, citation_of, fields_of, limits_of, plain, template
from common.judge.judge import versions
from common.judge.multi_judge import Judgement
from common.judge.page import CAPTIONS, picture
from common.networks.build import architecture
from common.outputs.kinds import kind_of
from common.runs.record import REPORT, Run
from sdss_gs.schema import INPUTS, OUTPUTS

FILES = ("card.json", "card.md", REPORT)


def card_of(
    name: str, run_id: str, options: dict, data: MultiData, model: keras.Model, judged: Judgement, covered: dict
) -> dict:
    """Gather a model's card.

    Parameters
    ----------
    name, run_id : str
    options : dict
        Options the run really had.
    data : MultiData
    model : keras.Model
    judged : Judgement
    covered : dict
        As from `multi_judge.covered`.

    Returns
    -------
    dict
        Strings, numbers, lists and dictionaries, so that JSON gives back the same; None for what is not finite.
    """
    shapes = data.shapes()
    metrics = dict.fromkeys(key for rows in judged.scores.values() for values in rows.values() for key in values)
    known = {key: metric for name in data.outputs for key, metric in kind_of(OUTPUTS[name]).metrics.items()}
    return plain(
        {
            "schema_version": CARD_VERSION,
            "model": name,
            "run_id": run_id,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "inputs": [fields_of(INPUTS[key]) | {"shape": shapes[key]} for key in data.inputs],
            "outputs": [fields_of(OUTPUTS[key]) | {"classes": OUTPUTS[key].classes} for key in data.outputs],
            "network": {"parameters": model.count_params(), "architecture": architecture(model)},
            "options": {key: value for key, value in options.items() if key not in ("ds", "resume")},
            "data": {
                "name": data.folder.name,
                "fingerprint": data.fingerprint,
                "description": data.description(),
                "objects": data.sizes(),
            },
            "metrics": {key: asdict(known[key]) for key in metrics if key in known},
            "scores": judged.scores,
            "coverage": covered,
            "warnings": judged.warnings,
            "limits": limits_of(data.inputs, data.outputs, options, data.folder.name),
            "licence": LICENCE,
            "citation": citation_of([*data.inputs, *data.outputs], data.folder.name),
            "versions": versions(),
        }
    )


def record_card(record: Run, card: dict, figures: dict[str, Figure], images: dict[str, bytes]) -> str:
    """Record a card as data, as Markdown and as the report's page; return where the page is."""
    pictures = [picture(_caption(card, name), images[name], figures[name]) for name in images]
    texts = (
        json.dumps(card, indent=1, allow_nan=False),
        template("multi_card.md").render(card=card),
        template("multi_report.html").render(card=card, pictures=pictures),
    )
    for text, name in zip(texts, FILES, strict=True):
        record.text(text, name)
    return f"{record.artifacts()}/{REPORT}"


def _caption(card: dict, name: str) -> str:
    names: Sequence[str] = [output["name"] for output in card["outputs"] if name.startswith(f"{output['name']}_")]
    kind = name.removeprefix(f"{names[0]}_") if names else name
    return f"{names[0]}: {CAPTIONS[kind]}" if names else CAPTIONS.get(kind, kind)
