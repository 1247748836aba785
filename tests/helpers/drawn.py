"""Truths and mediocre predictions of outputs of any kind."""

import numpy as np

from helpers.ballots import ballots
from sdss_gs.schema import OUTPUTS, Output

OWN = (
    Output("height", "s", "height", "", "own column height", "data.csv", kind="number", centre=5.0, spread=2.5),
    Output("shape", "s", "shape", "", "own column shape", "data.csv", classes=("bar", "disk", "edge", "oval", "ring")),
)
"""A user's number, and a user's classes."""
EVERY = (*OUTPUTS.values(), *OWN)


def drawn(output, count, seed=0):
    """Truth and predictions of `count` objects."""
    rng = np.random.default_rng(seed)
    if size := len(output.classes):
        truth = rng.integers(0, size, count)
        return truth, rng.dirichlet(np.ones(size), count) / 2 + np.eye(size)[truth] / 2
    if output.tree:
        truth = ballots(count, seed, output.tree)
        return truth, 0.5 * truth + 0.5 * ballots(count, seed + 1, output.tree)
    truth = 10 ** rng.uniform(9, 11, count) if output.kind == "mass" else rng.uniform(0.01, 0.4, count)
    return truth, truth * rng.uniform(0.8, 1.2, count)


def perfect(output, truth):
    """Predictions without a fault."""
    return np.eye(len(output.classes))[truth] if output.classes else truth
