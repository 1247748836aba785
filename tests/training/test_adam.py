"""Adam in one operation: what Keras' does."""

import numpy as np
import pytest

from common.backend import keras
from common.options import TrainingOptions
from common.training.adam import IN_ONE
from common.training.compile import compile_model, optimizer_of
from sdss_gs.schema import OUTPUTS

RNG = np.random.default_rng(0)


def network():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6,))
    hidden = keras.layers.Dense(5, activation="relu", name="hidden")(inputs)
    return keras.Model(inputs, keras.layers.Dense(1, name="redshift")(hidden))


@pytest.mark.parametrize(
    ("name", "schedule", "decay"),
    # Every two of them together.
    [("adam", "constant", 0.0), ("adam", "cosine", 0.02), ("adamw", "cosine", 0.0), ("adamw", "constant", 0.02)],
)
def test_weights_and_moments_are_those_of_keras(name, schedule, decay):
    options = TrainingOptions(optimizer=name, schedule=schedule, learning_rate=0.01, weight_decay=decay, epochs=2)
    values, truth = RNG.normal(size=(64, 6)).astype(np.float32), RNG.normal(size=(64, 1)).astype(np.float32)
    models = []
    for classes in ({}, IN_ONE):
        model = network()
        model.compile(optimizer_of(options, 8, classes), "mse", jit_compile=False)
        model.fit(values, truth, batch_size=8, epochs=2, shuffle=False, verbose=0)
        models.append(model)
    one, two = models
    assert isinstance(two.optimizer, IN_ONE[name])
    for expected, found in (
        *zip(one.variables, two.variables, strict=True),
        *zip(one.optimizer.variables, two.optimizer.variables, strict=True),
    ):
        assert found.path.split("/", 1)[-1] == expected.path.split("/", 1)[-1]
        np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=1e-4, atol=1e-6)


def test_compiled_steps_have_keras_own():
    """A GPU's, and programs of many steps: there XLA makes one operation of it."""
    options = TrainingOptions()
    for compiled, weighted, of_keras in ((False, False, False), (True, False, True), (False, True, True)):
        model = network()
        compile_model(model, (OUTPUTS["redshift"],), options, 8, compiled=compiled, weighted=weighted)
        assert (type(model.optimizer) is keras.optimizers.Adam) is of_keras
