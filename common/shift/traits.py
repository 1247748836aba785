"""What objects of two surveys are compared by: the traits that `common.data.measure` knows, with names for people."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from common.data.measure import COMPONENTS, traits
from sdss_gs.schema import BANDS, Input

SMALLEST, RINGS = 0.01, 100
"""Of the apparent size, as a share of half the frame; steps in which the light is added up from the middle outwards."""
CHANNELS = {"img": ("red", "green", "blue"), "fits": BANDS}
SIZE = "apparent size"
"""A trait of images: log10 of the radius, as a share of half the frame, within which half of the light lies."""
CONCENTRATION = "concentration"


def shift_traits(item: Input, values: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Measure objects of one input.

    Parameters
    ----------
    item : Input
    values : ndarray, shape (n, ...)
    basis : ndarray
        Of spectra, as for `common.data.measure.traits`.

    Returns
    -------
    ndarray of float64, shape (n, k)
        What `common.data.measure.traits` returns; of images besides their `apparent_size`.
    """
    found = traits(item, values, basis)
    if len(item.shape) < 2:
        return found
    return np.concatenate([found, apparent_size(values)[:, None]], axis=1)


def trait_names(item: Input) -> list[str]:
    """Name each of the `shift_traits` of an input, as people call them.

    Examples
    --------
    >>> from sdss_gs.schema import INPUTS
    >>> trait_names(INPUTS["wise"])
    ['w1', 'w2', 'w3', 'w4', 'w1 − w2', 'w2 − w3', 'w3 − w4']
    """
    if item.columns:
        bands = [short_name(column) for column in item.magnitudes]
        return [*bands, *(f"{first} − {second}" for first, second in pairwise(bands))]
    if len(item.shape) > 1:
        # Of the survey's own number of channels; others are numbered.
        channels = CHANNELS.get(item.name, tuple(str(number + 1) for number in range(item.shape[-1])))
        groups = ("brightness of the frame", "brightness of the core", "brightness of the peak", CONCENTRATION)
        colours = [f"colour of the core, {first} − {second}" for first, second in pairwise(channels)]
        rest = ("texture, pixel to pixel", "texture, along a line", "texture, first to last colour", SIZE)
        return [*(f"{group}, {channel}" for group in groups for channel in channels), *colours, *rest]
    numbered = [f"component {number + 1}" for number in range(COMPONENTS)]
    return [*numbered, "rest beyond the components", "mean flux", "noise of points", "worst point"]


def short_name(column: str) -> str:
    """Name a band as people do: ``r`` for ``modelMag_r``, ``w1`` for ``w1mag``.

    Examples
    --------
    >>> short_name("modelMag_r"), short_name("w1mag")
    ('r', 'w1')
    """
    return column.rpartition("_")[2].removesuffix("mag")


def apparent_size(images: np.ndarray) -> np.ndarray:
    """Measure how large the objects in the middle of images appear.

    Parameters
    ----------
    images : ndarray, shape (n, y, x, channels)

    Returns
    -------
    ndarray of float64, shape (n,)
        log10 of the radius of the circle around the middle that holds half of the light in the largest circle, as a
        share of half the frame; what the frame's edge holds on average, without other objects, is taken off. NaN where
        no light is left.
    """
    bright = images.sum(axis=3, dtype=np.float64)
    height, width = bright.shape[1:]
    edge = np.concatenate([bright[:, 0], bright[:, -1], bright[:, 1:-1, 0], bright[:, 1:-1, -1]], axis=1)
    bright -= _background(edge)[:, None, None]
    y, x = np.arange(height) - (height - 1) / 2, np.arange(width) - (width - 1) / 2
    radius = np.hypot(y[:, None], x) / (min(height, width) / 2)
    ring = np.minimum((radius * RINGS).astype(int), RINGS).ravel()
    order = np.argsort(ring, kind="stable")
    # Of the circles: the corners lie outside the largest.
    ends = np.searchsorted(ring[order], np.arange(RINGS), side="right")
    within = np.pad(np.cumsum(bright.reshape(len(bright), -1)[:, order], axis=1), ((0, 0), (1, 0)))[:, ends]
    total = within[:, -1]
    half, rows = (within >= total[:, None] / 2).argmax(axis=1), np.arange(len(within))
    before = np.where(half > 0, within[rows, half - 1], 0)
    # Within the ring that reaches it, evenly.
    part = (total / 2 - before) / np.where(within[rows, half] > before, within[rows, half] - before, 1)
    radius = (half + np.clip(part, 0, 1)) / RINGS
    return np.where(total > 0, np.log10(np.maximum(radius, SMALLEST)), np.nan)


def _background(edge: np.ndarray) -> np.ndarray:
    """Average the pixels of edges ``(n, pixels)`` that no object brightens, float64 ``(n,)``.

    Not their median: of whole numbers that is one, and half a number too much over all pixels outshines a galaxy.
    """
    away = edge - np.median(edge, axis=1, keepdims=True)
    usual = np.abs(away) <= 3 * np.maximum(1.4826 * np.median(np.abs(away), axis=1, keepdims=True), 1)
    return (edge * usual).sum(axis=1) / usual.sum(axis=1)
