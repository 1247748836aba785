"""The operations that train on a CPU: function and gradients are those of Keras' layers, of the same variables."""

import numpy as np
import pytest
from conftest import ROOT
from helpers.folders import architectures_of

from common.backend import keras, tf
from common.networks.build import build_flat
from common.networks.layers import dense_stack
from common.networks.rewritten import Rewritten, rewritten
from common.networks.training_wrappers import training_model
from common.project import read_project

layers = keras.layers
SMALLER = {"img": (62, 62, 3), "fits": (61, 61, 5), "spectra": (3522,)}
"""Shapes; those of spectra as they are: what is rewritten there is a very wide layer."""


def randomly(network):
    """Give every variable a value, so that all gradients count: some layers begin at zero."""
    random = np.random.default_rng(1)
    for variable in network.trainable_variables:
        variable.assign(np.asarray(variable) + random.normal(0, 0.03, variable.shape))
    return network


def objects(item, shape, count=5):
    random = np.random.default_rng(2)
    high = 255 if item.name == "img" else 3
    return {item.name: random.uniform(0, high, (count, *shape)).astype(item.dtype)}


def answers_and_gradients(model, variables, inputs):
    @tf.function
    def step():
        with tf.GradientTape() as tape:
            answers = model(inputs, training=True)
            loss = sum(tf.reduce_mean(tf.sin(one)) for one in keras.tree.flatten(answers)) + sum(model.losses)
        return keras.tree.flatten(answers), tape.gradient(loss, variables)

    return [[one.numpy() for one in found] for found in step()]


def assert_same(network, inputs, tolerance=1e-4):
    """Compare a network with what trains it, each gradient by its largest value."""
    model = rewritten(network)
    assert model is not network
    assert [id(one) for one in model.trainable_variables] == [id(one) for one in network.trainable_variables]
    assert [one.shape for one in model.variables] == [one.shape for one in network.variables]
    variables = [one.value for one in network.trainable_variables]
    (expected, slopes), (found, other) = (answers_and_gradients(one, variables, inputs) for one in (network, model))
    for one, two in zip(expected + slopes, found + other, strict=True):
        assert np.abs(one).max() > 0
        np.testing.assert_allclose(two, one, rtol=0, atol=tolerance * np.abs(one).max())
    return model


@pytest.mark.parametrize(
    ("name", "architecture"),
    [("i2r", "reference"), ("i2r", "fast"), ("f2r", "reference"), ("f2r", "fast"), ("s2r", "reference")],
)
def test_network_computes_and_learns_the_same(name, architecture):
    project = read_project(ROOT / name)
    shape, features = SMALLER[project.input.name], architectures_of(name)[architecture]
    keras.utils.set_random_seed(0)
    network = randomly(build_flat(project.input, project.output, shape, features, name))
    assert_same(network, objects(project.input, shape))


def test_members_of_an_ensemble_learn_the_same():
    project = read_project(ROOT / "f2r")
    shape, features = SMALLER["fits"], architectures_of("f2r")["reference"]
    network = randomly(build_flat(project.input, project.output, shape, features, "f2r", members=2))
    assert_same(network, objects(project.input, shape))
    expected, found = (training_model(network, rewrite=rewrite) for rewrite in (False, True))
    assert found.output.shape == (None, 2, 1)
    inputs = objects(project.input, shape)
    np.testing.assert_allclose(found(inputs), expected(inputs), rtol=1e-4, atol=1e-5)


def test_network_of_dense_layers_is_trained_as_it_is():
    project = read_project(ROOT / "b2r")
    network = build_flat(project.input, project.output, (5,), architectures_of("b2r")["reference"], "b2r")
    assert rewritten(network) is network


def test_what_surrounds_a_network_while_it_trains_sees_the_rewritten_one():
    item = read_project(ROOT / "f2r").input
    network = convolved(layers.Conv2D(4, 1, activation="relu"), layers.MaxPooling2D(2), item.name)
    inputs = {item.name: numbers()["x"][:, :8]}
    model = training_model(network, "dihedral", rewrite=True)
    np.testing.assert_allclose(model(inputs), network(inputs), rtol=1e-5, atol=1e-6)
    inner = next(layer for layer in model.layers if isinstance(layer, keras.Model))
    assert any(isinstance(layer, Rewritten) for layer in inner.layers)


def convolved(convolution, behind, name="x"):
    inputs = keras.Input((9 if name == "x" else 8, 8, 2), name=name)
    return randomly(keras.Model({name: inputs}, layers.Flatten()(behind(convolution(inputs)))))


def numbers():
    return {"x": np.random.default_rng(0).normal(0, 1, (4, 9, 8, 2)).astype(np.float32)}


@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("strides", [1, 2])
@pytest.mark.parametrize("activation", ["relu", "linear", "tanh", "gelu"])
def test_any_separable_convolution_and_the_maximum_behind_it(padding, strides, activation):
    convolution = layers.SeparableConv2D(6, 3, strides, padding, depth_multiplier=2, activation=activation)
    assert_same(convolved(convolution, layers.MaxPooling2D(2, padding=padding)), numbers())


def test_convolution_of_several_pixels_is_rewritten_only_with_a_maximum_behind_it():
    assert_same(convolved(layers.Conv2D(4, 3, activation="relu"), layers.MaxPooling2D(2)), numbers())
    network = convolved(layers.Conv2D(4, 3, activation="relu"), layers.AveragePooling2D(2))
    assert rewritten(network) is network


def test_maximum_stays_behind_an_activation_that_others_see():
    inputs = keras.Input((9, 8, 2), name="x")
    seen = layers.Conv2D(4, 1, activation="relu")(inputs)
    parts = [layers.Flatten()(one) for one in (layers.MaxPooling2D(2)(seen), keras.ops.exp(seen))]
    assert_same(randomly(keras.Model({"x": inputs}, layers.Concatenate()(parts))), numbers())
    assert_same(randomly(keras.Model({"x": inputs}, {"one": parts[0], "two": seen})), numbers())


def test_layer_that_is_called_twice_stays_as_it_is():
    inputs = keras.Input((9, 8, 2), name="x")
    one = layers.Conv2D(2, 1, activation="relu")
    network = keras.Model({"x": inputs}, one(layers.MaxPooling2D(2)(one(inputs))))
    assert rewritten(network) is network


def test_penalty_on_weights_counts_once():
    inputs = keras.Input((9, 8, 2), name="x")
    x = layers.Conv2D(4, 1, activation="relu", kernel_regularizer="l2")(inputs)
    network = randomly(keras.Model({"x": inputs}, dense_stack(layers.Flatten()(x), (3,), decay=0.1)))
    assert_same(network, numbers())
    found, expected = (float(sum(model.losses)) for model in (rewritten(network), network))
    assert found == pytest.approx(expected)


def test_frozen_layer_stays_frozen():
    network = convolved(layers.Conv2D(4, 1), layers.MaxPooling2D(2))
    network.layers[1].trainable = False
    assert rewritten(network).trainable_variables == []


def test_half_precision_is_kept():
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        network = convolved(layers.SeparableConv2D(6, 3, activation="relu"), layers.MaxPooling2D(2))
    finally:
        keras.config.set_dtype_policy("float32")
    model = assert_same(network, numbers(), tolerance=0.05)
    assert model(numbers()).dtype == tf.bfloat16
