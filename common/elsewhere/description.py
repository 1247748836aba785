"""What another program has to know to give the columns of ``zoo predict``; docs/howto/elsewhere.md explains it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict

import numpy as np

from common.data.measure import TrainingRange
from common.data.novelty import SCORES, Novelty
from common.models.model import Model
from common.networks.inputs import PRESENT
from common.outputs.calibration import LEVELS, ONE_LEVEL, UNSURE
from common.outputs.kinds import kind_of
from sdss_gs import __version__
from sdss_gs.decision_tree import TREES
from sdss_gs.schema import QUANTITIES, Input, Output
from sdss_gs.tables.names import short_name

FORMAT = 1


def describe(model: Model, files: Mapping[str, str], licence: str) -> dict:
    """Describe a model, as strings, numbers, lists and dictionaries that JSON has.

    Parameters
    ----------
    model : Model
    files : mapping of str to str
        Its ONNX files: ``network`` of a flat model; of another an encoder for each input, by its name, and ``fusion``.
    licence : str
        As its card says; may be empty.
    """
    target = str(model.reading.get("target", "log"))
    return {
        "format": FORMAT,
        "zoo_version": __version__,
        "name": model.name,
        "version": model.version,
        "weights_sha256": model.sha256,
        "licence": licence,
        "files": dict(files),
        "inputs": [_input(model, item) for item in model.inputs],
        **({} if model.flat else {"present": PRESENT}),
        "outputs": [describe_output(output, target) for output in model.outputs],
        "levels": list(LEVELS),
        "one_level": ONE_LEVEL,
        "unsure_factor": UNSURE,
        "calibration": {
            used: {name: asdict(one) for name, one in by_output.items()}
            for used, by_output in model.calibrations.items()
        },
    }


def _input(model: Model, item: Input) -> dict:
    """Describe an input: its tensors in the ONNX file, its valid values, and what the training objects looked like."""
    by_column = bool(item.columns) and model.flat
    usual = model.training_ranges[item.name]
    return {
        "name": item.name,
        "description": item.description,
        "unit": item.unit,
        "shape": list(model.shapes[item.name]),
        "dtype": np.dtype(item.dtype).name,
        "gaps": item.gaps,
        "errors": len(item.columns) - len(item.magnitudes),
        "tensors": list(item.columns) if by_column else [item.name],
        "columns": [
            {
                "name": column,
                "short_name": short_name(column),
                "unit": QUANTITIES[column].unit,
                "low": QUANTITIES[column].low,
                "high": QUANTITIES[column].high,
                "sentinels": list(QUANTITIES[column].sentinels),
            }
            for column in item.columns
        ],
        "photometry": usual.photometry,
        "spectrum_column": "" if item.columns or len(item.shape) > 1 else str(model.reading.get("column", "")),
        "training_range": _novelty(usual),
    }


def _novelty(usual: Novelty | TrainingRange) -> dict:
    """Describe what tells objects unlike the training objects."""
    fields = {name: value for name, value in asdict(usual).items() if name != "photometry"}
    return fields if isinstance(usual, TrainingRange) else fields | {"scores": SCORES}


def describe_output(output: Output, target: str) -> dict:
    """Describe an output: how what the network gives becomes values and intervals, and the columns that result.

    Parameters
    ----------
    output : Output
    target : str
        What a mass was learnt as, see `mass.TARGETS`.
    """
    kind, quantity = kind_of(output), QUANTITIES.get(output.column)
    questions = TREES[output.tree].questions if output.tree else ()
    return {
        "name": output.name,
        "kind": output.kind,
        "description": output.description,
        "unit": output.unit,
        "size": output.size,
        "grid": list(output.grid),
        "mixture": {"components": output.components, "centre": output.centre, "spread": output.spread}
        if output.components
        else None,
        "classes": list(output.classes),
        "answers": list(output.answers),
        "questions": [
            {"number": one.number, "text": one.text, "answers": list(one.answers), "first": one.first}
            for one in questions
        ],
        "value": kind.value_formula(target),
        "ends": kind.ends_formula,
        "possible": [quantity.low, quantity.high] if quantity and not output.classes else None,
        "columns": [
            {"name": name, "description": column.description, "unit": column.unit}
            for name, column in kind.described().items()
        ],
    }
