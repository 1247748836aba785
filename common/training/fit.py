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
    """Keeps the weights of the epoch with the lowest validation loss, writes the state, stops when patience ends."""

    def __init__(
        self,
        network: keras.Model,
        progress: Progress,
        best: list[np.ndarray],
        path: Path,
        patience: int,
        first_epoch: int = 0,
    ):
        super().__init__()
        self.network, self.progress, self.best, self.path, self.patience = network, progress, best, path, patience
        self.first_epoch = first_epoch

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
        save_state(self.path, progress, self.model, self.best)
        if self.patience and progress.epoch - max(progress.best_epoch, self.first_epoch) >= self.patience:
            self.model.stop_training = True


class ProgressBar(keras.callbacks.Callback):
    """One bar over the whole run, with the time left, and a line per epoch."""

    def __init__(self, epochs: int, first_epoch: int, steps: int, objects: int):
        super().__init__()
        self.epochs, self.steps, self.objects = epochs, steps, objects
        self.bar = tqdm(
            total=epochs * steps, initial=first_epoch * steps, unit=" steps", desc="training", disable=hidden()
        )
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

    def on_train_end(self, logs: dict | None = None) -> None:
        """Leave the bar as it is."""
        self.bar.close()


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
    model : keras.Model
        What is trained: the network, or the network with what surrounds it.
    network : keras.Model
        What is kept.
    training, validation : tf.data.Dataset
        From `feed.batches`.
    progress : Progress
        Updated in place, like `best`.
    best : list of ndarray
        Best weights so far; empty at the start.
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
    options, steps = progress.options, int(training.cardinality())
    bar = ProgressBar(options["epochs"], progress.epoch, steps, order.count)
    patience = options["patience"] if phase.last == options["epochs"] else 0
    keep = KeepBest(network, progress, best, state_path, patience, phase.first)
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
    if not best:
        raise DataError("training: expected a finite validation loss, found none (try a lower learning_rate)")
