"""What one run of the benchmarks measures, and how large everything in it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sdss_gs.schema import INPUTS

ROOT = Path(__file__).resolve().parent.parent
PARTS = ("reading", "packing", "feeding", "training", "startup", "prediction", "growth", "engines", "commands", "runs")
FILE_INPUTS = tuple(name for name, item in INPUTS.items() if item.suffix)
QUICK_INPUTS = ("img", "bands")
ARCHITECTURES = ("reference", "fast")
BATCH = 32
"""Objects per step, the same for every way of training."""
NAIVE_BATCHES = 20
"""Steps of the naive loop that are measured: whole epochs of it would take hours."""

Value = TypeVar("Value")


@dataclass(frozen=True)
class Settings:
    """Options of the command line, as every part gets them.

    Parameters
    ----------
    work : str
        Folder for generated data; the caller removes it.
    source : str
        Data set whose files are measured.
    quick : bool
        Small sizes and few rounds: to see that everything works, not to quote.
    inputs : tuple of str
    before, after : str
        Checkouts of the zoo whose commands are compared; where they are empty none, and this one.
    """

    work: str
    source: str
    quick: bool
    inputs: tuple[str, ...]
    before: str = ""
    after: str = ""

    def pick(self, full: Value, quick: Value) -> Value:
        """Choose between the size of a full and of a quick run."""
        return quick if self.quick else full

    def rounds(self) -> int:
        """Return how often competing ways are measured in turn."""
        return self.pick(5, 2)


def model_name(name: str) -> str:
    """Name the redshift model of an input, for example ``i2r``."""
    return f"{INPUTS[name].code}2r"
