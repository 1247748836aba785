"""Metrics, baselines, plots and tables, against independent formulas."""

import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sk

from common import report
from common.baselines import baselines
from common.metrics import class_scores, mass_scores, redshift_scores, score
from common.outputs import CLASS_LOSS
from sdss_gs.schema import INPUTS, OUTPUTS

RNG = np.random.default_rng(0)
TRUTH = RNG.uniform(0.01, 0.4, 500)
PREDICTED = TRUTH + RNG.normal(0, 0.02, 500) * (1 + TRUTH) + 0.003


def test_redshift_scores_equal_scipy_and_sklearn():
    found, difference = redshift_scores(TRUTH, PREDICTED), (PREDICTED - TRUTH) / (1 + TRUTH)
    # scipy divides by the normal quantile itself, 1/1.482602...; the field writes 1.4826.
    assert found["nmad"] == pytest.approx(stats.median_abs_deviation(difference, scale="normal"), rel=1e-5)
    assert found["bias"] == pytest.approx(np.quantile(difference, 0.5))
    assert found["outlier_fraction"] == pytest.approx(sum(abs(d) > 0.05 for d in difference) / 500)
    assert found["mse"] == pytest.approx(sk.mean_squared_error(TRUTH, PREDICTED))
    assert found["mae"] == pytest.approx(sk.mean_absolute_error(TRUTH, PREDICTED))
    assert found["r2"] == pytest.approx(sk.r2_score(TRUTH, PREDICTED))


def test_mass_scores_are_in_dex_and_in_the_old_unit():
    truth = 10 ** RNG.uniform(9, 11.5, 300)
    predicted = truth * 10 ** RNG.normal(0.05, 0.2, 300)
    found = mass_scores(truth, predicted)
    ratio = np.log10(predicted) - np.log10(truth)
    assert found["bias_dex"] == pytest.approx(ratio.mean())
    assert found["scatter_dex"] == pytest.approx(ratio.std())
    assert found["mae_1e9msun"] == pytest.approx(sk.mean_absolute_error(truth / 1e9, predicted / 1e9))
    assert found["r2"] == pytest.approx(sk.r2_score(np.log10(truth), np.log10(predicted)))


def test_class_scores_equal_sklearn():
    truth = RNG.integers(0, 4, 400)
    probabilities = RNG.dirichlet(np.ones(4), 400)
    found, predicted = class_scores(truth, probabilities), probabilities.argmax(axis=1)
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(truth, predicted))
    assert found["balanced_accuracy"] == pytest.approx(sk.balanced_accuracy_score(truth, predicted))
    assert found["macro_f1"] == pytest.approx(sk.f1_score(truth, predicted, average="macro"))
    assert found["log_loss"] == pytest.approx(sk.log_loss(truth, probabilities))


def test_class_that_does_not_occur_is_not_counted():
    truth, probabilities = np.array([0, 0, 2]), np.eye(4)[[0, 0, 2]]
    assert class_scores(truth, probabilities)["balanced_accuracy"] == 1
    assert class_scores(truth, probabilities)["macro_f1"] == 1


def test_constant_baselines_are_mean_and_median_of_the_training_truth():
    found = baselines(INPUTS["img"], OUTPUTS["redshift"], None, np.array([0.1, 0.1, 0.4]), None, 7, 0)
    assert set(found) == {"mean", "median"}
    np.testing.assert_allclose(found["mean"], [0.2] * 7, rtol=1e-6)
    np.testing.assert_allclose(found["median"], [0.1] * 7, rtol=1e-6)


def test_majority_baseline_gives_the_training_shares():
    found = baselines(INPUTS["img"], OUTPUTS["subclass"], None, np.array([3, 3, 3, 1]), None, 2, 0)
    np.testing.assert_allclose(found["majority"], [[0, 0.25, 0, 0.75]] * 2)


@pytest.mark.parametrize("name", ["redshift", "subclass"])
def test_gradient_boosting_learns_from_colours(name):
    magnitudes = RNG.uniform(15, 20, (900, 5)).astype(np.float32)
    colour = magnitudes[:, 1] - magnitudes[:, 2]
    truth = (colour > 0).astype(int) * 3 if name == "subclass" else 0.2 + 0.02 * colour
    output = OUTPUTS[name]
    found = baselines(INPUTS["bands"], output, magnitudes[:700], truth[:700], magnitudes[700:], 200, 0)
    scores = {key: score(output, truth[700:], value) for key, value in found.items()}
    if name == "subclass":
        assert scores["gradient boosting"]["accuracy"] > 0.97
    else:
        assert scores["gradient boosting"]["mae"] < 0.1 * scores["mean"]["mae"]


def test_gradient_boosting_survives_a_single_class():
    magnitudes, truth = np.ones((5, 4), np.float32), np.full(5, 2)
    found = baselines(INPUTS["wise"], OUTPUTS["subclass"], magnitudes, truth, magnitudes[:2], 2, 0)
    np.testing.assert_allclose(found["gradient boosting"], np.eye(4)[[2, 2]])


def test_score_table_lines_up_and_holds_every_value():
    table = report.score_table({"i2r": {"nmad": 0.0123, "r2": -1234.5678}, "mean": {"nmad": 0.5, "r2": 0.0}})
    lines = table.splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[1].split() == ["i2r", "0.0123", "-1234.6"]


@pytest.mark.parametrize("count", [2, 15, 500])
def test_plots_draw_few_and_many_galaxies(count):
    history = [{"loss": 0.1 / k, "val_loss": 0.2 / k} for k in (1, 2, 3)]
    drawn = [
        report.loss_curves(history, 2, CLASS_LOSS),
        report.predicted_against_true(OUTPUTS["redshift"], TRUTH[:count], PREDICTED[:count]),
        report.residuals(OUTPUTS["redshift"], TRUTH[:count], PREDICTED[:count]),
        report.residuals(OUTPUTS["smass"], 1e10 * TRUTH[:count], 1e10 * np.abs(PREDICTED[:count])),
        report.confusion(OUTPUTS["subclass"], np.arange(count) % 4, np.eye(4)[np.arange(count) % 3]),
        report.worst_cases(["a"] * min(count, 18), [None, np.zeros((150, 150, 3), np.uint8)] * 9),
    ]
    for figure in drawn:
        figure.canvas.draw()


def test_density_plot_says_how_many_points_lie_outside_its_frame():
    predicted = PREDICTED.copy()
    predicted[0] = 50.0
    figure = report.predicted_against_true(OUTPUTS["redshift"], TRUTH, predicted)
    assert figure.axes[0].get_title() == "500 test galaxies, 1 outside the frame"


def test_confusion_rows_are_the_true_classes():
    figure = report.confusion(OUTPUTS["subclass"], np.array([0, 0, 3]), np.eye(4)[[0, 1, 3]])
    np.testing.assert_allclose(figure.axes[0].images[0].get_array()[0], [0.5, 0.5, 0, 0])
    assert next(tick.get_text() for tick in figure.axes[0].get_yticklabels()) == "AGN (2)"
