"""s2g: Galaxy Zoo 2 class from the spectrum.

Input ``spectra`` (batch, 3522) float32, 1e-17 erg/s/cm²/Å → output ``gz2c`` (batch, 23) probabilities.
``reference``, the network of astromlp-models (https://github.com/nunorc/astromlp-models), 28,827,228 parameters:
standardised flux, six convolutions, four dense layers with dropout.
``fast``: shape and brightness of the spectrum, strided residual convolutions.
"""

from common.backend import keras
from common.networks.fast import spectrum_features
from common.networks.layers import dense_stack, spectral_blocks, standardise
from common.train import run


def reference(spectra):
    """Turn the spectrum into 32 features."""
    x = spectral_blocks(standardise(spectra), (64, 64, 32))
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dropout(0.5)(x)
    return dense_stack(x, (256, 128, 64, 32), dropout=0.5)


def fast(spectra):
    """Turn the spectrum into 64 features."""
    return spectrum_features(spectra)


if __name__ == "__main__":
    run(__file__, reference, fast)
