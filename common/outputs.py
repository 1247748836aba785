"""The heads: how a network's features become an output, and how the output's truth becomes what the network learns."""

from __future__ import annotations

import numpy as np

from sdss_gs.schema import Output

from .backend import keras

CLASS_LOSS = "sparse_categorical_crossentropy"


def attach_head(output: Output, features: keras.KerasTensor) -> keras.KerasTensor:
    """Add the last layer: one linear unit, or a softmax over the classes; named like the output, float32.

    Parameters
    ----------
    output : Output
    features : KerasTensor, shape (batch, n)

    Returns
    -------
    KerasTensor of float32, shape (batch, 1) or (batch, classes)
        Redshift; log10 of the stellar mass in Msun; or class probabilities.
    """
    units, activation = (len(output.classes), "softmax") if output.classes else (1, "linear")
    # float32 also under a mixed policy: bfloat16 has three digits, too few for a redshift.
    return keras.layers.Dense(units, activation=activation, name=output.name, dtype="float32")(features)


def encode(output: Output, truth: np.ndarray) -> np.ndarray:
    """Turn catalogue truth into the network's target.

    Parameters
    ----------
    output : Output
    truth : ndarray, shape (n,)
        Redshift, stellar mass in Msun, or class numbers.

    Returns
    -------
    ndarray of float32 (regressions; mass as log10) or int32 (class numbers), shape (n, 1)
    """
    if output.classes:
        return truth.astype(np.int32)[:, None]
    return (np.log10(truth) if output.name == "smass" else truth).astype(np.float32)[:, None]


def decode(output: Output, predicted: np.ndarray) -> np.ndarray:
    """Turn the network's values into the catalogue's unit; class probabilities stay what they are.

    Parameters
    ----------
    output : Output
    predicted : ndarray of float32, shape (n, 1) or (n, classes)

    Returns
    -------
    ndarray of float64, shape (n,) or (n, classes)
    """
    predicted = predicted.astype(np.float64)
    if output.classes:
        return predicted
    return 10.0 ** predicted[:, 0] if output.name == "smass" else predicted[:, 0]
