"""What each input says of an object without the others."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from common.data.sources import Loaded
from common.models.model import USED, Model
from common.models.running import Runtime
from common.serve.answers import predicted
from sdss_gs.schema import Input

EACH = "from_each_input"
"""Key of the answers from one input alone."""


@dataclass
class Remembering:
    """A runtime that encodes the same values once: encoders are where most of the arithmetic is.

    Parameters
    ----------
    runtime : Runtime
    """

    runtime: Runtime
    known: dict[tuple[str, bytes], np.ndarray] = field(default_factory=dict)

    def __getattr__(self, name: str) -> object:
        return getattr(self.runtime, name)

    def encode(self, item: Input, values: np.ndarray) -> np.ndarray:
        """Encode an input's values, as `Runtime.encode`."""
        key = item.name, values.tobytes()
        if key not in self.known:
            self.known[key] = self.runtime.encode(item, values)
        return self.known[key]


def predicted_with_each(model: Model, loaded: Mapping[str, Loaded]) -> dict:
    """Predict one object from all its inputs, and from each of them alone.

    Returns
    -------
    dict
        As of `answers.predicted`; of a model of several inputs also ``from_each_input``: the same by input, for those
        that the answer is from.
    """
    if model.flat:
        return predicted(model, loaded)[0]
    model = replace(model, runtime=Remembering(model.runtime))
    together = predicted(model, loaded)[0]
    used = (together["prediction"][USED] or "").split("|")
    each = {name: predicted(model, {name: loaded[name]})[0] for name in used if name}
    return together | {EACH: each}
