"""What scikit-learn makes of the same galaxies: boosting, a forest and neighbours, each with distributions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from scipy.ndimage import gaussian_filter1d
from scipy.sparse import csr_matrix
from sklearn.ensemble import HistGradientBoostingRegressor, RandomForestRegressor
from sklearn.neighbors import NearestNeighbors
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from common.outputs.distribution import cde_loss
from common.outputs.kinds import kind_of

from .answers import REDSHIFT, Answer, Predictor, of_shares
from .galaxies import Galaxies

BINS = 1000
"""Of equal width, of the distributions of all tools but the zoo: so fine that scores do not feel them."""
TREES = {"max_iter": 600, "learning_rate": 0.04, "min_samples_leaf": 15, "early_stopping": False}
LEVELS = (0.02, 0.05, 0.1, 0.16, 0.3, 0.5, 0.7, 0.84, 0.9, 0.95, 0.98)
"""Quantiles that boosting learns, each by trees of its own."""
RESIDUALS_PER_BIN, RESIDUAL_LEVELS = 150, 60
NEIGHBOURS = (10, 20, 40, 80)
WIDTHS = (0.0, 0.002, 0.004, 0.006, 0.009, 0.013)
"""Standard deviations of the kernels that distributions of single galaxies are smoothed with."""

ERROR = kind_of(REDSHIFT)


@dataclass(frozen=True)
class Rival:
    """A tool that is compared.

    Parameters
    ----------
    fit : callable
        Takes training and validation galaxies and a seed, returns a `Predictor` that can be pickled.
    settings : str
        In words.
    gaps : bool
        Whether it answers where magnitudes are hidden.
    """

    fit: Callable[[Galaxies, Galaxies, int], Predictor]
    settings: str
    gaps: bool = False


def even_borders(redshift: np.ndarray) -> np.ndarray:
    """Return the borders of `BINS` bins that hold all of some redshifts."""
    return np.linspace(min(0.0, redshift.min()) - 0.005, redshift.max() + 0.05, BINS + 1)


# === Boosting ===


def fit_boosting(train: Galaxies, validation: Galaxies, seed: int, colours: bool) -> Predictor:
    """Fit boosting to the absolute error; distributions are the errors of validation galaxies of like prediction."""
    model = HistGradientBoostingRegressor(loss="absolute_error", random_state=seed, **TREES)
    model.fit(_features(train, colours), train.redshift)
    predicted = model.predict(_features(validation, colours))
    bins = max(len(validation) // RESIDUALS_PER_BIN, 1)
    edges = np.quantile(predicted, np.linspace(0, 1, bins + 1)[1:-1])
    number, error = np.searchsorted(edges, predicted), ERROR.error_in_scale(validation.redshift, predicted)
    levels = np.linspace(0, 1, RESIDUAL_LEVELS + 1)
    errors = np.array([np.quantile(error[number == one], levels) for one in range(bins)])
    return partial(_boosted, model, colours, edges, errors, even_borders(train.redshift))


def _boosted(
    model: HistGradientBoostingRegressor, colours: bool, edges: np.ndarray, errors: np.ndarray, borders: np.ndarray,
    galaxies: Galaxies,
) -> Answer:  # fmt: skip
    point = model.predict(_features(galaxies, colours))
    quantiles = ERROR.apply_error(point[:, None], errors[np.searchsorted(edges, point)])
    return of_shares(_between(quantiles, np.linspace(0, 1, errors.shape[1]), borders), borders, point)


def fit_quantile_boosting(train: Galaxies, validation: Galaxies, seed: int) -> Predictor:
    """Fit boosting to each of `LEVELS`; distributions are straight lines between them."""
    features = _features(train, True)
    models = [
        HistGradientBoostingRegressor(loss="quantile", quantile=level, random_state=seed, **TREES).fit(
            features, train.redshift
        )
        for level in LEVELS
    ]
    borders = even_borders(train.redshift)
    return _with_width(partial(_quantiles, models, borders), borders, validation)


def _quantiles(models: list[HistGradientBoostingRegressor], borders: np.ndarray, galaxies: Galaxies) -> np.ndarray:
    features = _features(galaxies, True)
    # Quantiles that cross are put in order (Chernozhukov, Fernández-Val & Galichon 2010, Econometrica 78, 1093).
    found = np.sort(np.column_stack([model.predict(features) for model in models]), axis=1)
    low, high = 2 * found[:, :1] - found[:, 1:2], 2 * found[:, -1:] - found[:, -2:-1]
    return _between(np.hstack([low, found, high]), np.array([0, *LEVELS, 1]), borders)


def _between(quantiles: np.ndarray, levels: np.ndarray, borders: np.ndarray) -> np.ndarray:
    """Turn quantiles of each galaxy into shares of bins, as if there were straight lines between them."""
    reached = np.array([np.interp(borders, row, levels, left=0, right=1) for row in quantiles])
    return normalised(np.diff(reached, axis=1))


def _features(galaxies: Galaxies, colours: bool) -> np.ndarray:
    return galaxies.colours() if colours else galaxies.magnitudes


# === Weights of training galaxies ===


def fit_forest(train: Galaxies, validation: Galaxies, seed: int) -> Predictor:
    """Fit a quantile forest (Meinshausen 2006, JMLR 7, 983): what shares a galaxy's leaves is its distribution."""
    model = RandomForestRegressor(200, min_samples_leaf=5, max_features=0.5, random_state=seed)
    model.fit(train.colours(), train.redshift)
    borders = even_borders(train.redshift)
    place, tables = _bins(train.redshift, borders), []
    for leaves in model.apply(train.colours()).T:
        counts = csr_matrix((np.ones(len(train)), (leaves, place)), shape=(leaves.max() + 1, BINS))
        tables.append(counts.multiply(1 / np.maximum(counts.sum(axis=1), 1)).tocsr())
    return _with_width(partial(_leaves, model, tables), borders, validation)


def _leaves(model: RandomForestRegressor, tables: list[csr_matrix], galaxies: Galaxies) -> np.ndarray:
    leaves = model.apply(galaxies.colours()).T
    return sum(table[one] for table, one in zip(tables, leaves, strict=True)).toarray() / len(tables)


def fit_neighbours(train: Galaxies, validation: Galaxies, seed: int) -> Predictor:
    """Fit nearest neighbours in colours and r; their number and the width of their kernels by validation galaxies."""
    borders, place = even_borders(train.redshift), _bins(train.redshift, even_borders(train.redshift))
    scaler, found = make_pipeline(StandardScaler()), NearestNeighbors()
    found.fit(scaler.fit_transform(_neighbouring(train)))
    numbers = [number for number in NEIGHBOURS if number <= len(train)]
    fits = [_with_width(partial(_near, scaler, found, place, number), borders, validation) for number in numbers]
    return min(fits, key=lambda fit: _loss(fit(validation).shares, borders, validation))


def _near(scaler, found: NearestNeighbors, place: np.ndarray, number: int, galaxies: Galaxies) -> np.ndarray:
    distance, near = found.kneighbors(scaler.transform(_neighbouring(galaxies)), number)
    weights = 1 / np.maximum(distance, 1e-6)
    rows = np.repeat(np.arange(len(galaxies)), number)
    counts = csr_matrix((weights.ravel(), (rows, place[near].ravel())), shape=(len(galaxies), BINS)).toarray()
    return counts / counts.sum(axis=1, keepdims=True)


def _neighbouring(galaxies: Galaxies) -> np.ndarray:
    return np.column_stack([-np.diff(galaxies.magnitudes, axis=1), galaxies.magnitudes[:, 2]])


def _with_width(raw: Callable[[Galaxies], np.ndarray], borders: np.ndarray, validation: Galaxies) -> Predictor:
    """Smooth distributions by the width that is best by the CDE loss of the validation galaxies."""
    shares = raw(validation)
    widths = [width for width in WIDTHS if width == 0 or width > (borders[1] - borders[0]) / 2]
    best = min(widths, key=lambda width: _loss(_smooth(shares, borders, width), borders, validation))
    return partial(_smoothed, raw, borders, best)


def _smoothed(raw: Callable[[Galaxies], np.ndarray], borders: np.ndarray, width: float, galaxies: Galaxies) -> Answer:
    return of_shares(_smooth(raw(galaxies), borders, width), borders)


def _smooth(shares: np.ndarray, borders: np.ndarray, width: float) -> np.ndarray:
    bins = width / (borders[1] - borders[0])
    return normalised(gaussian_filter1d(shares, bins, axis=1, mode="constant") if width else shares)


def _loss(shares: np.ndarray, borders: Sequence[float], galaxies: Galaxies) -> float:
    return float(cde_loss(shares, borders, galaxies.redshift).mean())


def _bins(redshift: np.ndarray, borders: np.ndarray) -> np.ndarray:
    return np.searchsorted(borders, redshift, side="right") - 1


def normalised(shares: np.ndarray) -> np.ndarray:
    """Make the shares of each row sum to 1; where there are none all bins have the same."""
    sums = shares.sum(axis=1, keepdims=True)
    return np.divide(shares, sums, out=np.full_like(shares, 1 / shares.shape[1]), where=sums > 0)


_BOOSTING = (
    "scikit-learn's histogram boosting, absolute error, 600 trees × 0.04, min_samples_leaf 15, on {}; p(z): the "
)
_BOOSTING += "errors of about 150 validation galaxies of like prediction"
RIVALS = {
    "boosting": Rival(partial(fit_boosting, colours=False), _BOOSTING.format("the magnitudes"), gaps=True),
    "boosting-colours": Rival(
        partial(fit_boosting, colours=True), _BOOSTING.format("magnitudes and all ten pair colours"), gaps=True
    ),
    "boosting-quantiles": Rival(
        fit_quantile_boosting,
        f"the same trees and features, one model for each of {len(LEVELS)} quantiles; straight lines between "
        "them, smoothed by the width that validation galaxies choose",
    ),
    "forest": Rival(
        fit_forest,
        "random forest, 200 trees, min_samples_leaf 5, half of the features at a split, same features; p(z): the "
        "training galaxies in the same leaves, smoothed by the width that validation galaxies choose",
    ),
    "neighbours": Rival(
        fit_neighbours,
        "nearest neighbours in four colours and r, weights 1 / distance; their number (10 to 80) and the width "
        "of their kernels by the CDE loss of validation galaxies",
    ),
}
"""By name."""
