"""The models that a service has open, and what it says about them."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from common.data.sources import Loaded
from common.data.sources.files import ENDINGS
from common.judge.card import card_of_today, own_row
from common.models.library import artifact, champions, run_page
from common.models.model import ORIGINS, Model
from common.models.opening import load
from common.models.shipped import MARK, VERSION, shipped_models
from common.runs.store_location import PICTURE, REPORT
from sdss_gs.decision_tree import TREES
from sdss_gs.errors import OptionError, ZooError
from sdss_gs.schema import Output

CARD, FACTS = "card.md", "card.json"


@dataclass(frozen=True)
class ServedModel:
    """A model that is open.

    Parameters
    ----------
    model : Model
    facts : dict
        Its card as data; empty where it has none.
    files : dict of str to Path
        ``card.md``, ``card.png`` and ``report.html``, as far as there are.
    run : str
        Address of the run that made it, in ``mlflow ui``; empty where it is not known.
    """

    model: Model
    facts: dict = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)
    run: str = ""

    def description(self) -> dict:
        """Describe the model for ``GET /models``."""
        model, data, card = self.model, self.facts.get("data", {}), f"/models/{self.model.name}/card"
        scores = {one["name"]: one["scores"][own_row(one)] for one in self.facts.get("outputs", ())}
        return {
            "name": model.name,
            "version": model.version,
            "weights": model.sha256,
            "runtime": model.runtime.name,
            "inputs": [
                {
                    "name": item.name, "description": item.description.replace("`", ""), "dtype": item.dtype,
                    "shape": list(model.shapes[item.name]), "unit": item.unit, "columns": list(item.columns),
                    "endings": [ending for ending, held in ENDINGS.items() if item.name in held],
                }
                for item in model.inputs
            ],
            "outputs": [
                {
                    "name": output.name, "description": output.description, "unit": output.unit,
                    "classes": list(output.classes), "questions": _questions(output),
                    "distribution": bool(output.grid),
                    "scores": scores.get(output.name, {}),
                }
                for output in model.outputs
            ],
            "columns": model.columns(),
            "test_galaxies": data.get("objects", {}).get("test"),
            "data": data.get("name"),
            "synthetic": bool(model.origin),
            "origin": model.origin,
            "origin_note": ORIGINS.get(model.origin, ""),
            "run": self.run or None,
            "warnings": self.facts.get("warnings", []),
            "card": card if CARD in self.files else None,
            "picture": f"{card}?format=png" if PICTURE in self.files else None,
            "report": f"{card}?format=html" if REPORT in self.files else None,
        }  # fmt: skip


def open_served(
    names: Sequence[str] | None, say: Callable[[str], None] = print, mlflow_address: str = "", runtime: str = ""
) -> dict[str, ServedModel]:
    """Open models and predict once with each, so that the first question is answered as fast as the next.

    Parameters
    ----------
    names : sequence of str or None
        As for `opening.load`; None for all champions and, of other names, shipped models. Of these, those that cannot
        be opened are left out.
    say : callable
        Is told what is left out.
    mlflow_address : str
        Where ``mlflow ui`` answers; empty: no links to it.
    runtime : str
        As for `opening.load`.

    Returns
    -------
    dict of str to ServedModel
        By the model's name.

    Raises
    ------
    ZooError
        If a model that was named cannot be opened, or is named twice.
    """
    served: dict[str, ServedModel] = {}
    for name in sorted({*shipped_models(), *(entry.name for entry in champions())}) if names is None else names:
        try:
            model = load(name, runtime)
        except ZooError as error:
            if names is not None:
                raise
            say(f"left out: {error}")
            continue
        if model.name in served:
            raise OptionError(f"models: expected each model once, found {' '.join(names or ())}")
        ones = {item.name: np.ones((1, *model.shapes[item.name]), item.dtype) for item in model.inputs}
        model.columns_of({key: Loaded(values, np.zeros(1, np.int32)) for key, values in ones.items()})
        # Neither files nor run of a champion of the same name.
        name = f"{model.name}{MARK}" if model.version == VERSION else name
        files = _files(name)
        facts = card_of_today(json.loads(files[FACTS].read_text())) if FACTS in files else {}
        run = run_page(name) if mlflow_address else ""
        served[model.name] = ServedModel(model, facts, files, f"{mlflow_address.rstrip('/')}/{run}" if run else "")
    return served


def _files(name: str) -> dict[str, Path]:
    files = {}
    for file in (CARD, FACTS, PICTURE, REPORT):
        with contextlib.suppress(ZooError):
            path = artifact(name, file)
            if path.is_file():
                files[file] = path
    return files


def _questions(output: Output) -> list[dict]:
    """List the questions that votes answer, with the column of each answer's share."""
    questions = TREES[output.tree].questions if output.tree else ()
    columns = [f"{output.name}_{answer}" for answer in output.answers]
    return [
        {"text": question.text, "answers": dict(zip(question.answers, columns[question.slice], strict=True))}
        for question in questions
    ]
