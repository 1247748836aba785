"""The same function by other operations, where TensorFlow's own are slow on a CPU while a network trains.

Which those are, and by how much: docs/measured/profile.md. Nothing here is stored: the network keeps its layers, whose
variables are used.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from common.backend import keras, tf

layers, ops = keras.layers, keras.ops
MONOTONE = (keras.activations.relu, keras.activations.linear)
"""Activations that may as well come after a maximum."""
WIDE = 2**15
"""Inputs of a dense layer from which on its gradients are faster by way of a transposed matrix."""


class Rewritten(layers.Layer):
    """Computes a layer's function of that layer's variables.

    Parameters
    ----------
    layer : keras.layers.Layer
    compute : callable
        Takes what the layer takes, and gives what the layer gives.
    """

    def __init__(self, layer: layers.Layer, compute: Callable[[tf.Tensor], tf.Tensor]):
        super().__init__(name=layer.name, dtype=layer.dtype_policy)
        self.layer, self.compute = layer, compute

    def build(self, _shape: tuple) -> None:
        """Make nothing: the layer has its variables."""

    def call(self, x: keras.KerasTensor) -> keras.KerasTensor:
        """Return what the layer returns."""
        return self.compute(ops.convert_to_tensor(x))


def rewritten(network: keras.Model) -> keras.Model:
    """Make the model that trains a network faster on a CPU, by TensorFlow's graph.

    Parameters
    ----------
    network : keras.Model

    Returns
    -------
    keras.Model
        Shares the network's layers and variables, and differs from it by the rounding of float32. The network itself
        where nothing is to be gained.
    """
    computes, pools = {}, set()
    for layer in network.layers:
        pool = _pool_behind(layer, network)
        if compute := _compute_of(layer, pool):
            computes[layer.name] = partial(compute, layer, pool)
            pools |= {pool.name} if pool else set()
    if not computes:
        return network

    def call(layer: layers.Layer, *values: object, **options: object) -> object:
        if layer.name in pools:
            return values[0]
        compute = computes.get(layer.name)
        return Rewritten(layer, compute)(*values) if compute else layer(*values, **options)

    return keras.models.clone_model(network, clone_function=lambda layer: layer, call_function=call)


def _compute_of(layer: layers.Layer, pool: layers.Layer | None) -> Callable | None:
    """Choose what computes a layer, and the maximum behind it, faster than they themselves."""
    if len(layer._inbound_nodes) != 1:
        # What is called twice may have a maximum behind it once.
        return None
    if type(layer) is layers.Dense and len(layer.input.shape) == 2 and layer.kernel.shape[0] >= WIDE:
        return _dense
    if type(layer) not in (layers.Conv2D, layers.SeparableConv2D) or not layer.use_bias:
        return None
    plain = (
        layer.data_format == "channels_last" and getattr(layer, "groups", 1) == 1 and set(layer.dilation_rate) == {1}
    )
    pointwise = type(layer) is layers.SeparableConv2D or set(layer.kernel_size + layer.strides) == {1}
    return _convolution if plain and (pointwise or pool) else None


def _pool_behind(layer: layers.Layer, network: keras.Model) -> layers.Layer | None:
    """Return the maximum that alone sees a layer, if it may come before the layer's bias and activation."""
    if getattr(layer, "activation", None) not in MONOTONE:
        return None
    seen = [one for one in network.operations if any(x is layer.output for x in keras.tree.flatten(one.input))]
    alone = len(seen) == 1 and not any(x is layer.output for x in network.outputs)
    return seen[0] if alone and type(seen[0]) is layers.MaxPooling2D else None


def _convolution(layer: layers.Layer, pool: layers.Layer | None, x: tf.Tensor) -> tf.Tensor:
    """Convolve, with what is pointwise as a product of matrices; then the maximum, on all of it; then the rest.

    Of a bias right behind a convolution TensorFlow makes one operation with the gradient of the kernel, of which it
    takes up to ten times as long.
    """
    rest = partial(_bias_and_activation, layer)
    behind = (lambda y: y) if pool else rest
    if type(layer) is layers.SeparableConv2D:
        x = ops.depthwise_conv(x, layer.depthwise_kernel, layer.strides, layer.padding)
        y = _pointwise(x, layer.pointwise_kernel, behind)
    elif set(layer.kernel_size) == {1}:
        y = _pointwise(x, layer.kernel, behind)
    else:
        y = behind(ops.conv(x, layer.kernel, layer.strides, layer.padding))
    return rest(pool(y)) if pool else y


def _pointwise(x: tf.Tensor, kernel: keras.Variable, behind: Callable[[tf.Tensor], tf.Tensor]) -> tf.Tensor:
    channels, filters = kernel.shape[-2:]
    product = ops.matmul(ops.reshape(x, (-1, channels)), ops.reshape(kernel, (channels, filters)))
    # TensorFlow makes one operation of a product, a bias and an activation, if nothing is between them.
    return ops.reshape(behind(product), (-1, *x.shape[1:-1], filters))


def _bias_and_activation(layer: layers.Layer, y: tf.Tensor) -> tf.Tensor:
    y = tf.nn.bias_add(y, ops.convert_to_tensor(layer.bias)) if layer.use_bias else y
    return layer.activation(y)


def _dense(layer: layers.Layer, _pool: None, x: tf.Tensor) -> tf.Tensor:
    return _bias_and_activation(layer, _wide_product(x, ops.convert_to_tensor(layer.kernel)))


@tf.custom_gradient
def _wide_product(x: tf.Tensor, kernel: tf.Tensor) -> tuple[tf.Tensor, Callable]:
    def gradients(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        of_x = tf.transpose(tf.matmul(kernel, upstream, transpose_b=True))
        return of_x, tf.matmul(tf.transpose(x), upstream)

    return tf.matmul(x, kernel), gradients
