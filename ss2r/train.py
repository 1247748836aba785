"""ss2r: redshift from 17 windows of the spectrum.

Input ``ssel`` (batch, 1423) float32, 1e-17 erg/s/cm²/Å → output ``redshift`` (batch, 1).
``reference``, the network of astromlp-models (https://github.com/nunorc/astromlp-models), 404,448 parameters:
standardised flux, three dense layers.
``fast``: shape and brightness of the spectrum, three dense layers.
``slim``: the strided residual convolutions of s2r, with fewer weights behind them.
"""

from common.backend import keras
from common.networks.fast import dense, shape_and_brightness, spectrum_features
from common.networks.layers import dense_stack, standardise
from common.train import run


def reference(ssel):
    """Turn the selected points into 32 features."""
    return dense_stack(standardise(ssel), (256, 128, 32))


def fast(ssel):
    """Turn the selected points into 64 features."""
    return dense(keras.layers.Concatenate(dtype="float32")(shape_and_brightness(ssel)), (256, 128, 64))


def slim(ssel):
    """Turn the selected points into 64 features."""
    return spectrum_features(ssel, narrow=32)


if __name__ == "__main__":
    run(__file__, reference, fast, slim)
