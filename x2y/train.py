from common.backend import keras
from common.fast import dense, image_features, magnitudes_and_colours, shape_and_brightness, spectrum_features

layers, ops = keras.layers, keras.ops


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
    return dense(layers.Concatenate(dtype="float32")(shape_and_brightness(flux)), (256, 128, 64))


def bands(magnitudes):
    """Turn the SDSS magnitudes into 128 features."""
    return dense(magnitudes_and_colours(magnitudes), (128, 128, 128))


def wise(magnitudes):
    """Turn the WISE magnitudes into 128 features."""
    return dense(magnitudes_and_colours(magnitudes), (128, 128, 128))


def fuse(seen, present):
    x = layers.Concatenate(dtype="float32")([*seen.values(), present])
    return dense(x, (128, 128))
