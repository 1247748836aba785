from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from common.outputs.calibration import LEVELS
from common.outputs.distribution import reached
from common.outputs.kinds import kind_of
from sdss_gs.schema import OUTPUTS, Output

COUNT = 4000


def numbers(name, seed):
    """Predictions that are far worse, and biased, for the larger values."""
    rng = np.random.default_rng(seed)
    share = rng.uniform(size=COUNT)
    error = rng.normal(0.01, 0.01 + 0.1 * share**2)
    if name == "redshift":
        predicted = 0.05 + 0.4 * share
        return predicted + error * (1 + predicted), predicted
    return 10 ** (9 + 2 * share + error), 10 ** (9 + 2 * share)


def classes(seed):
    """Probabilities of a network that is far too sure of itself."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(COUNT, 4))
    honest = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    truth = np.array([rng.choice(4, p=row) for row in honest])
    sharp = np.exp(3 * logits)
    return truth, sharp / sharp.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("name", ["redshift", "smass"])
def test_intervals_hold_the_truth_as_often_as_they_say(name):
    output = OUTPUTS[name]
    calibration = kind_of(output).fit_calibration(*numbers(name, 0))
    truth, predicted = numbers(name, 1)
    for row, level in zip(kind_of(output).coverage(calibration, truth, predicted), LEVELS, strict=True):
        assert row["level"] == level
        assert row["coverage"] == pytest.approx(level, abs=0.03)
    low, high = kind_of(output).bounds(calibration, predicted, 0.9)
    held = (truth >= low) & (truth <= high)
    good, bad = predicted < np.quantile(predicted, 0.3), predicted > np.quantile(predicted, 0.7)
    # Also where the model is good and where it is bad, because the intervals differ.
    assert held[good].mean() == pytest.approx(0.9, abs=0.03)
    assert held[bad].mean() == pytest.approx(0.9, abs=0.03)
    assert np.median(np.log(high / low)[bad]) > 2 * np.median(np.log(high / low)[good]) or name == "redshift"


def test_few_objects_make_the_interval_as_wide_as_the_promise_needs():
    """Of 19 objects, 95 % from above take the largest error: rank ⌈(19 + 1) · 0.95⌉ (Vovk et al. 2005)."""
    predicted, error = np.full(19, 0.1), np.linspace(-0.01, 0.02, 19)
    calibration = kind_of(OUTPUTS["redshift"]).fit_calibration(predicted + error, predicted)
    low, high = kind_of(OUTPUTS["redshift"]).bounds(calibration, predicted[:1], 0.9)
    assert high[0] == pytest.approx(0.12)
    assert low[0] == pytest.approx(0.09)


@pytest.mark.parametrize(("level", "fewest"), [(0.68, 6), (0.9, 19), (0.95, 39)])
def test_interval_needs_so_many_objects(level, fewest):
    """Vovk et al. 2005: rank ⌈(n + 1)(1 + level) / 2⌉ has to be one of the n errors; one object fewer has none left."""
    kind = kind_of(OUTPUTS["redshift"])
    assert level not in kind.not_held(fewest)
    assert level in kind.not_held(fewest - 1)
    assert kind_of(OUTPUTS["subclass"]).not_held(18) == [0.95]
    assert kind_of(OUTPUTS["subclass"]).not_held(19) == []


def test_quantile_is_the_promised_rank():
    """Of 20 objects, 84 % from above take the 18th smallest error: rank ⌈(20 + 1) · 0.84⌉."""
    predicted, error = np.full(20, 0.1), np.arange(1, 21) / 1000
    calibration = kind_of(OUTPUTS["redshift"]).fit_calibration(predicted + error * 1.1, predicted)
    assert calibration.high["0.68"] == pytest.approx([0.018])


def test_intervals_of_a_users_own_number_lie_about_it():
    output = Output("height", "s", "height", "", "", "", kind="number")
    rng = np.random.default_rng(0)
    predicted = rng.uniform(-5, 5, 4000)
    truth = predicted + rng.normal(0.5, 0.2, 4000)
    calibration = kind_of(output).fit_calibration(truth, predicted)
    low, high = kind_of(output).bounds(calibration, np.array([-3.0]), 0.95)
    assert (low[0], high[0]) == pytest.approx((-3 + 0.5 - 0.392, -3 + 0.5 + 0.392), abs=0.05)
    assert kind_of(output).coverage(calibration, truth, predicted)[2]["coverage"] == pytest.approx(0.95, abs=0.01)


def test_intervals_say_where_the_model_is_unsure():
    output = OUTPUTS["redshift"]
    calibration = kind_of(output).fit_calibration(*numbers("redshift", 0))
    unsure = calibration.unsure(np.array([0.06, 0.44]))
    assert unsure.tolist() == [False, True]


def test_probabilities_of_an_overconfident_network_are_tempered():
    output = OUTPUTS["subclass"]
    calibration = kind_of(output).fit_calibration(*classes(0))
    truth, predicted = classes(1)
    assert calibration.temperature == pytest.approx(3, rel=0.1)
    calibrated = calibration.probabilities(predicted)
    np.testing.assert_allclose(calibrated.sum(axis=1), 1)
    np.testing.assert_array_equal(calibrated.argmax(axis=1), predicted.argmax(axis=1))
    top = calibrated.max(axis=1)
    assert top.mean() == pytest.approx((predicted.argmax(axis=1) == truth).mean(), abs=0.02)
    for row, level in zip(kind_of(output).coverage(calibration, truth, predicted), LEVELS, strict=True):
        assert row["coverage"] == pytest.approx(level, abs=0.03)
    assert calibration.typical == pytest.approx(np.median(top), abs=0.02)
    flat, clear = [0.25, 0.25, 0.25, 0.25], [0.7, 0.1, 0.1, 0.1]
    assert calibration.unsure(np.array([flat, clear])).tolist() == [bool(calibration.typical > 0.5), False]
    assert calibration.unsure(calibrated).mean() < 0.2


def test_a_set_holds_at_least_the_most_probable_class():
    calibration = kind_of(OUTPUTS["subclass"]).fit_calibration(np.zeros(500, int), np.eye(4)[np.zeros(500, int)])
    members = calibration.members(np.array([[0.4, 0.3, 0.2, 0.1]]), 0.68)
    assert members.tolist() == [[True, False, False, False]]


@pytest.mark.parametrize("count", [1, 2, 7])
def test_few_or_equal_objects_still_give_finite_intervals(count):
    output = OUTPUTS["redshift"]
    calibration = kind_of(output).fit_calibration(np.full(count, 0.1), np.full(count, 0.1))
    low, high = kind_of(output).bounds(calibration, np.array([0.0, 0.1, 3.0]), 0.95)
    np.testing.assert_allclose(low, high)


def test_reported_size_is_the_full_width():
    """Of normal errors the middle 68 % lie within one standard deviation, 95 % within 1.96."""
    rng = np.random.default_rng(0)
    predicted = np.full(20_000, 0.1)
    truth = predicted + rng.normal(0, 0.011, len(predicted))
    output = OUTPUTS["redshift"]
    kind = kind_of(output)
    rows = kind.coverage(kind.fit_calibration(truth, predicted), truth, predicted)
    assert [row["size"] for row in rows] == pytest.approx([0.0199, 0.0329, 0.0392], rel=0.03)


@pytest.mark.parametrize(("count", "bins"), [(200, 1), (460, 3), (4000, 10)])
def test_few_objects_are_not_cut_into_bins_that_hold_too_few(count, bins):
    predicted = np.linspace(0.05, 0.4, count)
    found = kind_of(OUTPUTS["redshift"]).fit_calibration(predicted * 1.01, predicted)
    assert len(found.edges) + 1 == bins


def distributions(stated, seed, count=COUNT):
    """Normal distributions about values, `stated` times as wide as the errors of these."""
    rng = np.random.default_rng(seed)
    grid = tuple(np.linspace(0, 1, 1001).tolist())
    middle, width = rng.uniform(0.3, 0.7, count), rng.uniform(0.01, 0.06, count)
    heights = norm.cdf((np.array(grid) - middle[:, None]) / (stated * width[:, None]))
    output = replace(OUTPUTS["redshift"], grid=grid)
    return output, middle + width * rng.normal(size=count), np.diff(heights, axis=1).astype(np.float32)


def test_distribution_that_is_right_all_but_keeps_its_own_quantiles():
    """Of 600 objects the quantiles of the truths alone would be off by 0.015 (68 %); shrunk they are off by less."""
    shrunk, found = [], []
    for seed in range(20):
        output, truth, shares = distributions(1.0, seed, 600)
        calibration = kind_of(output).fit_calibration(truth, shares)
        shrunk += [calibration.high["0.68"] - 0.84, 0.16 - calibration.low["0.68"]]
        found.append(np.quantile(reached(shares, output.grid, truth), 0.84) - 0.84)
    assert np.median(np.abs(shrunk)) == pytest.approx(0, abs=1e-9)
    assert np.sqrt(np.mean(np.square(shrunk))) < 0.75 * np.sqrt(np.mean(np.square(found)))


@pytest.mark.parametrize("stated", [0.88, 1.13])
def test_distribution_that_is_a_little_off_is_read_better_than_it_says(stated):
    """By less than three standard errors of 600 objects: nearly all of them are right to believe these."""
    before, after = [], []
    for seed in range(12):
        output, truth, shares = distributions(stated, seed, 600)
        calibration = kind_of(output).fit_calibration(truth, shares)
        _, truth, shares = distributions(stated, seed + 100)
        inside = reached(shares, output.grid, truth)
        after.append(np.mean((inside > calibration.low["0.68"]) & (inside < calibration.high["0.68"])) - 0.68)
        before.append(np.mean((inside > 0.16) & (inside < 0.84)) - 0.68)
    assert np.mean(np.abs(after)) < 0.75 * np.mean(np.abs(before))


@pytest.mark.parametrize("stated", [0.5, 2.0])
def test_distribution_that_is_too_narrow_or_wide_is_read_elsewhere(stated):
    output, truth, shares = distributions(stated, 0)
    calibration = kind_of(output).fit_calibration(truth, shares)
    _, truth, shares = distributions(stated, 1)
    for row, level in zip(kind_of(output).coverage(calibration, truth, shares), LEVELS, strict=True):
        assert row["coverage"] == pytest.approx(level, abs=0.03)
    ends = [*reversed(calibration.low.values()), *calibration.high.values()]
    assert ends == sorted(ends)


def shifted_numbers(seed, new):
    """Predictions whose error grows with what they do not show; of a survey with more of the worse ones, if `new`."""
    rng = np.random.default_rng(seed)
    hidden = rng.uniform(size=COUNT) ** (0.5 if new else 1)
    predicted = rng.uniform(0.1, 0.3, COUNT)
    return hidden, predicted + rng.normal(0, 0.005 + 0.05 * hidden**2) * (1 + predicted), predicted


def test_weighted_intervals_hold_the_truth_on_a_survey_of_other_objects():
    kind = kind_of(OUTPUTS["redshift"])
    hidden, truth, predicted = shifted_numbers(0, new=False)
    # The densities' ratio of hidden values, 2x to 1.
    plain, weighted = (kind.fit_calibration(truth, predicted, weights) for weights in (None, 2 * hidden))
    _, truth, predicted = shifted_numbers(1, new=True)
    for level, unweighted, row in zip(
        LEVELS, kind.coverage(plain, truth, predicted), kind.coverage(weighted, truth, predicted), strict=True
    ):
        assert row["coverage"] == pytest.approx(level, abs=0.03)
        assert unweighted["coverage"] < level - 0.03


def test_weighted_class_sets_and_distributions_hold_the_truth_on_a_survey_of_other_objects():
    rng = np.random.default_rng(0)
    output = replace(OUTPUTS["redshift"], grid=tuple(np.linspace(0, 1, 101)))
    kind, middles = kind_of(output), np.linspace(0.005, 0.995, 100)

    def drawn(new):
        hidden = rng.uniform(size=COUNT) ** (0.5 if new else 1)
        centre = rng.uniform(0.3, 0.7, COUNT)
        shares = norm.pdf(middles, centre[:, None], 0.05)
        return hidden, centre + rng.normal(0, 0.02 + 0.08 * hidden), shares / shares.sum(axis=1, keepdims=True)

    hidden, truth, shares = drawn(False)
    spread = kind.fit_calibration(truth, shares, 2 * hidden)
    # As JSON has them.
    assert {type(end) for end in (*spread.low.values(), *spread.high.values(), spread.typical)} == {float}
    _, truth, shares = drawn(True)
    for row in kind.coverage(spread, truth, shares):
        assert row["coverage"] == pytest.approx(row["level"], abs=0.03)
    kind = kind_of(OUTPUTS["subclass"])

    def labelled(new):
        hidden = rng.uniform(size=COUNT) ** (0.5 if new else 1)
        truth = rng.integers(0, 4, COUNT)
        logits = rng.normal(size=(COUNT, 4))
        logits[np.arange(COUNT), truth] += 4 * (1 - hidden)
        return hidden, truth, np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)

    hidden, truth, predicted = labelled(False)
    plain, weighted = (kind.fit_calibration(truth, predicted, weights) for weights in (None, 2 * hidden))
    _, truth, predicted = labelled(True)
    for calibration, least in ((plain, -0.2), (weighted, -0.03)):
        shares = [row["coverage"] - row["level"] for row in kind.coverage(calibration, truth, predicted)]
        assert min(shares) > least
    assert kind.coverage(plain, truth, predicted)[0]["coverage"] < LEVELS[0] - 0.02


def test_equal_weights_are_no_weights():
    truth, predicted = numbers("redshift", 0)
    kind = kind_of(OUTPUTS["redshift"])
    plain, weighted = (kind.fit_calibration(truth, predicted, weights) for weights in (None, np.full(COUNT, 3.0)))
    for level in map(str, LEVELS):
        np.testing.assert_allclose(weighted.high[level], plain.high[level], atol=2e-3)
