"""What a network looks at."""

import numpy as np
from helpers.several import joined
from helpers.trained import untried

from common.backend import keras
from common.judge.explain import GRAD_CAM, OCCLUSION
from common.judge.explain import explain as explain_objects
from common.models.serving import serving_network
from common.networks.build import build_flat
from common.networks.inputs import PRESENT
from sdss_gs.schema import INPUTS, OUTPUTS

SIDE = 40
RNG = np.random.default_rng(0)
IMAGES = RNG.integers(100, 120, (3, SIDE, SIDE, 3), dtype=np.uint8)
IMAGES[:, 4:8, 32:36] = 250


def network(features, name="redshift"):
    keras.utils.set_random_seed(0)
    model = build_flat(INPUTS["img"], OUTPUTS[name], (SIDE, SIDE, 3), features, "i2r")
    head = model.layers[-1]
    head.set_weights([RNG.normal(1, 0.3, weight.shape) for weight in head.get_weights()])
    return model


def explain(network, output, images):
    return explain_objects(untried(network, [INPUTS["img"]], [output]), output, INPUTS["img"], {"img": images})


def bright(x):
    """Give the mean of what is brighter than any background pixel, convolved."""
    convolution = keras.layers.Conv2D(1, 2, strides=2, kernel_initializer="ones", bias_initializer="zeros")
    return keras.layers.ReLU()(convolution(keras.ops.relu(x - 0.6)))


def pooled(x):
    return keras.layers.GlobalAveragePooling2D()(bright(x))


def two_ways(x):
    past = keras.layers.GlobalMaxPooling2D()(x)
    return keras.layers.Concatenate()([pooled(x), past])


def assert_found(maps):
    assert maps.shape == (3, SIDE, SIDE)
    np.testing.assert_allclose(maps.max(axis=(1, 2)), 1, rtol=1e-5)
    inside = maps[:, 2:10, 30:38].sum(axis=(1, 2))
    assert (inside > 0.9 * maps.sum(axis=(1, 2))).all()


def test_grad_cam_finds_the_only_thing_that_matters():
    method, maps = explain(network(pooled), OUTPUTS["redshift"], IMAGES)
    assert method == GRAD_CAM
    assert_found(maps)


def test_occlusion_finds_it_where_another_path_leads_past_the_convolutions():
    method, maps = explain(network(two_ways), OUTPUTS["redshift"], IMAGES)
    assert method == OCCLUSION
    assert_found(maps)


def test_what_is_cropped_away_has_no_influence():
    method, maps = explain(network(lambda x: pooled(keras.layers.Cropping2D(2)(x))), OUTPUTS["redshift"], IMAGES)
    assert method == GRAD_CAM
    assert_found(maps)
    assert maps[:, :2].max() == maps[:, :, -2:].max() == 0


def test_classes_are_explained_by_the_one_that_is_chosen():
    for features, expected in ((pooled, GRAD_CAM), (two_ways, OCCLUSION)):
        model = network(features, "subclass")
        head = model.layers[-1]
        kernel = np.zeros(head.kernel.shape, np.float32)
        kernel[0, 2] = 50.0
        head.set_weights([kernel, np.zeros(4)])
        method, maps = explain(model, OUTPUTS["subclass"], IMAGES)
        assert method == expected
        assert_found(maps)


def test_network_that_looks_at_nothing_has_empty_maps():
    model = network(pooled)
    model.layers[-1].set_weights([np.zeros((1, 1)), np.ones(1)])
    assert explain(model, OUTPUTS["redshift"], IMAGES)[1].max() == 0


def test_image_among_several_inputs_is_covered_while_the_others_stay_as_they_are():
    """An object's missing input stays missing, and what else it has shifts no map."""
    functions = {
        "img": pooled,
        "bands": keras.layers.Identity(dtype="float32"),
        "fuse": lambda seen, present, output: keras.layers.Concatenate(dtype="float32")([*seen.values(), present]),
    }
    inputs, redshift = (INPUTS["img"], INPUTS["bands"]), OUTPUTS["redshift"]
    shapes = {"img": (SIDE, SIDE, 3), "bands": (5,)}
    network = joined(inputs, [redshift, OUTPUTS["subclass"]], shapes, functions)
    network.get_layer("fusion").get_layer("redshift").set_weights([np.ones((8, 1)), np.zeros(1)])
    piece = {"img": IMAGES, "bands": RNG.normal(17, 1, (3, 5)).astype(np.float32)}
    piece[PRESENT] = np.array([[1, 1], [1, 0], [1, 1]], np.float32)
    model = untried(network, inputs, [redshift, OUTPUTS["subclass"]])
    method, maps = explain_objects(model, redshift, INPUTS["img"], piece)
    assert method == OCCLUSION
    assert_found(maps)
    piece["bands"][1] = np.nan
    np.testing.assert_array_equal(explain_objects(model, redshift, INPUTS["img"], piece)[1], maps)


def test_a_stored_network_of_cut_outs_is_explained_as_the_one_inside_it():
    item, output = INPUTS["fits"], OUTPUTS["redshift"]
    cutouts = RNG.normal(0, 1, (2, SIDE, SIDE, 5)).astype(np.float32)
    bare = build_flat(item, output, (SIDE, SIDE, 5), pooled, "f2r")
    bare.get_layer("redshift").kernel.assign(np.ones((1, 1)))
    found = [
        explain_objects(untried(one, [item], [output]), output, item, {"fits": cutouts})
        for one in (bare, serving_network(bare, [item]))
    ]
    assert [method for method, _ in found] == [GRAD_CAM] * 2
    np.testing.assert_array_equal(*(maps for _, maps in found))
