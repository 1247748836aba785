"""What base networks say of the objects of a data set, and what each is worth: the validation objects decide that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from tempfile import TemporaryFile

import numpy as np

from common.backend import keras
from common.data.training_data import RESIDENT, TrainingData
from common.models.keras_runtime import predicted
from common.networks.fused import SAID, VALUES, let_pools_learn
from common.networks.inputs import ENCODER, FUSION, PRESENT
from common.options import TrainingOptions
from common.training.compile import adapt_to, compile_model, constant_losses

ROWS = 512
"""Objects that are encoded together."""
IN_MEMORY = 2**28
"""Bytes from which on what is said goes into a file."""
MOST, STEPS, BATCH, RATE = 10_000, 400, 64, 0.03
"""Validation objects that are looked at, at most; steps, objects of each, and first step size."""


def what_is_said(network: keras.Model, data: TrainingData, new: bool) -> dict[str, dict[str, np.ndarray]]:
    """Run the encoders, which keep their weights, once over all objects that a fused network learns from.

    Parameters
    ----------
    network : keras.Model
        From `fused.build_fused`.
    data : TrainingData
    new : bool
        Whether its tables' own values still have to learn the statistics of the training objects.

    Returns
    -------
    dict of str to dict of str to ndarray of float32, shape (n, m)
        By part and input; zeros where an object lacks it. Larger ones are files in memory's place.
    """
    for item in data.inputs if new else ():
        if item.columns:
            adapt_to(network.get_layer(f"{item.name}{ENCODER}").get_layer(f"{item.name}{VALUES}"), data, item)
    fusion = network.get_layer(FUSION)
    widths = {item.name: fusion.get_layer(f"{item.name}{SAID}").output.shape[1] for item in data.inputs}
    said = {}
    for part in RESIDENT:
        said[part] = {name: _room(len(data.parts[part]), width) for name, width in widths.items()}
        for start, encoded in _encoded(network, data, data.parts[part]):
            for name, values in encoded.items():
                said[part][name][start : start + len(values)] = values[:, : widths[name]]
    return said


def _room(rows: int, width: int) -> np.ndarray:
    if 4 * rows * width < IN_MEMORY:
        return np.zeros((rows, width), np.float32)
    # Without a name: it goes with the process.
    return np.memmap(TemporaryFile(), np.float32, "w+", shape=(rows, width))


def _encoded(
    network: keras.Model, data: TrainingData, objects: np.ndarray
) -> Iterator[tuple[int, dict[str, np.ndarray]]]:
    """Yield first position and what encoders give, ``{input: (m, width)}``, of some objects, piece by piece."""
    encoders = {item.name: network.get_layer(f"{item.name}{ENCODER}") for item in data.inputs}
    for start in range(0, len(objects), ROWS):
        piece = data.gather(objects[start : start + ROWS])
        has = dict(zip(encoders, piece.pop(PRESENT).T > 0, strict=True))
        found = {}
        for name, encoder in encoders.items():
            found[name] = np.zeros((len(has[name]), encoder.output.shape[1]), np.float32)
            if has[name].any():
                found[name][has[name]] = predicted(encoder, piece[name][has[name]])
        yield start, found


def fit_pools(network: keras.Model, data: TrainingData, options: TrainingOptions) -> None:
    """Choose the weights of the pools by the validation objects, shown with all sets of their inputs.

    What base networks answer of their own training objects, which they know, would say that they are better than they
    are; of the validation objects they know nothing but which epoch was the best.

    Parameters
    ----------
    network : keras.Model
        From `fused.build_fused`, with all other weights; it gets these.
    data : TrainingData
    options : TrainingOptions
    """
    random = np.random.default_rng([options.seed, 22])
    objects = np.sort(random.permutation(len(data.parts["validation"]))[:MOST])
    pieces = [encoded for _, encoded in _encoded(network, data, data.parts["validation"][objects])]
    inputs = {name: np.concatenate([piece[name] for piece in pieces]) for name in pieces[0]}
    present = data.present("validation")[objects]
    targets, weights = ({name: values[objects] for name, values in one.items()} for one in data.targets("validation"))
    pace = {"epochs": 1, "optimizer": "adam", "learning_rate": RATE, "schedule": "cosine", "weight_decay": 0.0}
    fusion, own = let_pools_learn(network, True), replace(options, label_smoothing=0.0, **pace)
    compile_model(fusion, data.outputs, own, STEPS, constants=constant_losses(data, own))
    for _ in range(STEPS):
        chosen = random.integers(0, len(objects), BATCH)
        shown = {name: values[chosen] for name, values in inputs.items()} | {PRESENT: some_of(present[chosen], random)}
        truths = {name: values[chosen] for name, values in targets.items()}
        fusion.train_on_batch(shown, truths, {name: values[chosen] for name, values in weights.items()})
    let_pools_learn(network, False)


def some_of(present: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Choose for each object some of its inputs, any number of them with the same probability.

    Parameters
    ----------
    present : ndarray of bool, shape (n, inputs)
        At least one of each row.
    random : numpy.random.Generator

    Returns
    -------
    ndarray of float32, shape (n, inputs)

    Examples
    --------
    >>> some_of(np.array([[True, False, False]]), np.random.default_rng(0)).tolist()
    [[1.0, 0.0, 0.0]]
    """
    many = random.integers(1, present.sum(axis=1) + 1)
    drawn = np.where(present, random.random(present.shape), -1)
    # As many as are left over all ranks.
    rank = np.argsort(np.argsort(-drawn, axis=1), axis=1)
    return (rank < many[:, None]).astype(np.float32)
