"""Scores by the names and definitions of the field; numpy in, floats out."""

from __future__ import annotations

import numpy as np
from sklearn import metrics as sk

from sdss_gs.schema import Output

MASS_UNIT = 1e9
"""Msun; the unit of the mean absolute error in older tables."""


def score(output: Output, truth: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Score predictions of any output.

    Parameters
    ----------
    output : Output
    truth : ndarray, shape (n,)
        Catalogue unit or class numbers.
    predicted : ndarray, shape (n,) or (n, classes)
        As returned by `outputs.decode`.
    """
    if output.classes:
        return class_scores(truth, predicted)
    return mass_scores(truth, predicted) if output.name == "smass" else redshift_scores(truth, predicted)


def normalised_difference(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Return Δz = (z_predicted − z_true) / (1 + z_true)."""
    return (predicted - truth) / (1 + truth)


def redshift_scores(truth: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Score redshifts.

    Returns
    -------
    dict of str to float
        ``nmad`` 1.4826 · median |Δz − median Δz| (Brammer et al. 2008, ApJ 686, 1503); ``bias`` median Δz;
        ``outlier_fraction`` share of |Δz| > 0.05; ``mse``, ``mae`` and ``r2`` of z itself.
    """
    difference = normalised_difference(truth, predicted)
    bias = float(np.median(difference))
    return {
        "nmad": float(1.4826 * np.median(np.abs(difference - bias))),
        "bias": bias,
        "outlier_fraction": float(np.mean(np.abs(difference) > 0.05)),
        **_errors(truth, predicted),
    }


def mass_scores(truth: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    """Score stellar masses in Msun.

    Returns
    -------
    dict of str to float
        ``scatter_dex`` standard deviation and ``bias_dex`` mean of log10(predicted / true); ``r2`` of log10;
        ``mae_1e9msun`` mean absolute error in 1e9 Msun.
    """
    log_truth, log_predicted = np.log10(truth), np.log10(predicted)
    difference = log_predicted - log_truth
    return {
        "scatter_dex": float(np.std(difference)),
        "bias_dex": float(np.mean(difference)),
        "r2": _errors(log_truth, log_predicted)["r2"],
        "mae_1e9msun": float(np.mean(np.abs(predicted - truth)) / MASS_UNIT),
    }


def class_scores(truth: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """Score class probabilities.

    Returns
    -------
    dict of str to float
        ``accuracy``; ``balanced_accuracy`` and ``macro_f1`` over the classes that occur; ``log_loss`` (nats).
    """
    predicted, occurring = probabilities.argmax(axis=1), np.unique(truth)
    recall = [float(np.mean(predicted[truth == label] == label)) for label in occurring]
    chosen = probabilities[np.arange(len(truth)), truth]
    return {
        "accuracy": float(np.mean(predicted == truth)),
        "balanced_accuracy": float(np.mean(recall)),
        "macro_f1": float(sk.f1_score(truth, predicted, labels=occurring, average="macro", zero_division=0)),
        "log_loss": float(-np.mean(np.log(np.clip(chosen, 1e-15, 1.0)))),
    }


def _errors(truth: np.ndarray, predicted: np.ndarray) -> dict[str, float]:
    difference = predicted - truth
    variance = float(np.var(truth))
    return {
        "mse": float(np.mean(difference**2)),
        "mae": float(np.mean(np.abs(difference))),
        "r2": 1 - float(np.mean(difference**2)) / variance if variance > 0 else float("nan"),
    }
