"""f2r: redshift from the five-band cut-out.

Input ``fits`` (batch, 61, 61, 5) float32, nanomaggies → output ``redshift`` (batch, 1).
43,150 parameters. The network of astromlp-models (https://github.com/nunorc/astromlp-models):
four separable convolutions, three dense layers.
"""

from common.backend import keras
from common.layers import dense_stack, separable_blocks
from common.train import run


def features(fits):
    """Turn the cut-out into 32 features."""
    x = separable_blocks(fits, (64, 64, 128, 128))
    x = keras.layers.Flatten()(x)
    return dense_stack(x, (64, 32, 32))


if __name__ == "__main__":
    run(__file__, features)
