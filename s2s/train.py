"""s2s: spectroscopic sub-class from the spectrum.

Input ``spectra`` (batch, 3522) float32, 1e-17 erg/s/cm²/Å → output ``subclass`` (batch, 4) probabilities.
``reference``, the network of astromlp-models (https://github.com/nunorc/astromlp-models), 7,223,785 parameters:
standardised flux, four convolutions, two dense layers with dropout.
``fast``: shape and brightness of the spectrum, strided residual convolutions.
``slim``: the same with half of the weights behind the convolutions.
"""

from common.backend import keras
from common.networks.fast import spectrum_features
from common.networks.layers import dense_stack, spectral_blocks, standardise
from common.train import run


def reference(spectra):
    """Turn the spectrum into 32 features."""
    x = spectral_blocks(standardise(spectra), (64, 32))
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dropout(0.6)(x)
    return dense_stack(x, (64, 32), dropout=0.6)


def fast(spectra):
    """Turn the spectrum into 64 features."""
    return spectrum_features(spectra)


def slim(spectra):
    """Turn the spectrum into 64 features."""
    return spectrum_features(spectra, narrow=32)


if __name__ == "__main__":
    run(__file__, reference, fast, slim)
