"""f2s: spectroscopic sub-class from the five-band cut-out.

Input ``fits`` (batch, 61, 61, 5) float32, nanomaggies → output ``subclass`` (batch, 4) probabilities.
2,482,321 parameters. The network of astromlp-models (https://github.com/nunorc/astromlp-models):
four separable convolutions in two blocks, two dense layers with dropout and an L2 penalty.
"""

from common.backend import keras
from common.layers import dense_stack, separable_blocks
from common.train import run


def features(fits):
    """Turn the cut-out into 32 features."""
    x = separable_blocks(fits, (128, 256), repeat=2)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dropout(0.5)(x)
    return dense_stack(x, (64, 32), dropout=0.5, decay=0.01)


if __name__ == "__main__":
    run(__file__, features)
