"""Distributions of a number: shares of bins, within which the density is constant.

Arrays of shares are ``(n, bins)`` with rows that sum to 1; borders ``(bins + 1,)`` are in the scale in which the
network learns (`Output.grid`). All is computed in pieces of rows, so that a million galaxies need no more memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

BINS, OUTER_BINS = 180, 10
"""Of equal width where most of the training objects are; wider ones on either side."""
SPECTRUM_BINS = 1000
"""Of equal width for redshifts from spectra, whose errors are a hundredth of those from magnitudes."""
MOST = (0.001, 0.995)
"""Quantiles of the training objects between which the bins have equal width."""
REDSHIFT_BIN, REDSHIFT_BINS = 0.002, (100, 1000)
"""Width of the bins of redshifts, a seventh of the errors from magnitudes, as far as so few or many are enough."""
SOFTENING = 1.5
"""Standard deviation by which the truth is spread over the bins that the network learns, in widths of a bin."""
LOG_SCALE = (-9.0, 3.0)
"""Bounds of the logarithm of the scale of a mixture's component."""
MOST_EVEN = 2000
"""Bins of equal width, for programs that know no others."""
SMOOTHED = 5
"""Bins, over which a density is averaged before its peaks are looked for."""
_ROWS = 1024


def make_grid(values: np.ndarray, lowest: float = -np.inf, bins: int = BINS) -> tuple[float, ...]:
    """Choose borders for the values of the training objects.

    Parameters
    ----------
    values : ndarray, shape (n,)
        In the scale of the grid.
    lowest : float
        Below which there is nothing.
    bins : int
        Of equal width.

    Examples
    --------
    >>> grid = make_grid(np.linspace(0, 0.3, 1000), lowest=-0.004)
    >>> len(grid) - 1, grid[0]
    (190, -0.004)
    """
    inner_low, inner_high = np.quantile(values, MOST)
    # Of equal values the bins would have no width.
    length = max(inner_high - inner_low, 1e-6 * max(1.0, abs(inner_high)))
    low, high = values.min() - 0.02 * length, values.max() + 0.1 * length
    inner_low, inner_high = inner_low - 0.02 * length, inner_high + 0.02 * length
    inner = np.linspace(inner_low, inner_high, bins + 1)
    below = np.linspace(min(low, inner_low - 0.05 * length), inner_low, OUTER_BINS + 1)[:-1]
    above = np.linspace(inner_high, max(high, inner_high + 0.5 * length), OUTER_BINS + 1)[1:]
    grid = np.concatenate([below, inner, above])
    if grid[0] < lowest:
        grid = np.concatenate([[lowest], grid[grid > lowest]])
    return tuple(float(f"{border:.9g}") for border in grid)


def usual_bins(values: np.ndarray, redshift: bool, spectral: bool) -> int:
    """Choose how many bins of equal width a grid has.

    Parameters
    ----------
    values : ndarray, shape (n,)
        As for `make_grid`.
    redshift, spectral : bool
        Whether these are redshifts, and whether the network sees spectra.

    Examples
    --------
    >>> usual_bins(np.linspace(0, 0.8, 100), redshift=True, spectral=False)
    398
    """
    if not redshift:
        return BINS
    if spectral:
        return SPECTRUM_BINS
    return int(np.clip(np.ceil(np.ptp(np.quantile(values, MOST)) / REDSHIFT_BIN), *REDSHIFT_BINS))


def quantiles(shares: np.ndarray, grid: Sequence[float], levels: Sequence[float]) -> np.ndarray:
    """Find where distributions reach levels of their cumulative probability, float64 ``(n, levels)``.

    Parameters
    ----------
    shares : ndarray, shape (n, bins)
    grid : sequence of float
        Borders of the bins.
    levels : sequence of float
        Between 0 and 1.

    Examples
    --------
    >>> quantiles(np.array([[0.5, 0.25, 0.25]]), (0, 1, 2, 4), [0.25, 0.5, 0.875]).tolist()
    [[0.5, 1.0, 3.0]]
    """
    borders, wanted = np.asarray(grid, np.float64), np.asarray(levels, np.float64)
    found = np.empty((len(shares), len(wanted)))
    for rows, piece in _pieces(shares):
        heights = np.cumsum(piece, axis=1, dtype=np.float64)
        heights /= heights[:, -1:]
        # All rows one behind the other are in ascending order if each is 2 above the one before.
        apart = 2.0 * np.arange(len(piece))[:, None]
        place = np.searchsorted((heights + apart).ravel(), (wanted + apart).ravel()).reshape(len(piece), -1)
        place = np.minimum(place - piece.shape[1] * np.arange(len(piece))[:, None], piece.shape[1] - 1)
        top = np.take_along_axis(heights, place, axis=1)
        bottom = np.where(place > 0, np.take_along_axis(heights, np.maximum(place - 1, 0), axis=1), 0.0)
        share = np.divide(wanted - bottom, top - bottom, out=np.zeros(place.shape), where=top > bottom)
        low = borders[place]
        found[rows] = low + np.clip(share, 0, 1) * (borders[place + 1] - low)
    return found


def reached(shares: np.ndarray, grid: Sequence[float], values: np.ndarray) -> np.ndarray:
    """Return the cumulative probability at a value of each distribution, float64 ``(n,)``: of the truth, the PIT.

    Parameters
    ----------
    shares, grid
        As for `quantiles`.
    values : ndarray, shape (n,)
        One per distribution.

    Examples
    --------
    >>> reached(np.array([[0.5, 0.25, 0.25]] * 3), (0, 1, 2, 4), np.array([0.5, 3.0, 9.0])).tolist()
    [0.25, 0.875, 1.0]
    """
    borders, found = np.asarray(grid, np.float64), np.empty(len(shares))
    for rows, piece in _pieces(shares):
        heights = np.cumsum(piece, axis=1, dtype=np.float64)
        here = np.clip(values[rows], borders[0], borders[-1])
        place = _place(borders, here)
        every = np.arange(len(piece))
        bottom = np.where(place > 0, heights[every, place - 1], 0.0)
        share = (here - borders[place]) / (borders[place + 1] - borders[place])
        found[rows] = (bottom + share * piece[every, place]) / heights[:, -1]
    return found


def density(shares: np.ndarray, grid: Sequence[float], values: np.ndarray) -> np.ndarray:
    """Return the density at a value of each distribution, float64 ``(n,)``; 0 outside the grid.

    Parameters
    ----------
    shares, grid, values
        As for `reached`.
    """
    borders = np.asarray(grid, np.float64)
    place = _place(borders, values)
    found = shares[np.arange(len(shares)), place] / np.diff(borders)[place]
    return np.where((values >= borders[0]) & (values <= borders[-1]), found, 0.0)


def cde_loss(shares: np.ndarray, grid: Sequence[float], truth: np.ndarray) -> np.ndarray:
    """Compute ∫ p² − 2 p(truth) of each distribution, float64 ``(n,)``.

    Their mean is the conditional density estimation loss up to a constant (Izbicki & Lee 2017, Electron. J. Stat. 11,
    2800; used for redshifts by Schmidt et al. 2020, MNRAS 499, 1587); less is better.

    Parameters
    ----------
    shares, grid
        As for `quantiles`.
    truth : ndarray, shape (n,)
    """
    squared, widths = np.empty(len(shares)), np.diff(grid)
    for rows, piece in _pieces(shares):
        squared[rows] = (piece.astype(np.float64) ** 2 / widths).sum(axis=1)
    return squared - 2 * density(shares, grid, truth)


def crps(shares: np.ndarray, grid: Sequence[float], truth: np.ndarray) -> np.ndarray:
    """Compute the continuous ranked probability score ∫ (F(x) − [x ≥ truth])² dx, float64 ``(n,)``; less is better.

    Gneiting & Raftery 2007, JASA 102, 359; here exact, as F is linear within a bin. In the unit of the grid.

    Parameters
    ----------
    shares, grid
        As for `quantiles`.
    truth : ndarray, shape (n,)

    Examples
    --------
    >>> crps(np.array([[1.0]]), (0, 1), np.array([0.5])).round(6).tolist()  # uniform: 1/12
    [0.083333]
    """
    borders, found = np.asarray(grid, np.float64), np.empty(len(shares))
    widths = np.diff(borders)
    for rows, piece in _pieces(shares):
        ends = np.cumsum(piece, axis=1, dtype=np.float64)
        starts = ends - piece
        here = np.clip(truth[rows], borders[0], borders[-1])
        below = _squares(starts, ends) * widths
        above = _squares(1 - ends, 1 - starts) * widths
        place, every = _place(borders, here), np.arange(len(piece))
        number = np.arange(len(widths))
        left = np.where(number < place[:, None], below, 0).sum(axis=1)
        right = np.where(number > place[:, None], above, 0).sum(axis=1)
        share = (here - borders[place]) / widths[place]
        start, end = starts[every, place], ends[every, place]
        middle = start + share * (end - start)
        inside = share * _squares(start, middle) + (1 - share) * _squares(1 - end, 1 - middle)
        # Where the truth lies beyond the grid, all of the distribution is as far away besides.
        found[rows] = left + right + inside * widths[place] + np.abs(truth[rows] - here)
    return found


def second_peaks(shares: np.ndarray, grid: Sequence[float]) -> np.ndarray:
    """Return by how much the density rises again beside its highest peak, as a share of that, float64 ``(n,)``.

    0 where there is one peak, 1 where another is as high and nothing lies between. The density is averaged over
    `SMOOTHED` bins first, so that single bins are no peaks.

    Parameters
    ----------
    shares, grid
        As for `quantiles`.

    Examples
    --------
    >>> two = np.array([[0, 4, 0, 0, 0, 0, 2, 0], [1, 2, 3, 4, 3, 2, 1, 0]])
    >>> second_peaks(two.repeat(5, axis=1) / 80, range(41)).tolist()
    [0.5, 0.0]
    """
    found, widths = np.empty(len(shares)), np.diff(grid)
    for rows, piece in _pieces(shares):
        heights = np.pad(np.cumsum(piece / widths, axis=1, dtype=np.float64), ((0, 0), (1, 0)))
        smooth = (heights[:, SMOOTHED:] - heights[:, :-SMOOTHED]) / SMOOTHED
        peak, number = smooth.argmax(axis=1)[:, None], np.arange(smooth.shape[1])
        rises = []
        for side, order in ((number >= peak, 1), (number <= peak, -1)):
            lowest = np.minimum.accumulate(np.where(side, smooth, np.inf)[:, ::order], axis=1)[:, ::order]
            rises.append(np.where(side, smooth - lowest, 0).max(axis=1))
        # What sums leave of rounding is no peak.
        found[rows] = np.round(np.maximum(*rises) / smooth.max(axis=1), 9)
    return found


def uniform_distance(levels: np.ndarray) -> np.ndarray:
    """Return how far values lie from a uniform distribution, over the last axis: the Kolmogorov–Smirnov statistic.

    Examples
    --------
    >>> float(uniform_distance(np.array([0.1, 0.2, 0.3, 0.4])))
    0.6
    """
    ordered, count = np.sort(levels, axis=-1), levels.shape[-1]
    steps = np.arange(count + 1) / count
    return np.maximum((steps[1:] - ordered).max(axis=-1), (ordered - steps[:-1]).max(axis=-1))


def even_grid(grid: Sequence[float]) -> np.ndarray:
    """Return borders of bins of equal width that cover a grid and have those of its bins of equal width, float64.

    Parameters
    ----------
    grid : sequence of float

    Examples
    --------
    >>> even_grid((-0.5, 0, 1, 2, 3, 4.5)).tolist()
    [-1.0, 0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    """
    borders = np.asarray(grid, np.float64)
    widths = np.diff(borders)
    alike = np.flatnonzero(np.abs(widths - np.median(widths)) < 1e-3 * np.median(widths))
    low, high = borders[alike[0]], borders[alike[-1] + 1]
    # Between the ones that are alike may be another; and a far border would make as many bins as there are galaxies.
    width = max((high - low) / max(round((high - low) / np.median(widths)), 1), np.ptp(borders) / MOST_EVEN)
    before, behind = (int(np.ceil(round(length / width, 6))) for length in (low - borders[0], borders[-1] - low))
    return low + width * np.arange(-before, behind + 1)


def rebinned(shares: np.ndarray, grid: Sequence[float], borders: np.ndarray) -> np.ndarray:
    """Share distributions out over other bins, float32 ``(n, len(borders) - 1)``.

    Parameters
    ----------
    shares, grid
        As for `quantiles`.
    borders : ndarray
        Of the other bins.

    Examples
    --------
    >>> rebinned(np.array([[0.5, 0.5]]), (0, 1, 3), np.array([0, 1, 2, 3])).tolist()
    [[0.5, 0.25, 0.25]]
    """
    ours = np.asarray(grid, np.float64)
    parts = np.diff(np.clip(borders, ours[:-1, None], ours[1:, None]), axis=1) / np.diff(ours)[:, None]
    return (shares @ parts).astype(np.float32)


def mixture_shares(raw: np.ndarray, grid: Sequence[float], centre: float, spread: float) -> np.ndarray:
    """Turn mixtures of logistic distributions, as a network gives them, into shares of bins, float32 ``(n, bins)``.

    Parameters
    ----------
    raw : ndarray, shape (n, 3 · components)
        Logits of the weights, means, and logarithms of the scales, in units of `spread` about `centre`.
    grid : sequence of float
    centre, spread : float
    """
    borders, found = np.asarray(grid, np.float64), np.empty((len(raw), len(grid) - 1), np.float32)
    for rows, piece in _pieces(raw):
        logits, means, sizes = np.split(piece.astype(np.float64), 3, axis=1)
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        weights /= weights.sum(axis=1, keepdims=True)
        heights = np.zeros((len(piece), len(borders)))
        for weight, mean, size in zip(weights.T, means.T, sizes.T, strict=True):
            scale = spread * np.exp(np.clip(size, *LOG_SCALE))
            distance = (borders - (centre + spread * mean[:, None])) / scale[:, None]
            heights += weight[:, None] / (1 + np.exp(-np.clip(distance, -60, 60)))
        heights[:, 0], heights[:, -1] = 0, 1
        # The weights may add up to a little more than one.
        found[rows] = np.maximum(np.diff(heights, axis=1), 0)
    return found


def _pieces(shares: np.ndarray) -> Iterator[tuple[slice, np.ndarray]]:
    for start in range(0, len(shares), _ROWS):
        rows = slice(start, start + _ROWS)
        yield rows, shares[rows]


def _place(borders: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Return the number of the bin of each value; the first or last one for values outside."""
    return np.clip(np.searchsorted(borders, values, side="right") - 1, 0, len(borders) - 2)


def _squares(start: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Average the square of what goes from start to end in a straight line."""
    return (start * start + start * end + end * end) / 3
