"""What volunteers might have answered about a synthetic galaxy: whole votes down the decision tree."""

from __future__ import annotations

import numpy as np

from sdss_gs.decision_tree import KAGGLE, TREES
from sdss_gs.sample.morphology import Shape
from sdss_gs.sample.population import Galaxy

VOLUNTEERS = (38, 52)
"""Fewest and most volunteers who saw a galaxy."""
_TREE = TREES[KAGGLE]
COLUMNS = _TREE.columns
_ORDERED = (4, 6, 9, 10)
"""Questions whose answers follow one another, so that doubt goes to the neighbours."""
_ODD = "rldiomu"


def draw_votes(full: str, galaxy: Galaxy, shape: Shape, seeing: float, rng: np.random.Generator) -> np.ndarray:
    """Draw votes whose commonest answers give a galaxy's class.

    Each volunteer who comes to a question answers it at random, the likelier the obvious answer the larger the galaxy
    is in units of the seeing. Where chance makes another answer the commonest, the two change places.

    Parameters
    ----------
    full : str
        Galaxy Zoo 2 class, as from `labels.zoo_class`.
    galaxy : Galaxy
    shape : Shape
    seeing : float
        Full width at half maximum in r, arcsec.
    rng : numpy.random.Generator
        Of its own: nothing else about the galaxy may depend on it.

    Returns
    -------
    ndarray of float64, shape (37,)
        Weighted votes.
    """
    chosen = _obvious(full, galaxy, shape)
    clarity = float(np.clip(0.55 + 0.25 * (shape.radius / seeing - 1), 0.45, 0.92))
    counts = np.zeros(len(COLUMNS), np.int64)
    everybody = int(rng.integers(VOLUNTEERS[0], VOLUNTEERS[1] + 1))
    values = np.zeros(len(COLUMNS))
    for number, question in enumerate(_TREE.questions):
        asked = everybody if question.parent is None else int(counts[question.parent])
        if number == 5:
            asked -= int(counts[_TREE.questions[0].first + 2])
        answers = _answers(asked, len(question.answers), chosen[number], clarity, number in _ORDERED, rng)
        counts[question.slice] = answers
        if asked:
            weight = 1.0 if question.parent is None else values[question.parent]
            values[question.slice] = weight * answers / asked
    if not counts[_TREE.questions[5].slice].any():
        # The table's answers sum to 1 even where everybody saw a star.
        values[_TREE.questions[5].slice] = (0.0, 1.0)
    return values


def _answers(asked: int, size: int, chosen: int, clarity: float, ordered: bool, rng: np.random.Generator) -> np.ndarray:
    """Draw how many volunteers give each answer; most give the chosen one."""
    distance = np.abs(np.arange(size) - chosen) if ordered else (np.arange(size) != chosen).astype(int)
    others = np.where(distance > 0, 0.35 ** (distance - 1.0), 0.0)
    chances = (1 - clarity) * others / others.sum()
    chances[chosen] = clarity
    found = rng.multinomial(asked, chances / chances.sum())
    best = int(found.argmax())
    found[[best, chosen]] = found[[chosen, best]]
    ties = np.flatnonzero((found == found[chosen]) & (np.arange(size) != chosen))
    if asked and len(ties):
        found[ties] -= 1
        found[chosen] += len(ties)
    return found


def _obvious(full: str, galaxy: Galaxy, shape: Shape) -> list[int]:
    """Say what most volunteers answer: as the class has it, and where it says nothing, what the galaxy is."""
    body, _, odd = full.rstrip(")").partition("(")
    first = 2 if body == "A" else 0 if body.startswith("E") else 1
    edge_on = body.startswith("Se") or (first == 0 and shape.edge_on)
    bulge = "dcba".index(body.replace("B", "")[1]) if first == 1 and not edge_on else -1
    spiral = body[-1] in "tml" and first == 1 and not edge_on
    arms = "1234+?".index(body[-2]) if spiral else min(max(shape.arms, 1), 5) - 1
    pitch = abs(np.degrees(shape.pitch))
    ratio = shape.disk_ratio if shape.disk_length else shape.bulge_ratio
    roundness = "ric".index(body[1]) if first == 0 else int(np.digitize(-ratio, [-0.8, -0.47]))
    return [
        first,
        0 if edge_on else 1,
        0 if ("B" in body if first == 1 else shape.bar > 0.4) else 1,
        0 if (spiral if first == 1 else shape.arms > 0) else 1,
        bulge if bulge >= 0 else int(np.digitize(galaxy.bulge, [0.06, 0.22, 0.52])),
        0 if odd else 1,
        roundness,
        _ODD.index(odd) if odd else 4,
        "rbn".index(body[2]) if body.startswith("Se") else 0,
        "tml".index(body[-1]) if spiral else int(np.digitize(pitch, [16.0, 25.0])),
        arms,
    ]
