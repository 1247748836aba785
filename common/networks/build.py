"""Build a network: inputs, a model folder's features, and the outputs' heads."""

from __future__ import annotations

from collections.abc import Callable

from common.backend import keras, tf
from common.networks.inputs import enter
from common.networks.layers import normalisations
from common.outputs.kinds import kind_of
from sdss_gs.schema import Input, Output


def build(
    item: Input, output: Output, shape: tuple[int, ...], features: Callable, name: str, stretch: str = "asinh"
) -> keras.Model:
    """Put input, a model folder's features and the output's head together.

    Parameters
    ----------
    item, output : Input, Output
    shape : tuple of int
        Shape of one object, as the data set has it.
    features : callable
        The model folder's function.
    name : str
    stretch : str
        See `inputs.enter`.

    Returns
    -------
    keras.Model
        Input ``{item.name: (batch, *shape)}``, output ``(batch, 1)`` or ``(batch, classes)``.
    """
    inputs = keras.Input(shape, dtype=item.dtype, name=item.name)
    last = kind_of(output).attach_head(features(enter(item, inputs, stretch)))
    return keras.Model({item.name: inputs}, last, name=name)


def architecture(model: keras.Model) -> list[str]:
    """Describe a network, a line per layer: name, type, output shape, parameters."""

    def shape(layer: keras.layers.Layer) -> str:
        return (
            ", ".join(f"{key} {one.shape}" for key, one in layer.output.items())
            if isinstance(layer.output, dict)
            else str(layer.output.shape)
        )

    return [
        f"{layer.name:<24}{type(layer).__name__:<18}{shape(layer):<28}{layer.count_params():>12,}"
        for layer in model.layers
    ]


def adapt_normalisation(model: keras.Model, chunks: tf.data.Dataset) -> None:
    """Set the statistics of the model's `Normalization` layers from the training objects.

    Parameters
    ----------
    chunks : tf.data.Dataset
        Arrays ``(m, *shape)`` that together are the inputs of the training objects.
    """
    for layer in normalisations(model):
        # What it sees may be derived from the input, as colours are from magnitudes.
        before = keras.Model(model.inputs, layer.input)
        if keras.backend.backend() == "tensorflow":
            layer.adapt(chunks.map(lambda values, before=before: before([values])))
        else:
            layer.adapt(before([values]) for values in chunks.as_numpy_iterator())
