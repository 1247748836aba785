"""Building blocks that several models share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from common.backend import keras

layers = keras.layers


def depthwise_glorot(size: int) -> keras.initializers.Initializer:
    """Glorot's uniform initialisation (Glorot & Bengio 2010) for a depthwise kernel: size² inputs, size² outputs.

    Keras counts all channels as inputs of each depthwise filter, although it sees one: signals then shrink by the
    square root of the channels at each layer, and networks of four such layers learn nothing but the mean.
    """
    limit = (6 / (2 * size**2)) ** 0.5
    return keras.initializers.RandomUniform(-limit, limit)


def separable_blocks(x: keras.KerasTensor, filters: Sequence[int], repeat: int = 1) -> keras.KerasTensor:
    """Stack blocks of 3×3 separable convolutions (valid padding, ReLU) and 2×2 max-pooling.

    Parameters
    ----------
    x : KerasTensor, shape (batch, height, width, channels)
    filters : sequence of int
        Filters of each block.
    repeat : int
        Convolutions per block.

    Returns
    -------
    KerasTensor, shape (batch, height', width', filters[-1])
        Each convolution takes 2 pixels off a side, each block then halves it.
    """
    for count in filters:
        for _ in range(repeat):
            x = layers.SeparableConv2D(count, 3, activation="relu", depthwise_initializer=depthwise_glorot(3))(x)
        x = layers.MaxPooling2D(2)(x)
    return x


def spectral_blocks(x: keras.KerasTensor, filters: Sequence[int]) -> keras.KerasTensor:
    """Stack blocks of two convolutions over three points (valid padding, ReLU) and a maximum over two, stride 1.

    Each block, of so many filters, takes 5 points off: ``(batch, points)`` becomes ``(batch, points', filters[-1])``.
    """
    x = layers.Reshape((x.shape[1], 1))(x)
    for count in filters:
        for _ in range(2):
            x = layers.Conv1D(count, 3, activation="relu")(x)
        x = layers.MaxPooling1D(2, strides=1)(x)
    return x


def dense_stack(
    x: keras.KerasTensor, units: Sequence[int], dropout: float = 0.0, decay: float = 0.0
) -> keras.KerasTensor:
    """Stack fully connected ReLU layers.

    Parameters
    ----------
    x : KerasTensor, shape (batch, features)
    units : sequence of int
        Width of each layer.
    dropout : float
        Share of values dropped after each layer; 0 adds no dropout layer.
    decay : float
        Factor of the L2 penalty on each layer's kernel.
    """
    penalty = keras.regularizers.L2(decay) if decay else None
    for count in units:
        x = layers.Dense(count, activation="relu", kernel_regularizer=penalty)(x)
        if dropout:
            x = layers.Dropout(dropout)(x)
    return x


def normalisations(model: keras.Model) -> Iterator[keras.layers.Normalization]:
    """List the layers that hold statistics of the training objects, those of models inside the model included."""
    return (layer for layer in layers_within(model) if isinstance(layer, layers.Normalization))


def layers_within(model: keras.Model) -> Iterator[keras.layers.Layer]:
    """List the layers of a model, of models inside it theirs."""
    for layer in model.layers:
        if isinstance(layer, keras.Model):
            yield from layers_within(layer)
        else:
            yield layer


def standardise(x: keras.KerasTensor) -> keras.KerasTensor:
    """Subtract each feature's mean, ``(batch, features)``, and divide by its standard deviation.

    The statistics are those of the training objects: the training core adapts every `Normalization` layer before the
    first epoch, and they are saved inside the model.
    """
    return layers.Normalization(dtype="float32")(x)
