"""The heads: how a network's features become an output, and how the output's truth becomes what the network learns."""

from __future__ import annotations

import numpy as np

from common.backend import keras
from common.outputs.vote_losses import VOTE_LOSSES, constant_logits, flow_down
from sdss_gs.decision_tree import TREES
from sdss_gs.schema import Output

TARGETS = ("log", "linear")
CLASS_WEIGHTS = ("none", "balanced", "effective")
CLASS_LOSS, NUMBER_LOSS = "categorical_crossentropy", "mse"
BEFORE = "_before"
"""Ends the name of the dense layer where other layers follow: a number's units, the way of votes down a tree."""
OLD_MASS_UNIT = 1e9
"""Msun; the unit in which older models learnt the mass (``target=linear``)."""
EFFECTIVE_BETA = 0.999
"""β of the effective number of samples (Cui et al. 2019, CVPR, arXiv:1901.05555)."""


def attach_head(output: Output, features: keras.KerasTensor) -> keras.KerasTensor:
    """Add the last layers: one linear unit, or a softmax over the classes; named like the output, float32.

    Parameters
    ----------
    output : Output
    features : KerasTensor, shape (batch, n)

    Returns
    -------
    KerasTensor of float32, shape (batch, 1), (batch, classes) or (batch, answers)
        Redshift; log10 of the stellar mass in Msun (or the mass in 1e9 Msun); a user's own number; class
        probabilities; or weighted votes, whose answers sum to the answer that leads to their question.
    """
    activation = "softmax" if output.classes else "linear"
    # float32 also under a mixed policy: bfloat16 has three digits, too few for a redshift.
    # Zeros: together with `constant_bias` training begins at the best constant instead of at noise.
    values = keras.layers.Dense(
        output.size, activation=activation, name=_head_name(output), dtype="float32", kernel_initializer="zeros"
    )(features)
    if output.kind == "votes":
        return flow_down(TREES[output.tree], values, output.name)
    if output.kind != "number":
        return values
    return keras.layers.Rescaling(output.spread, output.centre, name=output.name, dtype="float32")(values)


def head_of(network: keras.Model, output: Output) -> keras.layers.Dense:
    """Return the layer whose bias decides what an untrained network predicts."""
    return network.get_layer(_head_name(output))


def _head_name(output: Output) -> str:
    return f"{output.name}{BEFORE}" if output.kind in ("number", "votes") else output.name


def loss_name(output: Output, options: dict) -> str:
    """Name what training minimises."""
    if output.classes:
        return CLASS_LOSS
    loss = str(options.get("loss", NUMBER_LOSS))
    # A model of several outputs has one loss for its numbers.
    return VOTE_LOSSES[0] if output.kind == "votes" and loss not in VOTE_LOSSES else loss


def encode(output: Output, truth: np.ndarray, target: str = "log") -> np.ndarray:
    """Turn catalogue truth into the network's target.

    Parameters
    ----------
    output : Output
    truth : ndarray, shape (n,)
        Redshift, stellar mass in Msun, class numbers, or weighted votes ``(n, answers)``.
    target : str
        For masses: ``log`` learns log10(M/Msun), ``linear`` M in 1e9 Msun.

    Returns
    -------
    ndarray of float32, shape (n, 1), one-hot (n, classes), or (n, answers)
    """
    if output.classes:
        return np.eye(len(output.classes), dtype=np.float32)[truth]
    if output.kind == "votes":
        return truth.astype(np.float32)
    if output.kind == "mass":
        truth = np.log10(truth) if target == "log" else truth / OLD_MASS_UNIT
    return truth.astype(np.float32)[:, None]


def decode(output: Output, predicted: np.ndarray, target: str = "log") -> np.ndarray:
    """Turn the network's values into the catalogue's unit; class probabilities and votes stay what they are.

    Parameters
    ----------
    output : Output
    predicted : ndarray of float32, shape (n, 1) or (n, classes)
    target : str
        As for `encode`.

    Returns
    -------
    ndarray of float64, shape (n,), (n, classes) or (n, answers)
    """
    predicted = predicted.astype(np.float64)
    if output.classes or output.kind == "votes":
        return predicted
    if output.kind != "mass":
        return predicted[:, 0]
    return 10.0 ** predicted[:, 0] if target == "log" else predicted[:, 0] * OLD_MASS_UNIT


def nothing(output: Output) -> np.ndarray:
    """Return what `decode` would for no object at all."""
    return np.empty((0, output.size) if output.size > 1 else 0)


def constant_bias(output: Output, target: np.ndarray) -> np.ndarray:
    """Compute the head's bias with which an untrained network already predicts the best constant.

    Parameters
    ----------
    output : Output
    target : ndarray of float32, shape (n, 1) or (n, classes)
        Encoded truth of the training objects.

    Returns
    -------
    ndarray of float32, shape (1,), (classes,) or (answers,)
        The mean, or the logarithms of the class shares (a class without an object counts as half an object) or of the
        mean votes.
    """
    if output.kind == "votes":
        return constant_logits(TREES[output.tree], target)
    if not output.classes:
        mean = target.mean(axis=0, dtype=np.float64)
        return ((mean - output.centre) / output.spread).astype(np.float32)
    return np.log(np.maximum(target.sum(axis=0), 0.5) / len(target)).astype(np.float32)


def class_weights(kind: str, labels: np.ndarray) -> np.ndarray:
    """Weigh training objects by their class, so that rare classes count.

    Parameters
    ----------
    kind : str
        ``none``; ``balanced``, inversely to the class's size; or ``effective``, inversely to its effective number of
        samples (1 - β^n) / (1 - β).
    labels : ndarray of int, shape (n,)
        Class numbers.

    Returns
    -------
    ndarray of float32, shape (n,)
        Mean 1.
    """
    sizes = np.bincount(labels)[labels].astype(np.float64)
    number = {"none": np.ones(len(labels)), "balanced": sizes, "effective": 1 - EFFECTIVE_BETA**sizes}[kind]
    weight = 1 / number
    return (weight / weight.mean()).astype(np.float32)
