"""Scores of votes: the challenge's RMSE, and how often the commonest answer is the right one."""

from __future__ import annotations

import numpy as np

from sdss_gs.decision_tree import TREES, DecisionTree, Question
from sdss_gs.schema import Output

ASKED = 0.5
"""A question counts for the galaxies where more than this share of the volunteers came to it."""
MEAN_ACCURACY = "question_accuracy"


def rmse_name(answers: int) -> str:
    """Name the RMSE after the number of answers: ``rmse37`` is the challenge's."""
    return f"rmse{answers}"


def accuracy_name(question: Question) -> str:
    """Name the accuracy of a question."""
    return f"accuracy_q{question.number}"


def right_answers(tree: DecisionTree, truth: np.ndarray, predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Tell for which galaxies each question counts, and where its commonest answer is predicted as such.

    Returns
    -------
    asked, right : ndarray of bool, shape (n, questions)
        ``right`` only where ``asked``.
    """
    asked = tree.reached(truth, ASKED)
    return asked, asked & (tree.answers(truth) == tree.answers(predicted))


def vote_scores(output: Output, truth: np.ndarray, predicted: np.ndarray, drawn: np.ndarray) -> dict[str, np.ndarray]:
    """Score weighted votes in samples of the galaxies, given as positions ``(samples, n)``.

    Returns
    -------
    dict of str to ndarray of float64, shape (samples,)
        ``rmse37``, root of the mean squared difference over all galaxies and answers (evaluation of the Galaxy Zoo
        challenge, Kaggle 2013); ``question_accuracy``, mean over the questions of ``accuracy_q1`` …, the share of the
        galaxies that came to the question (`ASKED`) whose commonest answer is predicted as such. NaN for a question
        that no galaxy came to.
    """
    tree = TREES[output.tree]
    square = ((predicted - truth) ** 2).mean(axis=1)
    asked, right = right_answers(tree, truth, predicted)
    found = {rmse_name(output.size): np.sqrt(square[drawn].mean(axis=1)), MEAN_ACCURACY: np.empty(0)}
    for number, question in enumerate(tree.questions):
        count, hits = (flags[:, number][drawn].sum(axis=1) for flags in (asked, right))
        found[accuracy_name(question)] = np.divide(hits, count, out=np.full(len(drawn), np.nan), where=count > 0)
    each = np.stack([found[accuracy_name(question)] for question in tree.questions])
    known = ~np.isnan(each)
    found[MEAN_ACCURACY] = np.where(known, each, 0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    return found
