"""A trained model before its judges: test scores beside the baselines, and the pictures."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import version

import numpy as np
from matplotlib.figure import Figure

from common.data.measure import simple_features
from common.data.training_data import TrainingData
from common.judge import figures as report
from common.judge.baselines import BaselineInputs, baselines, collapse
from common.judge.card import GALAXIES
from common.judge.explain import explain
from common.judge.summary import Summary
from common.judge.views import Predictions, with_set
from common.models.model import ANY, Model
from common.networks.augment import TURNED
from common.networks.build import architecture
from common.outputs.kinds import kind_of
from common.outputs.metrics import binned_scores, intervals, score
from common.runs.provenance import code_version
from sdss_gs.schema import Input, Output

RECORDED_VERSIONS = ("tensorflow", "keras", "mlflow", "numpy")
ALL, AVAILABLE, ONLY = "all inputs", "as available", "only "
"""Rows of the table where inputs may be missing: objects that have every input; every object with what it has; one
input, the others hidden."""
NOT_JUDGED = ("ds", "resume")
"""Options that say nothing of a model."""

Baselines = dict[str, dict[str, np.ndarray]]
"""Predictions of those test objects that have an output's truth, by output and baseline."""


def predict_baselines(data: TrainingData, seed: int) -> Baselines:
    """Predict the test objects with every baseline."""
    found = {}
    for output in data.outputs:
        images = _images(data, output)
        train, test = (_for_baselines(data, part, output, images) for part in ("train", "test"))
        found[output.name] = baselines(output, train, data.truth("train", output.name), test, seed)
    return found


def _images(data: TrainingData, output: Output) -> Input | None:
    """Choose the input of images that all objects with an output have: a linear model takes no gaps."""
    for column, item in enumerate(data.inputs):
        parts = (data.present(part)[data.known(part, output.name), column] for part in ("train", "test"))
        if item.name in TURNED and all(has.all() for has in parts):
            return item
    return None


def _for_baselines(data: TrainingData, part: str, output: Output, images: Input | None) -> BaselineInputs:
    known = data.known(part, output.name)
    seen = BaselineInputs(int(known.sum()), data.magnitudes(part)[known])
    if images is None:
        return seen
    chosen = known[data.present(part)[:, data.inputs.index(images)]]
    features = data.measured(part, images)[chosen].astype(np.float32)
    if output.kind != "votes":
        return BaselineInputs(seen.count, seen.magnitudes, features)
    simple = [simple_features(chunk) for chunk in data.chunks(part, images.name)]
    pixels = (np.concatenate(values)[chosen] for values in zip(*simple, strict=True))
    return BaselineInputs(seen.count, seen.magnitudes, features, *pixels)


def judge(
    model: Model,
    data: TrainingData,
    predictions: Predictions,
    rivals: Baselines,
    run_id: str,
    options: Mapping[str, object],
) -> Summary:
    """Judge predictions of the test objects.

    Parameters
    ----------
    model : Model
    data : TrainingData
    predictions : dict
        From `views.predict_part`.
    rivals : dict
        From `predict_baselines`; empty for data that no baseline was fitted to.
    run_id : str
    options : mapping
        Options the model was trained with.
    """
    scores, bounds, bins, covered, warnings = {}, {}, {}, {}, []
    for output in data.outputs:
        name, truth = output.name, data.truth("test", output.name)
        rows = _rows(model, data, predictions, output) | {
            rival: (np.ones(len(truth), bool), values) for rival, values in rivals.get(name, {}).items()
        }
        scores[name] = {row: _scored(model, output, truth[has], values) for row, (has, values) in rows.items()}
        bounds[name] = {row: intervals(output, truth[has], values) for row, (has, values) in rows.items()}
        everything = predictions[ANY][name][data.known("test", name)]
        label = model.name if len(data.outputs) == 1 else f"{model.name}: {name}"
        judged = {label: score(output, truth, everything)}
        judged |= {rival: scores[name][rival] for rival in rivals.get(name, {})}
        warnings.append(collapse(output, truth, everything, judged))
        bins[name] = binned_scores(output, truth, everything)
        covered[name] = {
            row: kind_of(output).coverage(model.calibrations[key][name], truth[has], rows[row][1])
            for row, key, has in _calibrated(model, data, predictions, output)
            if row in rows
        }
    return Summary(
        model=model.name,
        inputs=model.inputs,
        outputs=data.outputs,
        run_id=run_id,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        shapes=model.shapes,
        architecture=architecture(model.network),
        parameters=model.network.count_params(),
        options={key: value for key, value in options.items() if key not in NOT_JUDGED},
        data={
            "name": data.folder.name,
            "synthetic": data.synthetic(),
            "fingerprint": data.fingerprint,
            "description": data.description(),
            "objects": data.sizes(),
        },
        scores=scores,
        intervals=bounds,
        bins=bins,
        coverage=covered,
        warnings=[warning for warning in warnings if warning],
        figures=test_figures(model, data, predictions[ANY]),
        versions=versions(),
    )


def _rows(
    model: Model, data: TrainingData, predictions: Predictions, output: Output
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Name what is scored of a model: which of the test objects with an output, and what it says of them.

    A flat model has one row, named like it. A row without any object is left out.
    """
    known = data.known("test", output.name)
    values = {key: found[output.name][known] for key, found in predictions.items()}
    if model.flat:
        return {model.name: (np.ones(known.sum(), bool), values[ANY])}
    everybody, complete = np.ones(known.sum(), bool), data.present("test").all(axis=1)[known]
    chosen = {ALL: (ANY, complete), AVAILABLE: (ANY, everybody)}
    chosen |= {f"{ONLY}{key}": (key, with_set(model, data, "test", key)[known]) for key in values if key != ANY}
    return {row: (has, values[key][has]) for row, (key, has) in chosen.items() if has.any()}


def _calibrated(model: Model, data: TrainingData, predictions: Predictions, output: Output):
    """Yield the rows whose intervals can be measured: row, set of inputs, and which of the known objects."""
    known = data.known("test", output.name)
    for key in predictions:
        if output.name in model.calibrations.get(key, {}):
            row = model.name if model.flat else f"{ONLY}{key}" if key else AVAILABLE
            yield row, key, with_set(model, data, "test", key)[known]


def _scored(model: Model, output: Output, truth: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    counted = {} if model.flat else {GALAXIES: float(len(truth))}
    return counted | score(output, truth, predicted)


def verdict(summary: Summary) -> str:
    """Lay warnings and the tables of scores out for a terminal, a table per output."""
    lines = [f"warning: {warning}" for warning in summary.warnings]
    if len(summary.outputs) == 1:
        return "\n".join([*lines, report.score_table(summary.scores[summary.outputs[0].name])])
    tables = [f"{output.description}\n{report.score_table(summary.scores[output.name])}" for output in summary.outputs]
    return "\n\n".join(["\n".join(lines), *tables] if lines else tables)


def versions() -> dict[str, str]:
    """Return the versions of the software that decides a result."""
    return {"sdss-zoo": code_version(), **{package: version(package) for package in RECORDED_VERSIONS}}


# === Pictures ===


def test_figures(model: Model, data: TrainingData, predicted: Mapping[str, np.ndarray]) -> dict[str, Figure]:
    """Draw the test objects of every output; names begin with the output's where there are several.

    Parameters
    ----------
    model : Model
    data : TrainingData
    predicted : mapping of str to ndarray
        Predictions of all test objects, by output.
    """
    drawn = {}
    for output in data.outputs:
        known = data.known("test", output.name)
        values = predicted[output.name][known]
        found = _figures_of(output, data, np.flatnonzero(known), values) | _influence(model, output, data, values)
        prefix = f"{output.name}_" if len(data.outputs) > 1 else ""
        drawn |= {f"{prefix}{name}": figure for name, figure in found.items()}
    return drawn


def _figures_of(output: Output, data: TrainingData, positions: np.ndarray, predicted: np.ndarray) -> dict[str, Figure]:
    kind, truth = kind_of(output), data.truth("test", output.name)
    drawn, names = kind.figures(truth, predicted), _names(data, output, positions, predicted)
    ranked = np.argsort(-kind.misses(truth, predicted)[0], kind="stable")
    shown = report.GALLERY_ROWS * report.GALLERY_COLUMNS
    for name, chosen in (("worst", ranked[:shown]), ("best", ranked[::-1][:shown])):
        pictures = data.pictures("test", positions[chosen])
        title = f"{name.capitalize()} test cases"
        drawn[f"{name}_cases"] = report.gallery(title, [names[position] for position in chosen], pictures)
    return drawn


def _influence(model: Model, output: Output, data: TrainingData, predicted: np.ndarray) -> dict[str, Figure]:
    """Show what matters in some images, from the lowest class, number or first vote to the highest."""
    images = next((item for item in model.inputs if item.name in TURNED), None)
    if images is None:
        return {}
    has = data.present("test")[:, model.inputs.index(images)] & data.known("test", output.name)
    positions, known = np.flatnonzero(has), has[data.known("test", output.name)]
    if not len(positions):
        return {}
    truth = data.truth("test", output.name)[known]
    spread = np.linspace(0, len(truth) - 1, min(report.GALLERY_COLUMNS, len(truth))).round().astype(int)
    chosen = np.argsort(truth if truth.ndim == 1 else truth[:, 0], kind="stable")[spread]
    method, maps = explain(model, output, images, data.gather(data.parts["test"][positions[chosen]]))
    names = _names(data, output, np.flatnonzero(data.known("test", output.name)), predicted)
    captions = [names[position] for position in np.flatnonzero(known)[chosen]]
    return {"influence": report.influence(method, captions, data.pictures("test", positions[chosen]), maps)}


def _names(data: TrainingData, output: Output, positions: np.ndarray, predicted: np.ndarray) -> list[str]:
    captions = kind_of(output).misses(data.truth("test", output.name), predicted)[1]
    return [f"{objid}\n{caption}" for objid, caption in zip(data.objid("test")[positions], captions, strict=True)]
