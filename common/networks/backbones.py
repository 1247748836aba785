"""Image networks that any model folder can use instead of its own: `keras.applications`, a small one, a transformer."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

from common.backend import keras
from common.networks.layers import dense_stack
from sdss_gs.errors import OptionError
from sdss_gs.locate import as_typed

layers, ops = keras.layers, keras.ops
BACKBONE_HEADS = ("light", "deep")
COLOURS = ("rgb", "grey")
NO_WEIGHTS, IMAGENET = "none", "imagenet"
DEEP_HEAD = (1024, 1024, 512)
LIGHT_DROPOUT, SMALL_DROPOUT = 0.3, 0.5
SMALL_STEM, SMALL_WIDTHS = 32, (64, 128, 256)
PATCH, TOKEN, BLOCKS, ATTENTION_HEADS = 15, 96, 4, 4
"""The transformer's patches, pixels; numbers per patch; blocks; heads of each."""
TORCH_MEAN, TORCH_SPREAD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's photographs, by channel, between 0 and 1."""
CAFFE_MEAN = (103.939, 116.779, 123.68)
"""The same between 0 and 255, blue first."""
SCALINGS = {
    "tf": (2.0, -1.0),
    "caffe": (255.0, [-mean for mean in CAFFE_MEAN]),
    "torch": (
        [1 / spread for spread in TORCH_SPREAD],
        [-mean / spread for mean, spread in zip(TORCH_MEAN, TORCH_SPREAD, strict=True)],
    ),
}
"""Factor and shift that make of pixels between 0 and 1 what networks were trained on: -1 to 1; less the mean, up to
255; standardised by channel."""


@dataclass(frozen=True)
class Backbone:
    """A network of `keras.applications`: name there, key of `SCALINGS`, smallest image side (pixels), options."""

    function: str
    scaling: str
    smallest: int = 32
    options: dict = field(default_factory=dict)


BARE = {"include_preprocessing": False}
"""Scaled once, here: Keras' own layer for it would be adapted to the galaxies like any `Normalization`."""
APPLICATIONS = {
    "mobilenet": Backbone("MobileNet", "tf"),
    "resnet50": Backbone("ResNet50", "caffe"),
    "resnet152": Backbone("ResNet152", "caffe"),
    "vgg16": Backbone("VGG16", "caffe"),
    "vgg19": Backbone("VGG19", "caffe"),
    "xception": Backbone("Xception", "tf", 71),
    "densenet121": Backbone("DenseNet121", "torch"),
    "efficientnetv2b0": Backbone("EfficientNetV2B0", "torch", options=BARE),
    "convnext_tiny": Backbone("ConvNeXtTiny", "torch", options=BARE),
}


def view(x: keras.KerasTensor, crop: int = 0, colour: str = "rgb") -> keras.KerasTensor:
    """Look at the middle of images, ``(batch, side, side, channels)``, or at their mean over the channels, only.

    Parameters
    ----------
    x : KerasTensor
    crop : int
        Side of the middle, pixels; 0 for all.
    colour : str
        ``rgb`` or ``grey``.

    Raises
    ------
    OptionError
        If there is no such middle.
    """
    side = x.shape[1]
    if crop and (crop > side or (side - crop) % 2):
        parity = "an even" if side % 2 == 0 else "an odd"
        raise OptionError(f"crop: expected {parity} number of pixels up to {side}, the image's side, found {crop}")
    if crop and crop < side:
        x = layers.Cropping2D((side - crop) // 2)(x)
    return ops.mean(x, axis=-1, keepdims=True) if colour == "grey" else x


def preprocess(name: str, x: keras.KerasTensor) -> keras.KerasTensor:
    """Scale pixels between 0 and 1 as a network of `APPLICATIONS` was trained, three channels, large enough."""
    kind = APPLICATIONS[name]
    if x.shape[-1] == 1:
        x = layers.Concatenate()([x, x, x])
    if x.shape[1] < kind.smallest:
        x = layers.Resizing(kind.smallest, kind.smallest)(x)
    if kind.scaling == "caffe":
        # Blue first.
        x = ops.flip(x, -1)
    return layers.Rescaling(*SCALINGS[kind.scaling], dtype="float32")(x)


def application(name: str, shape: tuple[int, ...], weights: str = NO_WEIGHTS) -> keras.Model:
    """Make a network of `APPLICATIONS` without its top.

    Parameters
    ----------
    name : str
    shape : tuple of int
        Of its input, three channels.
    weights : str
        ``none``; ``imagenet``, which Keras downloads once; or a file of weights of the same network without its top.

    Raises
    ------
    OptionError
        If the weights cannot be had.
    """
    kind = APPLICATIONS[name]
    make = partial(getattr(keras.applications, kind.function), include_top=False, input_shape=shape, **kind.options)
    if weights == NO_WEIGHTS:
        return make(weights=None)
    if weights != IMAGENET:
        weights = str(as_typed(weights))
    try:
        with warnings.catch_warnings():
            # MobileNet says that its weights are those of 224 pixels, which is the only kind for most networks.
            warnings.simplefilter("ignore")
            return make(weights=weights)
    except Exception as error:  # Keras' loader raises anything, down to a bare Exception for a failed download.
        wanted = f"weights: expected weights of {name} ({weights}); weights=none begins with random ones"
        raise OptionError(f"{wanted}; found {' '.join(str(error).split())[:200]}") from None


def small(x: keras.KerasTensor) -> keras.KerasTensor:
    """See images through four blocks of convolution and normalisation, each at half the side; ``(batch, 256)`` means.

    The first halves by its stride: at full size, batch normalisation would cost more than all convolutions.
    """
    x = normalised(x, SMALL_STEM, 5, strides=2)
    x = layers.GlobalAveragePooling2D()(normalised_blocks(x, SMALL_WIDTHS))
    return layers.Dropout(SMALL_DROPOUT)(x)


def normalised(x: keras.KerasTensor, count: int, size: int, strides: int = 1) -> keras.KerasTensor:
    """Convolve, normalise by batch, and keep what is positive.

    Parameters
    ----------
    x : keras.KerasTensor
    count, size, strides : int
        Of the convolution: filters, side of the kernel, step.
    """
    x = layers.Conv2D(count, size, strides, padding="same", use_bias=False, kernel_initializer="he_normal")(x)
    # Few galaxies are few steps: at Keras' momentum of 0.99 the statistics would be those of long ago.
    return layers.ReLU()(layers.BatchNormalization(momentum=0.9)(x))


def normalised_blocks(x: keras.KerasTensor, filters: Sequence[int]) -> keras.KerasTensor:
    """Stack blocks of a 3×3 `normalised` convolution, of so many filters each, and a 2×2 maximum: half the side."""
    for count in filters:
        x = layers.MaxPooling2D(2)(normalised(x, count, 3))
    return x


def transformer(x: keras.KerasTensor) -> keras.KerasTensor:
    """See patches of images attend to each other (Dosovitskiy et al. 2021, arXiv:2010.11929): ``(batch, 96)``."""
    x = layers.Conv2D(TOKEN, PATCH, strides=PATCH)(x)
    count = x.shape[1] * x.shape[2]
    # A bias of its own for each patch says where it lies.
    x = layers.EinsumDense("btc,cd->btd", (count, TOKEN), bias_axes="td")(layers.Reshape((count, TOKEN))(x))
    for _ in range(BLOCKS):
        seen = layers.LayerNormalization()(x)
        x = layers.Add()([x, layers.MultiHeadAttention(ATTENTION_HEADS, TOKEN // ATTENTION_HEADS)(seen, seen)])
        mixed = layers.Dense(2 * TOKEN)(layers.LayerNormalization()(x))
        x = layers.Add()([x, layers.Dense(TOKEN)(_gelu(mixed))])
    return layers.GlobalAveragePooling1D()(layers.LayerNormalization()(x))


def _gelu(x: keras.KerasTensor) -> keras.KerasTensor:
    """Weigh values by the normal distribution (Hendrycks & Gimpel 2016, arXiv:1606.08415).

    Keras' own uses erfc on TensorFlow, which ONNX lacks: the network would have no light form.
    """
    return x * 0.5 * (1 + keras.ops.erf(x / math.sqrt(2)))


OWN = {"small": small, "vit": transformer}
BACKBONES = ("none", *OWN, *APPLICATIONS)


def image_features(
    own: Callable,
    backbone: str = "none",
    weights: str = NO_WEIGHTS,
    head: str = "light",
    crop: int = 0,
    colour: str = "rgb",
) -> Callable:
    """Choose what sees the images.

    Parameters
    ----------
    own : callable
        The model folder's function, for ``backbone=none``.
    backbone, weights, head, crop, colour
        As the options.

    Returns
    -------
    callable
        Takes images between 0 and 1, ``(batch, side, side, channels)``, and returns features ``(batch, n)``.
    """

    def features(x: keras.KerasTensor) -> keras.KerasTensor:
        x = view(x, crop, colour)
        if backbone not in APPLICATIONS:
            try:
                return OWN.get(backbone, own)(x)
            except ValueError:
                if not crop:
                    raise
                raise OptionError(f"crop: expected more pixels for this network, found {crop}") from None
        x = preprocess(backbone, x)
        x = application(backbone, tuple(x.shape[1:]), weights)(x)
        x = layers.GlobalAveragePooling2D()(x)
        return dense_stack(x, DEEP_HEAD) if head == "deep" else layers.Dropout(LIGHT_DROPOUT)(x)

    return features
