"""Plots and tables."""

import numpy as np
import pytest

from common.judge import figures as report
from common.outputs.coding import CLASS_LOSS
from sdss_gs.schema import OUTPUTS

RNG = np.random.default_rng(0)
TRUTH = RNG.uniform(0.01, 0.4, 500)
PREDICTED = TRUTH + RNG.normal(0, 0.02, 500) * (1 + TRUTH) + 0.003


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
        report.gallery("t", ["a"] * min(count, 18), [None, np.zeros((150, 150, 3), np.uint8), np.ones(9)] * 6),
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
