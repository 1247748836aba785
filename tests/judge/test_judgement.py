"""Plots and tables."""

import numpy as np
import pytest

from common.judge import figures as report
from common.outputs.kinds import kind_of
from sdss_gs.schema import OUTPUTS

RNG = np.random.default_rng(0)
TRUTH = RNG.uniform(0.01, 0.4, 500)
PREDICTED = TRUTH + RNG.normal(0, 0.02, 500) * (1 + TRUTH) + 0.003


def test_score_table_lines_up_and_holds_every_value():
    table = report.score_table({"i2r": {"nmad": 0.0123, "r2": -1234.5678}, "mean": {"nmad": 0.5, "r2": 0.0}})
    lines = table.splitlines()
    assert len({len(line) for line in lines}) == 1
    assert lines[1].split() == ["i2r", "0.0123", "-1234.6"]


def test_loss_is_drawn_by_epoch_and_the_kept_one_marked():
    history = [{"loss": 0.1 / k, "val_loss": 0.2 / k} for k in (1, 2, 3)]
    figure = report.loss_curves(history, 2, "mse")
    figure.canvas.draw()
    (axes,) = figure.axes
    training, validation, kept = axes.lines
    np.testing.assert_allclose(training.get_xydata(), [[1, 0.1], [2, 0.05], [3, 0.1 / 3]])
    np.testing.assert_allclose(validation.get_xydata(), [[1, 0.2], [2, 0.1], [3, 0.2 / 3]])
    assert set(kept.get_xdata()) == {2}
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("epoch", "loss (mse)")
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["training", "validation", "kept: epoch 2"]


@pytest.mark.parametrize("figure", [
    # Ticks of three decimals take the most room.
    report.selection({"r": {"train": np.r_[np.full(80, 0.3), TRUTH], "test": PREDICTED}, "z": {"train": TRUTH}}),
    report.selection({"sub-class": {"train": np.array(["STARFORMING", "BROADLINE"], object)}}),
    report.loss_curves([{"loss": 2e-5 / k, "val_loss": 3e-5 / k} for k in range(1, 99)], 2, "categorical_crossentropy"),
])  # fmt: skip
def test_no_word_is_cut_off(figure):
    figure.draw_without_rendering()
    box, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert 0 <= box.x0 < box.x1 <= width
    assert 0 <= box.y0 < box.y1 <= height


@pytest.mark.parametrize("count", [2, 15, 18])
def test_gallery_shows_images_spectra_and_what_has_neither(count):
    pictures = [None, np.zeros((150, 150, 3), np.uint8), np.ones(9)] * 6
    figure = report.gallery("Worst", [f"object {k}" for k in range(count)], pictures)
    figure.canvas.draw()
    written = [text.get_text() for text in figure.texts]
    assert written.count("no image") == len([picture for picture in pictures[:count] if picture is None])
    captions = [*(text for text in written if text.startswith("object")), *(axes.get_title() for axes in figure.axes)]
    assert sorted(captions) == sorted(f"object {k}" for k in range(count))
    assert [(len(axes.images), len(axes.lines)) for axes in figure.axes] == [
        ((1, 0), (0, 1))[k % 3 - 1] for k in range(count) if k % 3
    ]


def test_density_plot_counts_every_point_and_says_how_many_lie_outside_its_frame():
    predicted = PREDICTED.copy()
    predicted[0] = 50.0
    axes = kind_of(OUTPUTS["redshift"]).figures(TRUTH, predicted)["predicted_vs_true"].axes[0]
    assert axes.get_title() == "500 test galaxies, 1 outside the frame"
    assert axes.collections[0].get_array().sum() == 499


def test_residuals_of_masses_are_in_dex():
    mass = 1e10 * TRUTH
    axes = kind_of(OUTPUTS["smass"]).figures(mass, 2 * mass)["residuals"].axes[0]
    np.testing.assert_allclose(
        axes.collections[0].get_offsets(), np.transpose([np.log10(mass), np.full(500, np.log10(2))])
    )
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("true log10 stellar mass / Msun", "predicted − true, dex")


def test_confusion_rows_are_the_true_classes():
    figures = kind_of(OUTPUTS["subclass"]).figures(np.array([0, 0, 3]), np.eye(4)[[0, 1, 3]])
    np.testing.assert_allclose(figures["confusion"].axes[0].images[0].get_array()[0], [0.5, 0.5, 0, 0])
