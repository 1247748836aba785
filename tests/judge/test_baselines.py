"""Baselines, image features and the warning of a collapse."""

import numpy as np
import pytest
from helpers.ballots import ballots

from common.data.measure import image_features
from common.judge.baselines import BaselineInputs, baselines, collapse
from common.outputs.metrics import score
from sdss_gs.schema import OUTPUTS

RNG = np.random.default_rng(0)
REDSHIFT, MASS, SUBCLASS, GZ2 = (OUTPUTS[name] for name in ("redshift", "smass", "subclass", "gz2c"))


def galaxies(name, count=900, columns=9):
    """Truth that hangs on the first colour, and the magnitudes."""
    rng = np.random.default_rng(5)
    magnitudes = rng.uniform(15, 20, (count, columns)).astype(np.float32)
    colour = magnitudes[:, 0] - magnitudes[:, 1]
    if OUTPUTS[name].classes:
        return (colour > 0).astype(int) * 3, magnitudes
    return (10 ** (10 + 0.1 * colour) if name == "smass" else 0.2 + 0.02 * colour), magnitudes


def predictions(name, truth, train, test):
    return baselines(OUTPUTS[name], train, truth[: train.count], test, 0)


# === Baselines ===


def test_constant_baselines_are_mean_and_median_of_the_training_truth():
    found = baselines(REDSHIFT, BaselineInputs(3), np.array([0.1, 0.1, 0.4]), BaselineInputs(7), 0)
    assert set(found) == {"mean", "median"}
    np.testing.assert_allclose(found["mean"], [0.2] * 7, rtol=1e-6)
    np.testing.assert_allclose(found["median"], [0.1] * 7, rtol=1e-6)


def test_mean_of_masses_is_that_of_their_logarithm():
    found = baselines(MASS, BaselineInputs(2), np.array([1e9, 1e11]), BaselineInputs(2), 0)
    np.testing.assert_allclose(found["mean"], [1e10] * 2, rtol=1e-5)


def test_majority_baseline_gives_the_training_shares():
    found = baselines(SUBCLASS, BaselineInputs(4), np.array([3, 3, 3, 1]), BaselineInputs(2), 0)
    assert set(found) == {"majority"}
    np.testing.assert_allclose(found["majority"], [[0, 0.25, 0, 0.75]] * 2)


@pytest.mark.parametrize("name", ["redshift", "smass", "subclass"])
def test_gradient_boosting_learns_from_colours(name):
    truth, magnitudes = galaxies(name)
    magnitudes[::7, 2:] = np.nan
    found = predictions(name, truth, BaselineInputs(700, magnitudes[:700]), BaselineInputs(200, magnitudes[700:]))
    scores = {key: score(OUTPUTS[name], truth[700:], value) for key, value in found.items()}
    if name == "subclass":
        assert scores["gradient boosting"]["accuracy"] > 0.97
        np.testing.assert_allclose(found["gradient boosting"].sum(axis=1), 1)
    else:
        metric = "scatter_dex" if name == "smass" else "mae"
        assert scores["gradient boosting"][metric] < 0.15 * scores["mean"][metric]


@pytest.mark.parametrize("name", ["redshift", "subclass"])
def test_band_without_any_value_is_ignored(name):
    truth, magnitudes = galaxies(name, 300)
    expected = predictions(
        name, truth, BaselineInputs(200, magnitudes[:200, :8]), BaselineInputs(100, magnitudes[200:, :8])
    )
    magnitudes[:, 8] = np.nan
    found = predictions(name, truth, BaselineInputs(200, magnitudes[:200]), BaselineInputs(100, magnitudes[200:]))
    np.testing.assert_array_equal(found["gradient boosting"], expected["gradient boosting"])


def test_gradient_boosting_needs_a_magnitude():
    nothing = BaselineInputs(5, np.full((5, 9), np.nan, np.float32))
    assert set(baselines(REDSHIFT, nothing, RNG.uniform(0, 1, 5), nothing, 0)) == {"mean", "median"}


def test_single_object_and_single_class_can_be_learnt_from():
    one = BaselineInputs(1, np.ones((1, 9), np.float32), np.ones((1, 14), np.float32))
    for output, truth in ((REDSHIFT, np.array([0.1])), (SUBCLASS, np.array([2]))):
        found = baselines(output, one, truth, one, 0)
        expected = np.eye(4)[[2]] if output.classes else [0.1]
        for name in ("gradient boosting", "linear on image features"):
            np.testing.assert_allclose(found[name], expected, rtol=1e-6)


def test_rare_classes_do_not_make_the_boosting_diverge():
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.full(23, 0.5))
    truth = rng.choice(23, 1500, p=shares)
    magnitudes = (rng.normal(0, 0.5, (23, 9))[truth] + rng.normal(17, 0.6, (1500, 9))).astype(np.float32)
    found = predictions("gz2c", truth, BaselineInputs(1000, magnitudes[:1000]), BaselineInputs(500, magnitudes[1000:]))
    scores = {name: score(GZ2, truth[1000:], value) for name, value in found.items()}
    assert scores["gradient boosting"]["log_loss"] < 0.7 * scores["majority"]["log_loss"]


@pytest.mark.parametrize("name", OUTPUTS)
def test_linear_baseline_learns_from_image_features(name):
    rng = np.random.default_rng(2)
    features = rng.normal(5, 2, (600, 14)).astype(np.float32)
    features[:, 3] = 1
    value = (features[:, 0] - features[:, 1]) / 4
    truth = {"redshift": 0.3 + 0.05 * value, "smass": 10 ** (10 + 0.3 * value)}.get(name, (value > 0) * 1)
    if name == "votes":
        share = np.clip(0.5 + 0.1 * value, 0, 1)[:, None]
        truth = share * ballots(1, 1) + (1 - share) * ballots(1, 2)
    found = predictions(
        name, truth, BaselineInputs(400, None, features[:400]), BaselineInputs(200, None, features[400:])
    )
    assert "gradient boosting" not in found
    scores = {key: score(OUTPUTS[name], truth[400:], value) for key, value in found.items()}
    linear = scores["linear on image features"]
    if name == "votes":
        assert linear["rmse37"] < 0.05 * scores["mean"]["rmse37"]
    else:
        assert linear["accuracy"] > 0.95 if OUTPUTS[name].classes else linear["r2"] > 0.98


def test_rival_with_the_same_input_sees_no_more_than_the_model():
    truth, magnitudes = galaxies("redshift")
    blind = magnitudes[:, 2:7]
    train = BaselineInputs(700, magnitudes[:700], own=blind[:700])
    found = predictions("redshift", truth, train, BaselineInputs(200, magnitudes[700:], own=blind[700:]))
    scores = {key: score(REDSHIFT, truth[700:], value) for key, value in found.items()}
    assert scores["gradient boosting"]["mae"] < 0.2 * scores["mean"]["mae"]
    assert scores["boosting on the same input"]["mae"] > 0.9 * scores["mean"]["mae"]


def test_baselines_repeat():
    truth, magnitudes = galaxies("subclass", 200)
    part = BaselineInputs(200, magnitudes, magnitudes)
    first, second = (baselines(SUBCLASS, part, truth, part, 3) for _ in range(2))
    for name, values in first.items():
        np.testing.assert_array_equal(values, second[name])


# === Image features ===


def cutouts(kind, count=6):
    rng = np.random.default_rng(1)
    if kind == "img":
        return rng.integers(0, 256, (count, 150, 150, 3), dtype=np.uint8)
    return rng.normal(0, 0.05, (count, 61, 61, 5)).astype(np.float32)


@pytest.mark.parametrize(("kind", "width"), [("img", 14), ("fits", 24)])
def test_image_features_are_finite_numbers_of_one_object(kind, width):
    images = cutouts(kind)
    found = image_features(images)
    assert (found.shape, found.dtype) == ((6, width), np.float32)
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found[4:5], image_features(images[4:5]))


@pytest.mark.parametrize("kind", ["img", "fits"])
def test_black_image_has_features_of_zero(kind):
    np.testing.assert_array_equal(image_features(np.zeros_like(cutouts(kind, 1))), 0)


def test_image_features_measure_flux_concentration_and_colour():
    image = np.zeros((1, 60, 60, 3), np.float32)
    image[0, 25:35, 25:35] = [1, 2, 4]
    image[0, :10, :10, 0] = 3
    whole, core, peak, share, colour = np.split(image_features(image)[0], [3, 6, 9, 12])
    np.testing.assert_allclose(whole, np.arcsinh([400, 200, 400]), rtol=1e-6)
    np.testing.assert_allclose(core, np.arcsinh([100, 200, 400]), rtol=1e-6)
    np.testing.assert_allclose(peak, np.arcsinh([9, 18, 36]), rtol=1e-6)
    np.testing.assert_allclose(share, [0.25, 1, 1])
    np.testing.assert_allclose(colour, [np.log(2) ** 2] * 2, rtol=1e-3)


def test_galaxy_off_centre_counts_in_the_frame_only():
    image = np.zeros((1, 61, 61, 5), np.float32)
    image[0, :5, :5] = 1
    found = image_features(image)[0]
    assert (found[:5] > 3).all()
    np.testing.assert_array_equal(found[5:], 0)


# === Collapse ===


def told(name, truth, predicted):
    constants = baselines(OUTPUTS[name], BaselineInputs(len(truth)), truth, BaselineInputs(len(truth)), 0)
    scores = {key: score(OUTPUTS[name], truth, value) for key, value in {"i2x": predicted, **constants}.items()}
    return collapse(OUTPUTS[name], truth, predicted, scores)


@pytest.mark.parametrize("name", ["redshift", "smass"])
def test_one_value_for_all_is_a_collapse(name):
    truth, _ = galaxies(name, 100)
    sentence = told(name, truth, np.full(100, np.mean(truth)) * RNG.uniform(0.999, 1.001, 100))
    assert sentence.startswith("i2x has learnt no more than a constant: its predictions spread by only")
    assert (" dex" in sentence) == (name == "smass")


def test_one_class_for_all_is_a_collapse():
    truth = np.arange(100) % 4
    sentence = told("subclass", truth, np.tile([0.1, 0.1, 0.2, 0.6], (100, 1)))
    assert sentence.endswith("it names STARFORMING for 100% of the test objects, 25% are.")


def test_noise_is_no_better_than_a_constant():
    truth, _ = galaxies("redshift", 200)
    assert "nmad" in told("redshift", truth, np.random.default_rng(1).permutation(truth))
    labels = np.arange(200) % 23
    wrong = told("gz2c", labels, np.eye(23)[(labels + 1) % 23])
    assert "macro_f1 0" in wrong
    assert "of the majority" in wrong


@pytest.mark.parametrize("name", OUTPUTS)
@pytest.mark.parametrize("count", [15, 40, 400])
def test_model_that_has_learnt_something_is_not_accused(name, count):
    rng = np.random.default_rng(count)
    if size := len(OUTPUTS[name].classes):
        truth = rng.integers(0, size, count)
        predicted = rng.dirichlet(np.ones(size), count) * 0.6 + 0.4 * np.eye(size)[truth]
    elif name == "votes":
        truth = ballots(count)
        predicted = 0.6 * truth + 0.4 * ballots(count, 1)
    else:
        dex = rng.normal(0, 0.4, count)
        truth, predicted = 10**dex / 10, 10 ** (0.6 * dex + rng.normal(0, 0.2, count)) / 10
        truth, predicted = (1e11 * truth, 1e11 * predicted) if name == "smass" else (truth, predicted)
    assert told(name, truth, predicted) == ""


def test_fifteen_objects_accuse_nobody():
    assert told("subclass", np.arange(15) % 4, np.eye(4)[np.zeros(15, int)]) == ""
    assert told("redshift", np.linspace(0.1, 0.3, 15), np.full(15, 0.2)) == ""


def test_dominant_class_may_be_all_that_is_named():
    truth = np.where(np.arange(100) < 95, 3, 0)
    probabilities = np.where(truth[:, None] == 3, [0.02, 0, 0, 0.98], [0.4, 0, 0, 0.6])
    assert told("subclass", truth, probabilities) == ""


def test_collapse_without_constant_baselines_looks_at_the_predictions_only():
    truth, _ = galaxies("redshift", 60)
    assert collapse(REDSHIFT, truth, truth[::-1], {"i2r": score(REDSHIFT, truth, truth[::-1])}) == ""
