"""The decision tree: what its votes mean, and the class strings that they sum up to."""

import numpy as np
import pytest
from helpers.ballots import ballots

from sdss_gs.decision_tree import KAGGLE, TREES
from sdss_gs.gz2_class import gz2_classes, summaries

TREE = TREES[KAGGLE]


@pytest.mark.parametrize(("name", "questions", "answers"), [("kaggle", 11, 37), ("gz2", 10, 30), ("gz1", 1, 6)])
def test_trees_have_every_answer_once(name, questions, answers):
    tree = TREES[name]
    assert (len(tree.questions), len(tree.columns), len(set(tree.columns))) == (questions, answers, answers)
    assert sum(tree.sizes()) == answers
    assert [question.first for question in tree.questions] == np.cumsum([0, *tree.sizes()[:-1]]).tolist()
    words = [answer for question in tree.questions for answer in question.answers]
    # Two answers of the same name would be taken for one another: the bulge of a disk, and that of an edge-on disk.
    assert len(set(words)) == len(words)


def test_parents_are_those_of_the_challenge():
    parents = {question.number: question.parent for question in TREE.questions}
    named = {number: None if parent is None else TREE.columns[parent] for number, parent in parents.items()}
    assert named == {
        1: None, 2: "Class1.2", 3: "Class2.2", 4: "Class2.2", 5: "Class2.2", 6: None,
        7: "Class1.1", 8: "Class6.1", 9: "Class2.1", 10: "Class4.1", 11: "Class4.1",
    }  # fmt: skip


def test_published_rows_sum_as_they_must():
    """Galaxy 100008 of the challenge: bar and no bar sum to "not edge-on", winding to "spiral"."""
    values = np.zeros((1, 37))
    values[0, :3] = 0.383147, 0.616853, 0
    values[0, 3:5] = 0, 0.616853
    values[0, 5:7] = 0.038452, 0.578401
    values[0, 7:9] = 0.418398, 0.198455
    values[0, 28:31] = 0.279952, 0.138445, 0
    bad = {TREE.questions[number].number for number in np.flatnonzero(TREE.inconsistent(values)[0])}
    assert bad == {5, 6, 7, 11}
    shares = TREE.conditional(values)[0]
    np.testing.assert_allclose(shares[5:7], [0.0623, 0.9377], atol=1e-4)


def test_shares_of_those_asked_are_unknown_where_nobody_was():
    values = ballots(20)
    values[0, 0], values[0, 1] = values[0, 0] + values[0, 1], 0
    values = TREE.weighted(np.nan_to_num(TREE.conditional(values)))
    shares = TREE.conditional(values)
    assert np.isnan(shares[0, 3:5]).all()
    np.testing.assert_allclose(TREE.weighted(shares), values, atol=1e-12)
    np.testing.assert_allclose(np.add.reduceat(shares[1:], [q.first for q in TREE.questions], axis=1), 1)
    assert not TREE.reached(values)[0, [1, 2, 3, 4, 8, 9, 10]].any()
    assert TREE.reached(values)[0, [0, 5, 6]].all()


def test_stars_are_not_asked_for_anything_odd():
    values = ballots(5)
    np.testing.assert_allclose(TREE.asked(values)[:, 5], values[:, 0] + values[:, 1])
    np.testing.assert_allclose(values[:, 13] + values[:, 14], 1)


def test_leaf_probability_is_the_product_along_the_way():
    values = ballots(1, seed=3)
    shares = TREE.conditional(values)[0]
    answers = dict(zip(range(1, 12), TREE.answers(values)[0], strict=True))
    way = [1, 6] + ([7] if answers[1] == 0 else [2] if answers[1] == 1 else [])
    assert answers[1] == 1
    way += [9] if answers[2] == 0 else [3, 4, 5] + ([10, 11] if answers[4] == 0 else [])
    way += [8] if answers[6] == 0 else []
    firsts = {question.number: question.first for question in TREE.questions}
    expected = np.prod([shares[firsts[number] + answers[number]] for number in way])
    assert TREE.leaf_probabilities(values)[0] == pytest.approx(expected)


def votes(**given):
    """Write votes as ``q1=(.., .., ..)``; questions that are not named have none, but nothing is odd."""
    row = np.zeros(37)
    for name, values in ({"q6": (0, 1)} | given).items():
        question = TREE.questions[int(name[1:]) - 1]
        row[question.slice] = values
    return row


SPIRAL = {"q1": (0.2, 0.8, 0), "q2": (0.1, 0.7), "q4": (0.5, 0.2), "q5": (0, 0.5, 0.2, 0)}
ARMS = {"q10": (0, 0.4, 0.1), "q11": (0, 0.5, 0, 0, 0, 0)}
ODD = {"q6": (0.6, 0.4), "q8": (0, 0, 0, 0, 0, 0.6, 0)}


@pytest.mark.parametrize(
    ("expected", "given"),
    [
        ("A", {"q1": (0.2, 0.3, 0.5)}),
        ("Ei", {"q1": (0.6, 0.4, 0), "q7": (0.1, 0.4, 0.1)}),
        ("Ei(m)", {"q1": (0.6, 0.4, 0), "q7": (0.1, 0.4, 0.1), **ODD}),
        ("Ec", {"q1": (1, 0, 0), "q7": (0.1, 0.4, 0.5), "q2": (0, 0)}),
        ("Sen", {"q1": (0, 1, 0), "q2": (0.5, 0.5), "q9": (0.1, 0, 0.4)}),
        ("Ser", {"q1": (0, 1, 0), "q2": (0.9, 0.1), "q9": (0.8, 0, 0.1)}),
        ("Sc2m", {**SPIRAL, **ARMS, "q3": (0.35, 0.35)}),
        ("SBc2m", {**SPIRAL, **ARMS, "q3": (0.36, 0.34)}),
        ("Sc", {**SPIRAL, **ARMS, "q3": (0.1, 0.6), "q4": (0.35, 0.35)}),
        ("Sc2m(m)", {**SPIRAL, **ARMS, **ODD, "q3": (0.1, 0.6)}),
        ("Sc2m", {**SPIRAL, **ARMS, **ODD, "q6": (0.4, 0.6), "q3": (0.1, 0.6)}),
        ("", {"q1": (0.6, 0.4, 0)}),
        ("", {**SPIRAL, "q3": (0.1, 0.6)}),
    ],
)
def test_class_is_the_way_of_the_commonest_answers(expected, given):
    """A bar and arms need more yes than no, edge-on and odd as many."""
    assert gz2_classes(votes(**given)[None]) == [expected]


def test_other_trees_are_summed_up_too():
    row = votes(**SPIRAL, **ARMS, q3=(0.1, 0.6), q6=(0.6, 0.4))
    without = np.delete(row, np.arange(18, 25))
    assert summaries(TREES["gz2"], without[None]) == ["Sc2m"]
    assert summaries(TREES["gz1"], np.array([[0.1, 0.2, 0.5, 0.1, 0.1, 0]])) == ["anticlockwise spiral"]
