"""(f) Prediction: every object of a set once, from packed arrays, beside a file per object."""

from __future__ import annotations

from common.judge.judge import predict

from . import datasets
from .memory import watching
from .networks import ARCHITECTURES, NaiveBatches, adapt, network_of, open_project, prepared
from .settings import BATCH, NAIVE_BATCHES, Settings, model_name
from .timing import in_turn, rate, ratio


def measure(settings: Settings, name: str) -> list[dict]:
    """Predict the training objects, the largest part, with untrained networks in float32."""
    folder = datasets.prepare(settings, name)
    project, options, data = open_project(name, folder)
    count = data.sizes()["train"]
    models = {
        architecture: prepared(project, options, data, architecture, "float32")[0]
        for architecture in ARCHITECTURES
        if network_of(project, architecture) is not None
    }
    for model in models.values():
        adapt(model, data)
    batches = NaiveBatches(folder, name, data.objid("train")[: NAIVE_BATCHES * BATCH])

    def naive() -> int:
        return len(models["reference"].predict(batches, verbose=0))

    with watching() as peak:
        predict(models["reference"], data, "train")
    ways = {name: lambda model=model: len(predict(model, data, "train")) for name, model in models.items()}
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
