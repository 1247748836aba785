"""Models as training leaves them, made by hand: what they answer can be worked out on paper."""

from functools import cache

import numpy as np

from common.backend import keras
from common.data.fit_novelty import fit_novelty
from common.models.keras_runtime import KerasRuntime
from common.models.model import ANY, Model
from common.models.serving import serving_network
from common.outputs.kinds import kind_of
from helpers.several import joined
from sdss_gs.schema import INPUTS, OUTPUTS, parse_model_name

MAGNITUDES = np.array([18.5, 17.2, 16.5, 16.1, 15.8])


def by_hand(name="b2r", factor=0.01, spread=0.02, version="1", photometry=""):
    """Make a model whose redshift (or log mass minus 8) is `factor` times the mean of the input.

    For classes, the logit of class k is k times that.
    """
    item, output = parse_model_name(name)
    shape = item.shape
    units = max(1, len(output.classes))
    inputs = keras.Input(shape, dtype=item.dtype, name=item.name)
    mean = keras.layers.Flatten()(keras.ops.cast(inputs, "float32"))
    head = keras.layers.Dense(units, "softmax" if output.classes else "linear", name=output.name, dtype="float32")
    network = keras.Model({item.name: inputs}, head(mean), name=name)
    size = int(np.prod(shape))
    step = np.arange(units) if output.classes else np.ones(1)
    offset = 8.0 if output.name == "smass" else 0.0
    head.set_weights([np.full((size, units), factor / size) * step, np.full(units, offset)])
    rng = np.random.default_rng(0)
    if output.classes:
        truth = rng.integers(0, units, 400)
        predicted = np.full((400, units), 0.1 / (units - 1))
        predicted[np.arange(400), truth] = 0.9
    else:
        predicted = np.full(400, 0.1) if output.name == "redshift" else np.full(400, 1e10)
        error = rng.normal(0, spread, 400)
        truth = predicted + error * 1.1 if output.name == "redshift" else predicted * 10**error
    return Model(
        name=name,
        version=version,
        sha256="0" * 60 + "beef",
        inputs=(item,),
        outputs=(output,),
        runtime=KerasRuntime(serving_network(network, [item]), (output,)),
        shapes={item.name: shape},
        reading={"column": "BestFit", "target": "log"},
        calibrations={ANY: {output.name: kind_of(output).fit_calibration(truth, predicted)}},
        training_ranges={item.name: _usual_range(item.name, photometry)},
    )


@cache
def _usual_range(name, photometry):
    """What 200 objects around the usual magnitudes look like; of images that takes longer than all else of a model."""
    item = INPUTS[name]
    middle = np.resize(MAGNITUDES, int(np.prod(item.shape))).reshape(item.shape)
    usual = np.random.default_rng(5).normal(middle, 1, (200, *item.shape)).astype(item.dtype)
    return fit_novelty(item, lambda _part: [usual], photometry)


def untried(network, inputs, outputs):
    """Make a model of a network alone: nothing is known of how sure it is."""
    return Model(
        name=network.name,
        version="",
        sha256="",
        inputs=tuple(inputs),
        outputs=tuple(outputs),
        runtime=KerasRuntime(network, tuple(outputs)),
        shapes={item.name: item.shape for item in inputs},
        reading={},
        calibrations={},
        training_ranges={},
    )


def several_by_hand():
    """Make an x2y of bands and wise whose redshift is 0.01 times the mean of all magnitudes that it sees, over 9.

    Its intervals are ± 0.02 (68 %) with both inputs, ten times that with the bands alone, and unknown with wise alone.
    """
    names = ("bands", "wise")
    functions = {name: keras.layers.Identity(dtype="float32") for name in names}
    functions["fuse"] = lambda seen, present, output: keras.layers.Concatenate(dtype="float32")([*seen.values()])
    inputs, outputs = tuple(INPUTS[name] for name in names), (OUTPUTS["redshift"], OUTPUTS["subclass"])
    network = joined(inputs, outputs, {item.name: item.shape for item in inputs}, functions)
    heads = network.get_layer("fusion")
    heads.get_layer("redshift").set_weights([np.full((9, 1), 0.01 / 9), np.zeros(1)])
    error, rng = np.linspace(-1, 1, 401) * 0.02 / 0.68, np.random.default_rng(0)
    label = rng.integers(0, 4, 400)
    sets = kind_of(OUTPUTS["subclass"]).fit_calibration(label, np.where(np.eye(4)[label], 0.7, 0.1))

    def calibrations(factor):
        truth = 0.1 + factor * error * 1.1
        return {"redshift": kind_of(OUTPUTS["redshift"]).fit_calibration(truth, np.full(401, 0.1)), "subclass": sets}

    usual = {"bands": rng.normal(MAGNITUDES, 1, (200, 5)), "wise": rng.normal((14, 14, 10, 8), 1, (200, 4))}
    return Model(
        name="x2y",
        version="1",
        sha256="0" * 60 + "beef",
        inputs=inputs,
        outputs=outputs,
        runtime=KerasRuntime(serving_network(network, inputs), outputs),
        shapes={item.name: item.shape for item in inputs},
        reading={"column": "BestFit", "target": "log"},
        calibrations={"": calibrations(20), "bands": calibrations(10), "bands|wise": calibrations(1)},
        training_ranges={
            name: fit_novelty(INPUTS[name], lambda _part, values=values: [values]) for name, values in usual.items()
        },
    )
