"""How much reference objects count so that they look like another survey."""

import numpy as np
import pytest

from common.shift.importance import importance


def normal(count, mean=0.0, width=1.0, seed=0, traits=3):
    values = np.random.default_rng(seed).normal(size=(count, traits))
    values[:, 0] = mean + width * values[:, 0]
    return values


def test_the_same_survey_weighs_its_objects_alike():
    found = importance(normal(400), normal(600, seed=1))
    assert found.auc == 0.5
    assert found.effective == 1
    assert (found.weights == 1).all()
    assert (found.weights_of(normal(5)) == 1).all()


def test_the_ratio_of_two_normal_distributions():
    reference = normal(3000)
    found = importance(reference, normal(3000, mean=1, width=0.8, seed=1))
    x = reference[:, 0]
    true = np.exp(-0.5 * ((x - 1) / 0.8) ** 2 + 0.5 * x**2) / 0.8
    assert np.corrcoef(found.weights, true)[0, 1] > 0.95
    assert found.weights.mean() == pytest.approx(1)
    assert np.average(x, weights=found.weights) == pytest.approx(1, abs=0.12)
    assert found.effective == pytest.approx(true.sum() ** 2 / (len(x) * np.square(true).sum()), abs=0.1)
    assert found.covered == pytest.approx(1, abs=0.1)
    # Two unit steps apart, by Φ(Δ / √(1 + .8²)).
    assert found.auc == pytest.approx(0.782, abs=0.02)
    fresh = normal(3000, seed=2)
    assert np.average(fresh[:, 0], weights=found.weights_of(fresh)) == pytest.approx(1, abs=0.12)


def test_surveys_that_do_not_overlap_are_said_not_to():
    found = importance(normal(500), normal(500, mean=12, seed=1))
    assert found.auc > 0.999
    assert found.covered < 0.1
    assert np.isfinite(found.weights).all()


def test_missing_traits_are_no_numbers_but_tell_surveys_apart():
    other = normal(500, seed=1)
    other[:250, 1] = np.nan
    found = importance(normal(500), other)
    assert 0.65 < found.auc < 0.85
    assert np.isfinite(found.weights).all()


def test_objects_that_were_not_looked_at_are_weighed_too(monkeypatch):
    monkeypatch.setattr("common.shift.importance.MOST_OBJECTS", 300)
    found = importance(normal(800), normal(900, mean=1, seed=1))
    assert len(found.weights) == 800
    assert np.average(normal(800)[:, 0], weights=found.weights) > 0.6


def test_a_handful_of_objects_says_nothing():
    assert importance(normal(400), normal(1, mean=9)).auc == 0.5
    with pytest.raises(ValueError, match="traits"):
        importance(normal(20), normal(20, traits=2))
