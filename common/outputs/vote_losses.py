"""Votes in a network: shares that flow down the decision tree, and what training minimises."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from common.backend import keras, tf
from sdss_gs.decision_tree import DecisionTree

CONCENTRATION = 20.0
"""Sum of the Dirichlet distribution's parameters: how many volunteers' votes a predicted share is worth."""
SMALLEST = 1e-7


def flow_down(tree: DecisionTree, logits: keras.KerasTensor, name: str) -> keras.KerasTensor:
    """Turn logits into weighted votes: each question's answers sum to the answer that leads to it, or to 1.

    Parameters
    ----------
    tree : DecisionTree
    logits : KerasTensor of float32, shape (batch, answers)
    name : str
        Of the last layer.

    Returns
    -------
    KerasTensor of float32, shape (batch, answers)
    """
    firsts = [question.first for question in tree.questions]
    parts = keras.ops.split(logits, firsts[1:], axis=1) if len(firsts) > 1 else [logits]
    answers, votes = [], []
    for question, part in zip(tree.questions, parts, strict=True):
        shares = keras.layers.Softmax(dtype="float32")(part)
        if question.parent is not None:
            shares = keras.layers.Multiply(dtype="float32")([shares, answers[question.parent]])
        votes.append(shares)
        answers += keras.ops.split(shares, len(question.answers), axis=1)
    if len(votes) == 1:
        return keras.layers.Identity(dtype="float32", name=name)(votes[0])
    return keras.layers.Concatenate(dtype="float32", name=name)(votes)


def vote_loss(tree: DecisionTree, name: str) -> Callable:
    """Choose a loss of weighted votes, per galaxy.

    Parameters
    ----------
    tree : DecisionTree
    name : str
        ``rmse``: the mean squared difference of all answers, whose root over all galaxies is the challenge's score.
        ``cross_entropy``: of each question's answers among those who were asked, weighted by how many were.
        ``dirichlet``: Dirichlet-multinomial likelihood of each question's counts (Walmsley et al. 2020, MNRAS 491,
        1554) with parameters that sum to `CONCENTRATION`. In both, what stands where nobody was asked has no influence.

    Returns
    -------
    callable
        Of truth and prediction, ``(batch, answers)``: weighted votes, or for ``dirichlet`` counts of volunteers.
    """

    def rmse(truth, predicted):
        return keras.ops.mean(keras.ops.square(truth - predicted), axis=-1)

    def cross_entropy(truth, predicted):
        pairs = _asked(tree, truth, predicted)
        return sum([-keras.ops.sum(votes * keras.ops.log(shares), axis=-1) for votes, shares in pairs])

    def dirichlet(truth, predicted):
        terms = []
        for counts, shares in _asked(tree, truth, predicted):
            parameters = CONCENTRATION * shares
            whole, volunteers = keras.ops.sum(parameters, axis=-1), keras.ops.sum(counts, axis=-1)
            gains = tf.math.lgamma(parameters + counts) - tf.math.lgamma(parameters)
            terms.append(tf.math.lgamma(whole + volunteers) - tf.math.lgamma(whole) - keras.ops.sum(gains, axis=-1))
        return sum(terms)

    return {"rmse": rmse, "cross_entropy": cross_entropy, "dirichlet": dirichlet}[name]


def _asked(tree: DecisionTree, truth, predicted) -> Iterator[tuple]:
    """Give each question's votes, 0 where nobody was asked, and the predicted shares among those who are asked."""
    for question in tree.questions:
        votes, values = truth[:, question.slice], predicted[:, question.slice] + SMALLEST
        if question.asked_after:
            asked = sum(truth[:, answer : answer + 1] for answer in question.asked_after)
            votes = keras.ops.where(asked > 0, votes, 0.0)
        yield votes, values / keras.ops.sum(values, axis=-1, keepdims=True)
