"""(c) Feeding alone: batches per second without a network, beside the naive loop that opens a file per object."""

from __future__ import annotations

from common.backend import tf
from common.data.batches import EpochOrder

from . import datasets
from .memory import watching
from .networks import NaiveBatches, open_project
from .settings import BATCH, NAIVE_BATCHES, Settings
from .timing import in_turn, rate, ratio


def measure(settings: Settings, name: str) -> list[dict]:
    """Iterate over shuffled batches in both ways."""
    folder = datasets.prepare(settings, name)
    _, _, data = open_project(name, folder)
    count = data.sizes()["train"]
    order = EpochOrder(0, count)
    batches = data.batches("train", BATCH, order=order)
    naively = NaiveBatches(folder, name, data.objid("train")[: NAIVE_BATCHES * BATCH])

    def packed() -> int:
        order.epoch += 1
        return drain(batches)

    def naive() -> int:
        return sum(len(naively[number][1]) for number in range(len(naively)))

    with watching() as peak:
        packed()
    rates = in_turn({"packed": packed, "naive": naive}, settings.rounds())
    return [
        {
            "part": "feeding",
            "input": name,
            "catalogue_rows": datasets.count(settings, name),
            "objects": count,
            "packed_batches_per_s": rate(rates, "packed") / BATCH,
            "packed_per_s": rate(rates, "packed"),
            "naive_per_s": rate(rates, "naive"),
            "ratio": ratio(rates, "packed", "naive"),
            **peak.columns(),
        }
    ]


def drain(batches: tf.data.Dataset) -> int:
    """Take all batches inside TensorFlow, as training does; return the number of objects."""
    return int(batches.reduce(tf.constant(0), lambda total, batch: total + tf.shape(batch[1])[0]))
