"""Many steps as one program: what is learnt is what step by step is learnt."""

from functools import partial
from itertools import chain

import numpy as np
import pytest
from conftest import ROOT, survey_rows, write_survey

from common.backend import keras, tf
from common.data.batches import Blocks, EpochOrder
from common.data.task import task_of
from common.data.training_data import TrainingData
from common.networks.build import build_flat
from common.options import TrainingOptions
from common.project import read_project
from common.training import one_program, session
from common.training.compile import compile_model
from common.training.device import Device
from common.training.from_python import functions_of, train
from common.training.one_program import pays, run_as_programs, steps_of_program
from sdss_gs.schema import INPUTS, OUTPUTS

COUNT, BATCH = 103, 8
CPU = Device("CPU", "c", 2, "float32")


def gather(index):
    return {"inputs": index[:, None].astype(np.float32), "target": index * 10}


def taken(blocks):
    """List the objects of each batch, as a program takes them."""
    found = []
    for number in blocks.numbers().as_numpy_iterator():
        block = blocks.take(number)
        values, objects = block["inputs"][..., 0], block["objects"]
        np.testing.assert_array_equal(values * 10, block["target"])
        found += [values[step, : objects[step]].astype(int).tolist() for step in range(block["steps"])]
    return found


@pytest.mark.parametrize("most", [1, 4, 5, 13, 100])
def test_every_object_comes_once_in_full_batches_but_the_last(most):
    order = EpochOrder(0, COUNT)
    blocks = Blocks(gather, COUNT, BATCH, most, order)
    assert len(blocks) == -(-13 // most)
    batches = taken(blocks)
    assert [len(batch) for batch in batches] == [BATCH] * 12 + [7]
    assert list(chain(*batches)) == order.permutation().tolist()
    order.on_epoch_begin(1)
    assert list(chain(*taken(blocks))) == order.permutation().tolist()


@pytest.mark.parametrize("name", ["b2r", "b2s"])
def test_programs_learn_what_steps_learn(tmp_path, name):
    rows = survey_rows(COUNT)
    weighted = "balanced" if name == "b2s" else "none"
    options = TrainingOptions(ds=str(write_survey(tmp_path, rows)), head="point", class_weights=weighted)
    data = TrainingData(task_of(read_project(ROOT / name), options), options)
    assert data.sizes()["train"] % BATCH, "an incomplete batch is part of what is compared"
    found = []
    for programs in (False, True):
        keras.utils.set_random_seed(0)
        inputs = keras.Input((5,), name="bands")
        hidden = keras.layers.Dense(8, "relu")(keras.layers.Rescaling(0.05)(inputs))
        last = "softmax" if data.outputs[0].classes else None
        network = keras.Model({"bands": inputs}, keras.layers.Dense(data.outputs[0].size, last)(hidden))
        compile_model(network, data.outputs, options, 9, 4, weighted=programs)
        feed = partial(data.blocks, most=4) if programs else data.batches
        training, validation = feed("train", BATCH), feed("validation", BATCH)
        if programs:
            run_as_programs(network, training, validation)
            training, validation = training.numbers(), validation.numbers()
        history = network.fit(training, validation_data=validation, epochs=3, shuffle=False, verbose=0).history
        assert int(network.optimizer.iterations) == 3 * -(-data.sizes()["train"] // BATCH)
        found.append((history, network.get_weights()))
    (steps, weights), (program, programmed) = found
    assert set(steps) == set(program)
    for metric in set(steps) - ({"accuracy"} if weighted == "none" else set()):
        np.testing.assert_allclose(program[metric], steps[metric], rtol=2e-4)
    for one, two in zip(weights, programmed, strict=True):
        np.testing.assert_allclose(two, one, rtol=2e-3, atol=2e-5)


def network_of(name, architecture="fast"):
    item, output = INPUTS[name], OUTPUTS["redshift"]
    folder = {"bands": "b2r", "ssel": "ss2r", "spectra": "s2r"}[name]
    return build_flat(item, output, item.shape, functions_of(ROOT / folder)[architecture], folder, "none")


def test_dense_networks_that_train_long_run_as_programs_on_a_processor():
    dense = network_of("bands")
    assert pays(CPU, dense, one_program.PAYS)
    assert pays(CPU, network_of("ssel"), one_program.PAYS)
    assert not pays(CPU, dense, one_program.PAYS - 1)
    assert not pays(CPU, network_of("ssel", "slim"), one_program.PAYS), "convolutions are ten times slower"
    assert not pays(CPU, network_of("spectra"), one_program.PAYS)
    assert not pays(Device("GPU", "g", 1, "float32"), dense, one_program.PAYS)
    assert not pays(Device("CPU", "c", 2, "float32", jax=True), dense, one_program.PAYS)


@pytest.mark.parametrize(("width", "batch"), [(8, 32), (256, 32), (2000, 512)])
def test_a_program_is_short_enough_for_ctrl_c(width, batch):
    network = keras.Sequential([keras.Input((width,)), keras.layers.Dense(width)])
    steps = steps_of_program(network, batch)
    assert 1 <= steps <= one_program.MOST
    assert steps == 1 or steps * 6 * network.count_params() * batch <= one_program.WORK


def test_what_cannot_be_compiled_is_trained_step_by_step(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(one_program, "PAYS", 1)
    made = session.run_as_programs

    def broken(model, *blocks):
        made(model, *blocks)

        def refused(iterator):
            raise tf.errors.InvalidArgumentError(None, None, "Detected unsupported operations\nand more")

        model.train_function = refused

    monkeypatch.setattr(session, "run_as_programs", broken)
    folder = write_survey(tmp_path, survey_rows(80))
    model = train("b2r", folder, epochs=2)
    assert model.predict(np.full((1, 5), 17.0, np.float32))["redshift"].notna().all()
    assert "training: step by step, not as one program: Detected unsupported operations" in caplog.text
