"""Every network of the zoo has a light form that says what Keras says.

Of folders whose functions call the same layers for the same input, of other widths, how often or with dropout, one is
tried: ZOO_HEAVY_TESTS=1 tries all.
"""

import os
import warnings
from dataclasses import replace

import numpy as np
import pytest
from helpers import needed
from helpers.folders import MODELS, architectures_of
from helpers.several import fused
from helpers.trained import untried

from common.backend import keras
from common.models.light_export import write_light
from common.models.serving import serving_network
from common.networks import backbones
from common.networks.backbones import APPLICATIONS, OWN, image_features
from common.networks.build import build_flat
from common.networks.inputs import PRESENT
from common.networks.layers import normalisations
from sdss_gs.schema import INPUTS, OUTPUTS, parse_model_name

HEAVY = bool(os.environ.get("ZOO_HEAVY_TESTS"))
COUNT = 4
RNG = np.random.default_rng(0)
BACKBONES = (*OWN, *APPLICATIONS) if HEAVY else ("vit", "mobilenet")


def networks():
    """Folders and architectures whose functions call other layers."""
    seen = set()
    for name in MODELS:
        for kind, function in architectures_of(name).items():
            # A network that is used, which is what the light form is of, drops nothing out.
            called = frozenset(function.__code__.co_names) - {"Dropout"}
            key = (name, kind) if HEAVY else (parse_model_name(name)[0].name, called)
            if key not in seen:
                seen.add(key)
                yield name, kind


def trained(network):
    """Give a network weights and statistics as training leaves them: no head stays at zero."""
    for layer in normalisations(network):
        layer.mean, layer.variance = (
            keras.ops.convert_to_tensor(RNG.normal(1, 0.1, one.shape).astype(np.float32))
            for one in (layer.mean, layer.variance)
        )
    for variable in network.trainable_variables:
        if not np.asarray(variable).any():
            variable.assign(RNG.normal(0, 0.1, variable.shape))
    return network


def light_of(network, items, outputs, folder):
    with warnings.catch_warnings():
        # How Keras gives NumPy its variables is deprecated there.
        warnings.simplefilter("ignore", DeprecationWarning)
        shapes = {item.name: tuple(network.input[item.name].shape[1:]) for item in items}
        model = untried(serving_network(trained(network), items), items, outputs)
        model = replace(model, shapes=shapes)
        objects = {}
        for item in items:
            shape = (COUNT, *shapes[item.name])
            values = RNG.integers(0, 256, shape) if item.dtype == "uint8" else RNG.normal(17, 1, shape)
            objects[item.name] = values.astype(item.dtype)
        if len(items) > 1:
            objects[PRESENT] = np.maximum(np.eye(COUNT, len(items)), np.arange(COUNT)[:, None] == COUNT - 1)
            objects[PRESENT][:, 0] = 1
        return write_light(model, objects, folder)


@pytest.mark.parametrize(("name", "kind"), list(networks()))
def test_networks_of_the_folders(tmp_path, name, kind):
    item, output = parse_model_name(name)
    # Of the long spectra's reference network most is one dense layer behind all points.
    shape = (500,) if (item.name, kind) == ("spectra", "reference") and not HEAVY else item.shape
    network = build_flat(item, output, shape, architectures_of(name)[kind], name)
    light = light_of(network, [item], [output], tmp_path)
    assert list(light.files) == ["light.onnx"], light.said


@pytest.mark.parametrize(
    ("inputs", "outputs"),
    [
        (("bands", "wise"), ("redshift",)),
        (("img", "ssel"), ("redshift", "subclass")),
        pytest.param(tuple(INPUTS), tuple(OUTPUTS)[:4], marks=needed.minutes),
    ],
)
def test_networks_of_several_inputs(tmp_path, inputs, outputs):
    items, learnt = [INPUTS[name] for name in inputs], [OUTPUTS[name] for name in outputs]
    network = fused(items, learnt)
    light = light_of(network, items, learnt, tmp_path)
    assert set(light.files) == {"light_fusion.onnx", *(f"light_{name}.onnx" for name in inputs)}, light.said


def test_objects_with_a_single_magnitude_are_compared_by_it(tmp_path):
    """Without it they would have no answer, and nothing could be compared: real WISE rows are like that."""
    items, learnt = [INPUTS["bands"], replace(INPUTS["wise"], gaps=True)], [OUTPUTS["redshift"]]
    network = trained(fused(items, learnt))
    objects = {item.name: RNG.normal(15, 1, (8, *item.shape)).astype(np.float32) for item in items}
    objects["wise"][1::2, 1:] = np.nan
    objects[PRESENT] = np.ones((8, 2), np.float32)
    model = untried(serving_network(network, items), items, learnt)
    assert write_light(model, objects, tmp_path).files


@pytest.mark.parametrize("name", BACKBONES)
def test_backbones(tmp_path, name, monkeypatch):
    if not HEAVY:
        monkeypatch.setattr(backbones, "BLOCKS", 2)
    side = 75 if name == "xception" else 48
    features = image_features(architectures_of("i2s")["fast"], backbone=name, weights="none")
    network = build_flat(INPUTS["img"], OUTPUTS["subclass"], (side, side, 3), features, "i2s")
    light = light_of(network, [INPUTS["img"]], [OUTPUTS["subclass"]], tmp_path)
    # ConvNeXt's GELU has an operation that ONNX lacks: it runs by Keras, and its card says why.
    assert bool(light.files) == (not name.startswith("convnext")), light.said
