"""x2y: any of the six inputs, all together or some of them missing, to any of the four outputs.

Inputs ``img``, ``fits``, ``spectra``, ``ssel``, ``bands``, ``wise`` as chosen, and ``present`` (batch, inputs), 1 where
an object has the input → outputs ``redshift``, ``smass``, ``subclass``, ``gz2c`` as chosen.

    image   ── encoder ──┐
    spectrum ─ encoder ──┤ missing: zero
    ...                  ├─ presence ─┬─ two dense layers ─┬─ head, for each output
    WISE    ── encoder ──┘            └────────────────────┘

The encoders are those of the ``fast`` networks with one input. While training, inputs are hidden at random.
"""

from common.backend import keras
from common.networks.fast import (
    dense,
    image_features,
    magnitudes_and_colours,
    shape_and_brightness,
    spectrum_features,
)
from common.train import run


def img(image):
    """Turn the image into 64 features."""
    return image_features(image, patch=5, sides=(6, 12, 26, 62, 150))


def fits(cutout):
    """Turn the cut-out into 64 features."""
    return image_features(cutout, patch=3, sides=(3, 7, 15, 31, 61))


def spectra(flux):
    """Turn the spectrum into 64 features."""
    return spectrum_features(flux)


def ssel(flux):
    """Turn the selected points into 64 features."""
    return dense(keras.layers.Concatenate(dtype="float32")(shape_and_brightness(flux)), (256, 128, 64))


def bands(magnitudes):
    """Turn the SDSS magnitudes into 128 features."""
    return dense(magnitudes_and_colours(magnitudes, 5), (128, 128, 128))


def wise(magnitudes):
    """Turn the WISE magnitudes into 128 features."""
    return dense(magnitudes_and_colours(magnitudes, 4), (128, 128, 128))


def fuse(seen, present, output):
    """Join the features of what is there and what two dense layers make of them, for one output."""
    x = keras.layers.Concatenate(dtype="float32")([*seen.values(), present])
    return keras.layers.Concatenate(dtype="float32")([dense(x, (128, 128)), x])


if __name__ == "__main__":
    run(__file__, img, fits, spectra, ssel, bands, wise, fuse)
