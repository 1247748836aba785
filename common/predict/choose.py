"""Which models a command means."""

from __future__ import annotations

import json
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from common.models.library import champions
from common.models.model import Model
from common.models.names import WAYS
from common.models.opening import load
from common.models.shipped import CARDS, MARK, shipped_file, shipped_models
from common.networks.symmetry import TURNED
from common.outputs.column import GRID, QP
from common.outputs.kinds import kind_of
from common.predict.combine import ALONE, Combination
from common.predict.qp_out import ENDINGS, check_qp
from sdss_gs.errors import OptionError, ZooError

SPECTRAL = ("spectra", "ssel")


def choose_models(names: Sequence[str], runtime: str = "") -> tuple[list[Model], Combination]:
    """Open the models that were named; for ``one2one`` and ``best`` all champions, or else all that ship.

    Those that ship answer where the store has none but trials, as they do by their names (see `shipped.stands_back`).

    Parameters
    ----------
    names : sequence of str
    runtime : str
        As for `opening.load`.

    Raises
    ------
    ZooError
        If there is no such model, or a name is given twice.
    """
    ways = [name for name in names if name in WAYS]
    if ways and len(names) > 1:
        raise OptionError(f"model: expected {ways[0]} alone, or names of models, found {' '.join(names)}")
    if ways:
        entries, ship = champions(), shipped_models()
        if ship and all(entry.address != entry.name for entry in entries):
            models = [load(f"{name}{MARK}", runtime) for name in ship]
            return models, Combination(ways[0], {model.name: _costs_shipped(model) for model in models})
        if not entries:
            raise ZooError(f"{ways[0]}: expected trained models in this store, found none; train some first")
        models = [load(entry.address, runtime) for entry in entries]
        costs = {model.name: _costs(model, entry.validation) for model, entry in zip(models, entries, strict=True)}
        return models, Combination(ways[0], costs)
    models = [load(name, runtime) for name in names]
    seen = [model.name for model in models]
    if len(set(seen)) < len(seen):
        raise OptionError(f"model: expected each model once, found {' '.join(seen)}")
    return models, ALONE


def _costs(model: Model, reached: Mapping[str, float]) -> dict[str, float]:
    """Say what a model reached, by output; without those of which nobody said."""
    costs = {}
    for output in model.outputs:
        kind = kind_of(output)
        name = f"{output.name}_{kind.headline}" if len(model.outputs) > 1 else kind.headline
        if name in reached:
            costs[output.name] = kind.metrics[kind.headline].cost(reached[name])
    return costs


def _costs_shipped(model: Model) -> dict[str, float]:
    """Say what a shipped model reached on its test objects: of its validation objects the card does not speak."""
    (output,) = json.loads(shipped_file(model.name, f".{CARDS[1]}").read_text(encoding="utf-8"))["outputs"]
    return _costs(model, output["scores"][model.name])


def averaging(models: Sequence[Model]) -> list[Model]:
    """Let the models of images average over the eight forms of each.

    Raises
    ------
    OptionError
        If there is none.
    """
    return _changed(models, TURNED, "tta: expected a model of images", lambda model: replace(model, tta=True))


def looking_at(models: Sequence[Model], column: str) -> list[Model]:
    """Let the models of spectra look at one of their fluxes, whichever they learnt from.

    Parameters
    ----------
    models : sequence of Model
    column : str
        ``BestFit`` or ``Flux``.

    Raises
    ------
    OptionError
        If none sees spectra.
    """
    return _changed(
        models, SPECTRAL, "spectrum: expected a model of spectra",
        lambda model: replace(model, reading=model.reading | {"column": column}),
    )  # fmt: skip


def _changed(
    models: Sequence[Model], inputs: Container[str], expected: str, change: Callable[[Model], Model]
) -> list[Model]:
    """Change the models that see some of the inputs; refuse models of which none does."""
    sees = [any(item.name in inputs for item in model.inputs) for model in models]
    if not any(sees):
        raise OptionError(f"{expected}, found {', '.join(model.name for model in models)}")
    return [change(model) if one else model for model, one in zip(models, sees, strict=True)]


def with_distributions(models: Sequence[Model], together: Combination, form: str, output: Path) -> list[Model]:
    """Let models write their distributions too, as far as they predict any.

    Parameters
    ----------
    models : sequence of Model
    together : Combination
    form : str
        One of `column.PDF_FORMS`, or empty.
    output : Path
        Where they are to be written.

    Raises
    ------
    OptionError
        If no model has one, models are combined, or a file of that ending cannot hold them.
    """
    ending = output.suffix.lower()
    if (form == QP) != (ending in ENDINGS):
        raise OptionError(f"output {output}: expected --pdf {QP} with {' or '.join(ENDINGS)}, and with nothing else")
    if not form:
        return list(models)
    if together.way:
        why = "whose models have bins of their own"
        raise OptionError(f"pdf: expected models by their names, found {together.way}, {why}")
    if ending == ".csv":
        raise OptionError(f"output {output}: expected .parquet, .fits, .vot or .xml for distributions, found CSV")
    found = [f"{model.name} {output.name}" for model in models for output in model.outputs if output.grid]
    if form == QP and found:
        check_qp()
        if len(models) > 1 or len(found) > 1:
            names = ", ".join(model.name for model in models) if len(models) > 1 else ", ".join(found)
            raise OptionError(f"pdf: expected one model with one distribution for {QP}, found {names}")
    if not found:
        # Which says so.
        models[0].with_pdf(GRID)
    return [
        model.with_pdf(GRID if form == QP else form) if any(output.grid for output in model.outputs) else model
        for model in models
    ]


def without_distributions(models: Sequence[Model]) -> list[str]:
    """Say, where some models write distributions, of which outputs there are none."""
    if not any(model.pdf for model in models):
        return []
    lacking = {model.name: [output.name for output in model.outputs if not output.grid] for model in models}
    return [f"{name}: no distribution of {', '.join(outputs)}" for name, outputs in lacking.items() if outputs]
