"""Fit a network, keep its best epoch."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np
from tqdm import tqdm

from common.backend import keras, tf
from common.data.batches import EpochOrder
from common.training.phases import Phase
from common.training.state import Progress, save_state
from sdss_gs.errors import DataError
from sdss_gs.logs import hidden

DIVERGED = 1e15
"""A validation loss of this size is that of a network of which nothing can be said."""


class KeepBest(keras.callbacks.Callback):
    """Keeps the weights of the epoch with the lowest validation loss, writes the state, stops when patience ends.

    Without a path no state is written.
    """

    def __init__(
        self, network: keras.Model, progress: Progress, best: list[np.ndarray], path: Path | None, phase: Phase
    ):
        super().__init__()
        self.network, self.progress, self.best, self.path, self.phase = network, progress, best, path, phase
        self.patience = progress.options["patience"] if phase.last == progress.options["epochs"] else 0

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Record the epoch."""
        progress = self.progress
        metrics = {name: float(value) for name, value in logs.items()}
        metrics["learning_rate"] = float(np.asarray(self.model.optimizer.learning_rate))
        progress.history.append(metrics)
        progress.epoch = epoch + 1
        if metrics["val_loss"] < min(progress.best_loss, DIVERGED):
            progress.best_epoch, progress.best_loss = progress.epoch, metrics["val_loss"]
            self.best[:] = [np.asarray(variable) for variable in self.network.variables]
        if self.path:
            save_state(self.path, progress, self.model, self.best)
        if self.patience and progress.epoch - max(progress.best_epoch, self.phase.first) >= self.patience:
            self.model.stop_training = True


class ProgressBar(keras.callbacks.Callback):
    """One bar over the whole run, with the time left, and a line per epoch."""

    def __init__(self, epochs: int, first_epoch: int, steps: int, objects: int):
        super().__init__()
        self.epochs, self.steps, self.objects = epochs, steps, objects
        total, done = epochs * steps, first_epoch * steps
        self.bar = tqdm(total=total, initial=done, unit=" steps", desc="training", disable=hidden())
        self.began = self.trained = 0.0

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        """Start the clock."""
        self.began = time.perf_counter()

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        """Move the bar."""
        self.bar.update(min(batch + 1, self.steps) - self.bar.n % self.steps)
        self.trained = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Print the epoch's line."""
        self.bar.n = (epoch + 1) * self.steps
        values = "  ".join(f"{name} {value:.5g}" for name, value in logs.items())
        seconds = self.trained - self.began
        rate = f"{seconds:.1f} s  {self.objects / seconds:,.0f} galaxies/s"
        self.bar.write(f"epoch {epoch + 1:>3}/{self.epochs}  {values}  {rate}")
        # A pipe or a log file would otherwise show the epochs only at the end.
        sys.stdout.flush()


def fit(
    model: keras.Model,
    network: keras.Model,
    training: tf.data.Dataset,
    validation: tf.data.Dataset,
    progress: Progress,
    best: list[np.ndarray],
    order: EpochOrder,
    state_path: Path,
    callbacks: list[keras.callbacks.Callback],
    phase: Phase,
) -> None:
    """Fit from ``progress.epoch`` to the phase's last epoch; the best epoch's weights are in `best` afterwards.

    Parameters
    ----------
    model, network : keras.Model
        What is trained, that is the network with what surrounds it; and what is kept.
    training, validation : tf.data.Dataset
    progress, best : Progress, list of ndarray
        Updated in place; the best weights so far are empty at the start.
    order : EpochOrder
        Of the training objects.
    state_path : Path
        Where the state after each epoch is kept, to go on from.
    callbacks : list of keras.callbacks.Callback
    phase : Phase
        Patience ends the last one only, and begins anew with it.

    Raises
    ------
    DataError
        If no epoch had a finite validation loss.
    """
    bar = ProgressBar(progress.options["epochs"], progress.epoch, int(training.cardinality()), order.count)
    keep = KeepBest(network, progress, best, state_path, phase)
    try:
        model.fit(
            training,
            epochs=phase.last,
            initial_epoch=progress.epoch,
            validation_data=validation,
            shuffle=False,
            verbose=0,
            callbacks=[order, keep, *callbacks, bar],
        )
    finally:
        bar.bar.close()
    require_best(best)


def require_best(best: list[np.ndarray]) -> None:
    """Refuse a training without an epoch of finite validation loss."""
    if not best:
        raise DataError("training: expected a finite validation loss, found none (try a lower learning_rate)")
