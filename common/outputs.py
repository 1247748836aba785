"""The heads: how a network's features become an output, and how the output's truth becomes what the network learns."""

from __future__ import annotations

import numpy as np

from sdss_gs.schema import Output

from .backend import keras

TARGETS = ("log", "linear")
CLASS_WEIGHTS = ("none", "balanced", "effective")
CLASS_LOSS, NUMBER_LOSS = "categorical_crossentropy", "mse"
UNITS = "_in_standard_units"
"""Ends the name of the layer that gives a user's number before it gets its mean and spread back."""
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
    KerasTensor of float32, shape (batch, 1) or (batch, classes)
        Redshift; log10 of the stellar mass in Msun (or the mass in 1e9 Msun); a user's own number; or class
        probabilities.
    """
    activation = "softmax" if output.classes else "linear"
    name = f"{output.name}{UNITS}" if output.kind == "number" else output.name
    # float32 also under a mixed policy: bfloat16 has three digits, too few for a redshift.
    # Zeros: together with `constant_bias` training begins at the best constant instead of at noise.
    values = keras.layers.Dense(
        output.size, activation=activation, name=name, dtype="float32", kernel_initializer="zeros"
    )(features)
    if output.kind != "number":
        return values
    return keras.layers.Rescaling(output.spread, output.centre, name=output.name, dtype="float32")(values)


def head_of(network: keras.Model, output: Output) -> keras.layers.Dense:
    """Return the layer whose bias decides what an untrained network predicts."""
    return network.get_layer(f"{output.name}{UNITS}" if output.kind == "number" else output.name)


def loss_name(output: Output, options: dict) -> str:
    """Name what training minimises."""
    return CLASS_LOSS if output.classes else str(options.get("loss", NUMBER_LOSS))


def encode(output: Output, truth: np.ndarray, target: str = "log") -> np.ndarray:
    """Turn catalogue truth into the network's target.

    Parameters
    ----------
    output : Output
    truth : ndarray, shape (n,)
        Redshift, stellar mass in Msun, or class numbers.
    target : str
        For masses: ``log`` learns log10(M/Msun), ``linear`` M in 1e9 Msun.

    Returns
    -------
    ndarray of float32, shape (n, 1), or one-hot (n, classes)
    """
    if output.classes:
        return np.eye(len(output.classes), dtype=np.float32)[truth]
    if output.kind == "mass":
        truth = np.log10(truth) if target == "log" else truth / OLD_MASS_UNIT
    return truth.astype(np.float32)[:, None]


def decode(output: Output, predicted: np.ndarray, target: str = "log") -> np.ndarray:
    """Turn the network's values into the catalogue's unit; class probabilities stay what they are.

    Parameters
    ----------
    output : Output
    predicted : ndarray of float32, shape (n, 1) or (n, classes)
    target : str
        As for `encode`.

    Returns
    -------
    ndarray of float64, shape (n,) or (n, classes)
    """
    predicted = predicted.astype(np.float64)
    if output.classes:
        return predicted
    if output.kind != "mass":
        return predicted[:, 0]
    return 10.0 ** predicted[:, 0] if target == "log" else predicted[:, 0] * OLD_MASS_UNIT


def constant_bias(output: Output, target: np.ndarray) -> np.ndarray:
    """Compute the head's bias with which an untrained network already predicts the best constant.

    Parameters
    ----------
    output : Output
    target : ndarray of float32, shape (n, 1) or (n, classes)
        Encoded truth of the training objects.

    Returns
    -------
    ndarray of float32, shape (1,) or (classes,)
        The mean, or the logarithms of the class shares (a class without an object counts as half an object).
    """
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
