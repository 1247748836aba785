"""How raw input enters a network."""

import numpy as np

from common.backend import keras
from common.networks.inputs import SOFTENING, STRETCHED_SCALE, enter
from sdss_gs.schema import INPUTS


def test_cutouts_are_stretched_by_arcsinh_over_all_that_there_is():
    """Faint and negative sky, noise, and the brightest stars; also 0 and a value whose square is near float32's end."""
    inputs = keras.Input((61, 61, 5))
    network = keras.Model(inputs, enter(INPUTS["fits"], inputs))
    flux = np.concatenate([[0.0], np.geomspace(1e-8, 1e17, 18600), -np.geomspace(1e-8, 1e5, 4)])
    values = flux[: 61 * 61 * 5].reshape(1, 61, 61, 5).astype(np.float32)
    expected = np.arcsinh(values.astype(np.float64) / SOFTENING) / STRETCHED_SCALE
    np.testing.assert_allclose(network.predict_on_batch(values), expected, atol=5e-7, rtol=5e-7)
