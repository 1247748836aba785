"""Pictures of distributions show those that they say."""

import numpy as np
import pytest

from common.outputs.distribution import second_peaks
from common.outputs.figures import example_distributions

GRID = np.linspace(0, 1, 201)
MIDDLE = (GRID[1:] + GRID[:-1]) / 2


def normal(centre, width):
    shares = np.exp(-0.5 * ((MIDDLE - centre) / width) ** 2)
    return shares / shares.sum()


@pytest.fixture
def many():
    """Distributions of increasing width, the third from the end with a second peak of half the height."""
    shares = np.array([normal(0.3 + 0.01 * n, 0.02 + 0.002 * n) for n in range(21)])
    shares[18] = (normal(0.3, 0.03) + 0.5 * normal(0.6, 0.03)) / 1.5
    return shares


def test_second_peaks_are_measured_however_the_bins_are_cut(many):
    found = second_peaks(many, GRID)
    assert found[18] == pytest.approx(0.5, abs=0.01)
    assert not found[np.arange(21) != 18].any()
    # Twice as wide bins on one side have twice the share and the same density.
    wide = np.concatenate([GRID[:100], GRID[100::2]])
    joined = np.concatenate([many[:, :100], many[:, 100:].reshape(21, -1, 2).sum(axis=2)], axis=1)
    np.testing.assert_allclose(second_peaks(joined, wide), found, atol=0.06)


def test_noise_of_single_bins_is_no_peak():
    noisy = normal(0.5, 0.1) * np.random.default_rng(0).uniform(0.8, 1.2, 200)
    assert second_peaks(noisy[None] / noisy.sum(), GRID)[0] < 0.15


def test_surest_median_least_sure_and_most_two_peaked_are_drawn_with_the_truth(many):
    truth = np.arange(21) / 100 + 0.3
    figure = example_distributions(many, GRID, truth, "redshift z")
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["surest", "median width", "least sure", "most two-peaked (50%)"]
    # The two-peaked one is the widest, too.
    for axes, row in zip(figure.axes, (0, 10, 18, 18), strict=True):
        (line,) = axes.lines
        assert line.get_xdata()[0] == truth[row]
        low, high = axes.get_xlim()
        assert low < truth[row] < high
        assert axes.get_xlabel() == "redshift z"
