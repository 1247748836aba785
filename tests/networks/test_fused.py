"""Networks of several inputs, any of which may be missing, and several outputs; and how these are trained."""

from dataclasses import replace

import numpy as np
import pytest
from helpers.several import FUNCTIONS, NAMES, fused, task

from common.backend import keras
from common.networks.build import build_flat
from common.networks.fused import BaseNetwork, build_encoder, build_fused, joint_network, let_pools_learn
from common.networks.inputs import PRESENT
from common.networks.training_wrappers import HideInputs, hiding_model
from sdss_gs.schema import INPUTS, OUTPUTS

RNG = np.random.default_rng(0)


def build(of):
    return fused(of.inputs, of.outputs)


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
    network = joint_network(network_of(("fits", "bands")))
    batch = {name: RNG.normal(0, 1, (5, *like.shape[1:])).astype(np.float32) for name, like in network.input.items()}
    batch[PRESENT] = np.ones((5, 2), np.float32)
    expected, found = (m.predict(batch, verbose=0) for m in (network, hiding_model(network, dropout, 0)))
    for name in NAMES:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-6)


def test_objects_without_a_label_teach_the_other_outputs_only():
    network = network_of(("bands", "wise"))
    model = hiding_model(joint_network(network), 0.3, 0)
    losses = {"redshift": "mae", "smass": "mae"} | dict.fromkeys(("subclass", "gz2c"), "categorical_crossentropy")
    model.compile("sgd", losses)
    inputs = {name: RNG.normal(0, 1, (8, *like.shape[1:])).astype(np.float32) for name, like in model.input.items()}
    inputs[PRESENT] = np.ones((8, 2), np.float32)
    targets = {name: np.ones((8, OUTPUTS[name].size), np.float32) for name in NAMES}
    weights = {name: np.full(8, float(name != "subclass"), np.float32) for name in NAMES}
    before = {name: network.get_layer("fusion").get_layer(name).get_weights() for name in NAMES}
    model.fit(inputs, targets, sample_weight=weights, verbose=0)
    for name, (kernel, bias) in before.items():
        after = network.get_layer("fusion").get_layer(name).get_weights()
        assert np.array_equal(after[0], kernel) is np.array_equal(after[1], bias) is (name == "subclass")


GRID = tuple(np.linspace(0, 0.5, 26).tolist())


def shares_of(grid, place):
    """A base network that says of every galaxy that it lies in one bin."""

    def build(item):
        output = replace(OUTPUTS["redshift"], grid=grid)
        network = build_flat(item, output, item.shape, lambda x: keras.ops.where(keras.ops.isnan(x), 0.0, x), "base")
        bias = np.full(output.size, -9.0)
        bias[place] = 9.0
        network.get_layer("redshift").set_weights([np.zeros((item.shape[0], output.size)), bias])
        return BaseNetwork(network, output, "")

    return build


def test_answers_in_other_bins_are_read_in_those_of_the_fused_network():
    """Bins of 0.04 become two of 0.02; what lies beyond the bins goes into the last one."""
    output, item = replace(OUTPUTS["redshift"], grid=GRID), INPUTS["bands"]
    wide = tuple(np.linspace(0, 0.8, 21).tolist())
    for place, expected in ((3, {6: 0.5, 7: 0.5}), (15, {24: 1.0})):
        base = shares_of(wide, place)(item)
        encoder = build_encoder(item, item.shape, [output], {"redshift": base})
        logs = encoder(np.full((1, 5), 17.0, np.float32)).numpy()[0, -output.size :]
        np.testing.assert_allclose(np.exp(logs), [expected.get(k, 0.0) for k in range(25)], atol=1e-6)


def test_one_input_alone_is_what_its_base_network_says_and_weights_decide_between_two():
    """With all weight on the first base network the answer is its answer, whatever the joint network says."""
    items, output = [INPUTS["bands"], INPUTS["wise"]], replace(OUTPUTS["redshift"], grid=GRID)
    encoders = {
        item.name: build_encoder(item, item.shape, [output], {"redshift": shares_of(GRID, place)(item)})
        for item, place in zip(items, (5, 15), strict=True)
    }
    network = build_fused(items, [output], encoders, FUNCTIONS["fuse"], "x2y")
    pool = network.get_layer("fusion").get_layer("redshift_weights")
    batch = {"bands": np.full((3, 5), 17.0, np.float32), "wise": np.full((3, 4), 14.0, np.float32)}
    batch[PRESENT] = np.array([[1, 1], [0, 1], [1, 0]], np.float32)
    pool.set_weights([np.zeros((2, 3)), np.array([20.0, 0.0, -20.0])])
    assert network.predict(batch, verbose=0)["redshift"].argmax(axis=1).tolist() == [5, 15, 5]
    pool.set_weights([np.zeros((2, 3)), np.array([0.0, 20.0, -20.0])])
    assert network.predict(batch, verbose=0)["redshift"].argmax(axis=1).tolist() == [15, 15, 5]
    # Both as much: each of the two bins is as likely, and no other.
    pool.set_weights([np.zeros((2, 3)), np.array([0.0, 0.0, -20.0])])
    both = network.predict(batch, verbose=0)["redshift"][0]
    assert set(np.argsort(both)[-2:]) == {5, 15}
    assert both[5] == pytest.approx(both[15])


def test_base_networks_keep_their_weights_and_the_pools_learn_by_themselves():
    network = network_of(("bands", "wise"), ("redshift",))
    assert not [one for name in ("bands", "wise") for one in network.get_layer(f"{name}_encoder").trainable_variables
                if "normalization" not in one.path]  # fmt: skip
    pools = {variable.path for variable in let_pools_learn(network, True).trainable_variables}
    rest = {variable.path for variable in let_pools_learn(network, False).trainable_variables}
    assert pools
    assert rest
    assert not pools & rest
    assert all("redshift_weights" in path for path in pools)
