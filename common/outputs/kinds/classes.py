"""Classes: a probability for each."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from common.outputs.calibration import (
    LEVELS,
    ONE_LEVEL,
    UNSURE,
    Calibration,
    conformal_quantile,
    percent,
    weighted_quantile,
)  # fmt: skip
from common.outputs.column import LONGEST, Column
from common.outputs.kinds.kind import Kind, Metric, area_under_curve, mean_of_defined, ratio

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from sklearn.base import BaseEstimator

    from common.backend import keras

CLASS_LOSS = "categorical_crossentropy"
CLASS_WEIGHTS = ("none", "balanced", "effective")
EFFECTIVE_BETA = 0.999
"""β of the effective number of samples (Cui et al. 2019, CVPR, arXiv:1901.05555)."""
CALIBRATION_BINS = 15
"""Equal-width bins of the top probability (Guo et al. 2017)."""
MANY_CLASSES = 5
"""So many classes are judged by the three most probable, too."""
COLLAPSED_SHARE, DOMINANT_SHARE = 0.98, 0.9
SMALLEST_PROBABILITY = 1e-12
_OVER = "averaged over the classes"


@dataclass(frozen=True)
class ClassSets(Calibration):
    """Calibrated class probabilities, and sets of classes.

    Parameters
    ----------
    temperature : float
        Divides the logarithms of the network's probabilities (Guo et al. 2017, arXiv:1706.04599).
    threshold : dict of str to float
        By level: a class of at least this calibrated probability belongs to the set (Sadinle, Lei & Wasserman 2019,
        JASA 114, 223); the most probable class always does.
    typical : float
        Median probability of the most probable class: near 1 for four clear classes, far lower for 23 subtle ones.
    """

    temperature: float
    threshold: dict[str, float]
    typical: float = 1.0

    def probabilities(self, predicted: np.ndarray) -> np.ndarray:
        """Calibrate class probabilities, float64 ``(n, classes)``."""
        return _tempered(predicted, self.temperature)

    def members(self, probabilities: np.ndarray, level: float) -> np.ndarray:
        """Tell which classes belong to each object's set, bool ``(n, classes)``."""
        best = probabilities.argmax(axis=1)[:, None] == np.arange(probabilities.shape[1])
        return best | (probabilities >= self.threshold[str(level)])

    def unsure(self, probabilities: np.ndarray) -> np.ndarray:
        """Tell which objects have a most probable class much less probable than is typical, bool ``(n,)``."""
        return probabilities.max(axis=1) < self.typical / UNSURE


class Classes(Kind):
    """Class probabilities. Always naming the most frequent class wins accuracy, but fails macro F1."""

    task, activation, calibration, sides, ucd = "classification", "softmax", ClassSets, 1, "src.class"
    metrics: ClassVar = {
        "accuracy": Metric("accuracy", "high", "share of objects with the right class"),
        # Brodersen et al. 2010, ICPR, 3121; Sokolova & Lapalme 2009, Inf. Process. Manag. 45, 427.
        "balanced_accuracy": Metric("balanced accuracy", "high", f"recall, {_OVER} that occur"),
        "macro_f1": Metric("macro F1", "high", f"harmonic mean of precision and recall, {_OVER} that occur"),
        # Good 1952, J. R. Stat. Soc. B 14, 107.
        "log_loss": Metric("log loss", "low", "−log of the probability given to the true class, averaged (nats)"),
        # Fawcett 2006, Pattern Recognit. Lett. 27, 861: one class against the rest.
        "roc_auc": Metric("ROC AUC", "high", f"chance that a member of a class outranks another object, {_OVER}"),
        # Guo et al. 2017, ICML, arXiv:1706.04599.
        "ece": Metric("calibration error", "low", "mean distance between stated probability and accuracy, in 15 bins"),
        # Russakovsky et al. 2015, IJCV 115, 211, there of five.
        "top3_accuracy": Metric("top 3", "high", "share of objects whose class is among the three most probable"),
    }
    headline, second, older = "macro_f1", "log_loss", ("accuracy",)
    ends_formula = ""
    class_averages = ("balanced_accuracy", "macro_f1", "roc_auc")

    @property
    def compared(self) -> tuple[str, ...]:
        many = len(self.output.classes) >= MANY_CLASSES
        return ("macro_f1", "top3_accuracy" if many else "balanced_accuracy", "accuracy", "log_loss")

    # === What a network learns ===

    def encode(self, truth: np.ndarray, target: str = "log") -> np.ndarray:
        return np.eye(len(self.output.classes), dtype=np.float32)[truth]

    def value_formula(self, target: str = "log") -> str:
        return "softmax(log(max(raw, 1e-12)) / temperature)"

    def constant_bias(self, target: np.ndarray) -> np.ndarray:
        """Compute the logarithms of the class shares; a class without an object counts as half an object."""
        return np.log(np.maximum(target.sum(axis=0), 0.5) / len(target)).astype(np.float32)

    def constant(self, target: np.ndarray) -> np.ndarray:
        odds = np.exp(self.constant_bias(target))
        return odds / odds.sum()

    def loss_name(self, loss: str) -> str:
        return CLASS_LOSS

    def loss(self, loss: str, label_smoothing: float = 0.0) -> keras.losses.Loss:
        from common.backend import keras

        return keras.losses.CategoricalCrossentropy(label_smoothing=label_smoothing)

    def training_metrics(self, loss: str) -> list[str]:
        return ["accuracy"]

    # === Scores ===

    def samples(self, truth: np.ndarray, predicted: np.ndarray, drawn: np.ndarray) -> dict[str, np.ndarray]:
        weights = np.array([np.bincount(row, minlength=len(truth)) for row in drawn])
        count, total = predicted.shape[1], weights.sum(axis=1)
        best, top = predicted.argmax(axis=1), predicted.max(axis=1)
        cells = _sums(truth * count + best, weights, count**2).reshape(-1, count, count)
        right, occurring = cells.diagonal(axis1=1, axis2=2), cells.sum(axis=2)
        chosen = np.take_along_axis(predicted, truth[:, None], axis=1)[:, 0]
        bins = np.clip(np.ceil(top * CALIBRATION_BINS).astype(int) - 1, 0, CALIBRATION_BINS - 1)
        areas = [area_under_curve(truth == label, predicted[:, label], weights) for label in range(count)]
        scores = {
            "accuracy": right.sum(axis=1) / total,
            "balanced_accuracy": mean_of_defined(ratio(right, occurring)),
            "macro_f1": mean_of_defined(ratio(2 * right, np.where(occurring > 0, occurring + cells.sum(axis=1), 0))),
            "log_loss": weights @ -np.log(np.clip(chosen, 1e-15, 1.0)) / total,
            "roc_auc": mean_of_defined(np.transpose(areas)),
            "ece": np.abs(_sums(bins, weights * ((best == truth) - top), CALIBRATION_BINS)).sum(axis=1) / total,
        }
        if count >= MANY_CLASSES:
            first = np.argsort(-predicted, axis=1, kind="stable")[:, :3]
            scores["top3_accuracy"] = weights @ (first == truth[:, None]).any(axis=1) / total
        return scores

    def confusion_matrix(self, truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        """Count objects by true class (rows) and most probable class (columns), int64 ``(classes, classes)``."""
        count = len(self.output.classes)
        return np.bincount(truth * count + predicted.argmax(axis=1), minlength=count**2).reshape(count, count)

    # === How sure it is ===

    def fit_calibration(self, truth: np.ndarray, predicted: np.ndarray, weights: np.ndarray | None = None) -> ClassSets:
        from scipy.optimize import minimize_scalar

        rows = np.arange(len(truth))

        def loss(log_temperature: float) -> float:
            right = _tempered(predicted, np.exp(log_temperature))[rows, truth]
            return float(np.average(-np.log(np.maximum(right, SMALLEST_PROBABILITY)), weights=weights))

        temperature = float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))
        calibrated = _tempered(predicted, temperature)
        missed = 1 - calibrated[rows, truth]
        threshold = {str(level): 1 - conformal_quantile(missed, level, weights) for level in LEVELS}
        return ClassSets(temperature, threshold, float(weighted_quantile(calibrated.max(axis=1), 0.5, weights)))

    def costs(self, truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        """Return the squared distance of the probabilities from the truth (Brier 1950, Mon. Weather Rev. 78, 1)."""
        return np.sum((predicted - np.eye(predicted.shape[1])[truth]) ** 2, axis=1)

    def held(
        self, calibration: Calibration, truth: np.ndarray, predicted: np.ndarray, level: float
    ) -> tuple[np.ndarray, float]:
        members = calibration.members(calibration.probabilities(predicted), level)
        return members[np.arange(len(truth)), truth], members.sum(axis=1).mean()

    def doubt(self, calibration: Calibration, predicted: np.ndarray) -> np.ndarray:
        """Return 1 minus the calibrated probability of the most probable class."""
        return 1 - calibration.probabilities(predicted).max(axis=1)

    def wrong(self, truth: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, str]:
        return predicted.argmax(axis=1) != truth, "another class than the true one"

    # === Columns of a prediction ===

    @property
    def value_columns(self) -> list[str]:
        return [f"{self.output.name}_{label}" for label in self.output.classes]

    def columns(self) -> list[str]:
        """Name the most probable class, the classes of the 90 % set joined by ``|``, and the probabilities."""
        return [self.output.name, f"{self.output.name}_set_{percent(ONE_LEVEL)}", *self.value_columns]

    def described(self) -> dict[str, Column]:
        name, members, *probabilities = self.columns()
        found = {
            name: Column("the most probable class", self.ucd),
            members: Column(f"the classes of the {percent(ONE_LEVEL)} % set, joined by |"),
        }
        for column, label in zip(probabilities, self.output.classes, strict=True):
            found[column] = Column(f"probability of {label}"[:LONGEST], "stat.probability")
        return found

    def values(self, calibration: Calibration, predicted: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
        predicted = calibration.probabilities(predicted)
        labels, members = np.array(self.output.classes, object), calibration.members(predicted, ONE_LEVEL)
        sets = np.array(["|".join(labels[row]) for row in members], object)
        return [self.words(predicted), sets, *predicted.T], calibration.unsure(predicted)

    def words(self, values: np.ndarray) -> np.ndarray:
        """Name the most probable class."""
        return np.array(self.output.classes, object)[values.argmax(axis=1)]

    # === Baselines ===

    def constants(self, truth: np.ndarray) -> dict[str, np.ndarray]:
        return {"majority": np.bincount(truth, minlength=len(self.output.classes)) / len(truth)}

    def baselines(self, seed: int, count: int) -> dict[str, tuple[str, BaseEstimator]]:
        """Choose boosting, in which missing values have a branch (Ke et al. 2017, NeurIPS 30, 3146), and a line."""
        from sklearn import ensemble, linear_model, pipeline, preprocessing

        # Small, damped steps: the defaults diverge on rare classes (a log loss of 26 against 2.7 of the class shares).
        # Early stopping would need at least two objects of every class.
        trees = partial(
            ensemble.HistGradientBoostingClassifier,
            learning_rate=0.05,
            max_leaf_nodes=8,
            l2_regularization=10,
            early_stopping=False,
            random_state=seed,
        )
        line = pipeline.make_pipeline(preprocessing.StandardScaler(), linear_model.LogisticRegression(max_iter=2000))
        return {
            "gradient boosting": ("magnitudes", trees()),
            "boosting on the same input": ("own", trees()),
            "linear on image features": ("features", line),
        }

    def learnt(self, model: BaseEstimator, train: np.ndarray, truth: np.ndarray, test: np.ndarray) -> np.ndarray:
        present = np.unique(truth)
        probabilities = np.zeros((len(test), len(self.output.classes)))
        probabilities[:, present] = model.fit(train, truth).predict_proba(test) if len(present) > 1 else 1
        return probabilities

    def collapsed(self, truth: np.ndarray, predicted: np.ndarray) -> str:
        """Say so if one class is named for 98 % of the objects where less than 90 % have it."""
        shares = np.bincount(predicted.argmax(axis=1), minlength=len(self.output.classes)) / len(truth)
        label, share = int(shares.argmax()), float(shares.max())
        true_share = float(np.mean(truth == label))
        if share < COLLAPSED_SHARE or true_share >= DOMINANT_SHARE:
            return ""
        return f"it names {self.output.classes[label]} for {share:.0%} of the test objects, {true_share:.0%} are"

    # === Pictures ===

    def misses(self, truth: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, list[str]]:
        words = zip(self.labels(truth), self.words(predicted), strict=True)
        return 1 - predicted[np.arange(len(truth)), truth], [f"{t}, predicted {p}" for t, p in words]

    def figures(self, truth: np.ndarray, predicted: np.ndarray) -> dict[str, Figure]:
        from common.outputs.figures import confusion

        return {"confusion": confusion(self.output.classes, self.confusion_matrix(truth, predicted))}

    def labels(self, truth: np.ndarray) -> list[str]:
        return [self.output.classes[number] for number in truth]

    def legend(self, labels: list[str]) -> list[str]:
        """List the classes that occur, in the output's order."""
        return [label for label in self.output.classes if label in set(labels)]


def class_weights(name: str, labels: np.ndarray, learnt: np.ndarray) -> np.ndarray:
    """Weigh objects by their class number, so that rare classes count; float32 ``(n,)``.

    Parameters
    ----------
    name : str
        ``none``; ``balanced``, inversely to the class's size; or ``effective``, inversely to its effective number of
        samples (1 - β^n) / (1 - β).
    labels : ndarray of int, shape (n,)
        Class numbers of the objects.
    learnt : ndarray of int, shape (m,)
        Those of the training objects, whose classes' sizes count and whose mean weight is 1.
    """
    sizes = np.maximum(np.bincount(learnt, minlength=labels.max(initial=0) + 1), 1).astype(np.float64)
    weight = 1 / {"none": np.ones(len(sizes)), "balanced": sizes, "effective": 1 - EFFECTIVE_BETA**sizes}[name]
    return (weight / weight[learnt].mean())[labels].astype(np.float32)


def _tempered(predicted: np.ndarray, temperature: float) -> np.ndarray:
    logits = np.log(np.maximum(predicted, SMALLEST_PROBABILITY)) / temperature
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def _sums(groups: np.ndarray, weights: np.ndarray, count: int) -> np.ndarray:
    return np.array([np.bincount(groups, row, minlength=count) for row in weights])
