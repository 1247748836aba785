"""i2sm: stellar mass from the colour image.

Input ``img`` (batch, 150, 150, 3) uint8 → output ``smass`` (batch, 1), log10 Msun.
436,220 parameters. The network of astromlp-models (https://github.com/nunorc/astromlp-models):
four separable convolutions, three dense layers.
"""

from common.backend import keras
from common.layers import dense_stack, separable_blocks
from common.train import run


def features(img):
    """Turn the image into 32 features."""
    x = separable_blocks(img, (64, 64, 128, 128))
    x = keras.layers.Flatten()(x)
    return dense_stack(x, (64, 32, 32))


if __name__ == "__main__":
    run(__file__, features)
