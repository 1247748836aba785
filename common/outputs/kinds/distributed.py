"""Numbers that are predicted as distributions: shares of bins for each object, the median as the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from common.outputs import distribution
from common.outputs.calibration import (
    LEVELS,
    ONE_LEVEL,
    UNSURE,
    Calibration,
    conformal_quantile,
    effective_objects,
    weighted_quantile,
)  # fmt: skip
from common.outputs.kinds.kind import Metric, area_under_curve
from common.outputs.kinds.mass import Mass
from common.outputs.kinds.number import Number, Scalar
from common.outputs.kinds.redshift import Redshift

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from common.backend import keras

HEADS = ("point", "binned", "mixture")
"""What a network gives for a number: its value, shares of bins, or a mixture of logistic distributions."""
COMPONENTS = 5
OFTEN = tuple(end for level in LEVELS for end in ((1 - level) / 2, (1 + level) / 2))
SCORES = {
    # Gneiting & Raftery 2007, JASA 102, 359.
    "crps": Metric("CRPS", "low", "continuous ranked probability score of the distribution"),
    # Izbicki & Lee 2017, Electron. J. Stat. 11, 2800.
    "cde_loss": Metric("CDE loss", "low", "mean of ∫ p² − 2 p(truth), the conditional density estimation loss"),
    # Bordoloi, Lilly & Amara 2010, MNRAS 406, 881.
    "pit_ks": Metric(
        "PIT KS", "low", "Kolmogorov–Smirnov distance of the cumulative probability at the truth from uniform"
    ),
    # Gneiting & Raftery 2007.
    "interval_score_90": Metric("interval score 90 %", "low", "width of the 90 % interval, plus 20 × any miss of it"),
    "outlier_auc": Metric(
        "outlier AUC", "high", "chance that an outlier has a wider 68 % interval than another object"
    ),
}
"""What a distribution is judged by besides its median."""


@dataclass(frozen=True)
class Spread(Calibration):
    """How distributions are read: where their intervals end, and how wide these usually are.

    An interval of 68 % ends at cumulative probabilities of 0.16 and 0.84, or where 16 and 84 % of the validation
    objects' truths lie below (distributional conformal prediction: Chernozhukov, Wüthrich & Zhu 2021, PNAS 118,
    e2107794118); between the two as far as the difference may be chance (James & Stein 1961, Proc. 4th Berkeley Symp.
    1, 361). The width is that of the object's own distribution.

    Parameters
    ----------
    low, high : dict of str to float
        By level (``"0.9"``), the cumulative probability at which the interval begins and ends.
    typical : float
        Median width of the intervals of the lowest level, as Δz / (1 + z), in dex, or plain.
    """

    low: dict[str, float]
    high: dict[str, float]
    typical: float = 1.0

    def ends(self) -> list[float]:
        """List the cumulative probabilities at which the intervals of all levels begin and end."""
        return [end[str(level)] for level in LEVELS for end in (self.low, self.high)]


def _ends(reached: np.ndarray, weights: np.ndarray | None) -> dict[str, float]:
    """Choose by level where intervals end above, from the cumulative probabilities that truths reached ``(n,)``."""
    ends, last = {}, 0.0
    for level in LEVELS:
        nominal = (1 + level) / 2
        away = conformal_quantile(reached, nominal, weights) - nominal
        chance = nominal * (1 - nominal) / effective_objects(reached, weights)
        shrunk = nominal + away * max(0.0, 1 - chance / max(away**2, 1e-12))
        # A wider interval holds the narrower one, whichever of them was moved.
        ends[str(level)] = last = max(last, shrunk)
    return ends


class Distributed(Scalar):
    """What replaces the methods of a number that is predicted as one value; goes before its class.

    Predictions are float32 ``(n, bins)``; those of other models, a baseline's for instance, may be values ``(n,)``.
    """

    calibration = Spread
    head_ending = ""
    relative = False
    """Whether errors grow with 1 + the value."""
    formula = "{}"
    """How a quantile in the scale of the grid becomes a value, in words for other programs."""

    @property
    def metrics(self) -> Mapping[str, Metric]:
        return super().metrics | SCORES

    # === What a network learns ===

    def encode(self, truth: np.ndarray, target: str = "log") -> np.ndarray:
        return self.to_scale(truth).astype(np.float32)[:, None]

    def decode(self, predicted: np.ndarray, target: str = "log") -> np.ndarray:
        output = self.output
        if output.components:
            return distribution.mixture_shares(predicted, output.grid, output.centre, output.spread)
        return predicted

    def value_formula(self, target: str = "log") -> str:
        return self.formula.format(f"quantile({'mixture(raw)' if self.output.components else 'raw'}, 0.5)")

    @property
    def ends_formula(self) -> str:
        return self.value_formula().replace("0.5", "e")

    def point(self, predicted: np.ndarray) -> np.ndarray:
        """Return the medians, in the catalogue's unit, float64 ``(n,)``; values stay as they are."""
        return self.at(predicted, [0.5])[:, 0] if predicted.ndim > 1 else predicted

    def at(self, shares: np.ndarray, levels: list[float]) -> np.ndarray:
        """Return where distributions reach cumulative probabilities, in the catalogue's unit, ``(n, levels)``."""
        return self.from_scale(distribution.quantiles(shares, self.output.grid, levels))

    def attach_head(self, features: keras.KerasTensor) -> keras.KerasTensor:
        from common.backend import keras

        # As for a single value: float32 and zeros, so that training begins at the training objects' distribution.
        settings = {"name": self.output.name, "dtype": "float32", "kernel_initializer": "zeros"}
        if self.output.components:
            # Alike, components would stay alike.
            settings["kernel_initializer"] = keras.initializers.RandomNormal(stddev=0.01)
        return keras.layers.Dense(self.output.size, None if self.output.components else "softmax", **settings)(features)

    def constant_bias(self, target: np.ndarray) -> np.ndarray:
        """Compute the head's bias that predicts the distribution of the training objects, float32 ``(size,)``."""
        if self.output.components:
            many = self.output.components
            means = np.quantile((target - self.output.centre) / self.output.spread, (np.arange(many) + 0.5) / many)
            return np.concatenate([np.zeros(many), means, np.full(many, -np.log(many))]).astype(np.float32)
        # A bin without an object counts as half an object.
        counts = np.histogram(np.clip(target, self.output.grid[0], self.output.grid[-1]), self.output.grid)[0]
        return np.log(np.maximum(counts, 0.5) / len(target)).astype(np.float32)

    def constant(self, target: np.ndarray) -> np.ndarray:
        bias = self.constant_bias(target)
        return bias if self.output.components else np.exp(bias) / np.exp(bias).sum()

    def loss_name(self, loss: str) -> str:
        return "negative_log_likelihood" if self.output.components else "cross_entropy"

    def loss(self, loss: str, label_smoothing: float = 0.0) -> Callable:
        from common.outputs.heads import binned_loss, mixture_loss

        if self.output.components:
            return mixture_loss(self.output.centre, self.output.spread)
        return binned_loss(self.output.grid, self.relative)

    def training_metrics(self, loss: str) -> list:
        return []

    @property
    def choices(self) -> int:
        return 1 if self.output.components else self.output.size

    # === Scores ===

    def samples(self, truth: np.ndarray, predicted: np.ndarray, drawn: np.ndarray) -> dict[str, np.ndarray]:
        scores = super().samples(truth, self.point(predicted), drawn)
        if predicted.ndim == 1:
            return scores
        grid, seen = self.output.grid, self.to_scale(truth)
        middle, low, high = distribution.quantiles(predicted, grid, [0.5, (1 - ONE_LEVEL) / 2, (1 + ONE_LEVEL) / 2]).T
        missed = np.maximum(low - seen, 0) + np.maximum(seen - high, 0)
        each = {
            "crps": distribution.crps(predicted, grid, seen),
            "cde_loss": distribution.cde_loss(predicted, grid, seen),
            "interval_score_90": high - low + 2 / (1 - ONE_LEVEL) * missed,
        }
        scores |= {name: values[drawn].mean(axis=-1) for name, values in each.items()}
        scores["pit_ks"] = distribution.uniform_distance(distribution.reached(predicted, grid, seen)[drawn])
        if np.isfinite(self.outlier):
            outlying = np.abs(self.error_in_scale(self.from_scale(middle), truth)) > self.outlier
            weights = np.array([np.bincount(row, minlength=len(truth)) for row in drawn])
            scores["outlier_auc"] = area_under_curve(outlying, self.widths(predicted), weights)
        return scores

    def widths(self, shares: np.ndarray) -> np.ndarray:
        """Return the width of the middle 68 % of each distribution, in the scale in which errors are alike."""
        low, middle, high = self.at(shares, [OFTEN[0], 0.5, OFTEN[1]]).T
        return self.error_in_scale(high, middle) - self.error_in_scale(low, middle)

    # === How sure it is ===

    def fit_calibration(self, truth: np.ndarray, predicted: np.ndarray, weights: np.ndarray | None = None) -> Spread:
        reached = distribution.reached(predicted, self.output.grid, self.to_scale(truth))
        # From the other end the same, so that no end is less careful than the other.
        low = {level: 1 - end for level, end in _ends(1 - reached, weights).items()}
        high = _ends(reached, weights)
        spread = Spread(low, high)
        return Spread(low, high, float(weighted_quantile(self._read(spread, predicted)[1], 0.5, weights)))

    def bounds(self, calibration: Calibration, predicted: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
        low, high = self.at(predicted, [calibration.low[str(level)], calibration.high[str(level)]]).T
        return low, high

    def held(self, calibration: Calibration, truth: np.ndarray, predicted: np.ndarray, level: float) -> tuple:
        low, high = self.bounds(calibration, predicted, level)
        middle = self.point(predicted)
        width = self.error_in_scale(high, middle) - self.error_in_scale(low, middle)
        return (truth >= low) & (truth <= high), np.median(width)

    def values(self, calibration: Calibration, predicted: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
        columns, widths = self._read(calibration, predicted)
        return columns, widths > UNSURE * calibration.typical

    def _read(self, calibration: Spread, predicted: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
        """Return the median and the ends of all intervals, and the widths of those of the lowest level."""
        columns = list(self.at(predicted, [0.5, *calibration.ends()]).T)
        middle, low, high = columns[:3]
        return columns, self.error_in_scale(high, middle) - self.error_in_scale(low, middle)

    def collapsed(self, truth: np.ndarray, predicted: np.ndarray) -> str:
        return super().collapsed(truth, self.point(predicted))

    # === Pictures ===

    def misses(self, truth: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, list[str]]:
        return super().misses(truth, self.point(predicted))

    def figures(self, truth: np.ndarray, predicted: np.ndarray) -> dict[str, Figure]:
        from common.outputs.figures import example_distributions, pit_histogram

        drawn = super().figures(truth, self.point(predicted))
        if predicted.ndim > 1:
            grid, seen = self.output.grid, self.to_scale(truth)
            drawn["pit"] = pit_histogram(distribution.reached(predicted, grid, seen))
            drawn["distributions"] = example_distributions(predicted, grid, seen, self.axis_label)
        return drawn


class DistributedRedshift(Distributed, Redshift):
    """A redshift with its distribution."""

    relative = True


class DistributedMass(Distributed, Mass):
    """A stellar mass with its distribution in dex."""

    formula = "10 ** {}"


class DistributedNumber(Distributed, Number):
    """A user's own number with its distribution."""

    head_ending = ""
