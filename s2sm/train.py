"""s2sm: stellar mass from the spectrum.

Input ``spectra`` (batch, 3522) float32, 1e-17 erg/s/cm²/Å → output ``smass`` (batch, 1), log10 Msun.
``reference``, the network of astromlp-models (https://github.com/nunorc/astromlp-models), 7,223,686 parameters:
standardised flux, four convolutions, two dense layers with dropout.
``fast``: shape and brightness of the spectrum, strided residual convolutions.
"""

from common.backend import keras
from common.networks.fast import spectrum_features
from common.networks.layers import dense_stack, spectral_blocks, standardise
from common.train import run


def reference(spectra):
    """Turn the spectrum into 32 features."""
    x = spectral_blocks(standardise(spectra), (64, 32))
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dropout(0.5)(x)
    x = dense_stack(x, (64,), dropout=0.5)
    return dense_stack(x, (32,))


def fast(spectra):
    """Turn the spectrum into 64 features."""
    return spectrum_features(spectra)


if __name__ == "__main__":
    run(__file__, reference, fast)
