"""The data sets of feeding, training and prediction: large enough that an epoch is more than its start."""

from __future__ import annotations

from pathlib import Path

from . import generate
from .settings import Settings

OBJECTS = {"img": 1500, "fits": 4000, "spectra": 1500, "ssel": 16_000, "bands": 100_000, "wise": 100_000}
QUICK_OBJECTS = {"img": 300, "fits": 300, "spectra": 300, "ssel": 1500, "bands": 20_000, "wise": 20_000}


def prepare(settings: Settings, name: str) -> Path:
    """Write the data set of one input unless an earlier part has written it."""
    folder = Path(settings.work) / f"objects-{name}"
    if not folder.exists():
        generate.linked(folder, settings.source, generate.files_for(name), count(settings, name))
    return folder


def count(settings: Settings, name: str) -> int:
    """Return how many objects the data set of an input has."""
    return settings.pick(OBJECTS, QUICK_OBJECTS)[name]
