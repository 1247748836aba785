"""(f) Prediction: every object of a set once, from packed arrays, beside a file per object."""

from __future__ import annotations

from functools import partial

from common.judge.views import predict_part
from common.models.model import ANY, Model
from common.training.compile import begin_at_constants

from . import datasets
from .memory import watching
from .networks import NaiveBatches, network_of, open_project, prepared, stored_of
from .settings import ARCHITECTURES, BATCH, NAIVE_BATCHES, Settings, model_name
from .timing import in_turn, rate, ratio


def measure(settings: Settings, name: str) -> list[dict]:
    """Predict the training objects, the largest part, with untrained networks in float32."""
    folder = datasets.prepare(settings, name)
    project, options, data = open_project(name, folder)
    count = data.sizes()["train"]
    networks = {
        architecture: prepared(project, options, data, architecture, "float32")[0]
        for architecture in ARCHITECTURES
        if network_of(project, architecture) is not None
    }
    for network in networks.values():
        begin_at_constants(network, data)
    models = {architecture: stored_of(network, data) for architecture, network in networks.items()}
    batches = NaiveBatches(folder, name, data.objid("train")[: NAIVE_BATCHES * BATCH])

    def naive() -> int:
        return len(networks["reference"].predict(batches, verbose=0))

    def packed(model: Model) -> int:
        return len(predict_part(model, data, "train")[ANY][project.output.name])

    with watching() as peak:
        packed(models["reference"])
    ways = {architecture: partial(packed, model) for architecture, model in models.items()}
    rates = in_turn(ways | {"naive": naive}, settings.rounds())
    return [
        {
            "part": "prediction",
            "input": name,
            "model": model_name(name),
            "way": way,
            "objects": count,
            "objects_per_s": rate(rates, way),
            "ratio": ratio(rates, way, "naive"),
            **(peak.columns() if way == "reference" else {}),
        }
        for way in rates
    ]
