"""i2m: ten morphologies of Galaxy10 DECaLS from the colour image.

Input ``img`` (batch, 150, 150, 3) uint8 → output ``morph10`` (batch, 10) probabilities.
``reference``, the network of i2g in astromlp-models (https://github.com/nunorc/astromlp-models), 435,461 parameters:
four separable convolutions, two dense layers with dropout and an L2 penalty.
``fast``: aperture photometry joined with a convolutional network on patches.
``vgg``, after Deep Galaxies (https://github.com/MarcoDiFrancesco/DeepGalaxies), 18,336,714 parameters: four blocks of
convolution, batch normalisation and maximum, a dense layer with dropout (512 units; the 4,086 there alone are 134
million weights). It was trained with ``optimizer=sgd learning_rate=0.01`` and a ``weight_decay``.
"""

from common.backend import keras
from common.networks.backbones import normalised_blocks
from common.networks.fast import image_features
from common.networks.layers import dense_stack, separable_blocks
from common.train import run


def reference(img):
    """Turn the image into 32 features."""
    x = separable_blocks(img, (64, 64, 128, 128))
    x = keras.layers.Flatten()(x)
    x = keras.layers.Dropout(0.5)(x)
    return dense_stack(x, (64, 32), decay=0.01)


def fast(img):
    """Turn the image into 64 features."""
    return image_features(img, patch=5, sides=(6, 12, 26, 62, 150))


def vgg(img):
    """Turn the image into 512 features."""
    x = keras.layers.Resizing(128, 128)(img)
    x = keras.layers.Flatten()(normalised_blocks(x, (64, 128, 256, 512)))
    x = keras.layers.Dropout(0.5)(x)
    return dense_stack(x, (512,), dropout=0.5)


if __name__ == "__main__":
    run(__file__, reference, fast, vgg)
