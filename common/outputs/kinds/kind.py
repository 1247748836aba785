"""What every kind of output can do. The bodies here suit numbers, one per object or several; `Classes` has others."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from common.outputs.calibration import LEVELS, Calibration, fewest_objects
from common.outputs.column import Column
from sdss_gs.schema import Output

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from sklearn.base import BaseEstimator

    from common.backend import keras

CONSTANTS = ("mean", "median", "majority")
"""Baselines that predict the same for every object."""
LOSSES = ("mse", "mae", "huber")
"""Of numbers."""
BEFORE = "_before"
"""Ends the name of the dense layer where other layers follow: a number's units, the way of votes down a tree."""
COLLAPSED_SPREAD = 0.05


@dataclass(frozen=True)
class Metric:
    """How a score is read: its name for people, whether ``low``, ``high`` or ``zero`` is better, and what it means."""

    label: str
    better: str
    meaning: str

    def cost(self, value: float) -> float:
        """Turn a value into a number of which less is better."""
        return {"low": value, "high": -value, "zero": abs(value)}[self.better]


@dataclass(frozen=True)
class Kind(ABC):
    """What is particular to a kind of output.

    Truths are in the catalogue's unit, class numbers, or votes; predictions are in the catalogue's unit, class
    probabilities, or votes: float64 ``(n,)``, ``(n, classes)`` or ``(n, answers)``, finite.

    Attributes
    ----------
    task, width_unit, spread_unit : str
        What the card calls the task; the units of intervals, and of the spread of values, in sentences.
    metrics : mapping of str to Metric
        All scores that `samples` may give.
    headline, second : str
        The one metric to compare models by; and what must be better than a constant's besides.
    older, compared : tuple of str
        Metrics that the predecessor's tables show besides the headline; columns of a comparison of models.
    class_averages : tuple of str
        Means over the classes that occur: a resample without a rare class would average other classes than the score.
    bin_edges : tuple of float
        Limits of the bins of the truth that are scored one by one; empty for none.
    reductions : mapping of str to callable
        How the best constants are found, by their name in `CONSTANTS`.
    activation, head_ending : str
        Of the head's dense layer, and how its name ends.
    calibration : type
        What `fit_calibration` makes.
    sides : int
        Of how many ends an interval or a set has to be right.
    ucd : str
        What the first column holds, in the words of the Virtual Observatory.
    ends_formula : str
        What `bounds` does with an error ``e`` of the calibration, in words for other programs
        (docs/howto/elsewhere.md).
    """

    output: Output

    task: ClassVar[str] = "regression"
    width_unit: ClassVar[str] = ""
    spread_unit: ClassVar[str] = ""
    metrics: ClassVar[Mapping[str, Metric]]
    headline: ClassVar[str]
    second: ClassVar[str]
    older: ClassVar[tuple[str, ...]] = ()
    compared: ClassVar[tuple[str, ...]]
    class_averages: ClassVar[tuple[str, ...]] = ()
    bin_edges: ClassVar[tuple[float, ...]] = ()
    reductions: ClassVar[Mapping[str, Callable]] = {"mean": np.mean, "median": np.median}
    activation: ClassVar[str] = "linear"
    head_ending: ClassVar[str] = ""
    calibration: ClassVar[type[Calibration]]
    sides: ClassVar[int] = 2
    ucd: ClassVar[str] = ""
    ends_formula: ClassVar[str] = "value + e"

    @property
    def in_bins(self) -> list[str]:
        """List the scores of a bin: those compared but R², as next to no variance in it is to be explained."""
        return [name for name in self.compared if name != "r2"]

    # === What a network learns ===

    def encode(self, truth: np.ndarray, target: str = "log") -> np.ndarray:
        """Turn truth into the network's target, float32 ``(n, size)``; `target`, of masses, see `mass.TARGETS`."""
        return truth.astype(np.float32).reshape(-1, self.output.size)

    def decode(self, predicted: np.ndarray, target: str = "log") -> np.ndarray:
        """Turn the network's values into predictions."""
        predicted = predicted.astype(np.float64)
        return predicted if self.output.size > 1 else predicted[:, 0]

    def point(self, predicted: np.ndarray) -> np.ndarray:
        """Return one value per object for predictions that are distributions; others as they are."""
        return predicted

    def value_formula(self, target: str = "log") -> str:
        """Say what `decode` does with the network's values, in words for other programs (docs/howto/elsewhere.md)."""
        return "raw"

    def head_of(self, network: keras.Model) -> keras.layers.Dense:
        """Return the layer whose bias decides what an untrained network predicts."""
        return network.get_layer(self.output.name + self.head_ending)

    def attach_head(self, features: keras.KerasTensor) -> keras.KerasTensor:
        """Add the last layers to features ``(batch, m)``; float32 ``(batch, size)``, named like the output."""
        from common.backend import keras

        # float32 also under a mixed policy: bfloat16 has three digits, too few for a redshift.
        # Zeros: together with `constant_bias` training begins at the best constant instead of at noise.
        settings = {"name": self.output.name + self.head_ending, "dtype": "float32", "kernel_initializer": "zeros"}
        return self.behind_dense(keras.layers.Dense(self.output.size, self.activation, **settings)(features))

    def behind_dense(self, values: keras.KerasTensor) -> keras.KerasTensor:
        """Add the layers that follow the dense one, if any."""
        return values

    def constant_bias(self, target: np.ndarray) -> np.ndarray:
        """Compute, from encoded truth, the head's bias that predicts the best constant, float32 ``(size,)``."""
        mean = target.mean(axis=0, dtype=np.float64)
        return ((mean - self.output.centre) / self.output.spread).astype(np.float32)

    def constant(self, target: np.ndarray) -> np.ndarray:
        """Return what a network with that bias gives for every object, float32 ``(size,)``."""
        return target.mean(axis=0, dtype=np.float64).astype(np.float32)

    def loss_name(self, loss: str) -> str:
        """Name what training minimises where the option says `loss`."""
        # A model of several outputs has one option for the losses of its numbers and of its votes.
        return loss if loss in LOSSES else "mae"

    def loss(self, loss: str, label_smoothing: float = 0.0) -> keras.losses.Loss | Callable | str:
        """Choose the loss as Keras takes it."""
        return self.loss_name(loss)

    def training_metrics(self, loss: str) -> list[keras.metrics.Metric | str]:
        """Choose what is shown beside the loss."""
        return ["mae"]

    @property
    def choices(self) -> int:
        """Of how many first values the network chooses the largest; 1 where there is no choice."""
        return self.output.size

    # === Errors, scores, and how sure a prediction is ===

    def to_scale(self, values: np.ndarray) -> np.ndarray:
        """Turn values into the scale in which they are drawn, averaged and compared."""
        return values

    def from_scale(self, values: np.ndarray) -> np.ndarray:
        """Turn values back: the inverse of `to_scale`."""
        return values

    def error_in_scale(self, value: np.ndarray, reference: np.ndarray) -> np.ndarray:
        """Measure how far a value lies from another, in the scale in which errors are alike."""
        return self.to_scale(value) - self.to_scale(reference)

    def apply_error(self, reference: np.ndarray, error: np.ndarray) -> np.ndarray:
        """Return the values that lie so far from others: the inverse of `error_in_scale`."""
        return self.from_scale(self.to_scale(reference) + error)

    @abstractmethod
    def samples(self, truth: np.ndarray, predicted: np.ndarray, drawn: np.ndarray) -> dict[str, np.ndarray]:
        """Score samples of the objects, given as positions ``(samples, n)``.

        Parameters
        ----------
        truth, predicted : ndarray
            Of all objects, as `decode` gives them.
        drawn : ndarray of int, shape (samples, n)

        Returns
        -------
        dict of str to ndarray of float64, shape (samples,)
            NaN where a score is undefined; which names are there depends on the truth alone.
        """

    @abstractmethod
    def fit_calibration(
        self, truth: np.ndarray, predicted: np.ndarray, weights: np.ndarray | None = None
    ) -> Calibration:
        """Fit intervals or class sets to objects that the network was not fitted to.

        Parameters
        ----------
        truth, predicted : ndarray
        weights : ndarray of float, shape (n,), optional
            How many times as frequent objects like each are among those that are to be predicted, where these are
            others; see `calibration.conformal_quantile`.
        """

    @abstractmethod
    def costs(self, truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        """Return how bad each prediction is, float64 ``(n,)``; less is better.

        Unlike a score's, the means of two models over the same objects have a difference whose standard error is known.
        """

    def calibration_from(self, fields: Mapping) -> Calibration:
        """Make a calibration from its fields, as JSON holds them."""
        return self.calibration(**fields)

    def bounds(self, calibration: Calibration, predicted: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
        """Return where the interval of each prediction begins and ends; `level` is one of `LEVELS`.

        Parameters
        ----------
        calibration : Calibration
        predicted : ndarray
        level : float
            One of `LEVELS`.
        """
        low, high = calibration.errors(predicted, level)
        return self.apply_error(predicted, low), self.apply_error(predicted, high)

    def held(self, calibration: Calibration, truth: np.ndarray, predicted: np.ndarray, level: float) -> tuple:
        """Tell which truths the intervals or sets hold, bool, and how large these are, float; see `coverage`.

        Parameters
        ----------
        calibration, truth, predicted
            As for `coverage`.
        level : float
            One of `LEVELS`.
        """
        low, high = self.bounds(calibration, predicted, level)
        width = self.error_in_scale(high, predicted) - self.error_in_scale(low, predicted)
        return (truth >= low) & (truth <= high), np.median(width)

    def doubt(self, calibration: Calibration, predicted: np.ndarray) -> np.ndarray:
        """Return how unsure each prediction is, float64 ``(n,)``: of numbers the width of the 68 % interval."""
        low, high = self.bounds(calibration, predicted, LEVELS[0])
        middle = self.point(predicted)
        return self.error_in_scale(high, middle) - self.error_in_scale(low, middle)

    def wrong(self, truth: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, str]:
        """Tell which predictions are wrong, bool ``(n,)``, and what that means; no words where nothing is."""
        return np.zeros(len(truth), bool), ""

    def not_held(self, count: int) -> list[float]:
        """List the levels for which so many validation objects are too few; see `calibration.fewest_objects`."""
        return [level for level in LEVELS if count < fewest_objects(level, self.sides)]

    def coverage(self, calibration: Calibration, truth: np.ndarray, predicted: np.ndarray) -> list[dict]:
        """Measure how often intervals or class sets hold the truth, and how large they are.

        Parameters
        ----------
        calibration : Calibration
        truth, predicted : ndarray

        Returns
        -------
        list of dict
            For each level: ``level``, ``coverage`` (share of objects, or of their answers), ``size`` (median full width
            of the interval, as Δz / (1 + z), in dex, or in the number's own unit; or mean number of classes in a set).
        """
        rows = ((level, *self.held(calibration, truth, predicted, level)) for level in LEVELS)
        return [{"level": level, "coverage": float(held.mean()), "size": float(size)} for level, held, size in rows]

    # === Columns of a prediction ===

    @property
    def value_columns(self) -> list[str]:
        """Name the columns that hold what `decode` gives."""
        return [self.output.name]

    @property
    def averaged_columns(self) -> list[str]:
        """Name those that are averaged over models as they are."""
        return self.value_columns

    @abstractmethod
    def columns(self) -> list[str]:
        """Name all columns; the first has the output's name."""

    @abstractmethod
    def values(self, calibration: Calibration, predicted: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
        """Fill the columns; tell besides which predictions are unsure, bool ``(n,)``."""

    @abstractmethod
    def described(self) -> dict[str, Column]:
        """Say what each of the columns holds."""

    def impossible(self, values: np.ndarray) -> np.ndarray:
        """Tell which predictions, by their first column, are outside what the quantity can be, bool ``(n,)``."""
        return np.zeros(len(values), bool)

    def weights(self, column: Callable[[str], np.ndarray], usable: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Weigh several models' predictions, float64 ``(n, models)``; tell where one that disagrees was left out.

        `column` gives a column of all models, float64 ``(n, models)``, NaN where they have no prediction; those with
        one are `usable`, bool ``(n, models)``.
        """
        return usable.astype(float), np.zeros(len(usable), bool)

    def averaged(self, column: Callable[[str], np.ndarray], mean: Callable[[np.ndarray], np.ndarray]) -> dict:
        """Average several models' predictions, by column; `mean` averages a `column` of all models, see `weights`."""
        means = {name: mean(column(name)) for name in self.averaged_columns}
        values = np.stack([means[name] for name in self.value_columns], axis=1)
        words = self.words(np.nan_to_num(values))
        return {self.output.name: np.where(np.isnan(values[:, 0]), None, words)} | means

    # === Baselines ===

    def constants(self, truth: np.ndarray) -> dict[str, np.ndarray]:
        """Compute the best constant predictions, by their name in `CONSTANTS`."""
        target = self.encode(truth)
        return {name: self.decode(reduce(target, axis=0)[None])[0] for name, reduce in self.reductions.items()}

    @abstractmethod
    def baselines(self, seed: int, count: int) -> dict[str, tuple[str, BaseEstimator]]:
        """Choose simple models to beat, by name: what of `BaselineInputs` they see, and the model.

        Parameters
        ----------
        seed : int
        count : int
            Training objects.
        """

    @abstractmethod
    def learnt(self, model: BaseEstimator, train: np.ndarray, truth: np.ndarray, test: np.ndarray) -> np.ndarray:
        """Fit such a model to what it sees of the training objects, and predict the test objects.

        Parameters
        ----------
        model : BaseEstimator
        train, test : ndarray of float, shape (n, m)
            What it sees of the objects.
        truth : ndarray
            Of the training objects.
        """

    def collapsed(self, truth: np.ndarray, predicted: np.ndarray) -> str:
        """Say by how little predictions differ, if that is less than a twentieth of what the truth does."""
        # Votes differ from answer to answer: what counts is how much they do from galaxy to galaxy.
        spread, true_spread = (np.sqrt(np.var(self.to_scale(values), axis=0).mean()) for values in (predicted, truth))
        if spread >= COLLAPSED_SPREAD * true_spread:
            return ""
        unit = self.spread_unit
        return f"its predictions spread by only {spread:.2g}{unit}, the truth by {true_spread:.2g}{unit}"

    # === Pictures ===

    @abstractmethod
    def misses(self, truth: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, list[str]]:
        """Return by how much each object is missed, float64 ``(n,)``, and what to write under it."""

    @abstractmethod
    def figures(self, truth: np.ndarray, predicted: np.ndarray) -> dict[str, Figure]:
        """Draw predictions beside the truth; the first picture says most."""

    @abstractmethod
    def labels(self, truth: np.ndarray) -> list[str]:
        """Write the truth of each object."""

    def legend(self, labels: list[str]) -> list[str]:
        """List the labels that have a colour of their own, in order; none for what is coloured by value."""
        return []


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Divide; NaN where the whole is not positive."""
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole > 0)


def mean_of_defined(values: np.ndarray) -> np.ndarray:
    """Average the defined values of the last axis; NaN where there is none."""
    defined = ~np.isnan(values)
    return ratio(np.where(defined, values, 0).sum(axis=-1), defined.sum(axis=-1))


def area_under_curve(positive: np.ndarray, values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the chance that a positive object has the larger value, float64 ``(samples,)``; equal values count half.

    Parameters
    ----------
    positive : ndarray of bool, shape (n,)
    values : ndarray, shape (n,)
    weights : ndarray, shape (samples, n)
        How often each object is in each sample.
    """
    others = np.flatnonzero(~positive)
    others = others[np.argsort(values[others])]
    below = np.pad(np.cumsum(weights[:, others], axis=1), ((0, 0), (1, 0)))
    first, last = (np.searchsorted(values[others], values[positive], side) for side in ("left", "right"))
    chosen = weights[:, positive]
    wins = (chosen * (below[:, first] + below[:, last])).sum(axis=1) / 2
    return ratio(wins, chosen.sum(axis=1) * below[:, -1])
