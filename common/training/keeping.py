"""A training run from its best weights on: the model that is judged, stored, and perhaps the champion."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from common.backend import keras
from common.judge import figures
from common.judge.evaluate import validation_cost
from common.judge.judge import judge, predict_baselines, verdict
from common.judge.record_summary import numbers, record_summary
from common.judge.summary import Summary
from common.judge.views import (
    alone,
    champion_cost,
    costs_of_sets,
    every_set,
    fit_calibrations,
    predict_part,
    too_few_validation_objects,
    untested,
    validation_scores,
)  # fmt: skip
from common.models.champion import Training, leave_champion, promote_champion
from common.models.described import HEADLINE_TAG
from common.models.keras_runtime import KerasRuntime
from common.models.light import NO_LIGHT, Light
from common.models.light_export import OBJECTS, write_light
from common.models.model import ANY, Model
from common.models.reference import packed_sample
from common.models.running import serving_inputs
from common.models.serving import serving_network
from common.models.shipped import shipped_models
from common.models.store import log_model
from common.outputs.kinds import kind_of
from common.runs.record import PLOTS
from common.shift.sample import reference_sample
from common.training import state
from common.training.session import Session
from common.training.start import predict_before
from sdss_gs.origin import SAMPLE

READING = ("target", "column", "split")
"""Options without which a stored model's inputs or values cannot be understood, or its test objects be told from those
that it learnt from."""


def model_of_best(session: Session) -> Model:
    """Make the model of the best epoch, in float32: what is judged is what is stored and used.

    It knows neither how sure it is nor what the training objects looked like.
    """
    keras.config.set_dtype_policy("float32")
    network, data = session.build(), session.data
    state.assign(network, session.best)
    return Model(
        name=session.task.name,
        version="",
        sha256="",
        inputs=data.inputs,
        outputs=data.outputs,
        runtime=KerasRuntime(serving_network(network, data.inputs), data.outputs),
        shapes=data.shapes(),
        reading={key: session.recorded[key] for key in READING if key in session.recorded},
        calibrations={},
        training_ranges={},
        origin=str(data.made().get("origin", "")),
    )


def best_model(session: Session) -> tuple[Model, dict[str, np.ndarray]]:
    """Make the model of the best epoch with all that a stored one knows.

    Returns
    -------
    model : Model
    predicted : dict of str to ndarray
        Of all validation objects, by output.
    """
    data, start = session.data, session.start
    # What a fine-tuned model knows it knows from what it began with.
    ranges = start.training_ranges if start else {item.name: data.novelty(item) for item in data.inputs}
    model = replace(model_of_best(session), training_ranges=ranges)
    predictions = predict_part(model, data, "validation", every_set(model))
    known = {
        "calibrations": fit_calibrations(model, data, predictions),
        "costs": costs_of_sets(model, data, predictions),
        "reference": packed_sample(reference_sample(model, data, predictions[ANY]), model.inputs, model.outputs),
    }
    return replace(model, **known), predictions[ANY]


def _log(session: Session, model: Model, register: bool, light: Light = NO_LIGHT) -> str:
    piece = session.data.gather(session.data.parts["train"][:1])
    item = session.data.inputs[0]
    example = serving_inputs(item, piece[item.name]) if model.flat else piece
    return log_model(model, example, light=light, register=register)


def keep_best(session: Session) -> str:
    """Log the best weights so far as an unregistered model; return its address, empty if there are none."""
    return _log(session, best_model(session)[0], register=False) if session.best else ""


def validate(session: Session) -> tuple[float, dict[str, float]]:
    """Judge the best epoch on the validation objects.

    Returns
    -------
    cost : float
        What champions are chosen by; less is better.
    scores : dict of str to float
    """
    scores = validation_scores(session.data, predict_part(model_of_best(session), session.data, "validation")[ANY])
    cost = champion_cost(session.data, scores)
    return cost, next(iter(scores.values())) if len(scores) == 1 else {"validation_cost": cost}


def summarise(session: Session, model: Model, scores: dict[str, dict[str, float]]) -> Summary:
    """Judge a model on a session's test objects beside the baselines.

    Parameters
    ----------
    session : Session
    model : Model
        What `best_model` makes of it, or of several like it.
    scores : dict of str to dict of str to float
        From `validation_scores`.
    """
    data, progress = session.data, session.progress
    predictions = predict_part(model, data, "test", alone(model))
    rivals = predict_baselines(data, session.options.seed) if data.tested else {}
    if session.before and rivals:
        before = predict_before(session.before, data)
        rivals = {output: before[output] | others for output, others in rivals.items()}
    summary = judge(model, data, predictions, rivals, session.record.id, session.recorded)
    warnings = [*summary.warnings, *untested(data, scores), *too_few_validation_objects(data)]
    shown = (progress.history, progress.best_epoch, _loss_shown(session))
    curves = {"loss": figures.loss_curves(*shown)} if progress.history else {}
    return replace(summary, warnings=warnings, figures=summary.figures | curves)


def finish(
    session: Session, register: bool = True, found: tuple[Model, dict[str, np.ndarray]] | None = None
) -> dict[str, float]:
    """Judge the best epoch on the test objects beside the baselines; draw, store, and say where everything is.

    Parameters
    ----------
    session : Session
    register : bool
        Whether the model enters the registry, where it may become the champion.
    found : tuple, optional
        The model and what it predicts of the validation objects, if that is not what `best_model` makes of the session.

    Returns
    -------
    dict of str to float
        Test scores by the names under which MLflow has them, without ``test_``.
    """
    data, record, progress = session.data, session.record, session.progress
    model, validation = found or best_model(session)
    scores = validation_scores(data, validation)
    summary = summarise(session, model, scores)
    with TemporaryDirectory(prefix="zoo-light-") as folder:
        # Of what only this run or this sweep opens again, Keras' file will do.
        seen = data.gather(data.parts["train"][:OBJECTS])
        light = write_light(model, seen, Path(folder)) if register else NO_LIGHT
        summary = replace(summary, light=light.said)
        page = record_summary(record, summary)
        address = _log(session, model, register, light)
    cost = _record_validation(session, scores)
    lines = (
        f"report  {page}",
        f"plots   {record.artifacts()}/{PLOTS}",
        f"model   {address}",
        f"light   {light.said}" if register and not light.files else "",
        _promote(session, model, address, cost) if register else "",
        "look    mlflow ui",
        f"        tensorboard --logdir {session.task.folder.name}/logs/",
    )
    kept = f" (kept: epoch {progress.best_epoch} of {progress.epoch})" if progress.epoch else ""
    print(f"\n{session.task.name} on {data.sizes()['test']:,} test galaxies{kept}\n{verdict(summary)}\n")
    print("\n".join(filter(None, lines)), flush=True)
    tested = numbers(summary).items()
    return {name.removeprefix("test_"): value for name, value in tested if name.startswith("test_")}


def _loss_shown(session: Session) -> str:
    if len(session.data.outputs) > 1 or not session.task.flat:
        return "sum of the outputs' losses, each 1 for the best constant"
    # For votes, the mean squared error is what is shown: its root is that of the whole, not of a batch.
    return kind_of(session.data.outputs[0]).loss_name(session.options.loss).replace("rmse", "mse")


def _record_validation(session: Session, scores: dict[str, dict[str, float]]) -> float:
    """Record by what this run is compared with others; return its cost."""
    cost, headlines = champion_cost(session.data, scores), {}
    for output in session.data.outputs:
        metric = kind_of(output).headline
        headlines[f"{output.name}_{metric}" if len(scores) > 1 else metric] = scores[output.name][metric]
    shown = headlines | ({"cost": cost} if len(scores) > 1 else {})
    session.record.metrics({f"validation_{name}": value for name, value in shown.items()}, 0, part="test")
    session.record.tags({HEADLINE_TAG: ",".join(headlines)})
    return cost


def _promote(session: Session, model: Model, address: str, cost: float) -> str:
    """Make the new version the champion if it has earned it; return what to say of it."""
    data, recorded = session.data, session.recorded
    training = Training(
        fingerprint=data.fingerprint,
        objects=sum(data.sizes().values()),
        data=data.folder.name,
        limit=session.options.limit,
        reading={key: recorded[key] for key in ("inputs", "outputs", *READING) if key in recorded},
        metric=kind_of(data.outputs[0]).headline if len(data.outputs) == 1 else "validation_cost",
        cost=cost,
    )
    if model.adapted:
        return leave_champion(address, training, f"adapted to {data.folder.name}")
    said = promote_champion(address, training, partial(validation_cost, data=data))
    if model.origin == SAMPLE and model.name in shipped_models():
        mine = address.removeprefix("models:/")
        said += f"\nname    {mine}: {model.name} alone is the shipped model, which learnt from real galaxies"
    return said
