"""The questions that Galaxy Zoo asked, as a tree: who is asked what, and what a table of votes means.

Votes are *weighted* here, as in the Galaxy Zoo challenge on Kaggle (2013): an answer's value is the share of all
volunteers who came to the question and gave that answer, so that a question's answers sum to the answer that leads to
it. `DecisionTree.conditional` gives the shares among those who were asked.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

SUM_TOLERANCE = 2e-3
"""By how much a question's answers may miss their sum: tables are rounded."""


@dataclass(frozen=True)
class Question:
    """One question.

    Parameters
    ----------
    text : str
    answers : tuple of str
        In words.
    first : int
        Position of its first answer among all answers of the tree.
    parent : int or None
        Position of the answer to whose value this question's answers sum; None: to 1.
    asked_after : tuple of int
        Positions of the answers whose values sum to the share of volunteers who were asked; empty: all of them.
    number : int
        As tables count it: a tree may lack a question of another.
    """

    text: str
    answers: tuple[str, ...]
    first: int
    parent: int | None
    asked_after: tuple[int, ...]
    number: int

    @property
    def slice(self) -> slice:
        """Where its answers stand."""
        return slice(self.first, self.first + len(self.answers))


@dataclass(frozen=True)
class DecisionTree:
    """The questions of one Galaxy Zoo.

    Parameters
    ----------
    name : str
    questions : tuple of Question
        A question comes after the one that leads to it.
    columns : tuple of str
        Column of each answer in a table of votes.
    total : str
        Column with the number of volunteers, where a table has it.
    plain : bool
        Whether the columns hold shares among those who were asked, and not weighted ones.
    """

    name: str
    questions: tuple[Question, ...]
    columns: tuple[str, ...]
    total: str
    plain: bool = False

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Sum each question's answers, ``(n, questions)``, of values ``(n, answers)``."""
        return np.add.reduceat(values, [question.first for question in self.questions], axis=1)

    def expected_sums(self, values: np.ndarray) -> np.ndarray:
        """Return what each question's answers must sum to, ``(n, questions)``."""
        one = np.ones(len(values))
        return np.stack(
            [one if question.parent is None else values[:, question.parent] for question in self.questions], axis=1
        )

    def asked(self, values: np.ndarray) -> np.ndarray:
        """Return the share of volunteers who came to each question, ``(n, questions)``."""
        one = np.ones(len(values))
        return np.stack(
            [
                values[:, question.asked_after].sum(axis=1) if question.asked_after else one
                for question in self.questions
            ],
            axis=1,
        )

    def reached(self, values: np.ndarray, least: float = 0.0) -> np.ndarray:
        """Tell which questions more than a share `least` of the volunteers came to, bool ``(n, questions)``."""
        return self.asked(values) > least

    def conditional(self, values: np.ndarray) -> np.ndarray:
        """Return the shares among those who were asked, ``(n, answers)``; NaN, not 0, where nobody was."""
        sums = np.repeat(self.sums(values), self.sizes(), axis=1)
        return np.divide(values, sums, out=np.full(values.shape, np.nan), where=sums > 0)

    def weighted(self, shares: np.ndarray) -> np.ndarray:
        """Weigh shares among those who were asked by how many were: the inverse of `conditional`.

        Examples
        --------
        >>> tree = TREES["kaggle"]
        >>> tree.weighted(np.full((1, 37), 0.5))[0, :5].tolist()
        [0.5, 0.5, 0.5, 0.25, 0.25]
        """
        values = np.nan_to_num(np.asarray(shares, np.float64))
        for question in self.questions:
            if question.parent is not None:
                values[:, question.slice] *= values[:, question.parent, None]
        return values

    def sizes(self) -> list[int]:
        """Count the answers of each question."""
        return [len(question.answers) for question in self.questions]

    def inconsistent(self, values: np.ndarray) -> np.ndarray:
        """Tell which questions' answers do not sum to what they must, bool ``(n, questions)``."""
        return np.abs(self.sums(values) - self.expected_sums(values)) > SUM_TOLERANCE

    def answers(self, values: np.ndarray) -> np.ndarray:
        """Return each question's commonest answer, counted within it, int64 ``(n, questions)``; of ties the first."""
        return np.stack([values[:, question.slice].argmax(axis=1) for question in self.questions], axis=1)

    def leaf_probabilities(self, values: np.ndarray) -> np.ndarray:
        """Return the probability that a volunteer gives the commonest answer to every question on the way, ``(n,)``.

        The way is that of the commonest answers: a question is on it if one of the answers that lead to it is.
        """
        shares, best = np.nan_to_num(self.conditional(values)), self.answers(values)
        on_way = np.zeros(values.shape, bool)
        found, rows = np.ones(len(values)), np.arange(len(values))
        for number, question in enumerate(self.questions):
            after = question.asked_after
            asked = on_way[:, after].any(axis=1) if after else np.ones(len(values), bool)
            chosen = question.first + best[:, number]
            on_way[rows[asked], chosen[asked]] = True
            found = np.where(asked, found * shares[rows, chosen], found)
        return found


def _tree(name: str, questions: list[tuple], columns, total: str, plain: bool = False) -> DecisionTree:
    """Put a tree together; parents are written as (question, answer) of `questions`, from 0."""
    firsts = np.cumsum([0, *(len(answers) for _, _, answers, _, _ in questions)]).tolist()

    def position(place: tuple[int, int]) -> int:
        return firsts[place[0]] + place[1]

    made = tuple(
        Question(
            text,
            tuple(answers),
            first,
            None if parent is None else position(parent),
            tuple(map(position, after)),
            number,
        )
        for (number, text, answers, parent, after), first in zip(questions, firsts, strict=False)
    )
    return DecisionTree(name, made, tuple(columns), total, plain)


_GZ2 = [
    (1, "Is the galaxy smooth, with features, or a star?", ("smooth", "features", "artifact"), None, ()),
    (2, "Is it a disk seen edge-on?", ("edge-on", "not edge-on"), (0, 1), [(0, 1)]),
    (3, "Is there a bar?", ("bar", "no bar"), (1, 1), [(1, 1)]),
    (4, "Are there spiral arms?", ("spiral", "no spiral"), (1, 1), [(1, 1)]),
    (5, "How prominent is the bulge?", ("no bulge", "just noticeable", "obvious", "dominant"), (1, 1), [(1, 1)]),
    # Its answers sum to 1 in the tables, although those who saw a star were not asked.
    (6, "Is there anything odd?", ("odd", "not odd"), None, [(0, 0), (0, 1)]),
    (7, "How rounded is it?", ("round", "in between", "cigar-shaped"), (0, 0), [(0, 0)]),
    (
        8,
        "What is odd?",
        ("ring", "lens or arc", "disturbed", "irregular", "other", "merger", "dust lane"),
        (5, 0),
        [(5, 0)],
    ),
    (9, "What shape has the edge-on bulge?", ("rounded", "boxy", "no edge-on bulge"), (1, 0), [(1, 0)]),
    (10, "How tightly wound are the arms?", ("tight", "medium", "loose"), (3, 0), [(3, 0)]),
    (11, "How many arms are there?", ("1", "2", "3", "4", "more than 4", "can't tell"), (3, 0), [(3, 0)]),
]
"""Galaxy Zoo 2 (Willett et al. 2013, MNRAS 435, 2835, table 2), questions and answers in the challenge's order."""

_CATALOGUE = {
    "smooth-or-featured": ("smooth", "featured-or-disk", "artifact"),
    "disk-edge-on": ("yes", "no"),
    "bar": ("yes", "no"),
    "has-spiral-arms": ("yes", "no"),
    "bulge-size": ("no", "just-noticeable", "obvious", "dominant"),
    "something-odd": ("yes", "no"),
    "how-rounded": ("round", "in-between", "cigar"),
    "bulge-shape": ("round", "boxy", "no-bulge"),
    "spiral-winding": ("tight", "medium", "loose"),
    "spiral-arm-count": ("1", "2", "3", "4", "more-than-4", "cant-tell"),
}
"""Names of the questions and answers in the package galaxy-datasets (Walmsley et al.); it leaves "What is odd?" out."""


def _without_odd_feature() -> list[tuple]:
    """Leave question 8 out of the tree; no other one's parents come after it but by the place of question 4."""
    return [*_GZ2[:7], *_GZ2[8:]]


KAGGLE = "kaggle"
TREES = {
    tree.name: tree
    for tree in (
        _tree(
            KAGGLE,
            _GZ2,
            [f"Class{number}.{k + 1}" for number, _, answers, _, _ in _GZ2 for k in range(len(answers))],
            "total_classifications",
        ),
        _tree(
            "gz2",
            _without_odd_feature(),
            [f"{name}-gz2_{answer}_fraction" for name, answers in _CATALOGUE.items() for answer in answers],
            "smooth-or-featured-gz2_total-votes",
            plain=True,
        ),
        # Galaxy Zoo 1 (Lintott et al. 2011, MNRAS 410, 166, table 2).
        _tree(
            "gz1",
            [
                (
                    1,
                    "What is it?",
                    ("elliptical", "clockwise spiral", "anticlockwise spiral", "edge-on", "don't know", "merger"),
                    None,
                    (),
                )
            ],
            ["P_EL", "P_CW", "P_ACW", "P_EDGE", "P_DK", "P_MG"],
            "NVOTE",
        ),
    )
}
"""The trees by name: the challenge's 37 answers, the 30 of galaxy-datasets, and the six of Galaxy Zoo 1."""
