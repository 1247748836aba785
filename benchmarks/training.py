"""(d) Training: an epoch from packed arrays, from memory, and from a file per object, on the same network."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from common.backend import keras
from common.data.training_data import TrainingData
from common.options import TrainingOptions
from common.project import Project
from common.training.compile import begin_at_constants
from common.training.device import Device
from common.training.one_program import PAYS, pays
from common.training.session import VALIDATION_BATCH

from . import datasets
from .memory import Peak, watching
from .networks import NaiveBatches, network_of, open_project, packed_epoch, prepared
from .settings import BATCH, NAIVE_BATCHES, Settings, model_name
from .timing import Rates, in_turn, rate, ratio


@dataclass
class Ways:
    """The competing ways of one input: what each runs, and in which precision."""

    project: Project
    options: TrainingOptions
    data: TrainingData
    folder: Path
    epochs: dict[str, Callable[[], int]] = field(default_factory=dict)
    precision: dict[str, str] = field(default_factory=dict)


def measure(settings: Settings, name: str) -> list[dict]:
    """Train the redshift network of an input in every way, in turn."""
    folder = datasets.prepare(settings, name)
    ways = Ways(*open_project(name, folder), folder)
    # Before anything else has filled the memory: this is what a training run takes.
    with watching() as peak:
        model = _add_packed(ways, "packed", "reference", "auto")
        ways.epochs["packed"]()
        model.evaluate(ways.data.batches("validation", VALIDATION_BATCH), verbose=0)
    _add_memory(ways)
    if ways.precision["packed"] != "float32":
        _add_packed(ways, "packed float32", "reference", "float32")
    architectures = {"": "reference"}
    if network_of(ways.project, "fast") is not None:
        architectures[" fast"] = "fast"
        _add_packed(ways, "packed fast", "fast", "auto")
    for which, architecture in architectures.items():
        network, _ = prepared(ways.project, ways.options, ways.data, architecture, "auto")
        if pays(Device("CPU", "", 1, ""), network, PAYS):
            _add_packed(ways, f"program{which}", architecture, "auto", programs=True)
    _add_naive(ways, name)
    rates = in_turn(ways.epochs, settings.rounds())
    return [_row(settings, name, ways, way, rates, peak) for way in rates]


def _row(settings: Settings, name: str, ways: Ways, way: str, rates: Rates, peak: Peak) -> dict:
    objects = ways.data.sizes()["train"]
    return {
        "part": "training",
        "input": name,
        "model": model_name(name),
        "way": way,
        "precision": ways.precision[way],
        "catalogue_rows": datasets.count(settings, name),
        "objects": objects,
        "objects_per_s": rate(rates, way),
        "epoch_s": objects / rate(rates, way),
        "ratio": ratio(rates, way, "naive"),
        # What a long run does instead of Keras' own loop.
        **({"to_packed": ratio(rates, way, way.replace("program", "packed"))} if way.startswith("program") else {}),
        **({"time_to_memory": ratio(rates, "memory", way), **peak.columns()} if way == "packed" else {}),
    }


def _add_packed(ways: Ways, way: str, architecture: str, precision: str, programs: bool = False) -> keras.Model:
    model, ways.precision[way] = prepared(ways.project, ways.options, ways.data, architecture, precision, training=True)
    ways.epochs[way] = packed_epoch(model, ways.data, programs)
    return model


def _add_memory(ways: Ways) -> None:
    model, ways.precision["memory"] = prepared(
        ways.project, ways.options, ways.data, "reference", "auto", training=True
    )
    name, data = ways.project.input.name, ways.data
    inputs = {name: data.gather(data.parts["train"])[name]}
    (target,) = data.targets("train")[0].values()

    def epoch() -> int:
        model.fit(inputs, target, batch_size=BATCH, verbose=0)
        return len(target)

    ways.epochs["memory"] = epoch


def _add_naive(ways: Ways, name: str) -> None:
    model, ways.precision["naive"] = prepared(
        ways.project, ways.options, ways.data, "reference", "float32", naively=True
    )
    begin_at_constants(model, ways.data)
    batches = NaiveBatches(ways.folder, name, ways.data.objid("train")[: NAIVE_BATCHES * BATCH])

    def epoch() -> int:
        model.fit(batches, shuffle=False, verbose=0)
        return len(batches.objids)

    ways.epochs["naive"] = epoch
