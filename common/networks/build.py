"""Build a *flat* network, which leads from its one input straight to its one output; of several, see `fused`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from common.backend import keras, tf
from common.networks.colour_terms import ColourTerms, with_terms
from common.networks.inputs import enter
from common.networks.layers import normalisations
from common.networks.parts import MEMBER
from common.outputs.kinds import kind_of
from sdss_gs.schema import Input, Output


def build_flat(
    item: Input,
    output: Output,
    shape: tuple[int, ...],
    features: Callable,
    name: str,
    stretch: str = "asinh",
    members: int = 1,
    terms: Sequence[ColourTerms] = (),
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
    members : int
        Of an ensemble: as many networks side by side, whose mean is the output (deep ensembles: Lakshminarayanan,
        Pritzel & Blundell 2017, NeurIPS 30, 6402).
    terms : sequence of ColourTerms
        Of magnitudes, what brings them to those that the features were learnt from, the first one first.

    Returns
    -------
    keras.Model
        Input ``{item.name: (batch, *shape)}``, output ``(batch, 1)`` or ``(batch, classes)``.
    """
    inputs = keras.Input(shape, dtype=item.dtype, name=item.name)
    entered = enter(item, with_terms(item, inputs, terms), stretch)
    if members == 1:
        return keras.Model({item.name: inputs}, kind_of(output).attach_head(features(entered)), name=name)
    own = [replace(output, name=f"{output.name}{MEMBER}{number}") for number in range(members)]
    answers = [kind_of(one).attach_head(features(entered)) for one in own]
    mean = keras.layers.Average(dtype="float32", name=output.name)(answers)
    return keras.Model({item.name: inputs}, mean, name=name)


def architecture(model: keras.Model) -> list[str]:
    """Describe a network, a line per layer: name, type, output shape, parameters."""
    lines = []
    for layer in model.layers:
        named = isinstance(layer.output, dict)
        shapes = [f"{key} {one.shape}" for key, one in layer.output.items()] if named else [str(layer.output.shape)]
        lines.append(f"{layer.name:<24}{type(layer).__name__:<18}{', '.join(shapes):<28}{layer.count_params():>12,}")
    return lines


def adapt_normalisation(model: keras.Model, chunks: tf.data.Dataset) -> None:
    """Set the statistics of the model's `Normalization` layers from chunks of its input, ``(m, *shape)``."""
    for layer in normalisations(model):
        # What it sees may be derived from the input, as colours are from magnitudes.
        before = keras.Model(model.inputs, layer.input)
        if keras.backend.backend() == "tensorflow":
            layer.adapt(chunks.map(lambda values, before=before: before([values])))
        else:
            layer.adapt(before([values]) for values in chunks.as_numpy_iterator())
