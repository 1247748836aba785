"""Fit colour terms: through a trained network to a few labels, or to objects that two surveys have in common."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize

from common.backend import tf
from common.models.model import Model
from common.models.serving import bare_network
from common.networks.colour_terms import ColourTerms, colours_of
from common.options import TrainingOptions
from common.outputs.kinds import kind_of
from common.training.compile import loss_of_rows
from sdss_gs.schema import Input

OFFSET, SLOPE = 0.3, 0.1
"""Standard deviations of the normal distributions about 0 from which zero points, mag, and slopes are expected."""
MOST_OBJECTS, MOST_STEPS = 3000, 60
FEWEST_COMMON = 20
"""Objects in common from which terms are fitted."""
SIGMAS = 3.0
"""A zero point or a slope differs from 0 if by so many standard errors."""
LEAST_SCATTER = 1e-3
"""mag."""


def typical_colours(item: Input, values: np.ndarray) -> np.ndarray:
    """Return the median colour of each band, float64 ``(bands,)``; 0 where no object has it."""
    colours = colours_of(values[:, : len(item.magnitudes)].astype(np.float64))
    seen = np.where(np.isfinite(colours).any(axis=0), colours, 0.0)
    return np.nanmedian(seen, axis=0)


def terms_of(item: Input, numbers: np.ndarray, typical: np.ndarray) -> ColourTerms:
    """Make terms of numbers.

    Parameters
    ----------
    item : Input
    numbers : ndarray of float64, shape (2 bands,)
        Zero points, then slopes.
    typical : ndarray of float64, shape (bands,)
        Colours.
    """
    offsets, slopes = np.split(np.asarray(numbers, np.float64), 2)
    return ColourTerms(item.magnitudes, *(tuple(map(float, one)) for one in (offsets, slopes, typical)))


def fit_through(
    model: Model, options: TrainingOptions, values: np.ndarray, target: np.ndarray, typical: np.ndarray
) -> ColourTerms:
    """Find the terms with which a frozen network predicts objects best: the most probable ones, by Bayes' theorem.

    Parameters
    ----------
    model : Model
        Run by Keras.
    options : TrainingOptions
        Of its training: its loss.
    values : ndarray of float32, shape (n, columns)
        What it takes.
    target : ndarray of float32, shape (n, size)
        Encoded truth.
    typical : ndarray of float64, shape (bands,)
    """
    (item,), (output,) = model.inputs, model.outputs
    network, count = bare_network(model.network), len(item.magnitudes)
    loss = loss_of_rows(network, output, options)
    values, target = values[:MOST_OBJECTS], target[:MOST_OBJECTS]
    shown, wanted = tf.constant(values), tf.constant(target)
    colours = tf.constant(np.nan_to_num(colours_of(values[:, :count]) - typical).astype(np.float32))
    spread = np.repeat([OFFSET, SLOPE], count)

    @tf.function
    def losses(numbers: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        with tf.GradientTape() as tape:
            tape.watch(numbers)
            added = numbers[:count] + numbers[count:] * colours
            seen = tf.concat([shown[:, :count] + added, shown[:, count:]], axis=1)
            total = tf.reduce_sum(loss(wanted, network({item.name: seen}, training=False)))
        return total, tape.gradient(total, numbers)

    # A loss that is no logarithm of a probability has a unit: errors of the size that they have count as one each.
    probable = bool(output.grid) or bool(output.classes)
    first = float(losses(tf.zeros(2 * count))[0])
    scale = 1.0 if probable else max(first / len(values), 1e-12)

    def objective(numbers: np.ndarray) -> tuple[float, np.ndarray]:
        total, slope = (one.numpy() / scale for one in losses(tf.constant(numbers * spread, tf.float32)))
        return float(total) + 0.5 * numbers @ numbers, slope.astype(np.float64) * spread + numbers

    found = minimize(objective, np.zeros(2 * count), jac=True, method="L-BFGS-B", options={"maxiter": MOST_STEPS})
    best = found.x if np.isfinite(found.fun) and found.fun < first / scale else np.zeros(2 * count)
    return terms_of(item, best * spread, typical)


def fit_common(item: Input, ours: np.ndarray, theirs: np.ndarray) -> ColourTerms | None:
    """Find what brings the magnitudes of objects as one survey has them to those of another, band by band.

    Parameters
    ----------
    item : Input
    ours, theirs : ndarray of float32, shape (n, columns)
        Of the same objects: in the new survey, in the old one.

    Returns
    -------
    ColourTerms or None
        None where there are too few objects, or no zero point or slope differs from 0 by more than chance.
    """
    typical, count = typical_colours(item, ours), len(item.magnitudes)
    colours = colours_of(ours[:, :count].astype(np.float64)) - typical
    numbers, clear = np.zeros((2, count)), False
    for band in range(count):
        wanted = theirs[:, band].astype(np.float64) - ours[:, band]
        has = np.isfinite(wanted) & np.isfinite(colours[:, band])
        if has.sum() < FEWEST_COMMON:
            continue
        found, errors = _line(colours[has, band], wanted[has])
        numbers[:, band] = found
        clear |= bool((np.abs(found) > SIGMAS * errors).any())
    return terms_of(item, numbers.ravel(), typical) if clear else None


def _line(colour: np.ndarray, difference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit zero point and slope with their expected sizes; return them and their standard errors."""
    middle = np.median(difference)
    scatter = max(1.4826 * np.median(np.abs(difference - middle)), LEAST_SCATTER)
    # A few objects that vary, or that are others, must not decide.
    good = np.abs(difference - middle) < 5 * scatter
    rows = np.stack([np.ones(good.sum()), colour[good]], axis=1) / scatter
    precision = rows.T @ rows + np.diag([OFFSET**-2, SLOPE**-2])
    covariance = np.linalg.inv(precision)
    return covariance @ (rows.T @ (difference[good] / scatter)), np.sqrt(np.diag(covariance))


def predict_values(model: Model, values: np.ndarray) -> np.ndarray:
    """Predict objects from what a flat model sees of them, ``(n, ...)``; as from `Kind.decode`."""
    (item,), (output,) = model.inputs, model.outputs
    return model.answers({item.name: values}, np.ones((len(values), 1), bool))[output.name]


def encoded(model: Model, truth: np.ndarray) -> np.ndarray:
    """Encode truths as a model learnt them, float32 ``(n, size)``."""
    return kind_of(model.outputs[0]).encode(truth, str(model.reading.get("target", "log")))
