"""What a stored network answers where there is nothing to answer, asked by whatever asks a Keras network."""

import json

import mlflow
import numpy as np
import pandas as pd
import pytest
from helpers.asking import ask
from helpers.running import running
from helpers.several import FUNCTIONS, joined
from helpers.stores import new_store
from helpers.trained import by_hand, untried

from common.backend import keras
from common.models.opening import load
from common.models.running import Steps, in_steps, serving_inputs
from common.models.serving import bare_network, serving_network
from common.models.store import log_model
from common.networks.build import build_flat
from common.networks.inputs import PRESENT
from common.outputs.kinds import kind_of
from sdss_gs.schema import INPUTS, OUTPUTS

GOOD = {"bands": [18.5, 17.2, 16.5, 16.1, 15.8], "wise": [14.0, 13.9, 10.0, 8.0]}


def hidden(values):
    """Turn an input into features by a ReLU, in which oneDNN loses a NaN."""
    return keras.layers.Dense(16, "relu")(keras.layers.Flatten()(values))


def with_answers(network, outputs):
    """Give heads, which begin with zeros, weights that tell objects apart."""
    rng = np.random.default_rng(0)
    for output in outputs:
        kernel = kind_of(output).head_of(network).kernel
        kernel.assign(rng.normal(0, 0.1, kernel.shape))
    return network


def flat(name, output="redshift", shape=None):
    keras.utils.set_random_seed(0)
    item, output = INPUTS[name], OUTPUTS[output]
    return with_answers(build_flat(item, output, shape or item.shape, hidden, "b2r"), [output])


def asked(network, inputs):
    """Ask a network in all three ways, which must agree; return its answers."""
    whole = network.predict(inputs, verbose=0)
    batch, called = network.predict_on_batch(inputs), np.asarray(network(inputs))
    np.testing.assert_array_equal(np.isnan(batch), np.isnan(whole))
    np.testing.assert_array_equal(np.isnan(called), np.isnan(whole))
    return whole


@pytest.mark.parametrize("output", ["redshift", "subclass", "votes"])
@pytest.mark.parametrize("name", ["bands", "wise"])
def test_magnitudes_that_are_missing_sentinels_or_impossible_have_no_answer(name, output):
    """On CPU, `predict` of TensorFlow 2.21 turns NaN into 0 where oneDNN fuses a dense layer with its ReLU."""
    item, bare = INPUTS[name], flat(name, output)
    network = serving_network(bare, [item])
    bad = [np.nan, np.inf, -np.inf, -9999, -999, -99, 99, 999, 9999, 0, 31, -6]
    rows = np.array([GOOD[name]] * (1 + len(bad) * len(item.columns)), np.float32)
    for number in range(1, len(rows)):
        rows[number, (number - 1) % len(item.columns)] = bad[(number - 1) // len(item.columns)]
    found = asked(network, serving_inputs(item, rows))
    assert np.isnan(found[1:]).all()
    np.testing.assert_array_equal(found[:1], bare.predict({name: rows}, verbose=0)[:1])
    assert bare_network(network) is bare


@pytest.mark.parametrize(("name", "shape"), [("spectra", (40,)), ("ssel", (30,)), ("fits", (9, 9, 5))])
def test_spectra_and_cut_outs_with_a_number_missing_have_no_answer(name, shape):
    item, bare = INPUTS[name], flat(name, shape=shape)
    values = np.random.default_rng(1).normal(5, 1, (4, *shape)).astype(np.float32)
    expected = bare.predict({name: values}, verbose=0)
    values[1].flat[3], values[3].flat[-1] = np.nan, -np.inf
    found = asked(serving_network(bare, [item]), {name: values})
    assert np.isnan(found[:, 0]).tolist() == [False, True, False, True]
    np.testing.assert_array_equal(found[::2], expected[::2])


def test_images_of_bytes_need_no_guard():
    bare = flat("img", shape=(12, 12, 3))
    assert serving_network(bare, [INPUTS["img"]]) is bare


def test_an_input_that_is_there_but_not_finite_takes_away_all_answers_of_a_fused_network():
    names, outputs = ("fits", "bands", "wise", "img"), [OUTPUTS["redshift"], OUTPUTS["subclass"]]
    shapes = {"fits": (9, 9, 5), "bands": (5,), "wise": (4,), "img": (12, 12, 3)}
    items = [INPUTS[name] for name in names]
    functions = dict.fromkeys(names, hidden) | {"fuse": FUNCTIONS["fuse"]}
    bare = joined(items, outputs, shapes, functions)
    with_answers(bare.get_layer("fusion"), outputs)
    network = serving_network(bare, items)
    inputs = {name: np.array([GOOD[name]] * 6, np.float32) for name in ("bands", "wise")}
    inputs["fits"], inputs["img"] = np.ones((6, 9, 9, 5), np.float32), np.ones((6, 12, 12, 3), np.uint8)
    inputs["bands"][1, 2], inputs["bands"][2, 2], inputs["wise"][3, 0] = np.nan, np.nan, -9999
    inputs["fits"][4, 3, 3, 3] = np.inf
    inputs[PRESENT] = np.ones((6, 4), np.float32)
    inputs[PRESENT][2, 1] = inputs[PRESENT][3, 0] = inputs[PRESENT][5] = 0
    found, expected = network.predict(inputs, verbose=0), bare.predict(inputs, verbose=0)
    assert list(found) == ["redshift", "subclass"]
    for name, values in found.items():
        assert np.isnan(values).all(axis=1).tolist() == [False, True, False, True, True, True]
        np.testing.assert_array_equal(values[::2][:2], expected[name][::2][:2])
        assert np.isnan(np.asarray(network(inputs)[name])).any(axis=1).sum() == 4


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """Store a network of magnitudes in MLflow."""
    folder = tmp_path_factory.mktemp("served")
    item, output = INPUTS["bands"], OUTPUTS["redshift"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        mlflow.set_tracking_uri(new_store(folder))
        model = untried(serving_network(flat("bands"), [item]), [item], [output])
        with mlflow.start_run():
            address = log_model(model, model.example())
        yield mlflow.pyfunc.load_model(address)


def cells():
    """Six galaxies of which only the first has all its magnitudes, as columns in another order."""
    frame = pd.DataFrame([GOOD["bands"]] * 6, columns=INPUTS["bands"].columns)
    for row, value in enumerate((np.nan, -9999, 99, 0, np.inf)):
        frame.iloc[row + 1, row] = value
    return frame[frame.columns[::-1]]


def as_read(frame, tmp_path):
    path = tmp_path / "magnitudes.csv"
    frame.to_csv(path, index=False)
    return pd.read_csv(path)


@pytest.mark.parametrize("form", ["float64", "float32", "None", "nullable", "csv"])
def test_mlflow_gives_no_number_for_a_missing_magnitude(served, form, tmp_path):
    """As `mlflow models predict` asks; MLflow 3.17 and TensorFlow 2.21 answered 0.0687 for any galaxy."""
    frame = cells()
    tables = {
        "None": lambda: frame.astype(object).where(frame.notna(), None),
        "nullable": frame.convert_dtypes,
        "csv": lambda: as_read(frame, tmp_path),
    }
    found = np.ravel(served.predict(tables[form]() if form in tables else frame.astype(form)))
    expected = flat("bands").predict({"bands": np.array([GOOD["bands"]], np.float32)}, verbose=0)
    np.testing.assert_allclose(found[0], expected[0, 0], rtol=1e-6)
    assert np.isnan(found[1:]).all()


@pytest.mark.parametrize("form", ["dataframe_records", "inputs"])
def test_the_server_of_mlflow_gives_no_number_for_null(served, form):
    """As `mlflow models serve` answers: NaN, which Python's JSON reads."""
    import mlflow.pyfunc.scoring_server  # MLflow warns of its own types where this comes before the model is opened.

    rows = cells().head(2).astype(object).where(cells().head(2).notna(), None)
    body = {form: rows.to_dict("records" if form == "dataframe_records" else "list")}
    with running(mlflow.pyfunc.scoring_server.init(served)) as address:
        status, answer, _ = ask(f"{address}/invocations", json.dumps(body).encode())
    assert status == 200, answer
    (good,), (bad,) = json.loads(answer)["predictions"]
    assert np.isfinite(good)
    assert np.isnan(bad)


def test_what_is_opened_from_the_store_keeps_the_guard(served):
    opened = load("models:/b2r/1", "keras").network
    values = np.array([GOOD["bands"], [99, *GOOD["bands"][1:]]], np.float32)
    assert np.isnan(asked(opened, serving_inputs(INPUTS["bands"], values))[:, 0]).tolist() == [False, True]
    assert bare_network(opened).name == "b2r"


@pytest.mark.parametrize(("name", "outside"), [("b2r", 29.9999999999), ("b2s", 29.9999999999), ("s2r", 1e300)])
def test_numbers_that_float32_does_not_hold_are_flagged_and_have_no_answer(name, outside):
    """Rounded to float32 a magnitude just below the limit is on it, and a large flux is infinite."""
    model = by_hand(name)
    (item,) = model.inputs
    rows = np.full((3, *item.shape), 15.5) + np.linspace(0, 1, item.shape[0])
    rows[1, 0] = outside
    found = model.predict(rows)
    assert found[model.columns()[0]].isna().tolist() == found["flag"].isin([2, 10]).tolist() == [False, True, False]
    assert model.predict(rows[1:2])["flag"].tolist() == found["flag"][1:2].tolist()


def test_steps_side_by_side_keep_their_order():
    values = {"x": np.arange(1000.0)}
    answers = in_steps(lambda seen: {"y": seen["x"] + 1}, values, (), Steps(7, 7, 7, at_once=4))
    np.testing.assert_array_equal(answers["y"], values["x"] + 1)
