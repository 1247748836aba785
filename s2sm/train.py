"""s2sm: stellar mass from the spectrum.

Input ``spectra`` (batch, 3522) float32, 1e-17 erg/s/cm²/Å → output ``smass`` (batch, 1), log10 Msun.
7,223,686 parameters. The network of astromlp-models (https://github.com/nunorc/astromlp-models):
standardised flux, four convolutions, two dense layers with dropout.
"""

from common.backend import keras
from common.layers import dense_stack, spectral_blocks, standardise
from common.train import run


def features(spectra):
    """Turn the spectrum into 32 features."""
    x = spectral_blocks(standardise(spectra), (64, 32))
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dropout(0.5)(x)
    x = dense_stack(x, (64,), dropout=0.5)
    return dense_stack(x, (32,))


if __name__ == "__main__":
    run(__file__, features)
