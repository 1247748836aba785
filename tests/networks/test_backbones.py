"""Well-known networks as backbones: scaled as they were trained, small enough to test, fine-tuned in two phases.

The heavy ones take minutes: ZOO_HEAVY_TESTS=1 runs them too (``make backbones``).
"""

import warnings

import mlflow
import numpy as np
import pytest
from conftest import survey_rows, write_survey
from helpers import needed
from helpers.folders import architectures_of
from helpers.stores import new_store

from common import train
from common.backend import keras
from common.models.safe_file import check_description
from common.networks.backbones import APPLICATIONS, OWN, application, image_features, preprocess, view
from common.networks.build import build_flat
from common.networks.inputs import enter
from common.options import TrainingOptions
from common.training import keeping, session
from common.training.keeping import best_model
from common.training.phases import Phase, phases
from sdss_gs.errors import OptionError
from sdss_gs.schema import INPUTS, OUTPUTS

CHEAP = ("small", "vit", "mobilenet", "vgg16", "resnet50", "xception", "convnext_tiny")
"""Those of each kind that take seconds; the others are deeper, or made of the same blocks."""
LITTLE = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
"""Keras gives NumPy its variables in a way that NumPy has deprecated."""
HEAVY = tuple(name for name in (*OWN, *APPLICATIONS) if name not in CHEAP)
RNG = np.random.default_rng(0)
RATES = {"vgg16": 1e-4, "vgg19": 1e-4}
"""First step sizes of networks without normalisation, which Adam's usual one drives apart."""
PARAMETERS = {
    "mobilenet": 5_854_403, "resnet50": 27_261_827, "vgg16": 16_815_939, "xception": 24_535_595,
}  # fmt: skip
"""With the deep head for three classes; MobileNet's count is that of its authors' classifier of stars and galaxies."""
OF_A_CLASS = 512 + 1
"""Parameters of the deep head for one class more."""
OWN_SCALING = {
    "mobilenet": "mobilenet", "resnet50": "resnet", "resnet152": "resnet", "vgg16": "vgg16", "vgg19": "vgg19",
    "xception": "xception", "densenet121": "densenet",
}  # fmt: skip
"""Modules of keras.applications whose ``preprocess_input`` says how the network wants its pixels."""


def marked(names, cheap=(*CHEAP, "fast", "reference")):
    return [pytest.param(name, marks=() if name in cheap else needed.minutes) for name in names]


def options(**given):
    return TrainingOptions(**{"weights": "none"} | given)


def network(side=32, output="subclass", **given):
    keras.utils.set_random_seed(0)
    own = architectures_of("i2s")[given.pop("architecture", "fast")]
    features = image_features(own, **given)
    return build_flat(INPUTS["img"], OUTPUTS[output], (side, side, 3), features, "i2s")


def pixels(count=1, side=32):
    return RNG.integers(0, 256, (count, side, side, 3), dtype=np.uint8)


def scaled(name, image):
    inputs = keras.Input(image.shape[1:], dtype="uint8")
    return np.asarray(keras.Model(inputs, preprocess(name, enter(INPUTS["img"], inputs)))(image))


@pytest.mark.parametrize(("name", "module"), OWN_SCALING.items())
def test_pixels_are_scaled_once_as_the_backbone_was_trained(name, module):
    image = pixels(side=80)
    expected = getattr(keras.applications, module).preprocess_input(image.astype(np.float32))
    np.testing.assert_allclose(scaled(name, image), expected, atol=2e-4)


@pytest.mark.parametrize("name", ["efficientnetv2b0", "convnext_tiny"])
def test_pixels_are_scaled_as_the_backbones_own_layer_does(name):
    """These two have their scaling inside, which is left out here."""
    image = pixels()
    whole = getattr(keras.applications, APPLICATIONS[name].function)(
        weights=None, include_top=False, input_shape=(32, 32, 3)
    )
    inside = [layer for layer in whole.layers if "normalization" in layer.name and not layer.trainable_variables]
    expected = keras.Model(whole.input, inside[0].output)(image.astype(np.float32))
    np.testing.assert_allclose(scaled(name, image), expected, atol=1e-4)


@LITTLE
@pytest.mark.parametrize("name", marked((*CHEAP, *HEAVY)))
def test_backbone_has_its_parameters_learns_is_stored_with_keras_own_layers_and_predicts_the_same(name, tmp_path):
    model = network(backbone=name, head="deep" if name in PARAMETERS else "light")
    if name in PARAMETERS:
        assert model.count_params() == PARAMETERS[name] + OF_A_CLASS
    # Two, or a normalisation by batch would leave nothing of them.
    images, labels = pixels(2), np.eye(4, dtype=np.float32)[:2]
    model.compile("sgd", "categorical_crossentropy", run_eagerly=True)
    before = model.layers[-1].get_weights()[0]
    model.train_on_batch({"img": images}, labels)
    assert not np.array_equal(before, model.layers[-1].get_weights()[0])
    model.save(tmp_path / "model.keras")
    check_description(tmp_path / "model.keras")
    stored = keras.saving.load_model(tmp_path / "model.keras", safe_mode=True)
    found, expected = (np.asarray(one({"img": images})) for one in (stored, model))
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)


@pytest.mark.parametrize("name", marked([*OWN, "fast", "reference", *APPLICATIONS], ("small", "fast")))
def test_network_can_learn_32_images_by_heart(name):
    side = {"xception": 72, "reference": 48}.get(name, 32)
    kind = "architecture" if name in ("fast", "reference") else "backbone"
    model = network(side, **{kind: name, "head": "deep"})
    for layer in (layer for layer in every_layer(model) if isinstance(layer, keras.layers.BatchNormalization)):
        # The statistics of so few steps, else those before the first.
        layer.momentum = 0.5
    labels = np.arange(32) % 4
    coarse = RNG.integers(0, 256, (32, 4, 4, 3), dtype=np.uint8)
    images = {"img": coarse.repeat(side // 4, axis=1).repeat(side // 4, axis=2)}
    model.compile(keras.optimizers.Adam(RATES.get(name, 1e-3)), "sparse_categorical_crossentropy")
    for _ in range(20):
        model.fit(images, labels, batch_size=32, epochs=10, verbose=0)
        accuracy = np.mean(np.asarray(model(images)).argmax(axis=1) == labels)
        if accuracy == 1:
            break
    assert accuracy == 1


def every_layer(model):
    for layer in model.layers:
        yield from every_layer(layer) if isinstance(layer, keras.Model) else [layer]


def test_middle_and_mean_colour_are_what_the_network_sees():
    inputs = keras.Input((8, 8, 3))
    image = RNG.normal(size=(2, 8, 8, 3)).astype(np.float32)
    seen = np.asarray(keras.Model(inputs, view(inputs, 4, "grey"))(image))
    np.testing.assert_allclose(seen, image[:, 2:6, 2:6].mean(axis=-1, keepdims=True), rtol=1e-5, atol=1e-6)
    assert view(inputs) is inputs
    assert preprocess("mobilenet", view(inputs, 4, "grey")).shape == (None, 32, 32, 3)


@pytest.mark.parametrize("crop", [3, 10])
def test_impossible_middle_is_named(crop):
    with pytest.raises(OptionError, match=f"crop: expected an even number of pixels up to 8.*found {crop}"):
        view(keras.Input((8, 8, 3)), crop)


def test_middle_too_small_for_the_network_is_named():
    with pytest.raises(OptionError, match="crop: expected more pixels for this network, found 20"):
        image_features(architectures_of("i2s")["reference"], crop=20)(keras.Input((150, 150, 3)))


def test_own_networks_take_the_middle_too():
    own = architectures_of("i2s")
    for name, crop in (("fast", 80), ("reference", 80), ("vit", 60), ("small", 64)):
        backbone = "none" if name in own else name
        assert image_features(own.get(name), backbone, crop=crop)(keras.Input((150, 150, 3))).shape[1] > 3


def test_weights_that_cannot_be_downloaded_are_one_clear_line(monkeypatch):
    def fail(*_arguments, **_options):
        raise OSError("URL fetch failure on https://somewhere: no network")

    monkeypatch.setattr("keras.src.utils.file_utils.get_file", fail)
    with pytest.raises(
        OptionError, match=r"weights: expected weights of vgg16 \(imagenet\); weights=none .* no network"
    ):
        application("vgg16", (32, 32, 3), "imagenet")


@LITTLE
def test_weights_come_from_a_file_of_the_same_network_only(tmp_path):
    first = application("mobilenet", (32, 32, 3))
    path = tmp_path / "mobilenet.weights.h5"
    first.save_weights(path)
    found = application("mobilenet", (64, 64, 3), str(path))
    for kept, loaded in zip(first.weights, found.weights, strict=True):
        np.testing.assert_array_equal(kept, loaded)
    for name, file in (("vgg16", path), ("mobilenet", tmp_path / "none.weights.h5")):
        with pytest.raises(OptionError, match=f"weights: expected weights of {name}"):
            application(name, (32, 32, 3), str(file))


# === Fine-tuning ===


def fine_tuned(**given):
    return options(backbone="mobilenet", weights="imagenet", epochs=10, **given)


def test_phases_follow_from_the_options():
    assert phases(fine_tuned(head_epochs=3)) == [Phase(0, 3, "all"), Phase(3, 10, "none", 0.1)]
    assert phases(fine_tuned(head_epochs=3, freeze="20")) == [Phase(0, 3, "all"), Phase(3, 10, "20", 0.1)]
    assert phases(fine_tuned(head_epochs=0)) == [Phase(0, 10, "none", 0.1)]
    assert phases(fine_tuned(head_epochs=99)) == [Phase(0, 10, "all")]
    assert phases(fine_tuned(freeze="all")) == [Phase(0, 10, "all")]
    assert phases(options(backbone="mobilenet", epochs=10)) == [Phase(0, 10)]
    assert phases(options(backbone="small", weights="imagenet", epochs=10)) == [Phase(0, 10)]
    assert phases(options(epochs=4)) == [Phase(0, 4)]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"backbone": "mobilenet", "freeze": "all"}, "freeze: expected a backbone with weights to keep"),
        (
            {"backbone": "none", "weights": "imagenet", "freeze": "3"},
            "freeze: expected a backbone with weights to keep",
        ),
        ({"backbone": "mobilenet", "freeze": "some"}, "freeze: expected all, none or how many .*, found 'some'"),
    ],
)
def test_what_cannot_be_frozen_is_named(given, expected):
    with pytest.raises(OptionError, match=expected):
        phases(options(**given))


def tiny(include_top, input_shape, weights, **_options):
    """Stand for a network of keras.applications that is quick to train."""
    inputs = keras.Input(input_shape)
    x = keras.layers.Conv2D(4, 3, strides=2, use_bias=False, name="first")(inputs)
    x = keras.layers.BatchNormalization(name="statistics", momentum=0.5)(x)
    x = keras.layers.Conv2D(4, 3, strides=2, activation="relu", name="last")(x)
    model = keras.Model(inputs, x, name="tiny")
    if weights:
        model.load_weights(weights)
    return model


@pytest.fixture
def run(repository, monkeypatch, tmp_path):
    """Fine-tune a tiny backbone, whose weights are in a file, on a survey's images; return the session, unjudged."""
    monkeypatch.setattr(keras.applications, "MobileNet", tiny)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store := new_store(tmp_path))
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(store)
    done = []
    monkeypatch.setattr(keeping, "finish", done.append)
    monkeypatch.setattr(keeping, "keep_best", lambda trained: done.append(trained) or "")
    data = write_survey(tmp_path / "data", survey_rows(60), ("img",))
    file = tmp_path / "tiny.weights.h5"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        tiny(False, (32, 32, 3), None).save_weights(file)
    always = {"ds": data, "backbone": "mobilenet", "weights": file, "crop": 32, "epochs": 3, "precision": "float32"}

    def run(**given):
        arguments = [text for key, value in (always | given).items() for text in (f"--{key}", str(value))]
        code = train._run(repository / "i2s", architectures_of("i2s"), arguments)
        return code, done[-1]

    return run, file


def backbone_of(trained):
    """The backbone of the model that a session would store."""
    model, _ = best_model(trained)
    return next(layer for layer in model.network.layers if isinstance(layer, keras.Model))


def test_frozen_backbone_is_kept_with_the_weights_and_statistics_it_came_with(run):
    run, file = run
    code, trained = run(freeze="all", epochs=2)
    assert code == 0
    kept = backbone_of(trained).get_weights()
    for found, given in zip(kept, tiny(False, (32, 32, 3), file).get_weights(), strict=True):
        np.testing.assert_array_equal(found, given)
    assert len(trained.progress.history) == 2


def test_interrupted_fine_tuning_goes_on_to_the_same_losses(run, monkeypatch):
    """Between the phases, and within the second; what is learnt there is kept, the statistics of batches too."""
    run, _ = run
    _, whole = run(head_epochs=1, learning_rate=0.01, schedule="constant")
    rates = [line["learning_rate"] for line in whole.progress.history]
    np.testing.assert_allclose(rates, [0.01, 0.001, 0.001], rtol=1e-6)
    assert np.abs(backbone_of(whole).get_layer("statistics").moving_mean).max() > 1e-4

    class Interrupt(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch + 1 == stop:
                raise KeyboardInterrupt

    logging, resume = session.LogEpochs, ""
    for stop in (1, 2):
        monkeypatch.setattr(session, "LogEpochs", lambda _record: Interrupt())
        code, stopped = run(resume=resume, head_epochs=1, learning_rate=0.01, schedule="constant")
        assert code == 130
        assert len(stopped.progress.history) == stop
        resume = stopped.record.id
    monkeypatch.setattr(session, "LogEpochs", logging)
    code, resumed = run(resume=resume, head_epochs=1, learning_rate=0.01, schedule="constant")
    assert code == 0
    found, expected = ([line["val_loss"] for line in one.progress.history] for one in (resumed, whole))
    assert found == expected


@pytest.mark.parametrize(
    ("phase", "learning"),
    [
        (Phase(0, 1, "all"), set()),
        (Phase(0, 1, "0"), set()),
        (Phase(0, 1, "1"), {"last"}),
        (Phase(0, 1, "2"), {"last", "statistics"}),
        (Phase(0, 1), {"first", "last", "statistics"}),
    ],
)
def test_phases_change_what_they_do_not_freeze(monkeypatch, phase, learning):
    monkeypatch.setattr(keras.applications, "MobileNet", tiny)
    model = network(backbone="mobilenet")
    model.layers[-1].kernel.assign(RNG.normal(size=model.layers[-1].kernel.shape))
    Phase(0, 1, "all").freeze(model)
    phase.freeze(model)
    before = {layer.name: layer.get_weights() for layer in every_layer(model) if layer.weights}
    model.compile("adam", "categorical_crossentropy", run_eagerly=True)
    model.train_on_batch({"img": pixels(4)}, np.eye(4, dtype=np.float32))
    changed = {
        layer.name
        for layer in every_layer(model)
        if any(not np.array_equal(*pair) for pair in zip(layer.get_weights(), before.get(layer.name, []), strict=True))
    }
    assert changed - {"dropout", "subclass"} == learning
    assert "subclass" in changed
