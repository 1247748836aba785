"""Models by hand that predict distributions, of magnitudes some of which may be missing."""

from dataclasses import replace
from functools import cache

import numpy as np

from common.backend import keras
from common.models.keras_runtime import KerasRuntime
from common.models.model import ANY
from common.models.serving import serving_network
from common.outputs.distribution import make_grid
from common.outputs.kinds import kind_of
from helpers.trained import by_hand
from sdss_gs.schema import INPUTS, OUTPUTS


@cache
def distributed_by_hand(name="b2r", components=0):
    """Make a b2r or b2sm whose distribution lies about 0.012 times the mean of the magnitudes that are there.

    Of masses 0.6 times. The fewer magnitudes there are, the wider it is.
    """
    plain = by_hand(name)
    factor = 0.012 if name == "b2r" else 0.6
    seen = np.random.default_rng(2).normal(16.8, 0.6, 2000) * factor
    spread = float(seen.std())
    grid = make_grid(seen, lowest=-0.01 if name == "b2r" else 4.0)
    output = replace(plain.outputs[0], grid=grid, components=components, centre=float(seen.mean()), spread=spread)
    item = replace(INPUTS["bands"], gaps=True)
    values = keras.Input((5,), dtype="float32", name="bands")
    absent = keras.ops.isnan(values)
    there = 1.0 - keras.ops.cast(absent, "float32")
    count = keras.ops.sum(there, axis=1, keepdims=True)
    mean = factor * keras.ops.sum(keras.ops.where(absent, 0.0, values), axis=1, keepdims=True) / count
    width = spread * (1.6 - 0.2 * count)
    if components:
        one = keras.ops.ones_like(mean)
        middle = (mean - output.centre) / spread
        parts = [0 * one, -1 * one, middle, middle + 1.5, one * 0 + keras.ops.log(width / spread) - 1, one * -1.5]
        raw = keras.layers.Identity(name=output.name)(keras.layers.Concatenate()(parts))
    else:
        # Weights of layers: Keras stores no arrays in a network's description.
        away, sizes = keras.layers.Dense(len(grid) - 1), keras.layers.Dense(len(grid) - 1)
        logits = -0.5 * (away(mean) / width) ** 2 + sizes(mean)
        away.set_weights([np.ones((1, len(grid) - 1)), -(np.array(grid[1:]) + np.array(grid[:-1])) / 2])
        sizes.set_weights([np.zeros((1, len(grid) - 1)), np.log(np.diff(grid))])
        raw = keras.layers.Softmax(name=output.name, dtype="float32")(logits)
    network = keras.Model({"bands": values}, raw, name=name)
    model = replace(
        plain,
        inputs=(item,),
        outputs=(output,),
        runtime=KerasRuntime(serving_network(network, [item]), (output,)),
    )
    kind = kind_of(output)
    magnitudes = np.random.default_rng(3).normal(16.8, 0.6, (400, 1)).repeat(5, axis=1).astype(np.float32)
    shares = model.answers({"bands": magnitudes}, np.ones((400, 1), bool))[output.name]
    truth = kind.from_scale(magnitudes[:, 0] * factor + np.random.default_rng(4).normal(0, 0.6 * spread, 400))
    return replace(model, calibrations={ANY: {OUTPUTS[output.name].name: kind.fit_calibration(truth, shares)}})
