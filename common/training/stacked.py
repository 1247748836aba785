"""Networks of the same layers as one that computes them all: their weights are stacked, their rows follow each other.

A row of a dense network is by itself: only what has weights, or draws by chance, must know whose row it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np

from common.backend import keras, tf
from common.networks.layers import layers_within

ops, SeedGenerator = keras.ops, keras.random.SeedGenerator


class NotStackableError(ValueError):
    """A layer of which the rows of several networks cannot be computed together."""


class _StackedDense(keras.layers.Layer):
    """Fully connected layers of several networks, on rows ``(networks * batch, features)``."""

    def __init__(self, peers: Sequence[keras.layers.Dense]):
        super().__init__(dtype=peers[0].dtype_policy)
        # In something that Keras does not look into: their weights are not this layer's.
        self.apart = SimpleNamespace(peers=list(peers))

    def build(self, shape: tuple[int, ...]) -> None:
        first, count = self.apart.peers[0], len(self.apart.peers)
        self.kernel = self.add_weight(shape=(count, *first.kernel.shape), name="kernel")
        # Of the kernel's rank, so that one factor per network fits both.
        self.bias = self.add_weight(shape=(count, 1, first.units), name="bias") if first.use_bias else None

    def call(self, rows: keras.KerasTensor) -> keras.KerasTensor:
        own = ops.reshape(rows, (len(self.apart.peers), -1, rows.shape[-1]))
        values = ops.matmul(own, self.kernel)
        if self.bias is not None:
            values += self.bias
        return ops.reshape(self.apart.peers[0].activation(values), (-1, self.apart.peers[0].units))

    def compute_output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        return (*shape[:-1], self.apart.peers[0].units)

    def read(self) -> None:
        """Take over the networks' weights."""
        self.kernel.assign(np.stack([np.asarray(peer.kernel) for peer in self.apart.peers]))
        if self.bias is not None:
            self.bias.assign(np.stack([np.asarray(peer.bias)[None] for peer in self.apart.peers]))

    def write(self) -> None:
        """Give them back."""
        for number, kernel in enumerate(np.asarray(self.kernel)):
            self.apart.peers[number].kernel.assign(kernel)
        if self.bias is not None:
            for number, bias in enumerate(np.asarray(self.bias)):
                self.apart.peers[number].bias.assign(bias[0])

    def penalties(self) -> tf.Tensor | float:
        """Compute the penalty on each network's kernel, ``(networks,)``; 0 where there is none."""
        penalty = self.apart.peers[0].kernel_regularizer
        return ops.stack([penalty(self.kernel[number]) for number in range(len(self.apart.peers))]) if penalty else 0.0


class _Apart(keras.layers.Layer):
    """Layers of several networks, each on its own rows: they hold statistics of other objects."""

    def __init__(self, peers: Sequence[keras.layers.Layer]):
        super().__init__(dtype=peers[0].dtype_policy)
        self.peers = list(peers)

    def call(self, rows: keras.KerasTensor) -> keras.KerasTensor:
        own = ops.split(rows, len(self.peers))
        return ops.concatenate([peer(part) for peer, part in zip(self.peers, own, strict=True)])

    def compute_output_spec(self, rows: keras.KerasTensor) -> keras.KerasTensor:
        return self.peers[0].compute_output_spec(rows)


def _equal(peers: Sequence[keras.layers.Layer]) -> bool:
    """Tell whether layers hold the same statistics."""
    first, *others = ([np.asarray(one) for one in peer.variables] for peer in peers)
    return all(np.array_equal(*pair) for other in others for pair in zip(first, other, strict=True))


class Stack:
    """Several networks as one.

    Parameters
    ----------
    networks : sequence of keras.Model
        Of the same layers, with one input.

    Attributes
    ----------
    model : keras.Model
        Takes the rows of the first network, then those of the second, and so on, ``(networks * batch, ...)``, and gives
        its answers in that order. Its trainable weights are its own: ``(networks, ...)``, of three axes.

    Raises
    ------
    NotStackableError
        If the layers differ, or have weights that this module cannot stack.
    """

    def __init__(self, networks: Sequence[keras.Model]):
        within = [list(layers_within(network)) for network in networks]
        kinds = [[(type(layer), [tuple(one.shape) for one in layer.variables]) for layer in found] for found in within]
        if any(other != kinds[0] for other in kinds):
            raise NotStackableError("networks of other layers or shapes")
        self._peers = {id(peers[0]): peers for peers in zip(*within, strict=True)}
        self._dense: list[_StackedDense] = []
        self.model = keras.models.clone_model(networks[0], clone_function=self._stacked, recursive=True)
        self.read()

    def _stacked(self, layer: keras.layers.Layer) -> keras.layers.Layer:
        peers = self._peers.get(id(layer))
        if type(layer) is keras.layers.Dense:
            self._dense.append(_StackedDense(peers))
            return self._dense[-1]
        # What is no layer, but an operation between them, has neither weights nor chance.
        if peers is None or not layer.variables:
            return layer
        if layer.trainable_variables:
            raise NotStackableError(f"a layer {type(layer).__name__} with weights of its own kind")
        # What draws by chance draws for each row.
        same = isinstance(getattr(layer, "generator", None) or getattr(layer, "seed_generator", None), SeedGenerator)
        return layer if same or _equal(peers) else _Apart(peers)

    def read(self) -> None:
        """Take over the networks' weights."""
        for layer in self._dense:
            layer.read()

    def write(self) -> None:
        """Give the networks their weights as they are now."""
        for layer in self._dense:
            layer.write()

    def penalties(self) -> tf.Tensor | float:
        """Compute the sum of the penalties on the weights of each network, ``(networks,)``; 0 where there are none."""
        return sum(layer.penalties() for layer in self._dense)


class _Rates(keras.optimizers.schedules.LearningRateSchedule):
    """Learning rates of several networks, ``(networks, 1, 1)``, each after as many steps as it has done."""

    def __init__(self, optimizers: Sequence[keras.optimizers.Optimizer], done: tf.Variable):
        super().__init__()
        self.rates, self.done = [optimizer._learning_rate for optimizer in optimizers], done

    def __call__(self, _step: tf.Tensor) -> tf.Tensor:
        pairs = zip(self.rates, tf.unstack(self.done), strict=True)
        found = [rate(done) if callable(rate) else ops.convert_to_tensor(rate) for rate, done in pairs]
        return ops.reshape(ops.stack([ops.cast(rate, "float32") for rate in found]), (-1, 1, 1))


def stacked_optimizer(
    optimizers: Sequence[keras.optimizers.Optimizer], done: tf.Variable
) -> keras.optimizers.Optimizer:
    """Make one optimizer for stacked weights out of those of each network.

    Parameters
    ----------
    optimizers : sequence of keras.optimizers.Optimizer
        Of one class, which changes each weight by itself; with learning rates, schedules and decays of their own.
    done : tf.Variable of int, shape (networks,)
        Steps that each network has done.
    """
    decays = [optimizer.weight_decay or 0.0 for optimizer in optimizers]
    own = {
        "learning_rate": _Rates(optimizers, done),
        "weight_decay": np.asarray(decays, np.float32).reshape(-1, 1, 1) if any(decays) else None,
    }
    return type(optimizers[0])(**(optimizers[0].get_config() | own))
