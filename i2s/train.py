"""i2s: spectroscopic sub-class from the colour image.

Input ``img`` (batch, 150, 150, 3) uint8 → output ``subclass`` (batch, 4) probabilities.
435,263 parameters. The network of astromlp-models (https://github.com/nunorc/astromlp-models):
four separable convolutions, two dense layers with dropout and an L2 penalty.
"""

from common.backend import keras
from common.layers import dense_stack, separable_blocks
from common.train import run


def features(img):
    """Turn the image into 32 features."""
    x = separable_blocks(img, (64, 64, 128, 128))
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dropout(0.5)(x)
    return dense_stack(x, (64, 32), decay=0.01)


if __name__ == "__main__":
    run(__file__, features)
