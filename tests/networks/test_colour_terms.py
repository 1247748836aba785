"""Colour terms at the input of a network: what they do to gaps, errors and flags, and in every runtime."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.trained import by_hand

from common.backend import keras
from common.models.keras_runtime import KerasRuntime
from common.models.light import open_light
from common.models.light_export import write_light
from common.models.safe_file import check_description
from common.models.serving import serving_network
from common.networks.build import build_flat
from common.networks.colour_terms import ColourTerms, inverted
from common.networks.fast import dense, magnitudes_and_colours
from common.options import TrainingOptions
from common.training.adaptation.terms import fit_through, predict_values
from sdss_gs.schema import INPUTS, OUTPUTS

ITEM = INPUTS["bands"]
TERMS = ColourTerms(
    ITEM.magnitudes, (0.2, -0.1, 0.05, 0.0, 0.1), (0.05, -0.03, 0.0, 0.1, 0.02), (1.5, 0.8, 0.4, 0.3, 0.3)
)


def magnitudes(count=64, seed=0):
    rng = np.random.default_rng(seed)
    return (17 + np.array([3, 1.4, 0.6, 0.2, 0]) + rng.normal(0, 0.5, (count, 5))).astype(np.float32)


def test_terms_add_zero_point_and_colour_and_are_inverted():
    values = np.array([[20, 18, 17, 16.5, 16.2]], np.float32)
    expected = values + np.array([[0.2 + 0.05 * 0.5, -0.1 - 0.03 * 0.2, 0.05, 0.0, 0.1]])
    np.testing.assert_allclose(TERMS.apply(values), expected, atol=1e-5)
    many = magnitudes()
    many[::3, 2] = np.nan
    np.testing.assert_allclose(inverted(TERMS.apply(many), [TERMS]), many, atol=1e-4)
    assert ColourTerms.from_facts(TERMS.facts()) == TERMS


@pytest.fixture(scope="module")
def told():
    """An input with errors, which may have gaps, and is told which magnitudes are dereddened."""
    columns = (*ITEM.columns, *(f"modelMagErr_{band}" for band in "ugriz"), "dereddened")
    return replace(ITEM, columns=columns, shape=(11,), errors=5, gaps=True, told_apart=True)


def features(x):
    return dense(magnitudes_and_colours(x, 5), (16,))


def same_weights(network, like):
    for variable, other in zip(network.variables, like.variables, strict=True):
        variable.assign(other)


def built(item, terms=()):
    return build_flat(item, OUTPUTS["redshift"], item.shape, features, "b2r", terms=terms)


def test_network_with_terms_says_of_magnitudes_what_the_network_says_of_those_they_make(told):
    keras.utils.set_random_seed(0)
    plain = built(told)
    plain.layers[-1].kernel.assign(np.random.default_rng(0).normal(0, 1, plain.layers[-1].kernel.shape))
    with_two = built(told, (TERMS, TERMS))
    same_weights(with_two, plain)
    values = np.concatenate([magnitudes(), np.full((64, 5), 0.05, np.float32), np.ones((64, 1), np.float32)], axis=1)
    values[::2, 1] = np.nan
    values[1::2, 5] = np.nan
    twice = TERMS.apply(TERMS.apply(values))
    np.testing.assert_array_equal(twice[:, 5:], values[:, 5:])
    said, expected = (
        network.predict({"bands": one}, verbose=0) for network, one in ((with_two, values), (plain, twice))
    )
    assert np.isfinite(said).all()
    np.testing.assert_allclose(said, expected, rtol=1e-4, atol=1e-5)
    assert np.ptp(said) > 0.1


def test_light_form_and_stored_file_say_what_keras_says(told, tmp_path):
    model = by_hand("b2r")
    network = build_flat(told, OUTPUTS["redshift"], told.shape, features, "b2r", terms=(TERMS,))

    served = serving_network(network, [told])
    adapted = replace(
        model, inputs=(told,), runtime=KerasRuntime(served, model.outputs), shapes={"bands": (11,)},
        adapted={"colour_terms": [TERMS.facts()]},
    )  # fmt: skip
    assert adapted.terms == (TERMS,)
    values = np.concatenate([magnitudes(), np.full((64, 5), 0.05, np.float32), np.ones((64, 1), np.float32)], axis=1)
    light = write_light(adapted, {"bands": values}, tmp_path)
    assert light.files, light.said
    runtime = open_light(tmp_path, light.files)
    values[::2, 3] = np.nan
    np.testing.assert_allclose(
        predict_values(replace(adapted, runtime=runtime), values), predict_values(adapted, values), atol=1e-5
    )
    (content,) = adapted.runtime.files().values()
    (tmp_path / "model.keras").write_bytes(content)
    check_description(tmp_path / "model.keras")


def test_terms_are_fitted_through_a_frozen_network():
    model = by_hand("b2r", factor=0.05)
    network = build_flat(ITEM, OUTPUTS["redshift"], (5,), lambda x: x, "b2r")
    # Each band tells something of its own.
    network.layers[-1].set_weights([np.array([[0.2], [-0.1], [0.3], [-0.15], [0.05]]), np.array([-4.0])])

    model = replace(model, runtime=KerasRuntime(serving_network(network, [ITEM]), model.outputs))
    values = magnitudes(500)
    terms = ColourTerms(ITEM.magnitudes, (0.2, -0.2, 0.3, 0.0, 0.0), (0.0,) * 5, (1.5, 0.8, 0.4, 0.3, 0.3))
    truth = predict_values(model, terms.apply(values)).astype(np.float32)[:, None]
    found = fit_through(model, TrainingOptions(loss="mae"), values, truth, np.array(terms.typical))
    before = np.abs(predict_values(model, values) - truth[:, 0]).mean()
    after = np.abs(predict_values(model, found.apply(values)) - truth[:, 0]).mean()
    assert after < 0.1 * before
    # What the truths do not say stays near 0.
    assert np.abs(found.slopes).max() < 0.05
