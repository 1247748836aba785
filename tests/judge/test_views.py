"""What a model says with some of its inputs hidden, how sure it is of that, and under which names it is recorded."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import write_survey
from helpers.cards import several_summary, summary
from helpers.several import NAMES, fused, patchy_rows, task
from helpers.trained import untried

from common.backend import keras
from common.data.training_data import TrainingData
from common.judge.record_summary import numbers
from common.judge.views import (
    champion_cost,
    every_set,
    fit_calibrations,
    predict_part,
    too_few_validation_objects,
    validation_scores,
)  # fmt: skip
from common.models.model import ANY
from common.networks.inputs import PRESENT
from common.options import TrainingOptions
from sdss_gs.schema import OUTPUTS


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = write_survey(tmp_path_factory.mktemp("data") / "patchy", patchy_rows(900))
    return TrainingData(task(), TrainingOptions(ds=str(folder)))


@pytest.fixture(scope="module")
def model(data):
    keras.utils.set_random_seed(1)
    network = fused(data.inputs, data.outputs, data.shapes())
    for name in NAMES:
        kernel = network.get_layer("fusion").get_layer(name).kernel
        kernel.assign(np.random.default_rng(1).normal(0, 0.1, kernel.shape))
    return untried(network, data.inputs, data.outputs)


def test_a_view_of_some_inputs_is_what_the_network_says_when_the_others_are_missing(data, model):
    assert every_set(model) == ["bands", "wise", "bands|wise"]
    found = predict_part(model, data, "test", ["wise"])
    inputs = data.gather(data.parts["test"])
    for key, shown in ((ANY, [1, 1]), ("wise", [0, 1])):
        present = inputs[PRESENT] * np.array(shown, np.float32)
        raw = model.network.predict(inputs | {PRESENT: present}, verbose=0)
        np.testing.assert_allclose(found[key]["redshift"], raw["redshift"], rtol=1e-4, atol=1e-7)
        np.testing.assert_allclose(found[key]["gz2c"], raw["gz2c"], rtol=1e-5, atol=1e-7)


def test_every_set_that_enough_objects_have_is_calibrated_for_each_output(data, model):
    predictions = predict_part(model, data, "validation", every_set(model))
    calibrations = fit_calibrations(model, data, predictions)
    counts = {
        key: {
            name: int((data.present("validation")[:, columns].all(axis=1) & data.known("validation", name)).sum())
            for name in NAMES
        }
        for key, columns in (("bands", [0]), ("wise", [1]), ("bands|wise", [0, 1]))
    }
    assert {key: set(found) for key, found in calibrations.items()} == {ANY: set(NAMES)} | {
        key: names
        for key, found in counts.items()
        if (names := {name for name, count in found.items() if count >= 100})
    }
    assert "bands" in calibrations, "else this test says nothing"
    assert any("subclass" not in found for found in calibrations.values())


def test_champions_of_several_outputs_are_chosen_by_their_mean_against_constants(data):
    """The median of the training objects costs 1, a classifier 1 minus its score."""
    two = TrainingData(task(outputs=("redshift", "subclass")), TrainingOptions(ds=str(data.folder)))
    count = len(two.parts["validation"])
    redshift = np.full(count, np.median(two.truth("train", "redshift")))
    scores = validation_scores(two, {"redshift": redshift, "subclass": np.tile([0.1, 0.2, 0.3, 0.4], (count, 1))})
    assert champion_cost(two, scores) == pytest.approx((1 + 1 - scores["subclass"]["macro_f1"]) / 2)


def test_scores_are_named_by_what_was_shown_and_by_output_where_there_are_several():
    assert numbers(several_summary()) == {
        "test_redshift_galaxies": 250,
        "test_redshift_nmad": 0.02,
        "test_available_redshift_galaxies": 309,
        "test_available_redshift_nmad": 0.03,
        "test_only_wise_redshift_galaxies": 260,
        "test_only_wise_redshift_nmad": 0.01,
        "baseline_gradient_boosting_redshift_galaxies": 309,
        "baseline_gradient_boosting_redshift_nmad": 0.05,
        "test_subclass_galaxies": 250,
        "test_subclass_macro_f1": 0.7,
        "test_available_subclass_galaxies": 309,
        "test_available_subclass_macro_f1": 0.6,
        "baseline_gradient_boosting_subclass_galaxies": 309,
        "baseline_gradient_boosting_subclass_macro_f1": 0.61,
    }
    single = replace(summary(), scores={"redshift": {"b2r": {"nmad": 1.0}, "mean": {"nmad": 2.0}}})
    assert numbers(single) == {"test_nmad": 1.0, "baseline_mean_nmad": 2.0}


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (39, {}),
        (38, {"redshift": "38 validation galaxies are too few for intervals of 95 % (needs 39)"}),
        (18, {"redshift": "of 90 % (needs 19), 95 % (needs 39)", "subclass": "class sets of 95 % (needs 19)"}),
    ],
)
def test_intervals_that_so_few_validation_objects_cannot_give_are_named(count, said):
    outputs = (OUTPUTS["redshift"], OUTPUTS["subclass"])
    data = SimpleNamespace(outputs=outputs, known=lambda part, _name: np.ones(count if part == "validation" else 0))
    found = too_few_validation_objects(data)
    for line, (name, words) in zip(found, said.items(), strict=True):
        assert line.startswith(f"{name}: ")
        assert words in line
