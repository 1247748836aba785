"""A trained model before its judges: test scores beside the baselines, and the pictures."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from common.data.measure import simple_features
from common.data.training_data import TrainingData
from common.judge import figures as report
from common.judge.baselines import BaselineInputs, baselines, collapse
from common.judge.bins import in_bins
from common.judge.card import GALAXIES
from common.judge.explain import explain
from common.judge.reliability import novelty_margins, novelty_summary, reliability
from common.judge.selection import described, selection
from common.judge.summary import Summary
from common.judge.views import Predictions, with_set
from common.models.model import ANY, Model
from common.models.serving import bare_network
from common.networks.build import architecture
from common.networks.symmetry import TURNED
from common.outputs.kinds import kind_of
from common.outputs.metrics import intervals, score
from common.runs.provenance import versions
from sdss_gs.schema import Input, Output

ALL, AVAILABLE, ONLY = "all inputs", "as available", "only "
"""Rows of the table where inputs may be missing: objects that have every input; every object with what it has; one
input, the others hidden."""
NOT_JUDGED = ("ds", "resume")
"""Options that say nothing of a model."""

Baselines = dict[str, dict[str, np.ndarray]]
"""Predictions of those test objects that have an output's truth, by output and baseline."""


def predict_baselines(data: TrainingData, seed: int) -> Baselines:
    """Predict the test objects with every baseline."""
    predictions = {}
    for output in data.outputs:
        # Images only where all objects with an output have them: a linear model takes no gaps.
        has = [data.present(part)[data.known(part, output.name)].all(axis=0) for part in ("train", "test")]
        complete = (item for item, all_have in zip(data.inputs, np.all(has, axis=0), strict=True) if all_have)
        images = next((item for item in complete if item.name in TURNED), None)
        train, test = (_for_baselines(data, part, output, images) for part in ("train", "test"))
        predictions[output.name] = baselines(output, train, data.truth("train", output.name), test, seed)
    return predictions


def _for_baselines(data: TrainingData, part: str, output: Output, images: Input | None) -> BaselineInputs:
    known = data.known(part, output.name)
    seen = {"count": int(known.sum()), "magnitudes": data.magnitudes(part)[known]}
    own = [column for item in data.inputs for column in item.magnitudes]
    if own and set(own) != set(data.known_magnitudes()):
        seen["own"] = data.magnitudes(part, own)[known]
    if images:
        chosen = known[data.present(part)[:, data.inputs.index(images)]]
        seen["features"] = data.measured(part, images)[chosen].astype(np.float32)
        if output.kind == "votes":
            simple = [simple_features(chunk) for chunk in data.chunks(part, images.name)]
            seen["centre"], seen["colour"] = (np.concatenate(values)[chosen] for values in zip(*simple, strict=True))
    return BaselineInputs(**seen)


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
        Without test objects nothing is judged: no output has a score.
    predictions : dict
        From `views.predict_part`.
    rivals : dict
        From `predict_baselines`; empty for data that no baseline was fitted to.
    run_id : str
    options : mapping
        Options the model was trained with.
    """
    nothing = {output.name: {model.name: {}} for output in data.outputs}
    seen = selection(data)
    judged = _judged(model, data, predictions, rivals) if data.tested else {"scores": nothing, "intervals": nothing}
    return Summary(
        model=model.name,
        inputs=model.inputs,
        outputs=data.outputs,
        run_id=run_id,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        shapes=model.shapes,
        architecture=architecture(bare_network(model.network)),
        parameters=model.network.count_params(),
        options={key: value for key, value in options.items() if key not in NOT_JUDGED},
        data={
            "name": data.folder.name,
            "synthetic": bool(data.made()),
            "made": data.made(),
            "unlearnt": {output.name: data.unlearnt(output) for output in data.outputs},
            "photometry": {item.name: data.photometry(item.name) for item in data.inputs if item.columns},
            "fingerprint": data.fingerprint,
            "description": data.description(),
            "objects": data.sizes(),
        },
        selection=described(seen),
        versions=versions(),
        adapted=model.adapted,
        **judged | {"figures": {"selection": report.selection(seen)} | judged.get("figures", {})},
    )


def _judged(model: Model, data: TrainingData, predictions: Predictions, rivals: Baselines) -> dict[str, Any]:
    """Gather what a `Summary` says of the test objects."""
    scores, bounds, bins, published, covered, coverage_bins, flags, warnings = {}, {}, {}, {}, {}, {}, {}, []
    margins = novelty_margins(model, data)
    for output in data.outputs:
        name, truth, known = output.name, data.truth("test", output.name), data.known("test", output.name)
        rows = _rows(model, data, predictions, known)
        judged = {row: (truth[has], predictions[key][name][known][has]) for row, (key, has) in rows.items()}
        covered[name] = {
            row: kind_of(output).coverage(model.calibrations[key][name], *judged[row])
            for row, (key, _) in rows.items()
            if row != ALL and name in model.calibrations.get(key, {})
        }
        judged |= {rival: (truth, values) for rival, values in rivals.get(name, {}).items()}
        bounds[name] = {row: intervals(output, *pair) for row, pair in judged.items()}
        scores[name] = {
            row: ({} if model.flat else {GALAXIES: float(len(pair[0]))}) | score(output, *pair)
            for row, pair in judged.items()
        }
        everything = predictions[ANY][name][known]
        own = {model.name if model.flat else AVAILABLE: everything}
        bins[name], published[name] = in_bins(data, output, own, rivals.get(name, {}))
        coverage_bins[name], flags[name] = reliability(model, data, output, predictions[ANY][name], margins)
        label = model.name if len(data.outputs) == 1 else f"{model.name}: {name}"
        of_rivals = {rival: scores[name][rival] for rival in rivals.get(name, {})}
        warnings.append(collapse(output, truth, everything, {label: score(output, truth, everything)} | of_rivals))
    return {
        "scores": scores,
        "intervals": bounds,
        "bins": bins,
        "published": published,
        "coverage": covered,
        "coverage_bins": coverage_bins,
        "flags": flags,
        "novelty": novelty_summary(model, margins),
        "warnings": [warning for warning in warnings if warning],
        "figures": test_figures(model, data, predictions[ANY]),
    }


def _rows(
    model: Model, data: TrainingData, predictions: Predictions, known: np.ndarray
) -> dict[str, tuple[str, np.ndarray]]:
    """Name what is scored of a model: the set of inputs it is shown, and which of the known objects.

    A flat model has one row, named like it. A row without any object is left out.
    """
    everybody = np.ones(known.sum(), bool)
    if model.flat:
        return {model.name: (ANY, everybody)}
    rows = {ALL: (ANY, data.present("test").all(axis=1)[known]), AVAILABLE: (ANY, everybody)}
    rows |= {f"{ONLY}{key}": (key, with_set(model, data, "test", key)[known]) for key in predictions if key != ANY}
    return {row: (key, has) for row, (key, has) in rows.items() if has.any()}


def verdict(summary: Summary) -> str:
    """Lay warnings and the tables of scores out for a terminal, a table per output."""
    lines = [f"warning: {warning}" for warning in summary.warnings]
    if not any(any(rows.values()) for rows in summary.scores.values()):
        return "\n".join(lines)
    if len(summary.outputs) == 1:
        return "\n".join([*lines, report.score_table(summary.scores[summary.outputs[0].name])])
    tables = [f"{output.description}\n{report.score_table(summary.scores[output.name])}" for output in summary.outputs]
    return "\n\n".join(["\n".join(lines), *tables] if lines else tables)


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
    figures = {}
    for output in data.outputs:
        kind, truth, known = kind_of(output), data.truth("test", output.name), data.known("test", output.name)
        values, positions = predicted[output.name][known], np.flatnonzero(known)
        errors, texts = kind.misses(truth, values)
        captions = [f"{objid}\n{text}" for objid, text in zip(data.objid("test")[known], texts, strict=True)]
        drawn, ranked = kind.figures(truth, values), np.argsort(-errors, kind="stable")
        shown = report.GALLERY_ROWS * report.GALLERY_COLUMNS
        for name, chosen in (("worst", ranked[:shown]), ("best", ranked[::-1][:shown])):
            pictures = data.pictures("test", positions[chosen])
            title = f"{name.capitalize()} test cases"
            drawn[f"{name}_cases"] = report.gallery(title, [captions[row] for row in chosen], pictures)
        drawn |= _influence(model, output, data, captions)
        prefix = f"{output.name}_" if len(data.outputs) > 1 else ""
        figures |= {f"{prefix}{name}": figure for name, figure in drawn.items()}
    return figures


def _influence(model: Model, output: Output, data: TrainingData, captions: list[str]) -> dict[str, Figure]:
    """Show what matters in some images, from the lowest class, number or first vote to the highest."""
    images = next((item for item in model.inputs if item.name in TURNED), None)
    known = np.flatnonzero(data.known("test", output.name))
    has = np.flatnonzero(data.present("test")[known, model.inputs.index(images)]) if images else []
    if not len(has):
        return {}
    truth = data.truth("test", output.name)[has]
    spread = np.linspace(0, len(truth) - 1, min(report.GALLERY_COLUMNS, len(truth))).round().astype(int)
    rows = has[np.argsort(truth if truth.ndim == 1 else truth[:, 0], kind="stable")[spread]]
    method, maps = explain(model, output, images, data.gather(data.parts["test"][known[rows]]))
    pictures = data.pictures("test", known[rows])
    return {"influence": report.influence(method, [captions[row] for row in rows], pictures, maps)}
