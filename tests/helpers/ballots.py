"""Votes drawn at random that follow the decision tree."""

import numpy as np

from sdss_gs.decision_tree import KAGGLE, TREES


def ballots(count, seed=0, tree=KAGGLE):
    """Weighted votes of galaxies, float64 ``(count, answers)``, each with opinions of its own."""
    tree, rng = TREES[tree], np.random.default_rng(seed)
    shares = np.concatenate([rng.dirichlet(np.full(size, 0.5), count) for size in tree.sizes()], axis=1)
    return tree.weighted(shares)


def write_votes(folder, objid, values, tree=KAGGLE, name="votes.csv"):
    """Write votes as a table beside a data set's."""
    lines = [",".join(("objid", *TREES[tree].columns))]
    lines += [",".join([str(number), *(f"{v:.6f}" for v in row)]) for number, row in zip(objid, values, strict=True)]
    (folder / name).write_text("\n".join(lines) + "\n")
