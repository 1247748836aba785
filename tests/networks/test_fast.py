"""The zoo's own networks: their layers against formulas, and that each of them is a model like the others."""

from itertools import combinations

import numpy as np
import pytest
from conftest import ROOT
from helpers.folders import PARAMETERS, architectures_of

from common.backend import keras, tf
from common.models import safe_file as safe_model
from common.networks.build import adapt_normalisation, build_flat
from common.networks.fast import apertures, magnitudes_and_colours, patch_blocks, shape_and_brightness
from common.project import read_project

RNG = np.random.default_rng(0)


def adapted(inputs, outputs, values):
    model = keras.Model(inputs, outputs)
    adapt_normalisation(model, tf.data.Dataset.from_tensor_slices(values).batch(7))
    return [part.numpy() for part in keras.tree.flatten(model(values))]


def standard(values):
    return (values - values.mean(axis=0)) / values.std(axis=0)


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_model_has_a_fast_network_that_starts_as_a_constant_and_is_smaller_where_it_counts(name):
    project = read_project(ROOT / name)
    model = build_flat(project.input, project.output, project.input.shape, architectures_of(name)["fast"], name)
    assert model.output_shape == (None, project.output.size)
    values = RNG.uniform(1, 200, (3, *project.input.shape)).astype(project.input.dtype)
    predicted = np.asarray(model({project.input.name: values}))
    np.testing.assert_allclose(predicted, predicted[:1].repeat(3, axis=0))
    if project.input.name in ("img", "spectra"):
        assert model.count_params() < PARAMETERS[name]


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")  # Keras saving variables
@pytest.mark.parametrize("name", ["i2g", "f2r", "s2sm", "ss2s", "w2r"])
def test_stored_network_is_opened_and_predicts_the_same(name, tmp_path):
    project = read_project(ROOT / name)
    model = build_flat(project.input, project.output, project.input.shape, architectures_of(name)["fast"], name)
    for variable in model.trainable_variables:
        variable.assign(RNG.normal(0, 0.1, variable.shape))
    values = {project.input.name: RNG.uniform(1, 200, (3, *project.input.shape)).astype(project.input.dtype)}
    model.save(tmp_path / "model.keras")
    safe_model.check_description(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_allclose(again.predict(values, verbose=0), model.predict(values, verbose=0), rtol=1e-5)


def test_colours_are_differences_of_all_pairs_of_magnitudes():
    magnitudes = RNG.normal(18, 1, (30, 5)).astype(np.float32)
    inputs = keras.Input((5,))
    found = adapted(inputs, magnitudes_and_colours(inputs, 5), magnitudes)[0]
    colours = [magnitudes[:, first] - magnitudes[:, second] for first, second in combinations(range(5), 2)]
    expected = standard(np.hstack([magnitudes, np.transpose(colours)]))
    np.testing.assert_allclose(found, np.hstack([expected, np.ones((30, 5))]), atol=1e-4)


def test_missing_magnitudes_and_errors_say_nothing_but_that_they_are_missing():
    values = np.hstack([RNG.normal(18, 1, (30, 4)), RNG.uniform(0.01, 0.1, (30, 4))]).astype(np.float32)
    inputs = keras.Input((8,))
    network = keras.Model(inputs, magnitudes_and_colours(inputs, 4))
    adapt_normalisation(network, tf.data.Dataset.from_tensor_slices(values).batch(7))
    whole, lacking = values[:2], values[:2].copy()
    lacking[0, 1] = lacking[1, 6] = np.nan
    before, after = np.asarray(network(whole)), np.asarray(network(lacking))
    changed = np.flatnonzero(after[0] != before[0])
    # Its own value, three colours, and that it is there; of an error the same.
    assert changed.tolist() == [1, 4, 7, 8, 11]
    assert (after[0, changed] == 0).all()
    assert np.flatnonzero(after[1] != before[1]).tolist() == [16, 20]
    np.testing.assert_allclose(before[0, 14:18], np.log(values[0, 4:] / 0.03), rtol=1e-4)


def test_apertures_are_mean_brightness_in_concentric_squares():
    images = RNG.normal(3, 1, (20, 9, 9, 2)).astype(np.float32)
    inputs = keras.Input((9, 9, 2))
    found = adapted(inputs, apertures(inputs, (1, 5, 9)), images)[0]
    expected = np.hstack([images[:, 4, 4], images[:, 2:7, 2:7].mean(axis=(1, 2)), images.mean(axis=(1, 2))])
    np.testing.assert_allclose(found, standard(expected), atol=1e-4)


def test_shape_of_a_spectrum_knows_nothing_of_its_brightness():
    spectra = RNG.normal(5, 2, (20, 40)).astype(np.float32)
    inputs = keras.Input((40,))
    shape, brightness = adapted(inputs, shape_and_brightness(inputs), spectra)
    within = (spectra - spectra.mean(axis=1, keepdims=True)) / spectra.std(axis=1, keepdims=True)
    np.testing.assert_allclose(shape, standard(within), atol=1e-4)
    expected = np.stack([np.arcsinh(spectra.mean(axis=1)), np.log(spectra.std(axis=1))], axis=1)
    np.testing.assert_allclose(brightness, standard(expected), atol=1e-4)


def test_spectrum_without_any_variation_is_finite():
    inputs = keras.Input((40,))
    model = keras.Model(inputs, shape_and_brightness(inputs))
    assert all(np.isfinite(part.numpy()).all() for part in model(np.zeros((2, 40), np.float32)))


def test_patch_blocks_start_as_patches_alone():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((12, 12, 3))
    model = keras.Model(inputs, patch_blocks(inputs, 3, (4,)))
    image = RNG.normal(size=(1, 12, 12, 3)).astype(np.float32)
    kernel = np.asarray(next(layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)).kernel)
    patches = image[0].reshape(4, 3, 4, 3, 3)
    expected = np.maximum(np.einsum("aibjc,ijcf->abf", patches, kernel), 0).mean(axis=(0, 1))
    np.testing.assert_allclose(model(image)[0], expected, rtol=1e-4, atol=1e-5)
