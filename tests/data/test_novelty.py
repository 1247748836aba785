"""What is flagged as unlike the training objects: one in a hundred of the same kind, and what is no such object."""

import json
from dataclasses import asdict, replace

import numpy as np
import pytest

from common.data.fit_novelty import fit_novelty
from common.data.measure import TrainingRange
from common.data.novelty import Novelty, range_from
from sdss_gs.schema import INPUTS, WAVELENGTH

BANDS = replace(INPUTS["bands"], gaps=True)


def galaxies(count, seed):
    """Magnitudes whose colours depend on one another, as those of galaxies do."""
    rng = np.random.default_rng(seed)
    bright, old = rng.normal(17, 0.8, (count, 1)), rng.beta(2, 2, (count, 1))
    colours = np.concatenate([1.2 + 0.8 * old, 0.5 + 0.6 * old, 0.2 + 0.25 * old, 0.1 + 0.25 * old], axis=1)
    steps = np.concatenate([np.zeros((count, 1)), -np.cumsum(colours, axis=1)], axis=1)
    return (bright + 2 + steps + rng.normal(0, 0.03, (count, 5))).astype(np.float32)


def spectra(count, seed):
    """Spectra with a break and a line, both at 1 + z."""
    rng = np.random.default_rng(seed)
    z, strong = rng.uniform(0.02, 0.2, (count, 1)), rng.uniform(0.2, 1, (count, 1))
    rest = WAVELENGTH / (1 + z)
    flux = 1 + rng.normal(0, 0.1, (count, 1)) * (rest / 6000 - 1) - strong * 0.5 / (1 + np.exp((rest - 4000) / 20))
    flux = flux + 2 * strong * np.exp(-0.5 * ((rest - 6563) / 4) ** 2)
    return (10 ** rng.normal(1, 0.3, (count, 1)) * flux).astype(np.float32)


def images(count, seed):
    """Round galaxies of some size, colour and brightness on a noisy sky."""
    rng = np.random.default_rng(seed)
    place = np.hypot(*np.mgrid[-75:75, -75:75])
    size, bright = rng.uniform(6, 20, (count, 1, 1, 1)), rng.uniform(60, 200, (count, 1, 1, 1))
    colour = np.array([1, 0.85, 0.6]) * rng.normal(1, 0.03, (count, 1, 1, 3))
    light = bright * np.exp(-place[None, ..., None] / size) * colour
    return np.clip(20 + light + rng.normal(0, 4, (count, 150, 150, 3)), 0, 255).astype(np.uint8)


def fitted(item, make, count):
    parts = {"train": make(count, 1), "validation": make(max(120, count // 3), 2)}
    return fit_novelty(item, lambda part: np.array_split(parts[part], 3))


@pytest.fixture(scope="module")
def of_bands():
    return fitted(BANDS, galaxies, 3000)


@pytest.fixture(scope="module")
def of_spectra():
    return fitted(INPUTS["spectra"], spectra, 600)


@pytest.fixture(scope="module")
def of_images():
    return fitted(INPUTS["img"], images, 300)


@pytest.mark.parametrize("gone", [(), (0,), (4,), (0, 4), (1, 2, 3)])
def test_one_galaxy_in_a_hundred_is_flagged_whatever_magnitudes_it_lacks(of_bands, gone):
    others = galaxies(20_000, 3)
    others[:, list(gone)] = np.nan
    # The threshold comes from 1000 objects: its standard error is 0.3 %.
    assert of_bands.outside(BANDS, others).mean() == pytest.approx(0.01, abs=0.01)


def test_usual_numbers_that_do_not_go_together_are_flagged(of_bands):
    """Each of the colours is usual by itself."""
    red, blue = 1.95, 1.25
    odd = np.array([[19, 19 - red, 19 - red - 0.55, 19 - red - 0.55 - 0.43, 19 - red - 0.55 - 0.43 - 0.12]], np.float32)
    usual = np.array([[19, 19 - blue, 19 - blue - 0.55, 19 - blue - 0.75, 19 - blue - 0.87]], np.float32)
    assert of_bands.outside(BANDS, odd).all()
    assert not of_bands.outside(BANDS, usual).any()


def test_magnitudes_that_were_never_there_together_are_flagged():
    """Of surveys without u nobody knows what a galaxy with u looks like."""

    def without_u(count, seed):
        values = galaxies(count, seed)
        values[:, 0] = np.nan
        return values

    novelty = fitted(BANDS, without_u, 500)
    assert not novelty.outside(BANDS, without_u(50, 5))[:20].all()
    assert novelty.outside(BANDS, galaxies(50, 5)).all()


def test_errors_of_magnitudes_change_nothing(of_bands):
    item = replace(BANDS, columns=(*BANDS.columns, *(f"err{n}" for n in range(5))), errors=5)
    values = galaxies(500, 4)
    with_errors = np.concatenate([values, np.full_like(values, np.nan)], axis=1)
    np.testing.assert_array_equal(of_bands.outside(item, with_errors), of_bands.outside(BANDS, values))


def test_noise_constants_cosmic_rays_and_stars_are_no_spectra_of_galaxies(of_spectra):
    item, rng, usual = INPUTS["spectra"], np.random.default_rng(0), spectra(300, 3)
    assert of_spectra.outside(item, usual).mean() < 0.04
    struck = usual.copy()
    struck[np.arange(300), rng.integers(0, usual.shape[1], 300)] += 10 * usual.mean(axis=1)
    star = (1 / (WAVELENGTH / 5000) ** 4).astype(np.float32) * usual.mean(axis=1, keepdims=True)
    for name, odd in {
        "noise": rng.normal(0, 10, (50, usual.shape[1])).astype(np.float32),
        "constant": np.full((1, usual.shape[1]), 10, np.float32),
        "zero": np.zeros((1, usual.shape[1]), np.float32),
        "cosmic ray": struck,
        "star": star,
        "in reverse": usual[:, ::-1],
    }.items():
        assert of_spectra.outside(item, odd).mean() > 0.95, name


def test_noise_constants_and_inverted_images_are_no_galaxies(of_images):
    item, rng, usual = INPUTS["img"], np.random.default_rng(0), images(150, 3)
    assert of_images.outside(item, usual).mean() < 0.06
    for name, odd in {
        "noise": rng.integers(0, 256, usual.shape).astype(np.uint8),
        "faint noise": rng.integers(10, 30, usual.shape).astype(np.uint8),
        "constant": np.full_like(usual, 60),
        "inverted": 255 - usual,
        "grey": np.repeat(usual[..., :1], 3, axis=3),
        "shuffled": rng.permuted(usual.reshape(150, -1), axis=1).reshape(usual.shape),
    }.items():
        assert of_images.outside(item, odd).mean() > 0.95, name


@pytest.mark.parametrize("name", INPUTS)
def test_few_or_equal_objects_still_make_a_test(name):
    item = INPUTS[name]
    usual = np.full((3, *item.shape), 100, item.dtype)
    novelty = fit_novelty(item, lambda _part: [usual])
    assert not novelty.outside(item, usual).any()
    assert novelty.outside(item, np.full((2, *item.shape), 250, item.dtype)).all()


def test_it_comes_back_from_json_and_is_small(of_bands, of_spectra):
    for novelty, item, values in ((of_bands, BANDS, galaxies(200, 6)), (of_spectra, INPUTS["spectra"], spectra(50, 6))):
        text = json.dumps(asdict(novelty))
        assert len(text) < 100_000
        again = range_from(json.loads(text))
        assert isinstance(again, Novelty)
        np.testing.assert_array_equal(again.outside(item, values), novelty.outside(item, values))


def test_a_model_stored_before_flags_by_its_quantiles():
    before = range_from({"low": [10.0] * 5 + [-3] * 4, "high": [20.0] * 5 + [0] * 4, "photometry": "model"})
    assert isinstance(before, TrainingRange)
    found = before.outside(BANDS, np.array([[18.5, 17.2, 16.5, 16.1, 15.8], [21, 17.2, 16.5, 16.1, 15.8]], np.float32))
    assert found.tolist() == [False, True]


def test_pixels_at_the_end_of_what_a_float_holds_are_flagged(of_spectra):
    """Their sums are beyond it."""
    huge = np.finfo(np.float32).max * 0.9
    cutouts = fit_novelty(INPUTS["fits"], lambda _part: [np.ones((3, 61, 61, 5), np.float32)])
    assert cutouts.outside(INPUTS["fits"], np.full((1, 61, 61, 5), huge, np.float32)).all()
    spikes = np.resize(np.array([huge, -huge], np.float32), (1, 3522))
    assert of_spectra.outside(INPUTS["spectra"], spikes).all()
