"""Weighted votes of volunteers: shares of all answers of a decision tree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from common.outputs.calibration import (
    LEVELS,
    ONE_LEVEL,
    UNSURE,
    Calibration,
    Intervals,
    fit_intervals,
    percent,
    weighted_quantile,
)  # fmt: skip
from common.outputs.column import LONGEST, Column
from common.outputs.kinds.kind import BEFORE, Kind, Metric, mean_of_defined, ratio
from sdss_gs.decision_tree import TREES, DecisionTree
from sdss_gs.gz2_class import simplify, summaries

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from sklearn.base import BaseEstimator

    from common.backend import keras

VOTE_LOSSES = ("rmse", "cross_entropy", "dirichlet")
SUMMING_LOSSES = ("cross_entropy", "dirichlet")
"""Losses that mean nothing unless a question's answers sum to the answer that leads to it."""
ASKED = 0.5
"""A question counts for the galaxies where more than this share of the volunteers came to it."""
ENDS = ("low", "high")


@dataclass(frozen=True)
class VoteIntervals(Calibration):
    """Conformal intervals of each answer's share of the votes.

    Parameters
    ----------
    answers : list of Intervals
        In the order of the tree.
    typical : float
        Median over the objects of an interval's mean width at the lowest level.
    """

    answers: list[Intervals]
    typical: float = 1.0

    def bounds(self, predicted: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
        """Return where the interval of each share begins and ends, within 0 and 1, float64 ``(n, answers)``."""
        ends = [one.errors(share, level) for one, share in zip(self.answers, predicted.T, strict=True)]
        low, high = (np.clip(predicted + np.stack(side, axis=1), 0, 1) for side in zip(*ends, strict=True))
        return low, high

    def widths(self, predicted: np.ndarray) -> np.ndarray:
        """Average the widths of each object's intervals at the lowest level, float64 ``(n,)``."""
        low, high = self.bounds(predicted, LEVELS[0])
        return (high - low).mean(axis=1)

    def unsure(self, predicted: np.ndarray) -> np.ndarray:
        """Tell which objects have much wider intervals than is typical, bool ``(n,)``."""
        return self.widths(predicted) > UNSURE * self.typical


class Votes(Kind):
    """Weighted votes, one number per answer."""

    task, width_unit = "votes", " (share of the votes)"
    second, head_ending, calibration, ucd = "question_accuracy", BEFORE, VoteIntervals, "src.morph.type"
    ends_formula = "clip(value + e, 0, 1)"
    reductions: ClassVar = {"mean": np.mean}

    @property
    def tree(self) -> DecisionTree:
        return TREES[self.output.tree]

    @property
    def headline(self) -> str:
        """Name the RMSE after the number of answers: ``rmse37`` is the challenge's."""
        return f"rmse{self.output.size}"

    @property
    def compared(self) -> tuple[str, ...]:
        return (self.headline, self.second, "accuracy_q1")

    @property
    def metrics(self) -> Mapping[str, Metric]:
        right = "share of galaxies with the right commonest answer"
        whole = "root of the mean squared error of all answers' weighted shares"
        each = {
            f"accuracy_q{one.number}": Metric(f"question {one.number}", "high", f"{right}, of those asked: {one.text}")
            for one in self.tree.questions
        }
        mean = Metric("accuracy per question", "high", f"{right}, mean over questions")
        # The evaluation of the Galaxy Zoo challenge, Kaggle 2013.
        return {self.headline: Metric(f"RMSE of {self.output.size} answers", "low", whole), self.second: mean} | each

    # === What a network learns ===

    def behind_dense(self, values: keras.KerasTensor) -> keras.KerasTensor:
        """Let shares flow down the tree: answers sum to the answer that leads to their question."""
        from common.outputs.vote_losses import flow_down

        return flow_down(self.tree, values, self.output.name)

    def constant_bias(self, target: np.ndarray) -> np.ndarray:
        """Compute the logits whose votes are the mean of the target; that of a never chosen one is tiny."""
        return np.log(np.maximum(target.mean(axis=0, dtype=np.float64), 1e-6)).astype(np.float32)

    def constant(self, target: np.ndarray) -> np.ndarray:
        return target.mean(axis=0)

    def loss_name(self, loss: str) -> str:
        """Name the loss; a model of several outputs has one for its numbers, which votes do not have."""
        return loss if loss in VOTE_LOSSES else VOTE_LOSSES[0]

    def loss(self, loss: str, label_smoothing: float = 0.0) -> Callable:
        from common.outputs.vote_losses import vote_loss

        return vote_loss(self.tree, self.loss_name(loss))

    def training_metrics(self, loss: str) -> list[keras.metrics.Metric]:
        """Show the RMSE; the target of ``dirichlet`` is counts, of which no score can be made with shares."""
        from common.backend import keras

        counts = self.loss_name(loss) == "dirichlet"
        return [] if counts else [keras.metrics.RootMeanSquaredError(self.headline)]

    @property
    def choices(self) -> int:
        return len(self.tree.questions[0].answers)

    # === Scores ===

    def samples(self, truth: np.ndarray, predicted: np.ndarray, drawn: np.ndarray) -> dict[str, np.ndarray]:
        rmse, mean, *names = self.metrics
        square = ((predicted - truth) ** 2).mean(axis=1)
        asked = self.tree.reached(truth, ASKED)
        right = asked & (self.tree.answers(truth) == self.tree.answers(predicted))
        counts = (flags[drawn].sum(axis=1).T for flags in (right, asked))
        each = dict(zip(names, ratio(*counts), strict=True))
        average = mean_of_defined(np.transpose(list(each.values())))
        return {rmse: np.sqrt(square[drawn].mean(axis=1)), mean: average} | each

    # === How sure it is ===

    def fit_calibration(
        self, truth: np.ndarray, predicted: np.ndarray, weights: np.ndarray | None = None
    ) -> VoteIntervals:
        answers = [fit_intervals(t - p, p, weights) for t, p in zip(truth.T, predicted.T, strict=True)]
        widths = VoteIntervals(answers).widths(predicted)
        return VoteIntervals(answers, float(weighted_quantile(widths, 0.5, weights)))

    def costs(self, truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
        """Return the mean squared error of the shares."""
        return np.mean((predicted - truth) ** 2, axis=1)

    def calibration_from(self, fields: Mapping) -> VoteIntervals:
        return VoteIntervals([Intervals(**one) for one in fields["answers"]], fields["typical"])

    def bounds(self, calibration: Calibration, predicted: np.ndarray, level: float) -> tuple[np.ndarray, np.ndarray]:
        return calibration.bounds(predicted, level)

    # === Columns of a prediction ===

    @property
    def value_columns(self) -> list[str]:
        return [f"{self.output.name}_{answer}" for answer in self.output.answers]

    @property
    def averaged_columns(self) -> list[str]:
        """Name the shares, then where their intervals begin, then where they end."""
        ends = (f"{share}_{end}_{percent(ONE_LEVEL)}" for end in ENDS for share in self.value_columns)
        return [*self.value_columns, *ends]

    def columns(self) -> list[str]:
        """Name the class that the votes sum up to, the share of each answer, and their 90 % intervals."""
        ends = (f"{share}_{end}_{percent(ONE_LEVEL)}" for share in self.value_columns for end in ENDS)
        return [self.output.name, *self.value_columns, *ends]

    def described(self) -> dict[str, Column]:
        found = {self.output.name: Column("the class that the votes sum up to", self.ucd)}
        for share, answer in zip(self.value_columns, self.output.answers, strict=True):
            found[share] = Column(f"share of the votes for {answer}"[:LONGEST])
            for end, word in zip(ENDS, ("begins", "ends"), strict=True):
                text = f"where the {percent(ONE_LEVEL)} % interval of {answer} {word}"
                found[f"{share}_{end}_{percent(ONE_LEVEL)}"] = Column(text[:LONGEST])
        return found

    def values(self, calibration: Calibration, predicted: np.ndarray) -> tuple[list[np.ndarray], np.ndarray]:
        low, high = self.bounds(calibration, predicted, ONE_LEVEL)
        ends = [end for answer in zip(low.T, high.T, strict=True) for end in answer]
        return [self.words(predicted), *predicted.T, *ends], calibration.unsure(predicted)

    def words(self, values: np.ndarray) -> np.ndarray:
        return np.array(summaries(self.tree, values), object)

    # === Baselines ===

    def baselines(self, seed: int, count: int) -> dict[str, tuple[str, BaseEstimator]]:
        """Choose the benchmarks of the Galaxy Zoo challenge, and a linear model on more of the image."""
        from sklearn import linear_model, pipeline, preprocessing

        line = linear_model.Ridge()
        return {
            "linear on central pixel": ("centre", line),
            "linear on mean colour": ("colour", line),
            "linear on image features": ("features", pipeline.make_pipeline(preprocessing.StandardScaler(), line)),
        }

    def learnt(self, model: BaseEstimator, train: np.ndarray, truth: np.ndarray, test: np.ndarray) -> np.ndarray:
        return np.clip(model.fit(train, truth).predict(test), 0, 1)

    # === Pictures ===

    def misses(self, truth: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, list[str]]:
        error = np.sqrt(((predicted - truth) ** 2).mean(axis=1))
        shown = zip(self.words(truth), self.words(predicted), error, strict=True)
        return error, [f"{t}, predicted {p}\nRMSE {e:.3f}" for t, p, e in shown]

    def figures(self, truth: np.ndarray, predicted: np.ndarray) -> dict[str, Figure]:
        from common.outputs.figures import shares

        titles = [f"{question.number} {answer}" for question in self.tree.questions for answer in question.answers]
        return {"answers": shares(titles, truth, predicted)}

    def labels(self, truth: np.ndarray) -> list[str]:
        return [simplify(full) for full in self.words(truth)]

    def legend(self, labels: list[str]) -> list[str]:
        """List the classes, the commonest first."""
        return [label for label, _ in Counter(labels).most_common()]
