"""Build a network, fit it, keep its best epoch."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from tqdm import tqdm

from sdss_gs.decision_tree import TREES
from sdss_gs.errors import DataError
from sdss_gs.logs import hidden
from sdss_gs.schema import Input, Output

from .backend import keras, tf
from .feed import EpochOrder
from .finetune import Phase
from .inputs import enter
from .layers import normalisations
from .outputs import attach_head, loss_name
from .state import Progress, save_state
from .vote_losses import vote_loss
from .vote_scores import rmse_name

STEP_EPOCHS, STEP_FACTOR = 10, 0.5
"""The ``step`` schedule of the predecessor: half the rate every ten epochs."""
DIVERGED = 1e15
"""A validation loss of this size is that of a network of which nothing can be said."""


def build(
    item: Input, output: Output, shape: tuple[int, ...], features: Callable, name: str, stretch: str = "asinh"
) -> keras.Model:
    """Put input, a model folder's features and the output's head together.

    Parameters
    ----------
    item, output : Input, Output
    shape : tuple of int
        Shape of one object, as the data set has it.
    features : callable
        The model folder's function.
    name : str
    stretch : str
        See `inputs.enter`.

    Returns
    -------
    keras.Model
        Input ``{item.name: (batch, *shape)}``, output ``(batch, 1)`` or ``(batch, classes)``.
    """
    inputs = keras.Input(shape, dtype=item.dtype, name=item.name)
    return keras.Model({item.name: inputs}, attach_head(output, features(enter(item, inputs, stretch))), name=name)


def architecture(model: keras.Model) -> list[str]:
    """Describe a network, a line per layer: name, type, output shape, parameters."""

    def shape(layer: keras.layers.Layer) -> str:
        return (
            ", ".join(f"{key} {one.shape}" for key, one in layer.output.items())
            if isinstance(layer.output, dict)
            else str(layer.output.shape)
        )

    return [
        f"{layer.name:<24}{type(layer).__name__:<18}{shape(layer):<28}{layer.count_params():>12,}"
        for layer in model.layers
    ]


def adapt_normalisation(model: keras.Model, chunks: tf.data.Dataset) -> None:
    """Set the statistics of the model's `Normalization` layers from the training objects.

    Parameters
    ----------
    chunks : tf.data.Dataset
        Arrays ``(m, *shape)`` that together are the inputs of the training objects.
    """
    for layer in normalisations(model):
        # What it sees may be derived from the input, as colours are from magnitudes.
        before = keras.Model(model.inputs, layer.input)
        if keras.backend.backend() == "tensorflow":
            layer.adapt(chunks.map(lambda values, before=before: before([values])))
        else:
            layer.adapt(before([values]) for values in chunks.as_numpy_iterator())


def compile_model(
    model: keras.Model, output: Output, options: dict, steps: int, steps_per_execution: int, compiled: bool = False
) -> None:
    """Give the model its loss, optimizer and schedule.

    Parameters
    ----------
    steps : int
        Steps of one epoch.
    steps_per_execution : int
    compiled : bool
        Compile with XLA, which pays on GPUs; on a CPU it is ten times slower than TensorFlow's graph for the reference
        networks. JAX has nothing else.
    """
    model.compile(
        optimizer=optimizer_of(options, steps),
        loss=loss_of(output, options),
        # A user's number may be of any size: its squared error counts in units of its own variance.
        loss_weights=output.spread**-2,
        metrics=metrics_of(output, options),
        steps_per_execution=steps_per_execution,
        jit_compile=compiled,
    )


def optimizer_of(options: dict, steps: int) -> keras.optimizers.Optimizer:
    """Make the optimizer with its schedule; `steps` is the number of steps of one epoch."""
    rate = options["learning_rate"]
    if options["schedule"] == "cosine":
        rate = keras.optimizers.schedules.CosineDecay(rate, options["epochs"] * steps)
    elif options["schedule"] == "step":
        rate = keras.optimizers.schedules.ExponentialDecay(rate, STEP_EPOCHS * steps, STEP_FACTOR, staircase=True)
    config = {"learning_rate": rate}
    if decay := options.get("weight_decay"):
        config["weight_decay"] = decay
    return keras.optimizers.get({"class_name": options["optimizer"], "config": config})


def metrics_of(output: Output, options: dict) -> list[keras.metrics.Metric | str]:
    """Choose what is shown beside the loss."""
    if output.kind == "votes":
        # The target of `dirichlet` is counts, of which no score can be made with shares.
        shown = keras.metrics.RootMeanSquaredError(rmse_name(output.size))
        return [] if loss_name(output, options) == "dirichlet" else [shown]
    return ["accuracy" if output.classes else "mae"]


def loss_of(output: Output, options: dict) -> keras.losses.Loss | Callable | str:
    """Choose an output's loss: cross-entropy for classes, else by its name."""
    if output.classes:
        return keras.losses.CategoricalCrossentropy(label_smoothing=options["label_smoothing"])
    name = loss_name(output, options)
    return vote_loss(TREES[output.tree], name) if output.kind == "votes" else name


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
