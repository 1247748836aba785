"""How long a sweep will take, measured before it starts."""

from __future__ import annotations

import contextlib
import io
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from .backend import keras
from .sweep_space import Space, middle

STEPS = 60
"""Steps of an epoch that are measured."""
FEWEST = 400
"""Objects that are measured at least: every part of the split must have some."""


class Unrecorded:
    """Stands for a run's record where nothing is to be recorded."""

    def __init__(self, folder: str | Path):
        self.logs = Path(folder)

    def parameters(self, values: dict) -> None:
        """Forget parameters."""

    def data(self, folder: Path, fingerprint: str) -> None:
        """Forget the data set."""

    def tags(self, values: dict) -> None:
        """Forget tags."""

    def metrics(self, values: dict, epoch: int, part: str = "") -> None:
        """Forget numbers."""

    def text(self, text: str, name: str) -> None:
        """Forget a text."""


class _Stopwatch(keras.callbacks.Callback):
    """Times the last epoch: its steps and its validation, and the rest of it."""

    def __init__(self):
        super().__init__()
        self.began = self.trained = self.test_began = self.tested = self.ended = 0.0

    def on_epoch_begin(self, epoch, logs=None):
        self.began = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        self.trained = time.perf_counter()

    def on_test_begin(self, logs=None):
        self.test_began = time.perf_counter()

    def on_test_end(self, logs=None):
        self.tested = time.perf_counter()

    def on_train_end(self, logs=None):
        self.ended = time.perf_counter()


@dataclass(frozen=True)
class Pace:
    """What a trial costs with one batch size: seconds per object and epoch, per epoch, and once."""

    batch_size: int
    per_object: float
    per_epoch: float
    once: float


def measure(begin: Callable[..., object], options: dict, size: int) -> Pace:
    """Train on a few batches and time it.

    Parameters
    ----------
    begin : callable
        Makes a session from a record and options.
    options : dict
        Of a trial.
    size : int
        Objects of the data set that are used.
    """
    count = min(size, max(FEWEST, options["batch_size"] * STEPS))
    watch, started = _Stopwatch(), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, quiet():
        session = begin(Unrecorded(folder), options | {"epochs": 2, "limit": count, "patience": 0})
        session.callbacks.append(watch)
        session.train()
        session.validate()
    whole = time.perf_counter() - started
    keras.utils.clear_session()
    work = (watch.trained - watch.began) + (watch.tested - watch.test_began)
    epoch = watch.ended - watch.began
    return Pace(options["batch_size"], work / count, epoch - work, max(0.0, whole - 2 * epoch))


def estimate(
    paces: Sequence[Pace], cells: Sequence[dict], space: Space, options: dict, refit_epochs: int, size: int
) -> tuple[float, float]:
    """Estimate the seconds of all trials one after the other, and of the winner's last training.

    A trial whose batch size or epochs are not known yet counts as one in the middle of the space.
    """

    def seconds(chosen: dict, epochs: int) -> float:
        sizes = [pace.batch_size for pace in paces]
        batch = chosen.get("batch_size", middle(space, "batch_size", options["batch_size"]))
        per_object, per_epoch, once = (
            float(np.interp(batch, sizes, [getattr(pace, name) for pace in paces]))
            for name in ("per_object", "per_epoch", "once")
        )
        return once + epochs * (per_epoch + per_object * size)

    epochs = [cell.get("epochs", middle(space, "epochs", options["epochs"])) for cell in cells]
    trials = sum(seconds(cell, count) for cell, count in zip(cells, epochs, strict=True))
    return trials, seconds({}, refit_epochs)


def in_words(seconds: float) -> str:
    """Say a duration."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


@contextlib.contextmanager
def quiet():
    """Hold back what a training run prints."""
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield
