"""What is around a network while it trains."""

import subprocess
import sys

import numpy as np
import pytest
from conftest import ROOT, survey_rows, write_survey

from common.backend import keras
from common.data.task import task_of
from common.data.training_data import TrainingData
from common.networks.augment import Dihedral
from common.networks.training_wrappers import training_model
from common.options import TrainingOptions
from common.project import read_project
from common.training import device as gpu
from common.training.state import Progress, load_state, restore, save_state

RNG = np.random.default_rng(0)


def small_network():
    keras.utils.set_random_seed(0)
    inputs = keras.Input((5, 5, 2), name="img")
    return keras.Model({"img": inputs}, keras.layers.Dense(1)(keras.layers.Flatten()(inputs)))


def test_augmented_images_are_the_eight_forms_of_the_image():
    image = RNG.integers(0, 255, (1, 5, 5, 2), np.uint8)
    found = np.asarray(Dihedral(1, dtype="uint8")(np.repeat(image, 400, axis=0), training=True))
    assert found.dtype == np.uint8
    forms = [np.rot90(image[0], turns) for turns in range(4)]
    forms += [form[::-1] for form in forms]
    counts = [sum(np.array_equal(form, one) for one in found) for form in forms]
    assert sum(counts) == 400
    assert min(counts) > 25


def test_images_are_only_augmented_while_training_and_alike_by_seed():
    images = RNG.normal(size=(20, 5, 5, 2)).astype(np.float32)
    np.testing.assert_array_equal(Dihedral(1)(images), images)
    one, two, other = (np.asarray(Dihedral(seed)(images, training=True)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)


def test_network_without_surroundings_is_itself():
    network = small_network()
    assert training_model(network) is network


def test_surrounded_network_trains_the_networks_own_weights():
    network = small_network()
    model = training_model(network, "dihedral", seed=3)
    model.compile("sgd", "mse")
    before = network.get_weights()
    images = RNG.normal(size=(8, 5, 5, 2)).astype(np.float32)
    np.testing.assert_allclose(model.predict({"img": images}, verbose=0), network.predict({"img": images}, verbose=0))
    model.fit({"img": images}, np.ones(8), verbose=0)
    assert not np.array_equal(before[0], network.get_weights()[0])


def test_objects_on_the_device_train_as_those_that_are_fed(tmp_path):
    options = TrainingOptions(ds=str(write_survey(tmp_path, survey_rows(60))))
    data = TrainingData(task_of(read_project(ROOT / "b2r"), options), options)
    weights = []
    for resident in (False, True):
        keras.utils.set_random_seed(0)
        inputs = keras.Input((5,), name="bands")
        network = keras.Model({"bands": inputs}, keras.layers.Dense(1)(inputs))
        model = training_model(network, values=data.resident() if resident else None)
        model.compile("sgd", "mse")
        training, validation = (data.batches(part, 8, resident=resident) for part in ("train", "validation"))
        history = model.fit(training, validation_data=validation, epochs=2, shuffle=False, verbose=0).history
        weights.append((*network.get_weights(), *history["val_loss"]))
    for fed, held in zip(*weights, strict=True):
        np.testing.assert_allclose(fed, held, rtol=1e-6)


@pytest.mark.parametrize(
    ("device", "size", "expected"),
    [
        (gpu.Device("GPU", "g", 1, "bfloat16", 2**34), 2**33, True),
        (gpu.Device("GPU", "g", 1, "bfloat16", 2**34), 2**33 + 1, False),
        (gpu.Device("GPU", "g", 1, "bfloat16", 0), 1, False),
        (gpu.Device("GPU", "g", 2, "bfloat16", 2**34), 1, False),
        (gpu.Device("CPU", "c", 2, "float32"), 1, False),
    ],
)
def test_data_live_on_one_gpu_that_has_room_for_them(device, size, expected):
    assert device.holds(size) is expected


def test_free_memory_is_what_the_driver_says(monkeypatch, tmp_path):
    tool = tmp_path / "nvidia-smi"
    tool.write_text("#!/bin/sh\nprintf '80000\\n70000\\n'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    assert gpu._free_memory() == 80_000 * 2**20
    tool.write_text("#!/bin/sh\nexit 9\n")
    assert gpu._free_memory() == 0


SEVERAL_DEVICES = """
import sys
import numpy as np
from common.backend import keras, tf
from common.training import device as gpu
from common.networks.augment import Dihedral
from common.data.task import task_of
from common.data.training_data import TrainingData
from common.data.batches import EpochOrder
from common.options import TrainingOptions
from common.project import read_project

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
mirrored = tf.distribute.MirroredStrategy
tf.distribute.MirroredStrategy = lambda: mirrored(["CPU:0", "CPU:1"])
options = TrainingOptions(ds=sys.argv[2])
data = TrainingData(task_of(read_project(sys.argv[1] + "/b2r"), options), options)
losses = []
for count in (1, 2):
    keras.utils.set_random_seed(0)
    with gpu.Device("GPU", "", count, "float32").scope():
        inputs = keras.Input((5,), name="bands")
        x = keras.layers.Dense(8, activation="relu")(keras.layers.Normalization(mean=16.0, variance=4.0)(inputs))
        model = keras.Model({"bands": inputs}, keras.layers.Dense(1)(x))
        model.compile("adam", "mse")
    order = EpochOrder(0, data.sizes()["train"])
    batches = data.batches("train", 8, order=order)
    losses.append(model.fit(batches, epochs=3, shuffle=False, verbose=0, callbacks=[order]).history["loss"])
np.testing.assert_allclose(losses[0], losses[1], rtol=1e-4)
print("equal")
"""


def test_two_devices_reach_the_losses_of_one(tmp_path):
    folder = write_survey(tmp_path / "survey", survey_rows(60))
    run = [sys.executable, "-c", SEVERAL_DEVICES, str(ROOT), str(folder)]
    done = subprocess.run(run, cwd=ROOT, capture_output=True, text=True, timeout=200)
    assert done.stdout.strip().endswith("equal"), done.stderr[-2000:]


def test_continued_training_draws_the_same_forms(tmp_path):
    images = {"img": RNG.normal(size=(12, 5, 5, 2)).astype(np.float32)}
    known, models = images["img"][:, :1, 0, 0], []
    for _ in range(2):
        model = training_model(small_network(), "dihedral", seed=3)
        model.compile("adam", "mse")
        models.append(model)
    first, continued = models
    first.fit(images, known, shuffle=False, verbose=0)
    save_state(tmp_path / "state.npz", Progress({}, ""), first, [])
    restore(continued, load_state(tmp_path / "state.npz")[1])
    for model in models:
        model.fit(images, known, epochs=2, shuffle=False, verbose=0)
    for one, two in zip(first.variables, continued.variables, strict=True):
        np.testing.assert_array_equal(one, two)
