"""The networks, their blocks and their heads."""

import importlib.util

import numpy as np
import pytest
from conftest import ROOT
from helpers.folders import PARAMETERS, architectures_of

from common.backend import keras, tf
from common.networks.build import build_flat
from common.networks.inputs import enter
from common.networks.layers import dense_stack, separable_blocks, spectral_blocks, standardise
from common.project import read_project
from sdss_gs.schema import INPUTS, OUTPUTS


@pytest.mark.parametrize(("name", "count"), PARAMETERS.items())
def test_network_has_the_predecessors_parameters(name, count):
    project = read_project(ROOT / name)
    model = build_flat(project.input, project.output, project.input.shape, architectures_of(name)["reference"], name)
    assert model.count_params() == count
    assert model.output_shape == (None, project.output.size)
    assert list(model.input) == [project.input.name]


def test_vgg_of_morphologies_halves_the_image_four_times():
    specification = importlib.util.spec_from_file_location("i2m", ROOT / "i2m" / "train.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    model = build_flat(INPUTS["img"], OUTPUTS["morph10"], INPUTS["img"].shape, module.vgg, "i2m")
    assert model.count_params() == 18_336_714
    (flat,) = [layer for layer in model.layers if isinstance(layer, keras.layers.Flatten)]
    assert flat.input.shape == (None, 8, 8, 512)


def test_every_model_folder_is_known_to_this_test():
    # x2y, whose inputs and outputs are options, has tests of its own.
    assert {path.parent.name for path in ROOT.glob("*/MLproject")} == {*PARAMETERS, "x2y"}


def test_separable_block_equals_its_formula():
    """Depthwise 3x3, pointwise, ReLU, 2x2 maximum: written out with numpy."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((7, 7, 2))
    model = keras.Model(inputs, separable_blocks(inputs, (3,)))
    image = np.random.default_rng(0).normal(size=(1, 7, 7, 2)).astype(np.float32)
    depthwise, pointwise, bias = (np.asarray(weight) for weight in model.layers[1].weights)
    windows = np.lib.stride_tricks.sliding_window_view(image[0], (3, 3), axis=(0, 1))
    mixed = np.einsum("yxcij,ijc->yxc", windows, depthwise[..., 0]) @ pointwise[0, 0] + bias
    positive = np.maximum(mixed, 0)[:4, :4]
    expected = positive.reshape(2, 2, 2, 2, 3).max(axis=(1, 3))
    np.testing.assert_allclose(model(image)[0], expected, rtol=1e-4, atol=1e-6)


def test_signals_survive_four_separable_blocks():
    """With Keras' own depthwise initialisation they shrink a thousandfold, and i2r predicts the mean redshift."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((150, 150, 3))
    model = keras.Model(inputs, separable_blocks(inputs, (64, 64, 128, 128)))
    image = np.random.default_rng(0).normal(size=(4, 150, 150, 3)).astype(np.float32)
    assert np.std(np.asarray(model(image))) > 0.1


def test_dense_stack_equals_its_formula():
    keras.utils.set_random_seed(1)
    inputs = keras.Input((3,))
    model = keras.Model(inputs, dense_stack(inputs, (4, 2)))
    x = np.random.default_rng(0).normal(size=(5, 3)).astype(np.float32)
    expected = x
    for layer in model.layers[1:]:
        expected = np.maximum(expected @ np.asarray(layer.kernel) + np.asarray(layer.bias), 0)
    np.testing.assert_allclose(model(x), expected, rtol=1e-5, atol=1e-6)


def test_standardise_uses_the_adapted_statistics():
    inputs = keras.Input((2,))
    model = keras.Model(inputs, standardise(inputs))
    x = np.array([[1.0, 10.0], [3.0, 30.0], [5.0, 20.0]], np.float32)
    model.layers[-1].adapt(tf.data.Dataset.from_tensor_slices(x).batch(2))
    expected = (x - x.mean(axis=0)) / x.std(axis=0)
    np.testing.assert_allclose(model(x), expected, rtol=1e-5)


def test_stretch_of_cutouts_is_asinh_and_can_be_left_out():
    flux = np.random.default_rng(0).normal(0, 10, (2, 61, 61, 5)).astype(np.float32)
    inputs = keras.Input((61, 61, 5))
    for stretch, expected in (("asinh", np.arcsinh(flux / 0.05) / 4), ("none", flux)):
        model = keras.Model(inputs, enter(INPUTS["fits"], inputs, stretch))
        np.testing.assert_allclose(np.asarray(model(flux)), expected, rtol=1e-5, atol=1e-6)


def test_images_enter_between_zero_and_one():
    inputs = keras.Input((150, 150, 3), dtype="uint8")
    model = keras.Model(inputs, enter(INPUTS["img"], inputs))
    assert float(np.max(model(np.full((1, 150, 150, 3), 255, np.uint8)))) == pytest.approx(1)


def test_spectral_block_equals_its_formula():
    keras.utils.set_random_seed(1)
    inputs = keras.Input((12,))
    model = keras.Model(inputs, spectral_blocks(inputs, (3,)))
    x = np.random.default_rng(0).normal(size=(1, 12)).astype(np.float32)
    expected = x[0][:, None]
    for layer in (model.layers[2], model.layers[3]):
        kernel, bias = (np.asarray(weight) for weight in layer.weights)
        windows = np.lib.stride_tricks.sliding_window_view(expected, 3, axis=0)
        expected = np.maximum(np.einsum("xci,icf->xf", windows, kernel) + bias, 0)
    expected = np.maximum(expected[:-1], expected[1:])
    np.testing.assert_allclose(model(x)[0], expected, rtol=1e-4, atol=1e-6)


def test_inputs_keep_the_schemas_dtype():
    model = build_flat(INPUTS["img"], OUTPUTS["redshift"], (150, 150, 3), architectures_of("i2r")["fast"], "i2r")
    assert model.input["img"].dtype == "uint8"
