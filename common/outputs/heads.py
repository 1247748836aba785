"""Heads and losses by which a network learns the distribution of a number instead of one value."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from common.backend import keras
from common.outputs.distribution import LOG_SCALE, SOFTENING

ops = keras.ops
SMALLEST_SHARE = 1e-12
ROOT_TWO = 2**0.5


def binned_loss(grid: tuple[float, ...], relative: bool) -> Callable:
    """Make the cross entropy between shares of bins and a truth that is spread over neighbouring bins.

    Bins know nothing of their neighbours; a truth that also counts a little for these teaches them order, and where
    within a bin it lies (soft labels: Diaz & Marathe 2019, CVPR, 4738).

    Parameters
    ----------
    grid : tuple of float
        Borders of the bins, in the scale of the truth.
    relative : bool
        Whether errors grow with 1 + the truth, as those of redshifts.
    """
    borders = np.asarray(grid, np.float32)
    # Of the bins of equal width, which most are.
    sigma = float(SOFTENING * np.median(np.diff(grid)))

    def loss(truth: keras.KerasTensor, shares: keras.KerasTensor) -> keras.KerasTensor:
        truth = ops.clip(truth, borders[0], borders[-1])
        width = sigma * (1 + truth) if relative else sigma
        heights = ops.erf((borders - truth) / (ROOT_TWO * width))
        wanted = ops.diff(heights) / (heights[:, -1:] - heights[:, :1])
        return -ops.sum(wanted * ops.log(ops.maximum(shares, SMALLEST_SHARE)), axis=-1)

    return loss


def mixture_loss(centre: float, spread: float) -> Callable:
    """Make minus the logarithm of the density that a mixture of logistic distributions gives the truth.

    Parameters
    ----------
    centre, spread : float
        See `distribution.mixture_shares`.
    """

    def loss(truth: keras.KerasTensor, raw: keras.KerasTensor) -> keras.KerasTensor:
        logits, means, sizes = ops.split(raw, 3, axis=-1)
        sizes = ops.clip(sizes, *LOG_SCALE)
        distance = ((truth - centre) / spread - means) * ops.exp(-sizes)
        log_density = -distance - sizes - 2 * ops.softplus(-distance)
        return -ops.logsumexp(ops.log_softmax(logits) + log_density, axis=-1)

    return loss
