"""What the images look like: the average, and those that are no pictures of one galaxy, or the same picture twice."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors
from tqdm import tqdm

from sdss_gs.dataset import Dataset
from sdss_gs.explore.page import Section, thumbnail
from sdss_gs.logs import hidden
from sdss_gs.schema import OUTPUTS

CHUNK = 512
BLOCKS = 10
"""Blocks along each side in which an image's noise is measured."""
FLAT_STEP, FLAT_SHARE = 0.35, 0.2
"""Standard deviation, in grey levels, below which a block holds no sky; share of such blocks that makes it odd."""
SMALL, COMPONENTS, NEIGHBOURS = 15, 24, 4
NOISE_SCALE = 1.5
"""Pixels: what is finer is mostly noise, which two exposures of the sky do not share."""
SAME_NOISE = 0.35
"""Correlation of the fine structure from which two images are the same exposure."""
SHOWN = 24
FEWEST = 10


def image_sections(data: Dataset, most: int) -> list[Section]:
    """Draw average images by class, and list flat and repeated images.

    Parameters
    ----------
    data : Dataset
        With ``img``.
    most : int
        Images that are looked at.
    """
    objects = np.flatnonzero(data.rows["img"] >= 0)
    objects = objects[np.argsort(data.catalogue.objid[objects], kind="stable")][:most]
    if not len(objects):
        return []
    small, flat, total, sums = _scan(data, objects)
    sections = [_averages(total / len(objects), sums)]
    sections.append(_flat(data, objects, flat))
    sections.append(_repeated(data, objects, small))
    return sections


def _scan(data: Dataset, objects: np.ndarray):
    """Pass over the images once; return small ones, shares of flat blocks, their sum, and sums by class."""
    known = {name: (labels >= 0).sum() for name, labels in data.catalogue.labels.items()}
    output = OUTPUTS[max(known, key=known.get)] if known else None
    labels = data.catalogue.labels[output.name] if output else np.full(len(data), -1)
    small, flat, total, sums = [], [], 0.0, {}
    for start in tqdm(range(0, len(objects), CHUNK), desc="looking at images", unit=" chunks", disable=hidden()):
        chosen = objects[start : start + CHUNK]
        images = data.load("img", chosen).astype(np.float32)
        total = total + images.sum(axis=0)
        flat.append(flat_share(images))
        small.append(_blocks(images, SMALL).mean(axis=(2, 4)).reshape(len(images), -1))
        for k in np.unique(labels[chosen][labels[chosen] >= 0]):
            mine = images[labels[chosen] == k]
            count, before = sums.get(output.classes[k], (0, 0.0))
            sums[output.classes[k]] = (count + len(mine), before + mine.sum(axis=0))
    return np.concatenate(small), np.concatenate(flat), total, sums


def _blocks(images: np.ndarray, count: int) -> np.ndarray:
    """Cut images ``(n, y, x, 3)`` into ``(n, count, y', count, x', 3)``; what is left over at the edge is dropped."""
    n, height, width, channels = images.shape
    y, x = height // count, width // count
    return images[:, : y * count, : x * count].reshape(n, count, y, count, x, channels)


def flat_share(images: np.ndarray) -> np.ndarray:
    """Measure the share of an image's blocks that hold no noise at all, as painted areas do and the sky never does.

    Parameters
    ----------
    images : ndarray of float32, shape (n, y, x, 3)

    Returns
    -------
    ndarray of float, shape (n,)
    """
    spread = _blocks(images, BLOCKS).std(axis=(2, 4)).max(axis=-1)
    return (spread < FLAT_STEP).mean(axis=(1, 2))


def _averages(mean: np.ndarray, sums: dict) -> Section:
    pictures = [thumbnail(_bright(mean), "all")]
    for name, (count, total) in sorted(sums.items()):
        if count >= FEWEST:
            pictures.append(thumbnail(_bright(total / count), f"{name} ({count:,})"))
    text = "The mean of all images, and of each class; stretched so that the faintest light shows."
    return Section("Average image", text, pictures, thumbnails=True)


def _bright(mean: np.ndarray) -> np.ndarray:
    low, high = np.quantile(mean, 0.02), mean.max()
    return np.uint8(255 * np.sqrt(np.clip((mean - low) / max(high - low, 1e-6), 0, 1)))


def _flat(data: Dataset, objects: np.ndarray, flat: np.ndarray) -> Section:
    odd = np.flatnonzero(flat > FLAT_SHARE)
    odd = odd[np.argsort(-flat[odd], kind="stable")]
    pictures = [
        thumbnail(data.load("img", objects[[row]])[0], f"{data.catalogue.objid[objects[row]]}: {flat[row]:.0%} flat")
        for row in odd[:SHOWN]
    ]
    text = (
        f"{len(odd):,} of {len(objects):,} images hold large areas without any noise: beyond a frame's edge, or an "
        "error page of the image server."
    )
    return Section("Half-empty images", text, pictures, thumbnails=True)


def _repeated(data: Dataset, objects: np.ndarray, small: np.ndarray) -> Section:
    pairs = repeated_pairs(small, lambda rows: data.load("img", objects[rows]))
    objid, pictures = data.catalogue.objid[objects], []
    for a, b, correlation in pairs[: SHOWN // 2]:
        for one, other in ((a, b), (b, a)):
            caption = f"{objid[one]}, as {objid[other]} ({correlation:.2f})"
            pictures.append(thumbnail(data.load("img", objects[[one]])[0], caption))
    text = (
        f"{len(pairs):,} pairs of images share their noise: the same exposure twice, under two ids. Turned or shifted "
        "copies are not found."
    )
    rows = [("object", "the same picture as"), *((str(objid[a]), str(objid[b])) for a, b, _ in pairs)]
    return Section("Pictures that are there twice", text, pictures, rows if pairs else [], thumbnails=True)


def repeated_pairs(small: np.ndarray, load) -> list[tuple[int, int, float]]:
    """Find images that show the same exposure.

    Images alike at low resolution are compared in their finest structure, which is noise: that of another exposure,
    or of another galaxy, is unrelated.

    Parameters
    ----------
    small : ndarray of float32, shape (n, k)
        The images at low resolution.
    load : callable
        Takes rows, int64 ``(m,)``, and returns the images, ``(m, y, x, 3)``.

    Returns
    -------
    list of (int, int, float)
        Two rows, the smaller first, and the correlation of their fine structure; the surest pairs first.
    """
    if len(small) < 2:
        return []
    features = PCA(min(COMPONENTS, *small.shape), random_state=0).fit_transform(small)
    search = NearestNeighbors(n_neighbors=min(NEIGHBOURS, len(small) - 1)).fit(features)
    near = search.kneighbors(return_distance=False)
    candidates = {(min(a, b), max(a, b)) for a, row in enumerate(near.tolist()) for b in row}
    found = []
    for a, b in sorted(candidates):
        first, second = (_fine(image) for image in load(np.array([a, b])))
        scale = np.sqrt((first**2).sum() * (second**2).sum())
        correlation = float((first * second).sum() / scale) if scale else 0.0
        if correlation > SAME_NOISE:
            found.append((a, b, correlation))
    return sorted(found, key=lambda pair: -pair[2])


def _fine(image: np.ndarray) -> np.ndarray:
    """Return what is finer than `NOISE_SCALE`; bright cores, alike in many galaxies, count no more than the sky."""
    grey = image.astype(np.float32).mean(axis=2)
    fine = grey - gaussian_filter(grey, NOISE_SCALE)
    limit = 3 * np.median(np.abs(fine)) + 1e-6
    return np.clip(fine, -limit, limit)
