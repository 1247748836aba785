"""From many features to two: PCA, t-SNE, UMAP."""

from __future__ import annotations

import warnings
from importlib.util import find_spec

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from sklearn.preprocessing import StandardScaler

from sdss_gs.errors import ZooError

FEWEST = 10
COMPONENTS = 50
"""Principal components that t-SNE and UMAP are given, as van der Maaten & Hinton (2008, JMLR 9, 2579) do."""
PERPLEXITY, NEIGHBOURS = 30, 15


def reduce(features: np.ndarray, method: str, seed: int = 0) -> np.ndarray:
    """Place objects on a plane so that alike ones lie together.

    Parameters
    ----------
    features : ndarray of float32, shape (n, m)
    method : str
        ``pca``, ``tsne`` or ``umap`` (McInnes et al. 2018, arXiv:1802.03426; needs umap-learn).
    seed : int

    Returns
    -------
    ndarray of float32, shape (n, 2)

    Raises
    ------
    ZooError
        If there are too few objects, or umap-learn is not installed.
    """
    if len(features) < FEWEST:
        raise ZooError(f"maps: expected at least {FEWEST} objects, found {len(features)}")
    scaled = StandardScaler().fit_transform(features)
    count = min(COMPONENTS, *scaled.shape)
    components = PCA(count, random_state=seed).fit_transform(scaled)
    if method == "pca":
        placed = np.pad(components, ((0, 0), (0, max(0, 2 - count))))[:, :2]
    elif method == "tsne":
        perplexity = min(PERPLEXITY, (len(features) - 1) / 3)
        placed = TSNE(2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(components)
    else:
        placed = _umap(components, seed)
    return placed.astype(np.float32)


def available(methods: list[str]) -> tuple[list[str], str]:
    """Leave UMAP out where its package is missing; return the methods and what to tell the user."""
    if "umap" not in methods or find_spec("umap") is not None:
        return methods, ""
    return [name for name in methods if name != "umap"], 'no umap: it needs pip install -e ".[umap]" in the repository'


def _umap(components: np.ndarray, seed: int) -> np.ndarray:
    with warnings.catch_warnings():
        # It warns that a seed costs it its threads, and of what its own dependencies deprecate.
        warnings.simplefilter("ignore")
        from umap import UMAP

        return UMAP(n_neighbors=min(NEIGHBOURS, len(components) - 1), random_state=seed).fit_transform(components)
