"""Metrics against scikit-learn, scipy and independent formulas."""

import numpy as np
import pytest
from helpers.drawn import drawn, perfect
from scipy import stats
from sklearn import metrics as sk

from common.outputs.kinds import kind_of
from common.outputs.metrics import intervals, score, scores_in_bins
from sdss_gs.schema import OUTPUTS, Output

RNG = np.random.default_rng(0)
TRUTH = RNG.uniform(0.01, 0.4, 500)
PREDICTED = TRUTH + RNG.normal(0, 0.04, 500) * (1 + TRUTH) + 0.003
REDSHIFT, MASS, SUBCLASS, GZ2 = (OUTPUTS[name] for name in ("redshift", "smass", "subclass", "gz2c"))


# === Definitions ===


def test_redshift_scores_equal_scipy_and_sklearn():
    found, difference = score(REDSHIFT, TRUTH, PREDICTED), (PREDICTED - TRUTH) / (1 + TRUTH)
    # scipy divides by the normal quantile itself, 1/1.482602...; the field writes 1.4826.
    assert found["nmad"] == pytest.approx(stats.median_abs_deviation(difference, scale="normal"), rel=1e-5)
    assert found["bias"] == pytest.approx(np.quantile(difference, 0.5))
    assert found["sigma68"] == pytest.approx(stats.iqr(difference, rng=(16, 84)) / 2)
    assert found["outlier_fraction_05"] == pytest.approx(sum(abs(d) > 0.05 for d in difference) / 500)
    assert found["outlier_fraction_15"] == pytest.approx(sum(abs(d) > 0.15 for d in difference) / 500)
    assert found["mse"] == pytest.approx(sk.mean_squared_error(TRUTH, PREDICTED))
    assert found["mae"] == pytest.approx(sk.mean_absolute_error(TRUTH, PREDICTED))
    assert found["r2"] == pytest.approx(sk.r2_score(TRUTH, PREDICTED))


def test_sigma68_and_nmad_are_the_deviation_of_normal_errors():
    truth = np.full(200_000, 0.1)
    found = score(REDSHIFT, truth, truth + np.random.default_rng(1).normal(0, 0.022, len(truth)))
    assert found["nmad"] == pytest.approx(0.02, rel=0.02)
    assert found["sigma68"] == pytest.approx(0.02, rel=0.02)


def test_mass_scores_are_in_dex_and_in_the_old_unit():
    truth = 10 ** RNG.uniform(9, 11.5, 300)
    predicted = truth * 10 ** RNG.normal(0.05, 0.2, 300)
    found = score(MASS, truth, predicted)
    ratio = np.log10(predicted) - np.log10(truth)
    assert found["bias_dex"] == pytest.approx(ratio.mean())
    assert found["scatter_dex"] == pytest.approx(ratio.std())
    assert found["mae_1e9msun"] == pytest.approx(sk.mean_absolute_error(truth / 1e9, predicted / 1e9))
    assert found["r2"] == pytest.approx(sk.r2_score(np.log10(truth), np.log10(predicted)))


def test_masses_of_zero_or_less_count_as_the_smallest_possible():
    truth, predicted = np.array([1e10, 1e10, 1e11]), np.array([-5e10, 0.0, 1e11])
    found = score(MASS, truth, predicted)
    assert found["bias_dex"] == pytest.approx(-4)
    assert found["mae_1e9msun"] == pytest.approx((60 + 10) / 3)
    np.testing.assert_allclose(kind_of(MASS).to_scale(np.array([-1.0, 0.0, 1e4, 1e9, np.inf])), [4, 4, 4, 9, 14])


@pytest.mark.parametrize("name", ["subclass", "gz2c"])
def test_class_scores_equal_sklearn(name):
    count = len(OUTPUTS[name].classes)
    rng = np.random.default_rng(count)
    truth, probabilities = rng.integers(0, count, 800), rng.dirichlet(np.ones(count), 800)
    found, predicted = score(OUTPUTS[name], truth, probabilities), probabilities.argmax(axis=1)
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(truth, predicted))
    assert found["balanced_accuracy"] == pytest.approx(sk.balanced_accuracy_score(truth, predicted))
    assert found["macro_f1"] == pytest.approx(sk.f1_score(truth, predicted, average="macro"))
    assert found["log_loss"] == pytest.approx(sk.log_loss(truth, probabilities))
    assert found["roc_auc"] == pytest.approx(sk.roc_auc_score(truth, probabilities, multi_class="ovr"))
    if name == "gz2c":
        assert found["top3_accuracy"] == pytest.approx(sk.top_k_accuracy_score(truth, probabilities, k=3))
    else:
        assert "top3_accuracy" not in found


def test_equal_probabilities_count_half_in_the_area():
    probabilities = np.round(np.random.default_rng(3).dirichlet(np.ones(4), 300), 1)
    truth = np.arange(300) % 4
    expected = [sk.roc_auc_score(truth == label, probabilities[:, label]) for label in range(4)]
    assert score(SUBCLASS, truth, probabilities)["roc_auc"] == pytest.approx(np.mean(expected))


def test_calibration_error_is_that_of_guo():
    truth, probabilities = drawn(SUBCLASS, 700)
    top, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    expected = 0.0
    for k in range(15):
        chosen = (top > k / 15) & (top <= (k + 1) / 15)
        if chosen.any():
            expected += chosen.mean() * abs(right[chosen].mean() - top[chosen].mean())
    assert score(SUBCLASS, truth, probabilities)["ece"] == pytest.approx(expected)


@pytest.mark.parametrize(
    ("tops", "expected"),
    [
        # One bin, 9/15 to 10/15: the errors of both balance in part.
        ((0.61, 0.66), abs(-0.61 + 0.34) / 2),
        # Bins 14 and 15: they do not.
        ((0.92, 0.97), (0.92 + 0.03) / 2),
        # A limit belongs to the bin below it.
        ((0.61, 10 / 15), abs(-0.61 + 5 / 15) / 2),
    ],
)
def test_calibration_error_balances_within_one_of_fifteen_bins(tops, expected):
    """Of two objects whose first class is that probable, the first one is wrong and the second one right."""
    probabilities = np.array([[top, 1 - top, 0, 0] for top in tops])
    assert score(SUBCLASS, np.array([1, 0]), probabilities)["ece"] == pytest.approx(expected)


def test_calibrated_coin_has_no_calibration_error():
    probabilities = np.tile([0.75, 0.25, 0, 0], (8, 1))
    assert score(SUBCLASS, np.array([0, 0, 0, 1] * 2), probabilities)["ece"] == pytest.approx(0)
    assert score(SUBCLASS, np.array([1] * 8), probabilities)["ece"] == pytest.approx(0.75)


def test_class_that_does_not_occur_is_not_counted():
    found = score(SUBCLASS, np.array([0, 0, 2]), np.eye(4)[[0, 0, 2]])
    assert (found["balanced_accuracy"], found["macro_f1"], found["roc_auc"]) == (1, 1, 1)


def test_outliers_lie_beyond_their_limits():
    found = score(REDSHIFT, np.zeros(10), np.array([0, 0.04, 0.05, 0.06, 0.1, 0.15, 0.16, -0.16, 0.2, 1.1]))
    assert (found["outlier_fraction_05"], found["outlier_fraction_15"]) == (0.7, 0.4)


def test_class_that_is_only_predicted_is_not_averaged_in():
    found = score(SUBCLASS, np.array([0, 0, 2]), np.eye(4)[[0, 1, 2]])
    assert found["macro_f1"] == pytest.approx((2 / 3 + 1) / 2)


def test_scores_of_other_numbers_are_those_of_scikit_learn():
    found = score(Output("height", "s", "height", "", "", "", kind="number"), TRUTH, PREDICTED)
    assert found["rmse"] == pytest.approx(sk.root_mean_squared_error(TRUTH, PREDICTED))
    assert found["mae"] == pytest.approx(sk.mean_absolute_error(TRUTH, PREDICTED))
    assert found["r2"] == pytest.approx(sk.r2_score(TRUTH, PREDICTED))


def test_confusion_matrix_has_the_true_class_in_rows():
    matrix = kind_of(SUBCLASS).confusion_matrix(np.array([0, 0, 3]), np.eye(4)[[0, 1, 3]])
    np.testing.assert_array_equal(matrix, [[1, 1, 0, 0], [0] * 4, [0] * 4, [0, 0, 0, 1]])
    assert matrix.dtype.kind == "i"


# === Edges ===


@pytest.mark.parametrize("name", OUTPUTS)
@pytest.mark.parametrize("count", [1, 2, 3, 40])
def test_every_score_is_finite_and_bounded_by_its_interval(name, count):
    truth, predicted = drawn(OUTPUTS[name], count)
    found = score(OUTPUTS[name], truth, predicted)
    assert np.isfinite(list(found.values())).all()
    assert kind_of(OUTPUTS[name]).headline in found
    bounds = intervals(OUTPUTS[name], truth, predicted, resamples=200)
    assert list(bounds) == list(found)
    assert all(np.isfinite(pair).all() and pair[0] <= pair[1] for pair in bounds.values())


@pytest.mark.parametrize("name", OUTPUTS)
def test_perfect_predictions_have_the_best_scores(name):
    truth, _ = drawn(OUTPUTS[name], 200)
    best = {"low": 0, "zero": 0, "high": 1}
    for metric, value in score(OUTPUTS[name], truth, perfect(OUTPUTS[name], truth)).items():
        assert value == pytest.approx(best[kind_of(OUTPUTS[name]).metrics[metric].better], abs=1e-12), metric


def test_scores_that_the_truth_leaves_undefined_are_left_out():
    assert "r2" not in score(REDSHIFT, np.full(5, 0.1), np.linspace(0, 0.3, 5))
    one_class = np.zeros(5, int)
    assert "roc_auc" not in score(SUBCLASS, one_class, np.full((5, 4), 0.25))
    assert "roc_auc" not in intervals(SUBCLASS, one_class, np.full((5, 4), 0.25), resamples=20)


# === Intervals, bins and directions ===


@pytest.mark.parametrize("name", OUTPUTS)
def test_intervals_repeat_by_seed_and_hold_the_score(name):
    truth, predicted = drawn(OUTPUTS[name], 400)
    bounds = [intervals(OUTPUTS[name], truth, predicted, seed, 200) for seed in (4, 4, 5)]
    assert bounds[0] == bounds[1]
    assert bounds[0] != bounds[2]
    found, metric = score(OUTPUTS[name], truth, predicted), kind_of(OUTPUTS[name]).headline
    assert bounds[0][metric][0] <= found[metric] <= bounds[0][metric][1]


def test_intervals_agree_with_scipy():
    bounds = intervals(REDSHIFT, TRUTH, PREDICTED, resamples=4000)["mae"]
    expected = stats.bootstrap(
        (np.abs(PREDICTED - TRUTH),), np.mean, method="percentile", n_resamples=4000, rng=np.random.default_rng(1)
    ).confidence_interval
    width = expected.high - expected.low
    np.testing.assert_allclose(bounds, expected, atol=0.05 * width)


def test_resampled_class_scores_are_those_of_the_resampled_galaxies():
    truth, probabilities = drawn(GZ2, 60)
    rng, found = np.random.default_rng(7), []
    for row in rng.integers(60, size=(50, 60)):
        found.append(score(GZ2, truth[row], probabilities[row]))
    bounds = intervals(GZ2, truth, probabilities, seed=7, resamples=50)
    for metric in bounds.keys() - set(kind_of(GZ2).class_averages):
        expected = np.quantile([line[metric] for line in found], [0.025, 0.975])
        np.testing.assert_allclose(bounds[metric], expected, err_msg=metric)


def test_class_averages_are_resampled_within_the_classes():
    truth, probabilities = drawn(SUBCLASS, 80)
    members = [np.flatnonzero(truth == label) for label in range(4)]
    rng, found = np.random.default_rng(1), []
    for _ in range(4000):
        rows = np.concatenate([rng.choice(group, len(group)) for group in members])
        found.append(score(SUBCLASS, truth[rows], probabilities[rows]))
    bounds = intervals(SUBCLASS, truth, probabilities, resamples=4000)
    for metric in kind_of(GZ2).class_averages:
        low, high = np.quantile([line[metric] for line in found], [0.025, 0.975])
        np.testing.assert_allclose(bounds[metric], (low, high), atol=0.1 * (high - low), err_msg=metric)


def test_interval_holds_the_score_where_rare_classes_are_always_missed():
    truth = np.concatenate([np.repeat([0, 1], 100), np.arange(2, 12)])
    predicted = np.where(truth < 2, truth, 0)
    probabilities = 0.9 * np.eye(23)[predicted] + 0.1 / 23
    found, bounds = score(GZ2, truth, probabilities), intervals(GZ2, truth, probabilities)
    assert found["balanced_accuracy"] == pytest.approx(2 / 12)
    for metric in kind_of(GZ2).class_averages:
        assert bounds[metric][0] <= found[metric] <= bounds[metric][1], metric


def test_long_samples_are_resampled_in_blocks(monkeypatch):
    whole = intervals(REDSHIFT, TRUTH, PREDICTED, resamples=30)
    monkeypatch.setattr("common.outputs.metrics._BLOCK", 4 * len(TRUTH))
    assert intervals(REDSHIFT, TRUTH, PREDICTED, resamples=30) == whole


def test_wider_level_gives_wider_intervals():
    narrow, wide = (intervals(REDSHIFT, TRUTH, PREDICTED, level=level)["nmad"] for level in (0.68, 0.95))
    assert wide[0] < narrow[0] < narrow[1] < wide[1]


def in_bins(truth, predicted):
    """Score redshifts in bins of the truth."""
    edges = kind_of(REDSHIFT).bin_edges
    return scores_in_bins(REDSHIFT, truth, {"b2r": predicted}, {"z": (truth, edges)}).get("z", [])


def test_bins_hold_the_scores_of_their_galaxies():
    bins = in_bins(TRUTH, PREDICTED)
    assert [(line["low"], line["high"]) for line in bins] == [
        (0, 0.05), (0.05, 0.1), (0.1, 0.15), (0.15, 0.2), (0.2, 0.3), (0.3, 0.5),
    ]  # fmt: skip
    assert sum(line["count"] for line in bins) == 500
    chosen = (TRUTH >= 0.1) & (TRUTH < 0.15)
    expected = score(REDSHIFT, TRUTH[chosen], PREDICTED[chosen])
    assert bins[2]["scores"]["b2r"] == {key: expected[key] for key in ("nmad", "bias", "outlier_fraction_05")}
    for name, (low, high) in bins[2]["intervals"]["b2r"].items():
        assert low < expected[name] < high


def test_galaxy_on_a_limit_is_in_the_bin_above():
    truth = np.repeat([0.1, 0.2], 10)
    bins = in_bins(truth, truth + 0.01)
    assert [(line["low"], line["count"]) for line in bins] == [(0.1, 10), (0.2, 10)]


def test_bins_of_fewer_than_ten_galaxies_are_left_out():
    truth = np.array([0.02] * 9 + [0.07] * 10)
    assert [(line["low"], line["count"]) for line in in_bins(truth, truth)] == [(0.05, 10)]
    assert in_bins(truth[:3], truth[:3]) == []


def test_bins_compare_rivals_on_the_same_objects_and_leave_out_those_without_a_number():
    magnitude = np.where(np.arange(500) < 100, np.nan, np.linspace(13, 19, 500))
    rows = {"b2r": PREDICTED, "mean": np.full(500, TRUTH.mean())}
    found = scores_in_bins(
        REDSHIFT, TRUTH, rows, {"r magnitude": (magnitude, (-np.inf, 16, np.inf)), "w": (TRUTH, (7, 9))}
    )
    assert list(found) == ["r magnitude"]
    assert sum(line["count"] for line in found["r magnitude"]) == 400
    for line in found["r magnitude"]:
        assert line["scores"]["b2r"]["nmad"] < line["scores"]["mean"]["nmad"]


def test_mass_has_bins_by_decade():
    mass = np.repeat([3e9, 2e11], 20)
    bins = scores_in_bins(MASS, mass, {"b2sm": 2 * mass}, {"m": (mass, kind_of(MASS).bin_edges)})["m"]
    assert [(line["count"], line["scores"]["b2sm"]["bias_dex"]) for line in bins] == [
        (20, pytest.approx(np.log10(2)))
    ] * 2
    assert all(line["low"] <= value < line["high"] for line, value in zip(bins, (3e9, 2e11), strict=True))


@pytest.mark.parametrize(("metric", "better", "worse"), [("nmad", 0.01, 0.02), ("r2", 0.9, 0.1), ("bias", -0.01, 0.02)])
def test_cost_is_less_for_what_is_better(metric, better, worse):
    cost = kind_of(REDSHIFT).metrics[metric].cost
    assert cost(better) < cost(worse)
