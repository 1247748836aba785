"""What the volunteers answered: who was asked, how sure they were, what goes together, and the clearest examples."""

from __future__ import annotations

import numpy as np

from sdss_gs.dataset import Dataset
from sdss_gs.decision_tree import DecisionTree
from sdss_gs.explore.page import ACCENT, INK, SOFT, Section, plot, thumbnail
from sdss_gs.tables.votes import Votes

REACHED = 0.5
"""A question counts as reached where this share of the volunteers came to it."""
EXAMPLES = 4
FEWEST = 10
"""Galaxies from which a correlation is computed."""


def vote_sections(data: Dataset, votes: Votes, floor: int) -> list[Section]:
    """Draw the votes of a data set.

    Parameters
    ----------
    data : Dataset
    votes : Votes
    floor : int
        Votes that a question needs before a galaxy is an example of its answers.
    """
    known = np.flatnonzero(np.isfinite(votes.values).all(axis=1))
    if not len(known):
        return []
    tree, values = votes.tree, votes.values[known]
    shares, reached = tree.conditional(values), tree.reached(values, REACHED)
    found = [_questions(tree, values, shares, reached), _histograms(tree, shares, reached)]
    found.append(_correlations(tree, shares, reached))
    if "img" in data.rows:
        asked = tree.asked(values) * votes.totals[known][:, None]
        found += _examples(data, tree, known, shares, asked, floor)
    return [section for section in found if section is not None]


def _questions(tree: DecisionTree, values: np.ndarray, shares: np.ndarray, reached: np.ndarray) -> Section:
    rows = [("question", "answer", "reached by", "commonest for", "mean share", "mean share where commonest")]
    best = tree.answers(values)
    for number, question in enumerate(tree.questions):
        mine = reached[:, number]
        for k, answer in enumerate(question.answers):
            share = shares[mine, question.first + k]
            wins = best[mine, number] == k
            rows.append(
                (
                    question.text if k == 0 else "",
                    answer,
                    f"{mine.sum():,}" if k == 0 else "",
                    f"{wins.sum():,}",
                    f"{share.mean():.2f}" if mine.any() else "–",
                    f"{share[wins].mean():.2f}" if wins.any() else "–",
                )
            )
    text = (
        f"{len(values):,} galaxies have votes ({tree.name}). A question counts as reached where at least half of the "
        "volunteers came to it; shares are those among the volunteers who were asked."
    )
    return Section("Votes", text, rows=rows)


def _histograms(tree: DecisionTree, shares: np.ndarray, reached: np.ndarray) -> Section:
    pictures = []
    for number, question in enumerate(tree.questions):
        mine = shares[reached[:, number]][:, question.slice]
        if not len(mine):
            continue

        def draw(axes, mine=mine, question=question):
            colours = [INK, ACCENT, SOFT, "#6b8e4e", "#b08bbf", "#c9a227", "#555555"]
            for k, answer in enumerate(question.answers):
                axes.hist(mine[:, k], np.linspace(0, 1, 21), histtype="step", color=colours[k], label=answer)
            axes.set(xlabel="share of the volunteers who were asked", ylabel="galaxies")
            axes.legend(fontsize=7)

        pictures.append(plot(draw, f"{question.text} ({len(mine):,} galaxies)", (5, 3)))
    return Section("How sure the volunteers were", "Galaxies that reached the question only.", pictures)


def _correlations(tree: DecisionTree, shares: np.ndarray, reached: np.ndarray) -> Section | None:
    """Correlate answers on the galaxies that reached both questions: elsewhere a share says nothing."""
    count = shares.shape[1]
    owner = np.repeat(np.arange(len(tree.questions)), tree.sizes())
    table = np.full((count, count), np.nan)
    for a in range(count):
        for b in range(a, count):
            both = reached[:, owner[a]] & reached[:, owner[b]]
            x, y = shares[both, a], shares[both, b]
            if both.sum() >= FEWEST and x.std() > 0 and y.std() > 0:
                table[a, b] = table[b, a] = np.corrcoef(x, y)[0, 1]
    if not np.isfinite(table).any():
        return None
    names = [f"{number + 1} {answer}" for number, question in enumerate(tree.questions) for answer in question.answers]

    def draw(axes):
        image = axes.imshow(table, cmap="RdBu_r", vmin=-1, vmax=1)
        axes.set_xticks(range(count), names, rotation=90, fontsize=7)
        axes.set_yticks(range(count), names, fontsize=7)
        axes.figure.colorbar(image, label="correlation", shrink=0.7)

    text = f"Only galaxies that reached both questions; white where fewer than {FEWEST} did."
    return Section("Which answers go together", text, [plot(draw, "Correlation among the answers", (10, 9))])


def _examples(
    data: Dataset, tree: DecisionTree, known: np.ndarray, shares: np.ndarray, asked: np.ndarray, floor: int
) -> list[Section]:
    """Show, for each answer, the galaxies whose volunteers agreed most, among those whom enough were asked about."""
    found = []
    has_image = data.rows["img"][known] >= 0
    for number, question in enumerate(tree.questions):
        enough, pictures = has_image & (asked[:, number] >= floor), []
        for k, answer in enumerate(question.answers):
            share = np.where(enough, np.nan_to_num(shares[:, question.first + k]), -1.0)
            for row in np.argsort(-share, kind="stable")[:EXAMPLES]:
                if share[row] > 0:
                    agreed = f"{answer}: {share[row]:.0%} of {asked[row, number]:.0f}"
                    pixels = data.load("img", known[[row]])[0]
                    pictures.append(thumbnail(pixels, f"{agreed}, {data.catalogue.objid[known[row]]}"))
        if pictures:
            text = f"Whose volunteers agreed most, of those with at least {floor} votes for the question."
            found.append(Section(f"The surest examples: {question.text}", text, pictures, thumbnails=True))
    return found
