"""Where a model comes from that was taken to another survey."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from common.networks.colour_terms import ColourTerms


@dataclass(frozen=True)
class Tried:
    """One way to adapt, and what came of it.

    Parameters
    ----------
    way : str
    cost : float
        Mean of `Kind.costs` over the labels, of networks that did not learn from them; less is better. Without labels,
        over the old survey's validation objects, weighted to look like the new survey.
    behind, error : float
        How much more that is than the least of all ways; standard error of that difference.
    """

    way: str
    cost: float
    behind: float
    error: float


@dataclass(frozen=True)
class Adapted:
    """Where a model comes from.

    Parameters
    ----------
    start, sha256 : str
        The trained model, ``b2r/3``, and the hash of its weights.
    learnt_from, fingerprint : str
        Data set that it learnt from, and the hash of what it saw of that; empty where nobody knows.
    survey : str
        Name of the data set that it was taken to.
    way : str
        What was done.
    labels, replayed : int
        Objects of the new survey whose truth was used, and of the old one that were trained on again.
    replay : str
        Name of the data set of the latter, empty if there are none.
    colour_terms : tuple of ColourTerms
        At the network's input, the first one first: those of the model that it comes from are behind its own.
    tried : tuple of Tried
        All ways, the simplest first.
    apart, covered, effective : float
        How far the surveys can be told apart (the area under a classifier's ROC curve, 0.5: not at all), share of the
        new one that lies where the old one has objects, effective share of the old objects that look like it; see
        `common.shift.importance.Importance`. NaN where there were no old objects.
    """

    start: str
    sha256: str
    learnt_from: str
    fingerprint: str
    survey: str
    way: str
    labels: int
    replayed: int
    replay: str
    colour_terms: tuple[ColourTerms, ...]
    tried: Sequence[Tried]
    apart: float
    covered: float
    effective: float

    def facts(self) -> dict[str, object]:
        """Return the fields as JSON has them."""
        own = {name: value for name, value in asdict(self).items() if value == value}
        terms = [one.facts() for one in self.colour_terms]
        return own | {"colour_terms": terms, "tried": [asdict(one) for one in self.tried]}


def origin_line(facts: dict) -> str:
    """Say in a line where an adapted model comes from."""
    learnt = f", which learnt from {facts['learnt_from']}" if facts["learnt_from"] else ""
    labels = f"{facts['labels']:,} labels" if facts["labels"] else "no labels"
    return f"{facts['start']}{learnt}, adapted to {facts['survey']} with {labels}: {facts['way']}"
