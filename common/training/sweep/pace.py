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

from common.backend import forget_networks, keras
from common.training.sweep.space import Space, middle

BUDGET = 4.0
"""Seconds of steps that are measured at most, after the first ones, in which TensorFlow builds its graph."""
FORWARD = 1 / 3
"""Time of a prediction as a share of a training step."""


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


class _EnoughError(Exception):
    """The pace is known."""


class _Stopwatch(keras.callbacks.Callback):
    """Times the second epoch or, where epochs are long, the steps that fit into the budget."""

    def __init__(self):
        super().__init__()
        self.first = self.began = self.seconds = 0.0
        self.done = 0

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            self.seconds = time.perf_counter() - self.began
            raise _EnoughError
        self.began = time.perf_counter()

    def on_train_batch_end(self, batch, logs=None):
        now, steps = time.perf_counter(), self.params["steps"]
        if not self.first:
            self.first, self.done = now, batch + 1
        elif now - self.first > BUDGET and batch + 1 > self.done:
            self.seconds = (now - self.first) / (batch + 1 - self.done) * steps
            raise _EnoughError


@dataclass(frozen=True)
class Pace:
    """What a trial costs with one batch size: seconds per epoch, and once."""

    batch_size: int
    per_epoch: float
    once: float


def measure(begin: Callable[..., object], options: dict) -> Pace:
    """Train for a few seconds and take the time.

    Parameters
    ----------
    begin : callable
        Makes a session from a record and options.
    options : dict
        Of a trial.
    """
    watch, started = _Stopwatch(), time.perf_counter()
    with tempfile.TemporaryDirectory() as folder, quiet():
        session = begin(Unrecorded(folder), options | {"epochs": 3, "patience": 0})
        session.callbacks.append(watch)
        with contextlib.suppress(_EnoughError):
            session.train()
    forget_networks()
    sizes = session.data.sizes()
    # The second epoch has its validation in it, a part of the first one has not.
    whole = 1.0 if watch.began > watch.first else 1 + FORWARD * sizes["validation"] / sizes["train"]
    return Pace(options["batch_size"], watch.seconds * whole, watch.first - started)


def estimate(
    paces: Sequence[Pace], cells: Sequence[dict], space: Space, options: dict, refit_epochs: int
) -> tuple[float, float]:
    """Estimate the seconds of all trials one after the other, and of the winner's last training.

    A trial whose batch size or epochs are not known yet counts as one in the middle of the space.
    """

    def seconds(chosen: dict, epochs: float) -> float:
        batch = chosen.get("batch_size", middle(space, "batch_size", options["batch_size"]))
        sizes = [pace.batch_size for pace in paces]
        each, once = (
            np.interp(batch, sizes, [getattr(pace, name) for pace in paces]) for name in ("per_epoch", "once")
        )
        return float(once + epochs * each)

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
