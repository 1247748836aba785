"""f2s: spectroscopic sub-class from the five-band cut-out.

Input ``fits`` (batch, 61, 61, 5) float32, nanomaggies → output ``subclass`` (batch, 4) probabilities.
``reference``, the network of astromlp-models (https://github.com/nunorc/astromlp-models), 2,482,321 parameters:
four separable convolutions in two blocks, two dense layers with dropout and an L2 penalty.
``fast``: aperture photometry joined with a convolutional network on patches.
"""

from common.backend import keras
from common.networks.fast import image_features
from common.networks.layers import dense_stack, separable_blocks
from common.train import run


def reference(fits):
    """Turn the cut-out into 32 features."""
    x = separable_blocks(fits, (128, 256), repeat=2)
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dropout(0.5)(x)
    return dense_stack(x, (64, 32), dropout=0.5, decay=0.01)


def fast(fits):
    """Turn the cut-out into 64 features."""
    return image_features(fits, patch=3, sides=(3, 7, 15, 31, 61))


if __name__ == "__main__":
    run(__file__, reference, fast)
