"""Networks of several inputs, any of which may be missing, and several outputs; and how these are trained."""

import numpy as np
import pytest
from helpers.several import FUNCTIONS, NAMES, task

from common.backend import keras
from common.networks.build import build_fused
from common.networks.inputs import PRESENT
from common.networks.training_wrappers import HideInputs, training_model
from sdss_gs.schema import INPUTS, OUTPUTS

RNG = np.random.default_rng(0)


def build(of):
    return build_fused(of.inputs, of.outputs, {item.name: item.shape for item in of.inputs}, FUNCTIONS, of.name)


def network_of(inputs, outputs=NAMES, seed=1):
    """Build a network whose heads do not begin with zeros."""
    keras.utils.set_random_seed(seed)
    network = build(task(inputs, outputs))
    for name in outputs:
        kernel = network.get_layer("fusion").get_layer(name).kernel
        kernel.assign(np.random.default_rng(seed).normal(0, 0.1, kernel.shape))
    return network


def test_missing_inputs_have_no_influence_whatever_stands_in_them():
    inputs = ("fits", "bands", "wise")
    network = network_of(inputs)
    batch = {name: RNG.normal(15, 3, (4, *INPUTS[name].shape)).astype(np.float32) for name in inputs}
    batch[PRESENT] = np.array([[1, 1, 1], [0, 1, 1], [0, 0, 1], [1, 1, 0]], np.float32)
    expected = network.predict(batch, verbose=0)
    for garbage in (0.0, -1e30, np.nan, np.inf):
        changed = {name: values.copy() for name, values in batch.items()}
        for column, name in enumerate(inputs):
            changed[name][batch[PRESENT][:, column] == 0] = garbage
        found = network.predict(changed, verbose=0)
        for output in NAMES:
            assert np.isfinite(found[output]).all()
            np.testing.assert_array_equal(found[output], expected[output])
    shown = network.predict(batch | {PRESENT: np.ones((4, 3), np.float32)}, verbose=0)
    assert (shown["redshift"][1:] != expected["redshift"][1:]).all()


@pytest.mark.parametrize("inputs", [("img",), ("spectra", "ssel"), tuple(INPUTS)])
@pytest.mark.parametrize("outputs", [("redshift",), ("smass", "gz2c")])
def test_network_takes_any_inputs_and_gives_any_outputs(inputs, outputs):
    network = build(task(inputs, outputs))
    assert list(network.input) == [*inputs, PRESENT]
    assert {name: network.input[name].dtype for name in inputs} == {name: INPUTS[name].dtype for name in inputs}
    assert network.input[PRESENT].shape == (None, len(inputs))
    shapes = {name: (None, max(1, len(OUTPUTS[name].classes))) for name in outputs}
    assert {name: tensor.shape for name, tensor in network.output.items()} == shapes


def test_inputs_are_shown_whole_hidden_at_random_and_alone_while_training():
    present = np.repeat(np.array([[1, 1, 1], [1, 0, 1], [0, 1, 0]], np.float32), 1000, axis=0)
    layer = HideInputs(0.3, seed=1)
    np.testing.assert_array_equal(layer(present), present)
    whole, hidden, *alone = np.split(np.asarray(layer(present, training=True)), 5)
    np.testing.assert_array_equal(whole, present)
    for column, one in enumerate(alone):
        np.testing.assert_array_equal(one, present * np.eye(3)[column])
    assert (hidden <= present).all()
    assert (hidden.sum(axis=1) >= 1).all()
    # Of three each is hidden with probability 0.3, but for the 0.3³ of the objects that would lose all.
    assert 1 - hidden[:1000].mean() == pytest.approx(0.3 - 0.3**3 / 3, abs=0.03)
    again, other = (np.asarray(HideInputs(0.3, seed)(present, training=True)) for seed in (1, 2))
    np.testing.assert_array_equal(again[3000:6000], hidden)
    assert not np.array_equal(other[3000:6000], hidden)


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_what_surrounds_the_network_while_it_trains_is_not_in_its_predictions(dropout):
    network = network_of(("fits", "bands"))
    batch = {name: RNG.normal(15, 3, (5, *INPUTS[name].shape)).astype(np.float32) for name in ("fits", "bands")}
    batch[PRESENT] = np.ones((5, 2), np.float32)
    expected, found = (m.predict(batch, verbose=0) for m in (network, training_model(network, "dihedral", 0, dropout)))
    for name in NAMES:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-6)


def test_objects_without_a_label_teach_the_other_outputs_only():
    network = network_of(("bands", "wise"))
    model = training_model(network, hide=0.3)
    losses = {"redshift": "mae", "smass": "mae"} | dict.fromkeys(("subclass", "gz2c"), "categorical_crossentropy")
    model.compile("sgd", losses)
    inputs = {name: RNG.normal(15, 1, (8, *INPUTS[name].shape)).astype(np.float32) for name in ("bands", "wise")}
    inputs[PRESENT] = np.ones((8, 2), np.float32)
    targets = {name: np.ones((8, OUTPUTS[name].size), np.float32) for name in NAMES}
    weights = {name: np.full(8, float(name != "subclass"), np.float32) for name in NAMES}
    before = {name: network.get_layer("fusion").get_layer(name).get_weights() for name in NAMES}
    model.fit(inputs, targets, sample_weight=weights, verbose=0)
    for name, (kernel, bias) in before.items():
        after = network.get_layer("fusion").get_layer(name).get_weights()
        assert np.array_equal(after[0], kernel) is np.array_equal(after[1], bias) is (name == "subclass")
