"""Stellar masses, which err in dex."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from common.outputs.kinds.kind import Metric
from common.outputs.kinds.number import R2, Scalar, explained
from sdss_gs.schema import QUANTITIES

TARGETS = ("log", "linear")
"""A network learns log10(M / Msun), or M in `MASS_UNIT` as older models did."""
MASS_UNIT = 1e9
"""Msun; the unit of older models, and of the mean absolute error in older tables."""

MAE_OF_MASS = Metric("MAE (1e9 Msun)", "low", "mean absolute error of the mass itself; few massive galaxies decide it")


class Mass(Scalar):
    """A stellar mass in Msun. A few massive galaxies do not decide the scatter in dex.

    Examples
    --------
    >>> from sdss_gs.schema import OUTPUTS
    >>> float(Mass(OUTPUTS["smass"]).error_in_scale(np.array(1e11), np.array(1e10)))
    1.0
    """

    ucd = "phys.mass"
    width_unit, spread_unit = " (dex)", " dex"
    axis_label = "log10 stellar mass / Msun"
    error_label = "predicted − true, dex"
    outlier = 0.5
    ends_formula = "10 ** (log10(clip(value, 1e4, 1e14)) + e)"
    metrics: ClassVar = {
        # Bonjean et al. 2019, A&A 622, A137.
        "scatter_dex": Metric("scatter (dex)", "low", "standard deviation of log10(predicted / true)"),
        "bias_dex": Metric("bias (dex)", "zero", "mean of log10(predicted / true)"),
        "r2": R2,
        "mae_1e9msun": MAE_OF_MASS,
    }
    headline, second, older = "scatter_dex", "r2", ("mae_1e9msun",)
    compared = ("scatter_dex", "bias_dex", "mae_1e9msun", "r2")
    bin_edges = tuple(10.0**exponent for exponent in (6, 8, 9, 9.5, 10, 10.5, 11, 11.5, 13))

    def encode(self, truth: np.ndarray, target: str = TARGETS[0]) -> np.ndarray:
        return super().encode(np.log10(truth) if target != "linear" else truth / MASS_UNIT)

    def decode(self, predicted: np.ndarray, target: str = TARGETS[0]) -> np.ndarray:
        values = super().decode(predicted)
        return 10.0**values if target != "linear" else values * MASS_UNIT

    def value_formula(self, target: str = TARGETS[0]) -> str:
        return "10 ** raw" if target != "linear" else "1e9 * raw"

    def to_scale(self, values: np.ndarray) -> np.ndarray:
        """Return log10(M / Msun), clipped to the range that the catalogue accepts (1e4 to 1e14 Msun).

        A network that learns the mass itself may predict zero or less: it then counts as 1e4 Msun, a miss of many dex.
        No true mass is ever clipped.
        """
        allowed = QUANTITIES["stellarmass"]
        return np.log10(np.clip(values, allowed.low, allowed.high))

    def from_scale(self, values: np.ndarray) -> np.ndarray:
        return 10.0**values

    def samples(self, truth: np.ndarray, predicted: np.ndarray, drawn: np.ndarray) -> dict[str, np.ndarray]:
        seen = self.to_scale(truth)
        error = self.to_scale(predicted) - seen
        resampled = error[drawn]
        return {
            "scatter_dex": np.std(resampled, axis=-1),
            "bias_dex": np.mean(resampled, axis=-1),
            "r2": explained(seen[drawn], np.mean((error**2)[drawn], axis=-1)),
            "mae_1e9msun": np.mean(np.abs(predicted - truth)[drawn], axis=-1) / MASS_UNIT,
        }
