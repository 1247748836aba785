"""Building blocks that several models share."""

from __future__ import annotations

from collections.abc import Sequence

from .backend import keras

layers = keras.layers


def _depthwise_glorot(size: int) -> keras.initializers.Initializer:
    """Glorot's uniform initialisation (Glorot & Bengio 2010) for a depthwise kernel: size² inputs, size² outputs.

    Keras counts all channels as inputs of each depthwise filter, although it sees one: signals then shrink by the
    square root of the channels at each layer, and networks of four such layers learn nothing but the mean.
    """
    limit = (6 / (2 * size**2)) ** 0.5
    return keras.initializers.RandomUniform(-limit, limit)


def separable_blocks(x: keras.KerasTensor, filters: Sequence[int]) -> keras.KerasTensor:
    """Stack blocks of a 3×3 separable convolution (valid padding, ReLU) and 2×2 max-pooling.

    Parameters
    ----------
    x : KerasTensor, shape (batch, height, width, channels)
    filters : sequence of int
        Filters of each block.

    Returns
    -------
    KerasTensor, shape (batch, height', width', filters[-1])
        Each block takes 2 pixels off a side and then halves it.
    """
    for count in filters:
        x = layers.SeparableConv2D(count, 3, activation="relu", depthwise_initializer=_depthwise_glorot(3))(x)
        x = layers.MaxPooling2D(2)(x)
    return x


def dense_stack(x: keras.KerasTensor, units: Sequence[int]) -> keras.KerasTensor:
    """Stack fully connected ReLU layers.

    Parameters
    ----------
    x : KerasTensor, shape (batch, features)
    units : sequence of int
        Width of each layer.

    Returns
    -------
    KerasTensor, shape (batch, units[-1])
    """
    for count in units:
        x = layers.Dense(count, activation="relu")(x)
    return x


def standardise(x: keras.KerasTensor) -> keras.KerasTensor:
    """Subtract each feature's mean and divide by its standard deviation.

    The statistics are those of the training objects: the training core adapts every `Normalization` layer before the
    first epoch, and they are saved inside the model.

    Parameters
    ----------
    x : KerasTensor, shape (batch, features)

    Returns
    -------
    KerasTensor, shape (batch, features)
    """
    return layers.Normalization(dtype="float32")(x)
