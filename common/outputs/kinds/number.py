"""Numbers, one per object: what redshifts, masses and all others have in common, and the users' own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from common.outputs.calibration import LEVELS, Calibration, Intervals, fit_intervals, percent
from common.outputs.column import LONGEST, Column
from common.outputs.kinds.kind import BEFORE, Kind, Metric, ratio
from sdss_gs.schema import QUANTITIES

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from sklearn.base import BaseEstimator

    from common.backend import keras

WILD = 4.0
"""A model so many of its own standard errors away from the others' median is left out."""
LEAST_WIDTH = 1e-6
MANY = 1000
"""Training objects from which boosting takes as many steps as pay for ten thousand."""
OFTEN_WRONG = 3.0
"""Of a number whose outliers nobody defined, those are, with an error so many times that which 68 % stay below."""
FILE_UNITS = {"Msun": "solMass"}
"""How FITS (standard 4.0, table 5) and VOTable (VOUnits 1.1) write units of the schema that they write otherwise."""
RMSE = Metric("RMSE", "low", "root of the mean squared error, in the column's unit")
MAE = Metric("MAE", "low", "mean absolute error of the value itself")
R2 = Metric("R²", "high", "share of the variance that is explained (of log10 for masses); 0 is the mean, 1 is perfect")


class Scalar(Kind):
    """A number per object, with intervals at each of the levels."""

    calibration = Intervals
    error_label: ClassVar[str] = "predicted − true"
    axis_label: ClassVar[str]
    outlier: ClassVar[float] = np.inf
    """Error, in the scale in which errors are alike, from which an object is an outlier."""

    def fit_calibration(self, truth: np.ndarray, predicted: np.ndarray, weights: np.ndarray | None = None) -> Intervals:
        return fit_intervals(self.error_in_scale(truth, predicted), predicted, weights)

    def costs(self, truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        """Return the absolute error in the scale in which errors are alike; an outlier's is that of the least one."""
        return np.minimum(np.abs(self.error_in_scale(self.point(predicted), truth)), self.outlier)

    def wrong(self, truth: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, str]:
        error = np.abs(self.error_in_scale(self.point(predicted), truth))
        if np.isfinite(self.outlier):
            return error > self.outlier, f"an error above {self.outlier:g}{self.width_unit}"
        return error > OFTEN_WRONG * np.quantile(error, LEVELS[0]), f"an error above {OFTEN_WRONG:g} times that of 68 %"

    def columns(self) -> list[str]:
        """Name the value in the output's unit, and where its intervals begin and end (``redshift_low_68``)."""
        name = self.output.name
        return [name, *(f"{name}_{end}_{percent(level)}" for level in LEVELS for end in ("low", "high"))]

    def described(self) -> dict[str, Column]:
        name, *ends = self.columns()
        unit = FILE_UNITS.get(self.output.unit, self.output.unit)
        found = {name: Column(self.output.description[:LONGEST], self.ucd, unit)}
        for level, (low, high) in zip(LEVELS, zip(ends[::2], ends[1::2], strict=True), strict=True):
            for end, word, ucd in ((low, "begins", "stat.min"), (high, "ends", "stat.max")):
                text = f"where the {percent(level)} % interval {word}"
                found[end] = Column(text, self.ucd and f"{self.ucd};{ucd}", unit)
        return found

    def impossible(self, values: np.ndarray) -> np.ndarray:
        quantity = QUANTITIES.get(self.output.column)
        if quantity is None:
            return super().impossible(values)
        return (values <= quantity.low) | (values >= quantity.high)

    def values(self, calibration: Calibration, predicted: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
        ends = [end for level in LEVELS for end in self.bounds(calibration, predicted, level)]
        return [predicted, *ends], calibration.unsure(predicted)

    def weights(self, column: Callable[[str], np.ndarray], usable: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weigh by 1 / σ², σ being half of the 68 % interval, without models far from the weighted median."""
        value, low, high = map(column, self.columns()[:3])
        sigma = np.nan_to_num(self.error_in_scale(high, value) - self.error_in_scale(low, value)) / 2
        sigma = np.maximum(sigma, LEAST_WIDTH)
        weights = np.where(usable, 1 / sigma**2, 0.0)
        distance = np.abs(self.error_in_scale(value, _weighted_median(value, weights)[:, None]))
        wild = usable & (distance > WILD * sigma) & (usable.sum(axis=1) > 2)[:, None]
        return np.where(wild, 0.0, weights), wild.any(axis=1)

    def averaged(self, column: Callable[[str], np.ndarray], mean: Callable[[np.ndarray], np.ndarray]) -> dict:
        """Average as the number errs; intervals are as wide as the mean of the models' own."""
        name, *ends = self.columns()
        value = column(name)
        middle = self.from_scale(mean(self.to_scale(value)))
        return {name: middle} | {
            end: self.apply_error(middle, mean(self.error_in_scale(column(end), value))) for end in ends
        }

    def baselines(self, seed: int, count: int) -> dict[str, tuple[str, BaseEstimator]]:
        """Choose boosting, in which missing values have a branch (Ke et al. 2017, NeurIPS 30, 3146), and ridge.

        Many small steps that minimise the absolute error: with scikit-learn's defaults the NMAD of photometric
        redshifts is a tenth worse.
        """
        from sklearn import ensemble, linear_model, pipeline, preprocessing

        line = pipeline.make_pipeline(preprocessing.StandardScaler(), linear_model.Ridge())
        trees = partial(
            ensemble.HistGradientBoostingRegressor,
            loss="absolute_error",
            # Of few objects nothing more is learnt by more trees.
            max_iter=600 if count >= MANY else 100,
            learning_rate=0.04 if count >= MANY else 0.1,
            min_samples_leaf=15,
            early_stopping=False,
            random_state=seed,
        )
        return {
            "gradient boosting": ("magnitudes", trees()),
            "boosting on the same input": ("own", trees()),
            "linear on image features": ("features", line),
        }

    def constants(self, truth: np.ndarray) -> dict[str, np.ndarray]:
        seen = self.to_scale(truth)
        return {name: self.from_scale(reduce(seen)) for name, reduce in self.reductions.items()}

    def learnt(self, model: BaseEstimator, train: np.ndarray, truth: np.ndarray, test: np.ndarray) -> np.ndarray:
        return self.from_scale(model.fit(train, self.to_scale(truth)).predict(test))

    def misses(self, truth: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, list[str]]:
        captions = [f"true {t:.3g}, predicted {p:.3g}" for t, p in zip(truth, predicted, strict=True)]
        return np.abs(self.error_in_scale(predicted, truth)), captions

    def figures(self, truth: np.ndarray, predicted: np.ndarray) -> dict[str, Figure]:
        from common.outputs.figures import predicted_against_true, residuals

        seen, error = self.to_scale(truth), self.error_in_scale(predicted, truth)
        return {
            "predicted_vs_true": predicted_against_true(seen, self.to_scale(predicted), self.axis_label),
            "residuals": residuals(seen, error, self.axis_label, self.error_label),
        }

    def labels(self, truth: np.ndarray) -> list[str]:
        return [f"{value:.4g}" for value in truth]


class Number(Scalar):
    """A user's own number, of any size: the network works in standard units, its head undoes that."""

    metrics: ClassVar = {"rmse": RMSE, "mae": MAE, "r2": R2}
    headline, second, older, compared = "rmse", "mae", ("r2",), ("rmse", "mae", "r2")
    head_ending = BEFORE

    def samples(self, truth: np.ndarray, predicted: np.ndarray, drawn: np.ndarray) -> dict[str, np.ndarray]:
        error = predicted - truth
        squared = np.mean((error**2)[drawn], axis=-1)
        return {
            "rmse": np.sqrt(squared),
            "mae": np.mean(np.abs(error)[drawn], axis=-1),
            "r2": explained(truth[drawn], squared),
        }

    @property
    def axis_label(self) -> str:
        return self.output.column

    def behind_dense(self, values: keras.KerasTensor) -> keras.KerasTensor:
        from common.backend import keras

        output = self.output
        return keras.layers.Rescaling(output.spread, output.centre, name=output.name, dtype="float32")(values)


def explained(truth: np.ndarray, squared: np.ndarray) -> np.ndarray:
    """Compute R² over the last axis from true values and mean squared errors; NaN where every value is the same."""
    varies = np.ptp(truth, axis=-1) > 0
    return 1 - ratio(squared, np.where(varies, np.var(truth, axis=-1), 0))


def ordered_quantiles(ordered: np.ndarray, levels: Sequence[float]) -> list[np.ndarray]:
    """Interpolate quantiles of values that are in order along the last axis, as `numpy.quantile` does.

    That puts values into order as far as it must for each quantile, which takes longer than ordering them all: only
    the latter is done with the processor's vectors.
    """
    found, last = [], ordered.shape[-1] - 1
    for level in levels:
        place = level * last
        below = int(place)
        low, high = ordered[..., below], ordered[..., min(below + 1, last)]
        found.append(high - (high - low) * (below + 1 - place))
    return found


def _weighted_median(value: np.ndarray, weights: np.ndarray) -> np.ndarray:
    filled = np.where(weights > 0, value, np.inf)
    order = np.argsort(filled, axis=1)
    heights = np.cumsum(np.take_along_axis(weights, order, axis=1), axis=1)
    place = (heights >= heights[:, -1:] / 2).argmax(axis=1)
    return np.take_along_axis(filled, order, axis=1)[np.arange(len(value)), place]
