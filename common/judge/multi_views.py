"""What a network with several inputs makes of a part of the data, shown all of it or some inputs only."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from common.backend import keras
from common.data.multi_data import MultiData
from common.judge.judge import PREDICTION_BATCH
from common.networks.multi_network import ENCODER, FUSION
from common.networks.training_wrappers import PRESENT
from common.outputs.calibration import Calibration
from common.outputs.kinds import kind_of
from sdss_gs.schema import OUTPUTS

ANY = ""
"""Stands for: whatever an object has."""
FEWEST = 100
"""Objects that a calibration needs."""


@dataclass(frozen=True)
class Encoded:
    """The features of a part's objects. The encoders, where the arithmetic is, see each object once for all views.

    Parameters
    ----------
    features : dict of str to ndarray of float32, shape (n, m)
        By input; anything where an object lacks it.
    present : ndarray of bool, shape (n, inputs)
    """

    features: dict[str, np.ndarray]
    present: np.ndarray


def encode_part(network: keras.Model, data: MultiData, part: str) -> Encoded:
    """Run the encoders over a part."""
    encoders = {name: network.get_layer(f"{name}{ENCODER}") for name in data.inputs}
    found: dict[str, list[np.ndarray]] = {name: [] for name in data.inputs}
    for (batch,) in data.batches(part, PREDICTION_BATCH, with_target=False):
        for name, encoder in encoders.items():
            found[name].append(encoder.predict_on_batch(batch[name]))
    return Encoded({name: np.concatenate(pieces) for name, pieces in found.items()}, data.present(part))


def view(network: keras.Model, data: MultiData, encoded: Encoded, only: Sequence[str] = ()) -> dict[str, np.ndarray]:
    """Predict from features.

    Parameters
    ----------
    network : keras.Model
        From `multi_network.build_multi`.
    data : MultiData
    encoded : Encoded
    only : sequence of str
        Inputs to show; the others count as missing. Empty: all.

    Returns
    -------
    dict of str to ndarray
        By output, as from `outputs.decode`: ``(n,)`` or ``(n, classes)``.
    """
    shown = encoded.present & np.array([not only or name in only for name in data.inputs])
    inputs = encoded.features | {PRESENT: shown.astype(np.float32)}
    raw = network.get_layer(FUSION).predict(inputs, batch_size=PREDICTION_BATCH, verbose=0)
    return {name: kind_of(OUTPUTS[name]).decode(raw[name], data.target) for name in data.outputs}


def fit_calibrations(network: keras.Model, data: MultiData) -> dict[str, dict[str, Calibration]]:
    """Fit how sure the network is, whatever an object has, to the validation objects.

    Returns
    -------
    dict of str to dict of str to Calibration
        By set of inputs (``img|bands``, in the order of the data's inputs) and output. A set that fewer than `FEWEST`
        validation objects with an output have is left out for it; `ANY`, objects with whatever they have, never is.
    """
    encoded = encode_part(network, data, "validation")
    sets = [chosen for size in range(1, len(data.inputs) + 1) for chosen in combinations(data.inputs, size)]
    found: dict[str, dict[str, Calibration]] = {}
    for only in ((), *sets):
        predicted = view(network, data, encoded, only)
        has = encoded.present[:, [data.inputs.index(name) for name in only]].all(axis=1)
        for name in data.outputs:
            known = data.known("validation", name)
            if not only or (has & known).sum() >= FEWEST:
                truth = data.truth("validation", name)[has[known]]
                calibration = kind_of(OUTPUTS[name]).fit_calibration(truth, predicted[name][has & known])
                found.setdefault("|".join(only), {})[name] = calibration
    return found
