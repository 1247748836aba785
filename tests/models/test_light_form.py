"""The light form of a model: what onnxruntime says, when it is written, and when it is refused."""

import pickle
import shutil
import warnings
from dataclasses import replace

import numpy as np
import pytest
from conftest import ROOT
from helpers.trained import by_hand, several_by_hand, untried

from common.backend import keras
from common.models.described import read_description, write_description
from common.models.keras_runtime import KerasRuntime
from common.models.light import FORMAT_KEY, open_light
from common.models.light_export import TOLERANCE, compare, write_light
from common.models.opening import load
from common.models.serving import serving_network
from common.networks.build import build_flat
from common.networks.fast import within_reach
from common.networks.inputs import PRESENT
from common.networks.layers import normalisations
from sdss_gs.errors import OptionError, ZooError
from sdss_gs.files import sha256
from sdss_gs.schema import INPUTS, OUTPUTS

COUNT = 40


def objects_of(model):
    rng = np.random.default_rng(1)
    objects = {}
    for item in model.inputs:
        shape = (COUNT, *model.shapes[item.name])
        values = rng.integers(0, 256, shape) if item.dtype == "uint8" else rng.normal(17, 1, shape)
        objects[item.name] = values.astype(item.dtype)
    if not model.flat:
        objects[PRESENT] = np.array([[1, 1], [1, 0], [0, 1], [1, 1]] * (COUNT // 4), np.float32)
    return objects


def light_of(model, folder, objects=None):
    light = write_light(model, objects_of(model) if objects is None else objects, folder)
    assert light.files, light.said
    return replace(model, runtime=open_light(folder, light.files))


@pytest.mark.parametrize("name", ["b2r", "w2sm", "i2s", "f2r", "ss2s", "s2r", "x2y"])
def test_both_runtimes_say_the_same_of_every_input(tmp_path, name):
    model = several_by_hand() if name == "x2y" else by_hand(name)
    light, objects = light_of(model, tmp_path), objects_of(model)
    values = {item.name: objects[item.name] for item in model.inputs}
    expected, found = model.predict(dict(values)), light.predict(dict(values))
    assert found["flag"].tolist() == expected["flag"].tolist()
    for column in expected.select_dtypes("number"):
        np.testing.assert_allclose(found[column], expected[column], rtol=2e-5, atol=2e-5, equal_nan=True)
    assert light.shapes == model.shapes
    assert {item.name: light.runtime.shape(item) for item in model.inputs if not item.columns} == {
        item.name: model.shapes[item.name] for item in model.inputs if not item.columns
    }
    assert (light.runtime.layer, light.runtime.features_width) == (model.runtime.layer, model.runtime.features_width)
    # As Ray sends models to its workers.
    again = replace(light, runtime=pickle.loads(pickle.dumps(light.runtime)))
    assert again.predict(dict(values)).equals(found)


def test_what_is_missing_has_no_influence_on_a_fused_light_form(tmp_path):
    model = several_by_hand()
    light = light_of(model, tmp_path)
    bands = objects_of(model)["bands"]
    alone, nothing = light.predict({"bands": bands}), light.predict({"wise": np.full((3, 4), np.nan)})
    np.testing.assert_allclose(alone["redshift"], model.predict({"bands": bands})["redshift"], rtol=1e-5)
    assert nothing["redshift"].isna().all()


def test_means_of_images_that_hardly_differ_are_no_reason_to_refuse(tmp_path):
    item, output = INPUTS["img"], OUTPUTS["redshift"]
    brightness = lambda img: within_reach(keras.layers.GlobalAveragePooling2D(dtype="float32")(img))  # noqa: E731
    network = build_flat(item, output, item.shape, brightness, "i2r")
    (layer,) = normalisations(network)
    layer.mean, layer.variance = keras.ops.full((1, 3), 0.5), keras.ops.full((1, 3), 0.02**2)
    model = untried(serving_network(network, [item]), [item], [output])
    light = write_light(model, {"img": objects_of(model)["img"]}, tmp_path)
    assert light.files, light.said


class Rounded(keras.layers.Layer):
    """Does what ONNX has no operation for."""

    def call(self, values):
        return keras.ops.erfinv(values / 100)


def test_a_form_that_cannot_be_is_not_kept(tmp_path):
    model = by_hand()
    network = model.network.get_layer("b2r")
    head = network.get_layer("redshift")
    changed = keras.Model(network.input, head(Rounded(dtype="float32")(head.input)), name="b2r")
    light = write_light(replace(model, runtime=KerasRuntime(changed, model.outputs)), objects_of(model), tmp_path)
    assert light.files == {}
    assert light.said.startswith("none: ONNX has no form of this network")


def test_a_form_that_says_something_else_is_refused(tmp_path):
    light, objects = light_of(by_hand(), tmp_path), objects_of(by_hand())
    assert compare(by_hand(), light.runtime, objects) <= TOLERANCE
    with pytest.raises(ZooError, match=r"onnxruntime differs from Keras by 1.8e-01, more than 2e-05"):
        compare(by_hand(factor=0.02), light.runtime, objects)


# === Stored and exported ===


@pytest.fixture
def folder(tmp_path):
    """An exported model with its light form."""
    path, model = tmp_path / "b2r", by_hand("b2r", photometry="model")
    path.mkdir()
    with warnings.catch_warnings():
        # What Keras' saving calls is deprecated by numpy.
        warnings.simplefilter("ignore", DeprecationWarning)
        model.network.save(path / "model.keras")
    light = write_light(model, objects_of(model), path)
    described = {"name": "b2r", "version": "7", "sha256": sha256(path / "model.keras")}
    described |= {"facts": model.facts() | {"light": light.said}, "files": light.files}
    write_description(path, described)
    return path


MAGNITUDES = [[18.5, 17.2, 16.5, 16.1, 15.8]]


def test_the_light_form_is_the_usual_one_and_keras_can_be_asked_for(folder):
    light, keras_model = load(folder), load(folder, "keras")
    assert (light.runtime.name, keras_model.runtime.name) == ("onnxruntime", "keras")
    assert light.predict(MAGNITUDES)["redshift"][0] == pytest.approx(keras_model.predict(MAGNITUDES)["redshift"][0])
    assert light.sha256 == keras_model.sha256
    with pytest.raises(OptionError, match=r"b2r: expected a model that Keras runs, such as load\('b2r', 'keras'\)"):
        light.network  # noqa: B018
    with pytest.raises(OptionError, match="runtime: expected onnxruntime or keras, found 'torch'"):
        load(folder, "torch")


def test_a_changed_absent_or_later_light_file_is_refused_in_a_line_that_names_the_way_out(folder):
    path = folder / "light.onnx"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ZooError, match=r"light.onnx: expected sha256 .*; --runtime keras uses the other file"):
        load(folder)
    assert load(folder, "keras").predict(MAGNITUDES)["flag"][0] == 0
    path.unlink()
    with pytest.raises(ZooError, match=r"light.onnx: expected the light form of a model, cannot read it"):
        load(folder)
    # What the description covers, but this zoo does not know.
    for later, message in (
        (_with_format(content, "2"), "format 1, found 2"),
        (b"junk", "expected a model that onnxruntime"),
    ):
        path.write_bytes(later)
        described = read_description(folder)
        write_description(folder, {**described, "files": {"light.onnx": sha256(path)}})
        with pytest.raises(ZooError, match=message):
            load(folder)


def _with_format(content, number):
    import onnx

    model = onnx.load_from_string(content)
    next(one for one in model.metadata_props if one.key == FORMAT_KEY).value = number
    return model.SerializeToString()


def test_models_of_older_zoos_run_by_keras_and_say_so(tmp_path, caplog):
    old = tmp_path / "old"
    shutil.copytree(ROOT / "tests/fixtures/b2r", old)
    model = load(old)
    assert model.runtime.name == "keras"
    assert "runs by Keras; light form: none" in caplog.text
    with pytest.raises(ZooError, match="expected a model with a light form for onnxruntime, found none"):
        load(old, "onnxruntime")
