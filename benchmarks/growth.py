"""(g) Growth: time and peak memory of each stage as the number of objects grows; they must stay linear or flat."""

from __future__ import annotations

import shutil
from pathlib import Path

from sdss_gs.dataset import open_catalogue, open_dataset
from sdss_gs.packing.pack import pack

from . import generate
from .memory import own_peak, watching
from .settings import BATCH, Settings
from .timing import seconds

IMAGE_BYTES = 67_500
SPARE_BYTES = 8e9
"""Disk that must stay free beside the packed images."""
TIMED_STEPS = 2000
FED_BATCHES, IMAGE_STEPS = 200, 20


def measure(settings: Settings, kind: str, count: int) -> list[dict]:
    """Measure one size."""
    stage = {"tables": _tables, "packing": _packing, "images": _images}[kind]
    folder = Path(settings.work) / f"growth-{'tables' if kind == 'tables' else 'images'}-{count}"
    row = {"part": "growth", "kind": kind, "objects": count}
    return [row | stage(settings, folder, count)]


def _tables(_settings: Settings, folder: Path, count: int) -> dict:
    """Open a catalogue for the first time and again, then train b2r on it as programs of many steps."""
    from common.training.compile import begin_at_constants

    from .networks import open_project, packed_epoch, prepared

    generate.table(folder, count)
    with watching() as opening:
        first = seconds(lambda: open_dataset(folder, ["bands"]))
    again = seconds(lambda: open_dataset(folder, ["bands"]), 3)
    project, options, data = open_project("bands", folder)
    model, _ = prepared(project, options, data, "reference", "auto")
    normalised = seconds(lambda: begin_at_constants(model, data))
    epoch, steps = packed_epoch(model, data, programs=True), -(-data.sizes()["train"] // BATCH)
    epochs = max(1, TIMED_STEPS // steps)
    with watching() as peak:
        epoch()
        took = seconds(lambda: [epoch() for _ in range(epochs)])
    shutil.rmtree(folder)
    return {
        "open_cold_s": first,
        "open_warm_s": again,
        "open_peak_anonymous_mb": opening.columns()["peak_anonymous_mb"],
        "normalisation_s": normalised,
        "step_us": 1e6 * took / (epochs * steps),
        **peak.columns(),
    }


def _packing(settings: Settings, folder: Path, count: int) -> dict:
    """Pack images and open them again, in a process without TensorFlow."""
    free, needed = shutil.disk_usage(settings.work).free, IMAGE_BYTES * count + SPARE_BYTES
    if free < needed:
        return {"note": f"skipped: needs {needed / 1e9:.1f} GB of disk, found {free / 1e9:.1f} GB"}
    generate.linked(folder, settings.source, ["img"], count)
    objid = open_catalogue(folder).objid
    with watching() as peak:
        took = seconds(lambda: pack(folder, "img", objid, progress=False))
    with watching() as opening:
        again = seconds(lambda: open_dataset(folder, ["img"], progress=False), 3)
    return {
        "pack_s": took,
        "pack_us_per_file": 1e6 * took / count,
        "open_warm_s": again,
        "open_peak_anonymous_mb": opening.columns()["peak_anonymous_mb"],
        **peak.columns(),
    }


def _images(_settings: Settings, folder: Path, count: int) -> dict:
    """Feed shuffled images, and take some steps of i2r."""
    if not folder.exists():
        return {"note": "skipped: not packed"}

    from common.data.batches import EpochOrder

    from .feeding import drain
    from .networks import open_project, prepared

    project, options, data = open_project("img", folder)
    order = EpochOrder(0, data.sizes()["train"])
    batches = data.batches("train", BATCH, order=order)
    steps = min(IMAGE_STEPS, int(batches.cardinality()))
    model, _ = prepared(project, options, data, "reference", "auto", naively=True)
    with watching() as peak:
        fed = min(FED_BATCHES, int(batches.cardinality()))
        feeding = seconds(lambda: drain(batches.take(fed)), 3)
        training = batches.take(steps)
        model.fit(training, shuffle=False, verbose=0)
        took = seconds(lambda: model.fit(training, shuffle=False, verbose=0))
    shutil.rmtree(folder)
    return {
        "feed_us_per_batch": 1e6 * feeding / fed,
        "step_us": 1e6 * took / steps,
        "high_water_mb": round(own_peak()),
        **peak.columns(),
    }
