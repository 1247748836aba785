"""Vary magnitudes while training: hide some, and make some noisier, so that a network knows what that costs."""

from __future__ import annotations

import numpy as np

from common.backend import keras

ops = keras.ops
OFTEN, SELDOM = 0.5, 0.2
"""Probability with which a magnitude of a row is hidden, where any is: of the bands that surveys often lack, others."""
OFTEN_MISSING = ("modelMag_u", "modelMag_z", "w3mag", "w4mag")
NOISY = 0.5
"""Share of the rows that have errors which are made noisier."""
NOISE = (0.01, 0.5)
"""Added noise of a row, mag: between these, evenly in its logarithm; of its bands up to twice more or less."""
NO_ERRORS = 0.2
"""Share of the rows whose errors are hidden: not every catalogue has them."""


class HideMagnitudes(keras.layers.Layer):
    """Hides magnitudes of some rows at random while training, never the last one of a row.

    Parameters
    ----------
    rate : float
        Share of the rows of which some may be hidden.
    chances : sequence of float
        By band: probability with which it is hidden in these.
    seed : int
    """

    def __init__(self, rate: float, chances: list[float], seed: int, **options):
        super().__init__(**options)
        self.rate, self.chances = rate, np.asarray(chances, np.float32)
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, values: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        """Return magnitudes, with their errors behind them if there are any, ``(batch, n)``; hidden ones are NaN."""
        if not training:
            return values
        bands, rows = len(self.chances), ops.shape(values)[0]
        drawn = keras.random.uniform((rows, bands), seed=self.generator) - self.chances
        here = ops.isfinite(values[:, :bands])
        drawn = ops.where(here, drawn, -1.0)
        last = drawn >= ops.max(drawn, axis=1, keepdims=True)
        chosen = keras.random.uniform((rows, 1), seed=self.generator) < self.rate
        hidden = ops.logical_and(ops.logical_and(chosen, drawn < 0), ops.logical_not(last))
        if values.shape[1] > bands:
            lost = keras.random.uniform((rows, 1), seed=self.generator) < NO_ERRORS
            hidden = ops.concatenate([hidden, ops.logical_or(hidden, lost)], axis=1)
        return ops.where(hidden, np.nan, values)


class AddNoise(keras.layers.Layer):
    """Adds noise to the magnitudes of some rows while training, and to their errors in quadrature.

    Parameters
    ----------
    bands : int
        Magnitudes; as many errors follow. A magnitude without an error stays as it is.
    seed : int
    """

    def __init__(self, bands: int, seed: int, **options):
        super().__init__(**options)
        self.bands = bands
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, values: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        """Return magnitudes and errors, ``(batch, 2 bands)``."""
        if not training:
            return values
        magnitudes, errors = values[:, : self.bands], values[:, self.bands :]
        rows, low, high = ops.shape(values)[0], *np.log(NOISE)
        size = keras.random.uniform((rows, 1), float(low), float(high), seed=self.generator)
        size += keras.random.uniform((rows, self.bands), -np.log(2.0), np.log(2.0), seed=self.generator)
        chosen = keras.random.uniform((rows, 1), seed=self.generator) < NOISY
        noise = ops.where(ops.logical_and(chosen, ops.isfinite(errors)), ops.exp(size), 0.0)
        added = noise * keras.random.normal(ops.shape(noise), seed=self.generator)
        return ops.concatenate([magnitudes + added, ops.sqrt(errors * errors + noise * noise)], axis=1)


def table_layers(columns: tuple[str, ...], errors: int, hide: float, seed: int) -> list[keras.layers.Layer]:
    """List the layers that vary a table's input.

    Parameters
    ----------
    columns : tuple of str
        Of the magnitudes, and of their errors.
    errors : int
        How many of these are errors.
    hide : float
        Share of the rows of which some magnitudes are hidden; 0 hides none.
    seed : int
    """
    bands = columns[: len(columns) - errors]
    found: list[keras.layers.Layer] = [AddNoise(len(bands), seed, dtype="float32")] if errors else []
    if hide:
        chances = [OFTEN if band in OFTEN_MISSING else SELDOM for band in bands]
        found.append(HideMagnitudes(hide, chances, seed + 1, dtype="float32"))
    return found
