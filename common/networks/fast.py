"""The zoo's own networks: less arithmetic than the reference networks, and the field's own first steps built in.

What an astronomer measures first is a layer here: colours of magnitudes, aperture photometry of images, the shape of a
spectrum apart from its brightness. The convolutions that follow add what those cannot say.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations

from common.backend import keras
from common.networks.layers import depthwise_glorot, standardise

layers, ops = keras.layers, keras.ops
SMALLEST_SPREAD = 1e-6
SMALLEST_ERROR, USUAL_ERROR = 1e-3, 0.03
"""Of a magnitude."""
FARTHEST = 10.0
"""Standard deviations beyond which a feature says no more: one that hardly varied in training must not decide alone."""


def dense(x: keras.KerasTensor, units: Sequence[int]) -> keras.KerasTensor:
    """Stack fully connected ReLU layers of so many units in float32: half precision would round colours away."""
    for count in units:
        x = layers.Dense(count, activation="relu", kernel_initializer="he_normal", dtype="float32")(x)
    return x


def within_reach(x: keras.KerasTensor) -> keras.KerasTensor:
    """Standardise features, ``(batch, n)``, and clip them to ±10."""
    return ops.clip(standardise(x), -FARTHEST, FARTHEST)


def magnitudes_and_colours(x: keras.KerasTensor, count: int) -> keras.KerasTensor:
    """Measure what magnitudes say, some of which may be missing.

    Parameters
    ----------
    x : KerasTensor, shape (batch, count), (batch, 2 count), or one more
        Magnitudes; then their errors, if there are any; then whether they are dereddened, if that is said. NaN where
        one is missing.
    count : int

    Returns
    -------
    KerasTensor of float32, shape (batch, count (count + 3) / 2), with errors count (count + 7) / 2, or one more
        Magnitudes and the differences of all pairs, standardised, 0 where one is missing; which magnitudes are there;
        with errors their logarithms, and which of these are there; 1 for magnitudes that are said to be dereddened.
    """
    # No slices: what Keras stores of them is no layer.
    borders = [border for border in (count, 2 * count) if border < x.shape[1]]
    seen, *rest = ops.split(x, borders, axis=1) if borders else [x]
    errors, stated = ([one for one in rest if (one.shape[1] == count) is each] for each in (True, False))
    magnitudes, has = _filled(seen)
    first, second = (list(numbers) for numbers in zip(*combinations(range(count), 2), strict=True))
    colours = ops.take(magnitudes, first, axis=1) - ops.take(magnitudes, second, axis=1)
    both = ops.take(has, first, axis=1) * ops.take(has, second, axis=1)
    join = layers.Concatenate(dtype="float32")
    features = [within_reach(join([magnitudes, colours])) * join([has, both]), has]
    for one in errors:
        values, known = _filled(one)
        features += [(ops.log(ops.maximum(values, SMALLEST_ERROR)) - math.log(USUAL_ERROR)) * known, known]
    features += [_filled(one)[0] for one in stated]
    return layers.Concatenate(dtype="float32")(features)


def _filled(values: keras.KerasTensor) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Put zeros where values are missing; return also where they are not, as numbers."""
    # tf2onnx 1.17 writes `where` as a sum of products, in which a NaN stays, unless its condition is an `isnan`.
    absent = ops.isnan(values)
    return ops.where(absent, 0.0, values), 1.0 - ops.cast(absent, "float32")


def apertures(x: keras.KerasTensor, sides: Sequence[int]) -> keras.KerasTensor:
    """Measure the mean brightness in concentric squares about the centre, standardised, ``(batch, sides * channels)``.

    The sides are in pixels; odd or even as the image's own, so that the squares share its centre. Larger ones than the
    image, which may be a crop, are left out.
    """
    measured = []
    for side in (side for side in sides if side <= x.shape[1]):
        inside = layers.Cropping2D((x.shape[1] - side) // 2, dtype="float32")(x)
        # One axis after the other: one long sum of float32 would lose two digits, and each engine others. Along the
        # columns first, many at once, is three times as fast.
        measured.append(ops.mean(ops.mean(inside, axis=1), axis=1))
    return within_reach(layers.Concatenate(dtype="float32")(measured))


def patch_blocks(x: keras.KerasTensor, patch: int, widths: Sequence[int]) -> keras.KerasTensor:
    """Cut an image into patches, mix them by inverted residual blocks (Sandler et al. 2018), average over the image.

    There is no batch normalisation, whose statistics cost more here than the convolutions: each block starts as the
    identity instead (Zhang et al. 2019, arXiv:1901.09321). Between them the blocks have twice the channels, but for the
    first, which has most of the places and so of the arithmetic.

    Parameters
    ----------
    x : KerasTensor, shape (batch, side, side, channels)
    patch : int
        Side of a patch, pixels.
    widths : sequence of int
        Channels of each stage; the resolution is halved between stages.

    Returns
    -------
    KerasTensor, shape (batch, widths[-1])
    """
    x = layers.Conv2D(widths[0], patch, strides=patch, kernel_initializer="he_normal")(x)
    for stage, width in enumerate(widths):
        if stage:
            x = layers.Conv2D(width, 2, strides=2, kernel_initializer="he_normal")(layers.ReLU()(x))
        y = layers.DepthwiseConv2D(3, padding="same", depthwise_initializer=depthwise_glorot(3))(x)
        y = layers.Conv2D(2 * width if stage else width, 1, activation="relu", kernel_initializer="he_normal")(y)
        y = layers.Conv2D(width, 1, kernel_initializer="zeros")(y)
        x = layers.Add()([x, y])
    return layers.GlobalAveragePooling2D()(layers.ReLU()(x))


def image_features(x: keras.KerasTensor, patch: int, sides: Sequence[int]) -> keras.KerasTensor:
    """Join aperture photometry and what convolutions see: float32 ``(batch, 64)``.

    Parameters
    ----------
    x, patch, sides
        As for `patch_blocks` and `apertures`.
    """
    photometry = dense(apertures(x, sides), (128, 128))
    return dense(layers.Concatenate(dtype="float32")([photometry, patch_blocks(x, patch, (32, 64, 128))]), (64,))


def shape_and_brightness(x: keras.KerasTensor) -> tuple[keras.KerasTensor, keras.KerasTensor]:
    """Part the flux of spectra, ``(batch, points)``, from their brightness.

    Returns
    -------
    shape : KerasTensor of float32, shape (batch, points)
        Flux with mean 0 and standard deviation 1 within the spectrum, then standardised at each wavelength.
    brightness : KerasTensor of float32, shape (batch, 2)
        asinh of the mean and logarithm of the standard deviation, standardised.
    """
    mean, spread = ops.mean(x, axis=1, keepdims=True), ops.std(x, axis=1, keepdims=True)
    spread = ops.maximum(spread, SMALLEST_SPREAD)
    brightness = layers.Concatenate(dtype="float32")([ops.arcsinh(mean), ops.log(spread)])
    return within_reach((x - mean) / spread), within_reach(brightness)


def spectrum_features(x: keras.KerasTensor, narrow: int = 0) -> keras.KerasTensor:
    """Find lines and breaks of flux, ``(batch, points)``, by strided residual convolutions that keep where they are.

    Parameters
    ----------
    x : KerasTensor, shape (batch, points)
    narrow : int
        So many numbers say at last what each place of the spectrum holds, instead of 64: with 32 half of the weights
        behind the convolutions are spared; 0: no narrowing.

    Returns
    -------
    KerasTensor of float32, shape (batch, 64)
    """
    shape, brightness = shape_and_brightness(x)
    y = layers.Reshape((x.shape[1], 1))(shape)
    y = _residual(layers.Conv1D(32, 16, strides=8, padding="same", kernel_initializer="he_normal")(y))
    for _ in range(2):
        y = _residual(layers.Conv1D(64, 4, strides=4, kernel_initializer="he_normal")(layers.ReLU()(y)))
    if narrow:
        y = layers.Conv1D(narrow, 1, kernel_initializer="he_normal")(layers.ReLU()(y))
    flat = layers.Flatten()(layers.ReLU()(y))
    return dense(layers.Concatenate(dtype="float32")([flat, brightness]), (128, 64))


def _residual(y: keras.KerasTensor) -> keras.KerasTensor:
    """Add what two convolutions over five places see, at first nothing."""
    z, count = layers.ReLU()(y), y.shape[-1]
    z = layers.Conv1D(count, 5, padding="same", activation="relu", kernel_initializer="he_normal")(z)
    return layers.Add()([y, layers.Conv1D(count, 5, padding="same", kernel_initializer="zeros")(z)])
