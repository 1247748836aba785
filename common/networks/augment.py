"""Other views of the same galaxy, drawn at random for each image of each step while a network trains."""

from __future__ import annotations

import math

import numpy as np

from common.backend import keras

ops = keras.ops
AUGMENTATIONS = ("none", "dihedral", "rotation", "full")
LARGEST_ZOOM = 1.2
LARGEST_SHIFT = 0.03
"""Of the centre, as a share of the image's side: 4.5 pixels of ``img``."""
LARGEST_GAIN = 1.2
"""Brightness of the whole image; each channel varies by its fourth root besides, that is by 5 %."""
BLUR_SIGMA, BLUR_REACH = 1.0, 3
"""Gaussian that is mixed in, pixels: worse seeing."""
NOISE = {"img": 4.0, "fits": 0.02}
"""Largest added noise: grey levels, nanomaggies per pixel (about that of a frame)."""


class Varied(keras.layers.Layer):
    """Varies images ``(batch, side, side, channels)`` at random while training; their dtype stays."""

    def __init__(self, seed: int, **options):
        super().__init__(**options)
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, images: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        """Return the images, varied or as they are."""
        return self.vary(images) if training else images

    def vary(self, images: keras.KerasTensor) -> keras.KerasTensor:
        """Return images of the same shape and dtype."""
        return _rounded_once(images, self)

    def _uniform(self, shape: tuple, low: float = 0.0, high: float = 1.0) -> keras.KerasTensor:
        return keras.random.uniform(shape, low, high, seed=self.generator, dtype="float32")


class Dihedral(Varied):
    """Turns and mirrors each image at random into one of its eight symmetric forms.

    A galaxy has no up or left: each form is as likely to be seen as the others, and no pixel is interpolated.
    """

    def vary(self, images: keras.KerasTensor) -> keras.KerasTensor:
        """Return images of the same shape."""
        for form in (lambda x: ops.flip(x, 1), lambda x: ops.flip(x, 2), lambda x: ops.transpose(x, (0, 2, 1, 3))):
            images = ops.where(self._uniform((ops.shape(images)[0], 1, 1, 1)) < 0.5, form(images), images)
        return images


class Turned(Varied):
    """Turns each image by any angle, mirrors half of them, and zooms and shifts within bounds.

    One bilinear interpolation does it all; what comes in from beyond the edge mirrors the image.

    Parameters
    ----------
    seed : int
    zoom : float
        Largest factor; 1 for none.
    shift : float
        Largest shift, as a share of the image's side.
    """

    def __init__(self, seed: int, zoom: float = 1.0, shift: float = 0.0, **options):
        super().__init__(seed, **options)
        self.zoom, self.shift = zoom, shift

    def change(self, values: keras.KerasTensor) -> keras.KerasTensor:
        """Return float32 images of the same shape."""
        side = values.shape[1]
        angle, mirror, zoom, right, down = ops.unstack(self._uniform((5, ops.shape(values)[0]), -1.0, 1.0), axis=0)
        angle, scale = math.pi * angle, ops.exp(math.log(self.zoom) * zoom)
        cosine, sine = scale * ops.cos(angle), scale * ops.sin(angle)
        sign = ops.sign(mirror)
        middle, none = (side - 1) / 2, ops.zeros_like(angle)
        across = self.shift * side * right + middle * (1 - sign * cosine + sine)
        along = self.shift * side * down + middle * (1 - sign * sine - cosine)
        matrix = ops.stack([sign * cosine, -sine, across, sign * sine, cosine, along, none, none], axis=1)
        return ops.image.affine_transform(values, matrix, fill_mode="reflect")


class Observed(Varied):
    """Varies brightness, colour, contrast, seeing and noise of each image.

    Parameters
    ----------
    seed : int
    noise : float
        Largest standard deviation of the noise, in the unit of the pixels.
    """

    def __init__(self, seed: int, noise: float, **options):
        super().__init__(seed, **options)
        self.noise = noise

    def change(self, values: keras.KerasTensor) -> keras.KerasTensor:
        """Return float32 images of the same shape."""
        count, channels = ops.shape(values)[0], values.shape[-1]
        gain = LARGEST_GAIN ** self._uniform((count, 1, 1, 1), -1)
        tint = LARGEST_GAIN ** self._uniform((count, 1, 1, channels), -0.25, 0.25)
        share = self._uniform((count, 1, 1, 1))
        values = (values + share * (_blurred(values) - values)) * gain * tint
        sigma = self.noise * self._uniform((count, 1, 1, 1))
        return values + sigma * keras.random.normal(ops.shape(values), seed=self.generator, dtype="float32")


class InTurn(keras.layers.Layer):
    """Varies images in several ways, one after the other, while training; their dtype stays.

    Parameters
    ----------
    steps : Varied
        That have a method ``change``.
    """

    def __init__(self, *steps: Varied, **options):
        super().__init__(**options)
        self.steps = steps

    def build(self, _shape: tuple) -> None:
        """Make nothing: the steps have no variables but their seeds."""

    def call(self, images: keras.KerasTensor, training: bool = False) -> keras.KerasTensor:
        """Return the images, varied or as they are."""
        return _rounded_once(images, *self.steps) if training else images


def _rounded_once(images: keras.KerasTensor, *steps: Varied) -> keras.KerasTensor:
    """Change images in float32. A bare cast back to bytes cuts off on TensorFlow: half a grey level darker."""
    values = ops.cast(images, "float32")
    for step in steps:
        values = step.change(values)
    if images.dtype == "uint8":
        values = ops.clip(ops.round(values), 0, 255)
    return ops.cast(values, images.dtype)


def _blurred(values: keras.KerasTensor) -> keras.KerasTensor:
    taps = np.exp(-0.5 * (np.arange(-BLUR_REACH, BLUR_REACH + 1) / BLUR_SIGMA) ** 2).astype(np.float32)
    kernel = np.repeat((taps / taps.sum())[:, None], values.shape[-1], axis=1)[..., None]
    for axis in (0, 1):
        values = ops.depthwise_conv(values, np.expand_dims(kernel, 1 - axis), padding="same")
    return values


def augmentation(kind: str, name: str, seed: int, dtype: str) -> list[keras.layers.Layer]:
    """Choose the layers that vary an input while its network trains.

    Parameters
    ----------
    kind : str
        ``none``; ``dihedral``, the eight symmetric forms; ``rotation``, any angle; or ``full``, any angle, zoom and
        shift, brightness, colour, seeing and noise, which also change what a photometrist would measure.
    name : str
        ``img`` or ``fits``.
    seed : int
    dtype : str
        Of the input.
    """
    if kind == "dihedral":
        return [Dihedral(seed, dtype=dtype)]
    if kind == "rotation":
        return [Turned(seed, dtype=dtype)]
    if kind == "full":
        steps = [Turned(seed, LARGEST_ZOOM, LARGEST_SHIFT, dtype=dtype), Observed(seed + 1, NOISE[name], dtype=dtype)]
        return [InTurn(*steps, dtype=dtype)]
    return []
