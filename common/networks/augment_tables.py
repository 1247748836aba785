"""Vary magnitudes while training: hide some, make some noisier, or redder, so that a network knows what that costs."""

from __future__ import annotations

import numpy as np

from common.backend import keras, tf
from sdss_gs.schema import Input

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
REDDENED = 0.5
"""Share of the dereddened rows that are shown as they would look through the Galaxy's dust."""


def drawn_as(
    distribution: str, shape: tuple[int, ...], generator: keras.random.SeedGenerator, **limits: float
) -> keras.KerasTensor:
    """Draw from a distribution as Keras does.

    On TensorFlow by the name of its algorithm: left to choose one, XLA takes eighty times as long on a CPU.

    Parameters
    ----------
    distribution : str
        ``uniform`` or ``normal``.
    shape : tuple of int
    generator : keras.random.SeedGenerator
    **limits
        ``minval`` and ``maxval``, ``mean`` and ``stddev``.
    """
    if keras.backend.backend() != "tensorflow":
        return getattr(keras.random, distribution)(shape, seed=generator, **limits)
    seed = ops.cast(generator.next(), "int32")
    return getattr(tf.random, f"stateless_{distribution}")(shape, seed, alg="philox", **limits)


class HideMagnitudes(keras.layers.Layer):
    """Hides magnitudes of some rows at random while training, never the last one of a row.

    Parameters
    ----------
    rate : float
        Share of the rows of which some may be hidden.
    chances : sequence of float
        By band: probability with which it is hidden in these.
    errors : int
        How many errors follow the magnitudes.
    seed : int
    """

    def __init__(self, rate: float, chances: list[float], errors: int, seed: int, **options):
        super().__init__(**options)
        self.rate, self.chances, self.errors = rate, np.asarray(chances, np.float32), errors
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, values: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        """Return magnitudes, with what is behind them, ``(batch, n)``; hidden ones, and their errors, are NaN."""
        if not training:
            return values
        bands, rows = len(self.chances), ops.shape(values)[0]
        drawn = drawn_as("uniform", (rows, bands), self.generator) - self.chances
        here = ops.isfinite(values[:, :bands])
        drawn = ops.where(here, drawn, -1.0)
        last = drawn >= ops.max(drawn, axis=1, keepdims=True)
        chosen = drawn_as("uniform", (rows, 1), self.generator) < self.rate
        hidden = ops.logical_and(ops.logical_and(chosen, drawn < 0), ops.logical_not(last))
        parts = [hidden]
        if self.errors:
            lost = drawn_as("uniform", (rows, 1), self.generator) < NO_ERRORS
            parts.append(ops.logical_or(hidden, lost))
        if values.shape[1] > bands + self.errors:
            parts.append(ops.zeros((rows, 1), bool))
        hidden = ops.concatenate(parts, axis=1)
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
        """Return magnitudes and errors, and what is behind them, ``(batch, n)``."""
        if not training:
            return values
        magnitudes, errors = values[:, : self.bands], values[:, self.bands : 2 * self.bands]
        rest = values[:, 2 * self.bands :]
        rows, low, high = ops.shape(values)[0], *np.log(NOISE)
        size = drawn_as("uniform", (rows, 1), self.generator, minval=float(low), maxval=float(high))
        size += drawn_as("uniform", (rows, self.bands), self.generator, minval=-np.log(2.0), maxval=np.log(2.0))
        chosen = drawn_as("uniform", (rows, 1), self.generator) < NOISY
        noise = ops.where(ops.logical_and(chosen, ops.isfinite(errors)), ops.exp(size), 0.0)
        added = noise * drawn_as("normal", ops.shape(noise), self.generator)
        return ops.concatenate([magnitudes + added, ops.sqrt(errors * errors + noise * noise), rest], axis=1)


class Redden(keras.layers.Layer):
    """Shows some of the dereddened magnitudes through the Galaxy's dust while training, and no longer calls them so.

    Parameters
    ----------
    extinction : ndarray of float32, shape (m, bands)
        Magnitudes; one of these rows is added.
    seed : int
    """

    def __init__(self, extinction: np.ndarray, seed: int, **options):
        super().__init__(**options)
        self.extinction = np.asarray(extinction, np.float32)
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, values: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        """Return magnitudes and what is behind them, ``(batch, n)``, of which the last says whether a row still is."""
        if not training:
            return values
        rows, bands = ops.shape(values)[0], self.extinction.shape[1]
        drawn = ops.cast(drawn_as("uniform", (rows,), self.generator) * len(self.extinction), "int32")
        chosen = drawn_as("uniform", (rows, 1), self.generator) < REDDENED
        dereddened = values[:, -1:]
        added = ops.where(chosen, dereddened, 0.0) * ops.take(ops.convert_to_tensor(self.extinction), drawn, axis=0)
        rest = values[:, bands:-1], ops.where(chosen, 0.0, dereddened)
        return ops.concatenate([values[:, :bands] + added, *rest], axis=1)


def table_layers(item: Input, hide: float, seed: int, extinction: np.ndarray) -> list[keras.layers.Layer]:
    """List the layers that vary a table's input.

    Parameters
    ----------
    item : Input
        As the model has it.
    hide : float
        Share of the rows of which some magnitudes are hidden; 0 hides none.
    seed : int
    extinction : ndarray of float32, shape (m, bands)
        By the Galaxy's dust, magnitudes, of some objects; used where the model is told whether magnitudes are
        dereddened.
    """
    bands, found = item.magnitudes, []
    if item.told_apart and len(extinction):
        found.append(Redden(extinction, seed + 2, dtype="float32"))
    if item.errors:
        found.append(AddNoise(len(bands), seed, dtype="float32"))
    if hide:
        chances = [OFTEN if band in OFTEN_MISSING else SELDOM for band in bands]
        found.append(HideMagnitudes(hide, chances, item.errors, seed + 1, dtype="float32"))
    return found
