"""Redshifts, which err as 1 + z."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from common.outputs.kinds.kind import Metric
from common.outputs.kinds.number import MAE, R2, Scalar, explained, ordered_quantiles

_DEFINED = "Δz = (predicted − true) / (1 + true)"


class Redshift(Scalar):
    """A spectroscopic redshift. A few outliers do not decide the NMAD.

    Examples
    --------
    >>> from sdss_gs.schema import OUTPUTS
    >>> kind = Redshift(OUTPUTS["redshift"])
    >>> round(kind.error_in_scale(0.212, 0.2), 6), round(kind.apply_error(0.2, 0.01), 6)
    (0.01, 0.212)
    """

    ucd = "src.redshift"
    width_unit = ", Δz / (1 + z)"
    axis_label = "redshift z"
    error_label = _DEFINED
    outlier = 0.05
    ends_formula = "value + e * (1 + value)"
    metrics: ClassVar = {
        # Brammer et al. 2008, ApJ 686, 1503.
        "nmad": Metric("NMAD", "low", f"1.4826 × median |Δz − median Δz|, with {_DEFINED}"),
        "bias": Metric("bias", "zero", f"median Δz, with {_DEFINED}"),
        # Sánchez et al. 2014, MNRAS 445, 1482: percentiles 16 to 84.
        "sigma68": Metric("σ68", "low", "half the range of Δz that holds the middle 68 %"),
        # Pasquet et al. 2019, A&A 621, A26, and Ilbert et al. 2006, A&A 457, 841.
        "outlier_fraction_05": Metric("outliers 0.05", "low", "share of objects with |Δz| > 0.05"),
        "outlier_fraction_15": Metric("outliers 0.15", "low", "share of objects with |Δz| > 0.15"),
        "mse": Metric("MSE", "low", "mean squared error of the value itself"),
        "mae": MAE,
        "r2": R2,
    }
    headline, second, older = "nmad", "mse", ("mse",)
    compared = ("nmad", "bias", "outlier_fraction_05", "r2")
    bin_edges = (0, 0.05, 0.1, 0.15, 0.2, 0.3, 0.5, 1)

    def error_in_scale(self, value: np.ndarray, reference: np.ndarray) -> np.ndarray:
        return (value - reference) / (1 + reference)

    def apply_error(self, reference: np.ndarray, error: np.ndarray) -> np.ndarray:
        return reference + error * (1 + reference)

    def samples(self, truth: np.ndarray, predicted: np.ndarray, drawn: np.ndarray) -> dict[str, np.ndarray]:
        error, scaled = predicted - truth, self.error_in_scale(predicted, truth)
        ordered = np.sort(scaled[drawn], axis=-1)
        low, bias, high = ordered_quantiles(ordered, [0.16, 0.5, 0.84])
        away = np.sort(np.abs(ordered - bias[..., None]), axis=-1)
        squared = np.mean((error**2)[drawn], axis=-1)
        return {
            "nmad": 1.4826 * ordered_quantiles(away, [0.5])[0],
            "bias": bias,
            "sigma68": (high - low) / 2,
            "outlier_fraction_05": np.mean((np.abs(scaled) > 0.05)[drawn], axis=-1),
            "outlier_fraction_15": np.mean((np.abs(scaled) > 0.15)[drawn], axis=-1),
            "mse": squared,
            "mae": np.mean(np.abs(error)[drawn], axis=-1),
            "r2": explained(truth[drawn], squared),
        }
