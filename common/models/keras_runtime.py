"""A stored network, run by Keras."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from common.backend import keras, tf
from common.models.described import MODEL_FILE
from common.models.running import FEATURES, KERAS, Arrays, Steps, in_steps
from common.models.serving import bare_network
from common.networks.parts import decider_of, encoder_of, is_flat, member_outputs
from common.outputs.kinds import kind_of
from sdss_gs.schema import Input, Output

STEPS = Steps(rows=8192, numbers=256, others=64)
"""What is fastest on two cores: TensorFlow divides each step among them."""


@dataclass(frozen=True)
class KerasRuntime:
    """Runs a network by Keras; a `Runtime`.

    Parameters
    ----------
    network : keras.Model
        As it is stored, see `serving.serving_network`.
    outputs : tuple of Output
    """

    network: keras.Model
    outputs: tuple[Output, ...]
    name = KERAS

    @property
    def flat(self) -> bool:
        """Whether the network leads from one input straight to one output."""
        return is_flat(self.network)

    @property
    def layer(self) -> str:
        """Name of the layers that feed the heads."""
        fed, operations = fed_heads(self.network, self.outputs), bare_network(decider_of(self.network)).operations
        return "|".join(next(layer.name for layer in operations if layer.output is one) for one in fed)

    @cached_property
    def headless(self) -> keras.Model:
        """The network without what `serving_network` put around it and without its heads."""
        network, fed = bare_network(decider_of(self.network)), fed_heads(self.network, self.outputs)
        return keras.Model(network.input, joined(fed))

    @property
    def features_width(self) -> int:
        """How many features feed the heads."""
        return self.headless.output.shape[1]

    def shape(self, item: Input) -> tuple[int, ...]:
        """Return the shape of one object of an input that is no table."""
        return tuple(self.network.input[item.name].shape[1:])

    def encode(self, item: Input, values: np.ndarray) -> np.ndarray:
        """Run the encoder of an input."""
        encoder = encoder_of(self.network, item)
        return in_steps(lambda seen: {"": predicted(encoder, seen[""])}, {"": values}, (item,), STEPS)[""]

    def width(self, item: Input) -> int:
        """Return how many features an encoder gives."""
        return encoder_of(self.network, item).output.shape[1]

    def answer(self, view: Arrays, items: Sequence[Input]) -> dict[str, np.ndarray]:
        """Run what is behind the encoders, of a flat network all of it."""
        decider = decider_of(self.network)

        def answers(seen: dict[str, np.ndarray]) -> Mapping[str, np.ndarray]:
            said = predicted(decider, seen)
            return {self.outputs[0].name: said} if self.flat else said

        return in_steps(answers, view, items, STEPS)

    def features(self, view: Arrays, items: Sequence[Input]) -> np.ndarray:
        """Return what feeds the heads."""
        if self.flat and items[0].columns:
            view = {items[0].name: np.stack([view[column] for column in items[0].columns], axis=-1)}
        network = self.headless
        return in_steps(lambda seen: {FEATURES: predicted(network, seen)}, view, items, STEPS)[FEATURES]

    def files(self) -> dict[str, bytes]:
        """Write the file from which it can be opened again."""
        with TemporaryDirectory(prefix="zoo-keras-") as folder, warnings.catch_warnings():
            # What Keras' saving calls is deprecated by numpy.
            warnings.simplefilter("ignore", DeprecationWarning)
            path = Path(folder) / MODEL_FILE
            self.network.save(path)
            return {MODEL_FILE: path.read_bytes()}


def predicted(network: keras.Model, seen: np.ndarray | Arrays) -> np.ndarray | Arrays:
    """Run a network on some objects, by what is traced once for any number of them.

    Keras would trace it for the first number, and once more for any as soon as there is another.
    """
    if keras.backend.backend() == "tensorflow" and network.predict_function is None:
        network.make_predict_function()
        any_number = keras.tree.map_structure(lambda one: tf.TensorSpec((None, *one.shape[1:]), one.dtype), seen)
        network.predict_function.get_concrete_function([(any_number,)])
    # Not `predict`, which sets up so much around the steps that it takes up to five times as long.
    return network.predict_on_batch(seen)


def fed_heads(network: keras.Model, outputs: Sequence[Output]) -> list[keras.KerasTensor]:
    """List what feeds the head of each output, of each member of an ensemble, ``(batch, m)``."""
    bare = bare_network(decider_of(network))
    return [kind_of(one).head_of(bare).input for output in outputs for one in member_outputs(bare, output)]


def joined(features: Sequence[keras.KerasTensor]) -> keras.KerasTensor:
    """Put features side by side."""
    # Keras counts names anew in each process, and one that a stored network has cannot be there twice.
    join = keras.layers.Concatenate(dtype="float32", name="joined_features")
    return join(features) if len(features) > 1 else features[0]
