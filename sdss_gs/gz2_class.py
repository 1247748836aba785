"""The class strings of Galaxy Zoo 2, such as ``SBc2m``, from votes."""

from __future__ import annotations

import re

import numpy as np

from sdss_gs.decision_tree import KAGGLE, TREES, DecisionTree

_SMOOTH, _FEATURES, _ODD_FEATURE = 0, 1, 7
_LETTERS = {6: "ric", 8: "rbn", 4: "dcba", 9: "tml", 10: "1234+?", 7: "rldiomu"}


def gz2_classes(values: np.ndarray) -> list[str]:
    """Write the Galaxy Zoo 2 class of each galaxy, as ``gz2c_f`` has it.

    The way of the commonest answers (Willett et al. 2013, section 4.1): a bar and arms need more yes than no, edge-on
    and odd as many.

    Parameters
    ----------
    values : ndarray of float, shape (n, 37)
        Weighted votes in the order of the tree ``kaggle``.

    Returns
    -------
    list of str
        For example ``"SBc2m"``, ``"Ei(m)"`` or ``"A"``; empty where nobody answered a question on the way.
    """
    return [_gz2_class(row) for row in np.asarray(values, np.float64)]


def summaries(tree: DecisionTree, values: np.ndarray) -> list[str]:
    """Sum votes up in a word: the Galaxy Zoo 2 class, without the odd feature where nobody was asked for it.

    For Galaxy Zoo 1, the commonest answer.
    """
    if len(tree.questions) == 1:
        (question,) = tree.questions
        return [question.answers[best] for best in tree.answers(values)[:, 0]]
    if tree.name != KAGGLE:
        odd = TREES[KAGGLE].questions[_ODD_FEATURE]
        values = np.insert(values, [odd.first] * len(odd.answers), 0.0, axis=1)
    return gz2_classes(values)


def _gz2_class(row: np.ndarray) -> str:
    questions = TREES[KAGGLE].questions

    def letter(number: int) -> str:
        votes = row[questions[number].slice]
        return _LETTERS[number][int(votes.argmax())] if votes.max() > 0 else ""

    def yes(number: int) -> tuple[float, float]:
        return tuple(row[questions[number].slice])

    first = int(row[questions[0].slice].argmax())
    if first not in (_SMOOTH, _FEATURES):
        return "A"
    if first == _SMOOTH:
        stem, needed = "E", letter(6)
    elif yes(1)[0] >= yes(1)[1]:
        stem, needed = "Se", letter(8)
    else:
        stem, needed = "SB" if yes(2)[0] > yes(2)[1] else "S", letter(4)
    if not needed:
        return ""
    arms = ""
    if first == _FEATURES and stem != "Se" and yes(3)[0] > yes(3)[1]:
        arms = letter(10) + letter(9)
        if len(arms) < 2:
            return ""
    odd = letter(7) if yes(5)[0] >= yes(5)[1] else ""
    return stem + needed + arms + (f"({odd})" if odd else "")


def simplify(full: str) -> str:
    """Simplify a Galaxy Zoo 2 class: without the odd feature, arms and winding as ``R``.

    Examples
    --------
    >>> [simplify(full) for full in ("SBc2m", "Sb?t", "Sc(i)", "Ei(m)", "Ser")]
    ['SBcR', 'SbR', 'Sc', 'Ei', 'Ser']
    """
    return re.sub(r"[1-4?+][tml]$", "R", re.sub(r"\(.\)$", "", full))
