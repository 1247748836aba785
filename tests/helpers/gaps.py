"""Models by hand that answer from the magnitudes that are there."""

from dataclasses import replace

import numpy as np

from common.backend import keras
from common.data.fit_novelty import fit_novelty
from common.models.keras_runtime import KerasRuntime
from common.models.serving import serving_network
from helpers.trained import MAGNITUDES, by_hand
from sdss_gs.schema import ERRORS, INPUTS

BANDS = INPUTS["bands"]
GAPS = replace(BANDS, gaps=True)
NOISY = replace(
    GAPS, shape=(10,), columns=(*BANDS.columns, *(ERRORS[column] for column in BANDS.columns)), errors=5
)  # fmt: skip


def answering(item):
    """A model whose redshift is .01 times the mean of the magnitudes that are there, plus the mean of the errors."""
    inputs = keras.Input(item.shape, name=item.name)
    there = 1 - keras.ops.cast(keras.ops.isnan(inputs), "float32")
    filled = keras.ops.where(keras.ops.isnan(inputs), 0.0, inputs)
    first = [float(column in item.magnitudes) for column in item.columns]
    parts = [(np.array(first, np.float32), 0.01), (1 - np.array(first, np.float32), 1.0)]
    total = sum(
        factor * keras.ops.sum(filled * mask, -1, True) / keras.ops.maximum(keras.ops.sum(there * mask, -1, True), 1)
        for mask, factor in parts
    )
    model = by_hand()
    network = keras.Model({item.name: inputs}, keras.layers.Identity(name="redshift")(total), name="b2r")
    rng = np.random.default_rng(0)
    usual = np.tile(np.r_[MAGNITUDES, np.full(item.errors, 0.02)].astype(np.float32), (300, 1))
    usual[:, :5] += rng.normal(0, 1, (300, 5))
    return replace(
        model,
        inputs=(item,),
        shapes={item.name: item.shape},
        runtime=KerasRuntime(serving_network(network, [item]), model.outputs),
        training_ranges={item.name: fit_novelty(item, lambda _part: [usual])},
    )
