"""Other views of an image: those that vary while training, and the eight that are averaged afterwards."""

import numpy as np
import pytest

from common.backend import keras
from common.networks.augment import NOISE, Observed, Turned, augmentation
from common.networks.symmetry import forms

RNG = np.random.default_rng(0)
SIDE = 41


def galaxy(across=0.0, along=0.0):
    """A round galaxy, off the centre by some pixels, with a brighter half that tells how it is turned."""
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE // 2
    flux = 200 * np.exp(-0.5 * ((x - across) ** 2 + (y - along) ** 2) / 6**2) * (1 + 0.2 * np.sign(x - across))
    return np.clip(flux, 0, 255).astype(np.uint8)[None, ..., None].repeat(3, axis=-1)


def drawn(layers, images):
    for layer in layers:
        images = layer(images, training=True)
    return np.asarray(images)


@pytest.mark.parametrize("kind", ["dihedral", "rotation", "full"])
def test_views_differ_keep_the_dtype_and_follow_the_seed(kind):
    images = np.repeat(galaxy(), 8, axis=0)
    one, again, other = (drawn(augmentation(kind, "img", seed, "uint8"), images) for seed in (1, 1, 2))
    assert one.dtype == np.uint8
    assert one.shape == images.shape
    np.testing.assert_array_equal(one, again)
    assert not np.array_equal(one, other)
    assert any(not np.array_equal(one[0], view) for view in one[1:])
    layers = augmentation(kind, "img", 1, "uint8")
    untouched = images
    for layer in layers:
        untouched = layer(untouched)
    np.testing.assert_array_equal(untouched, images)


@pytest.mark.parametrize("kind", ["rotation", "full"])
def test_turned_images_of_bytes_are_as_bright_as_before(kind, monkeypatch):
    """Keras 3.15 casts floats to bytes by cutting off on TensorFlow, and by rounding on JAX."""
    monkeypatch.setitem(NOISE, "img", 0.0)
    monkeypatch.setattr("common.networks.augment.LARGEST_GAIN", 1.0)
    monkeypatch.setattr("common.networks.augment.LARGEST_ZOOM", 1.0)
    monkeypatch.setattr("common.networks.augment.LARGEST_SHIFT", 0.0)
    y, x = np.mgrid[:SIDE, :SIDE]
    waves = np.round(120 + 40 * np.sin(x / 3.0) * np.cos(y / 4.0)).astype(np.uint8)[None, ..., None]
    images = np.repeat(np.repeat(waves, 200, axis=0), 3, axis=-1)
    middle = (y - SIDE // 2) ** 2 + (x - SIDE // 2) ** 2 < 17**2
    turned = drawn(augmentation(kind, "img", 2, "uint8"), images)[:, middle].mean(axis=(1, 2))
    # What turns about the centre stays in the circle; half a grey level would be lost by cutting off.
    assert abs(turned.mean() - images[0, middle].mean()) < 0.2


def test_nothing_varies_without_augmentation():
    assert augmentation("none", "img", 0, "uint8") == []


def test_turned_galaxies_stay_where_they_are_and_are_turned_by_every_angle():
    images = np.repeat(galaxy().astype(np.float32), 300, axis=0)
    turned = drawn([Turned(3, dtype="float32")], images)[..., 0]
    flux = turned.sum(axis=(1, 2))
    assert np.abs(flux / images[0, ..., 0].sum() - 1).max() < 0.05
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE // 2
    dipole = np.stack([(turned * x).sum(axis=(1, 2)), (turned * y).sum(axis=(1, 2))]) / flux
    length = np.hypot(*dipole)
    assert length.std() < 0.05 * length.mean()
    counts, _ = np.histogram(np.arctan2(*dipole), bins=6, range=(-np.pi, np.pi))
    assert counts.min() > 25


def test_half_of_the_turned_images_are_mirrored():
    corners = np.zeros((1, SIDE, SIDE, 1), np.float32)
    corners[0, 20, 32], corners[0, 26, 28] = 100, 50
    turned = drawn([Turned(0, dtype="float32")], np.repeat(corners, 200, axis=0))[..., 0]
    y, x = np.mgrid[:SIDE, :SIDE] - SIDE // 2
    bright, faint = turned > 45, (turned > 12) & (turned < 45)

    def angle(mask):
        return np.arctan2((mask * turned * y).sum(axis=(1, 2)), (mask * turned * x).sum(axis=(1, 2)))

    seen = bright.any(axis=(1, 2)) & faint.any(axis=(1, 2))
    way = np.sin(angle(faint) - angle(bright))[seen] > 0
    assert 0.3 < way.mean() < 0.7


def test_shift_and_zoom_stay_within_their_bounds():
    images = np.repeat(galaxy().astype(np.float32), 200, axis=0)
    moved = drawn([Turned(5, zoom=1.25, shift=0.1, dtype="float32")], images)[..., 0]
    flux = moved.sum(axis=(1, 2)) / images[0, ..., 0].sum()
    assert 1.25**-2 * 0.95 < flux.min() < 0.75
    assert 1.35 < flux.max() < 1.25**2 * 1.05
    peak = np.array([np.unravel_index(one.argmax(), one.shape) for one in moved]) - SIDE // 2
    assert 2 < np.abs(peak).max() <= 0.1 * SIDE * 1.25 + 3


def test_observing_conditions_vary_noise_seeing_and_brightness_but_nothing_moves():
    cutouts = np.repeat(galaxy().astype(np.float32) / 100, 100, axis=0)
    seen = drawn([Observed(1, NOISE["fits"], dtype="float32")], cutouts)
    sky = seen[:, :6, :6]
    assert 0 < sky.std(axis=(1, 2, 3)).max() < 1.5 * NOISE["fits"]
    gain = seen.sum(axis=(1, 2, 3)) / cutouts[0].sum()
    assert 0.75 < gain.min() < 0.9
    assert 1.1 < gain.max() < 1.33
    sharpness = seen.max(axis=(1, 2, 3)) / seen.sum(axis=(1, 2, 3))
    assert sharpness.std() > 0.001 * sharpness.mean()
    y, x = np.mgrid[:SIDE, :SIDE]
    total = seen.sum(axis=(1, 2, 3))
    before = (cutouts[0].sum(-1) * x).sum() / cutouts[0].sum()
    assert np.abs((seen.sum(-1) * x).sum(axis=(1, 2)) / total - before).max() < 0.5
    assert np.abs((seen.sum(-1) * y).sum(axis=(1, 2)) / total - SIDE // 2).max() < 0.5


def test_forms_are_the_eight_symmetric_views():
    image = RNG.normal(size=(1, 5, 5, 2))
    views = list(forms(image))
    assert len({view.tobytes() for view in views}) == 8
    for view in views:
        np.testing.assert_allclose(np.sort(view, axis=None), np.sort(image, axis=None))
    np.testing.assert_array_equal(views[0], image)


def test_varying_draws_cost_no_variables_but_the_seeds():
    layers = augmentation("full", "img", 0, "uint8")
    inputs = keras.Input((SIDE, SIDE, 3), dtype="uint8")
    x = inputs
    for layer in layers:
        x = layer(x)
    model = keras.Model(inputs, x)
    assert not model.trainable_variables
    assert len(model.variables) == 2
