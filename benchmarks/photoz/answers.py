"""What a tool says of some galaxies, and how it is scored: by the zoo's own functions, the same for all."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from common.outputs.calibration import LEVELS
from common.outputs.distribution import reached
from common.outputs.kinds import kind_of
from common.outputs.metrics import score
from common.outputs.reliability import coverage_in_bins, found_by
from sdss_gs.schema import OUTPUTS

from .galaxies import BANDS, Galaxies

REDSHIFT = OUTPUTS["redshift"]
PIT_BINS = 20
R = BANDS.index("r")
WIDTH, BRIGHTNESS, TRUTH = "width of the 68 % interval, Δz / (1 + z)", "r magnitude", "true redshift"


@dataclass(frozen=True)
class Answer:
    """Redshifts of some galaxies with intervals, and their distributions where a tool gives these.

    Parameters
    ----------
    point : ndarray, shape (n,)
        NaN where a tool says nothing.
    ends : dict of float to tuple of ndarray
        By level, where the intervals begin and end.
    shares : ndarray, shape (n, bins), or None
        Of the bins of `grid`.
    grid : tuple of float
        Borders of the bins.
    """

    point: np.ndarray
    ends: Mapping[float, tuple[np.ndarray, np.ndarray]]
    shares: np.ndarray | None = None
    grid: tuple[float, ...] = field(default=(), repr=False)

    def width(self) -> np.ndarray:
        """Return the width of the interval of the lowest level, Δz / (1 + z), ``(n,)``."""
        low, high = self.ends[LEVELS[0]]
        return (high - low) / (1 + self.point)

    def held(self, truth: np.ndarray) -> dict[float, np.ndarray]:
        """Tell by level whose intervals hold the truth, bool ``(n,)``."""
        return {level: (truth >= low) & (truth <= high) for level, (low, high) in self.ends.items()}


Predictor = Callable[[Galaxies], Answer]


@dataclass(frozen=True)
class Fitted:
    """A tool that has learnt.

    Parameters
    ----------
    predict : callable
    cpu_s : float
        Processor time that it took, s.
    peak_mb : float
        Largest memory of the process until then, MB.
    size : int
        Of what is kept of it, bytes.
    """

    predict: Predictor
    cpu_s: float
    peak_mb: float
    size: int


def of_shares(shares: np.ndarray, grid: Sequence[float], point: np.ndarray | None = None) -> Answer:
    """Read distributions: the median unless a tool has its own number, and the quantiles that bound its intervals.

    Parameters
    ----------
    shares : ndarray, shape (n, bins)
    grid : sequence of float
        Borders of the bins.
    point : ndarray, shape (n,), optional
    """
    grid = tuple(map(float, grid))
    kind = kind_of(replace(REDSHIFT, grid=grid))
    levels = [end for level in LEVELS for end in ((1 - level) / 2, (1 + level) / 2)]
    median, *ends = kind.at(shares, [0.5, *levels]).T
    pairs = zip(ends[::2], ends[1::2], strict=True)
    return Answer(median if point is None else point, dict(zip(LEVELS, pairs, strict=True)), shares, grid)


def scores(answer: Answer, truth: np.ndarray) -> dict[str, float]:
    """Score answers by the names of `Kind.metrics`; besides ``coverage_68`` …, ``width`` (median) and ``auc``."""
    found = score(replace(REDSHIFT, grid=answer.grid), truth, answer.point if answer.shares is None else answer.shares)
    found |= score(REDSHIFT, truth, answer.point)
    wrong, _ = kind_of(REDSHIFT).wrong(truth, answer.point)
    found |= {f"coverage_{100 * level:.0f}": float(one.mean()) for level, one in answer.held(truth).items()}
    found["width"] = float(np.median(answer.width()))
    auc = found_by(np.zeros(len(truth), bool), answer.width(), wrong)["auc"]
    return found | ({} if auc is None else {"auc": auc})


def in_bins(answer: Answer, galaxies: Galaxies) -> dict[str, list[dict]]:
    """Measure coverage in bins of magnitude, redshift and predicted width, see `reliability.coverage_in_bins`."""
    quantities = {BRIGHTNESS: galaxies.magnitudes[:, R], TRUTH: galaxies.redshift, WIDTH: answer.width()}
    return coverage_in_bins(answer.held(galaxies.redshift), quantities)


def pit_counts(answer: Answer, truth: np.ndarray) -> list[int]:
    """Count the cumulative probabilities at the truths in bins of equal width; empty without distributions."""
    if answer.shares is None:
        return []
    return np.histogram(reached(answer.shares, answer.grid, truth), PIT_BINS, (0, 1))[0].tolist()
