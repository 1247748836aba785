"""The objects of a survey that a model is taken to, and beside them those of the survey that it comes from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from common.data.divide import with_parts
from common.data.training_data import TrainingData
from common.networks.colour_terms import ColourTerms, inverted
from sdss_gs.schema import Output

Chosen = Mapping[str, tuple[np.ndarray, np.ndarray]]
"""By part, positions in the new survey's catalogue and in the old one's."""


class TwoSurveys(TrainingData):
    """The data of a run that trains on two surveys; nothing is copied.

    Positions count on through the old survey's catalogue behind the new one's.

    Parameters
    ----------
    new : TrainingData
        Gives the folder, the inputs and, where it is asked for nothing else, the options.
    old : TrainingData or None
        With the same inputs.
    chosen : mapping of str to tuple of ndarray
        The objects of ``train``, ``validation`` and ``test``.
    outputs : tuple of Output
    weights : mapping of str to ndarray of float64, shape (n,)
        By part, how much its objects count, of any mean; a part without has equal ones.
    likeness : mapping of str to ndarray of float64, shape (n,)
        By part, see `TrainingData.likeness`.
    terms : sequence of ColourTerms
        What brings the new survey's magnitudes to the old one's: the old objects are shown as the new survey would have
        measured them.
    """

    def __init__(
        self,
        new: TrainingData,
        old: TrainingData | None,
        chosen: Chosen,
        outputs: tuple[Output, ...],
        weights: Mapping[str, np.ndarray],
        likeness: Mapping[str, np.ndarray],
        terms: Sequence[ColourTerms] = (),
    ):
        # Opened once, for as many divisions as there are folds.
        vars(self).update(vars(new))
        self.new, self.old, self.terms = new, old, tuple(terms)
        self.outputs, self._weights, self._likeness = outputs, weights, likeness
        self._measured, self._novelty, self._without_part = {}, {}, 0
        self.begin = len(new._data)
        self._chosen = chosen
        self.parts = {part: np.concatenate([ours, theirs + self.begin]) for part, (ours, theirs) in chosen.items()}
        both = new.fingerprint + (old.fingerprint if old else "")
        digest = with_parts(both, {part: self.objid(part) for part in self.parts})
        self.fingerprint = digest[: len(new.fingerprint)]

    @property
    def weighted(self) -> bool:
        """Whether some objects count more than others."""
        return bool(self._weights)

    def likeness(self, part: str) -> np.ndarray | None:
        """Return how many times as frequent objects like each are in the new survey."""
        return self._likeness.get(part)

    def targets(self, part: str) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
        """Encode the truth of a part, see `TrainingData.targets`, with the weights of the objects."""
        targets, weights = super().targets(part)
        own = self._weights.get(part)
        if own is not None:
            weights = {
                name: (one * own / np.average(own, weights=one)).astype(np.float32) for name, one in weights.items()
            }
        return targets, weights

    # === By positions in both catalogues ===

    def ids_of(self, objects: np.ndarray) -> np.ndarray:
        """Return the ids of objects."""
        return self._of_both(objects, lambda data, own: data.ids_of(own))

    def present_of(self, objects: np.ndarray) -> np.ndarray:
        """Tell which inputs objects have."""
        return self._of_both(objects, lambda data, own: data.present_of(own))

    def known_of(self, output: str, objects: np.ndarray) -> np.ndarray:
        """Tell which objects have an output's truth."""
        return self._of_both(objects, lambda data, own: data.known_of(output, own))

    def truth_of(self, output: str, objects: np.ndarray) -> np.ndarray:
        """Return the truth of objects that have it."""
        return self._of_both(objects, lambda data, own: data.truth_of(output, own))

    def magnitudes_of(self, columns: tuple[str, ...], objects: np.ndarray) -> np.ndarray:
        """Return magnitudes of objects, as each survey has them."""
        return self._of_both(objects, lambda data, own: data.magnitudes_of(columns, own))

    def input_of(self, name: str, objects: np.ndarray) -> np.ndarray:
        """Return one input of objects that have it, as the new survey sees it."""
        return self._of_both(objects, lambda data, own: self._seen(data, name, own))

    def _seen(self, data: TrainingData, name: str, objects: np.ndarray) -> np.ndarray:
        values = data.input_of(name, objects)
        return inverted(values, self.terms) if data is self.old else values

    def _of_both(self, objects: np.ndarray, of: Callable[[TrainingData, np.ndarray], np.ndarray]) -> np.ndarray:
        ours = objects < self.begin
        if ours.all():
            return of(self.new, objects)
        theirs = of(self.old, objects[~ours] - self.begin)
        if not ours.any():
            return theirs
        found = np.empty((len(objects), *theirs.shape[1:]), theirs.dtype)
        found[ours], found[~ours] = of(self.new, objects[ours]), theirs
        return found

    # === What to tell the user ===

    def require_learnable(self) -> None:
        """Refuse nothing: what the trained model learnt can be learnt."""

    def description(self) -> str:
        """Say in a few lines which objects of which survey are in which part."""
        lines = []
        for data, which in ((self.new, 0), (self.old, 1)):
            sizes = ", ".join(f"{part} {len(chosen[which]):,}" for part, chosen in self._chosen.items())
            if data:
                lines.append(f"{data.folder}: {len(data._data):,} objects; used: {sizes}")
        return "\n".join(lines)
