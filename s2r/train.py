"""s2r: redshift from the spectrum.

Input ``spectra`` (batch, 3522) float32, 1e-17 erg/s/cm²/Å → output ``redshift`` (batch, 1).
7,215,270 parameters. The network of astromlp-models (https://github.com/nunorc/astromlp-models):
standardised flux, two convolutions, two dense layers.
"""

from common.backend import keras
from common.layers import dense_stack, spectral_blocks, standardise
from common.train import run


def features(spectra):
    """Turn the spectrum into 32 features."""
    x = spectral_blocks(standardise(spectra), (32,))
    x = keras.layers.Flatten()(x)
    return dense_stack(x, (64, 32))


if __name__ == "__main__":
    run(__file__, features)
