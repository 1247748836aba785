"""i2r: redshift from the colour image.

Input ``img`` (batch, 150, 150, 3) uint8 → output ``redshift`` (batch, 1).
``reference``, the network of astromlp-models (https://github.com/nunorc/astromlp-models), 436,220 parameters:
four separable convolutions, three dense layers.
``fast``: aperture photometry joined with a convolutional network on patches.
"""

from common.backend import keras
from common.networks.fast import image_features
from common.networks.layers import dense_stack, separable_blocks
from common.train import run


def reference(img):
    """Turn the image into 32 features."""
    x = separable_blocks(img, (64, 64, 128, 128))
    x = keras.layers.Flatten()(x)
    return dense_stack(x, (64, 32, 32))


def fast(img):
    """Turn the image into 64 features."""
    return image_features(img, patch=6, sides=(6, 12, 26, 62, 150))


if __name__ == "__main__":
    run(__file__, reference, fast)
