"""A trained network before its judges: test scores beside the baselines, and the pictures."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib.metadata import version

import numpy as np
from matplotlib.figure import Figure

from common.backend import keras
from common.data.measure import image_features, simple_features
from common.data.training_data import TrainingData
from common.judge import figures as report
from common.judge.baselines import Rivals, baselines, collapse
from common.judge.explain import explain
from common.judge.summary import Summary
from common.networks.augment import TURNED
from common.networks.build import architecture
from common.outputs.calibration import Calibration
from common.outputs.kinds import kind_of
from common.outputs.metrics import binned_scores, intervals, score
from common.project import Project
from common.runs.provenance import code_version

PREDICTION_BATCH = 64
RECORDED_VERSIONS = ("tensorflow", "keras", "mlflow", "numpy")


def predict(model: keras.Model, data: TrainingData, part: str) -> np.ndarray:
    """Predict every object of a part once, in order, in the catalogue's unit or as class probabilities.

    Parameters
    ----------
    model : keras.Model
        Input ``{item.name: (batch, ...)}``.
    """
    raw = model.predict(data.batches(part, PREDICTION_BATCH, with_target=False), verbose=0)
    return kind_of(data.output).decode(raw, data.target)


def rivals(data: TrainingData, seed: int) -> dict[str, np.ndarray]:
    """Predict the test objects with every baseline."""
    train, test = (_for_baselines(data, part) for part in ("train", "test"))
    return baselines(data.output, train, data.truth("train"), test, seed)


def _for_baselines(data: TrainingData, part: str) -> Rivals:
    count, magnitudes = len(data.parts[part]), data.magnitudes(part)
    if data.item.name not in ("img", "fits"):
        return Rivals(count, magnitudes)
    seen = [(image_features(images), *simple_features(images)) for images in data.chunks(part)]
    return Rivals(count, magnitudes, *(np.concatenate(values) for values in zip(*seen, strict=True)))


def summarise(
    project: Project,
    run_id: str,
    model: keras.Model,
    data: TrainingData,
    predictions: dict[str, np.ndarray],
    options: dict,
    drawn: dict[str, Figure],
    calibration: Calibration,
) -> Summary:
    """Judge predictions of the test objects.

    Parameters
    ----------
    project : Project
    run_id : str
    model : keras.Model
    data : TrainingData
    predictions : dict of str to ndarray
        By rival, the model first.
    options : dict
        Options the model was trained with.
    drawn : dict of str to Figure
        Pictures to show beside those of the test objects.
    calibration : Calibration
        The model's, to be measured on the test objects.
    """
    name, output, truth = project.name, project.output, data.truth("test")
    scores = {rival: score(output, truth, values) for rival, values in predictions.items()}
    warning = collapse(output, truth, predictions[name], scores)
    return Summary(
        model=name,
        input=project.input,
        output=output,
        run_id=run_id,
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        architecture=architecture(model),
        parameters=model.count_params(),
        options={key: value for key, value in options.items() if key not in ("ds", "resume")},
        data={
            "name": data.folder.name,
            "fingerprint": data.fingerprint,
            "description": data.description(),
            "objects": data.sizes(),
        },
        scores=scores,
        intervals={rival: intervals(output, truth, values) for rival, values in predictions.items()},
        bins=binned_scores(output, truth, predictions[name]),
        coverage=kind_of(output).coverage(calibration, truth, predictions[name]),
        warnings=[warning] if warning else [],
        figures={**_test_figures(predictions[name], data), **_influence(model, predictions[name], data), **drawn},
        versions=versions(),
    )


def verdict(summary: Summary) -> str:
    """Lay warnings and the table of scores out for a terminal."""
    return "\n".join([*(f"warning: {warning}" for warning in summary.warnings), report.score_table(summary.scores)])


def versions() -> dict[str, str]:
    """Return the versions of the software that decides a result."""
    return {"sdss-zoo": code_version(), **{package: version(package) for package in RECORDED_VERSIONS}}


def _test_figures(predicted: np.ndarray, data: TrainingData) -> dict[str, Figure]:
    kind, truth = kind_of(data.output), data.truth("test")
    drawn, names = kind.figures(truth, predicted), _names(data, predicted)
    ranked, shown = (
        np.argsort(-kind.misses(truth, predicted)[0], kind="stable"),
        report.GALLERY_ROWS * report.GALLERY_COLUMNS,
    )
    for name, chosen in (("worst", ranked[:shown]), ("best", ranked[::-1][:shown])):
        pictures = data.pictures("test", chosen)
        title = f"{name.capitalize()} test cases"
        drawn[f"{name}_cases"] = report.gallery(title, [names[position] for position in chosen], pictures)
    return drawn


def _influence(model: keras.Model, predicted: np.ndarray, data: TrainingData) -> dict[str, Figure]:
    """Show what matters in some images, from the lowest class, number or first vote to the highest."""
    if data.item.name not in TURNED:
        return {}
    truth = data.truth("test")
    spread = np.linspace(0, len(truth) - 1, min(report.GALLERY_COLUMNS, len(truth))).round().astype(int)
    chosen = np.argsort(truth if truth.ndim == 1 else truth[:, 0], kind="stable")[spread]
    method, maps = explain(model, data.output, data.chosen("test", chosen))
    names = _names(data, predicted)
    captions = [names[position] for position in chosen]
    return {"influence": report.influence(method, captions, data.pictures("test", chosen), maps)}


def _names(data: TrainingData, predicted: np.ndarray) -> list[str]:
    captions = kind_of(data.output).misses(data.truth("test"), predicted)[1]
    return [f"{objid}\n{caption}" for objid, caption in zip(data.objid("test"), captions, strict=True)]
