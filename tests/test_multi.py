"""A model with several inputs and outputs: any subset of either, on the data and in the network, and a run of it."""

import importlib.util
import json
import re

import mlflow
import numpy as np
import pytest
from conftest import ROOT, survey_rows, write_survey
from mlflow import MlflowClient

from common import train
from common.backend import keras
from common.data.multi_data import MultiData
from common.data.sources import Loaded
from common.data.training_data import TrainingData
from common.judge.multi_judge import Judgement
from common.judge.multi_views import encode_part, view
from common.models.library import artifact as card_file
from common.models.library import champions
from common.models.opening import load
from common.models.store import load_model
from common.networks.multi_network import build_multi, surround_multi
from common.networks.training_wrappers import PRESENT, HideInputs
from common.options import convert
from common.outputs.flags import NO_PREDICTION, Flag
from common.predict.choose import choose_models
from common.predict.embed import embedder
from common.project import parse_options, read_folder, read_project
from common.training import multi_session, session
from common.training.compile import begin_at_constants, compile_multi
from sdss_gs.dataset import open_catalogue
from sdss_gs.errors import DataError, OptionError, ZooError
from sdss_gs.schema import INPUTS, OUTPUTS
from sdss_gs.split import split

RNG = np.random.default_rng(0)
DEFAULTS = ("redshift", "smass", "subclass", "gz2c")
"""Outputs of x2y where none are named."""
OPTIONS_OF_A_RUN = {"ds": "", "limit": 0, "epochs": 2, "learning_rate": 0.01, "schedule": "constant"}
OPTIONS_OF_A_RUN |= {"optimizer": "adam", "loss": "mae", "label_smoothing": 0.0}


def functions_of_the_folder():
    specification = importlib.util.spec_from_file_location("x2y", ROOT / "x2y" / "train.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return {name: getattr(module, name) for name in (*INPUTS, "fuse")}


FUNCTIONS = functions_of_the_folder()


def patchy_rows(n):
    """Objects of which some lack magnitudes, WISE, both, or single labels."""
    rows = survey_rows(n)
    for number, row in enumerate(rows):
        if number % 10 in (0, 3):
            row["modelMag_u"] = "-9999"
        if number % 10 in (1, 3):
            row["w1mag"] = ""
        if number % 5 == 4:
            row["subclass"] = ""
        if number % 7 == 0:
            row["redshift"] = ""
        if number % 9 == 0:
            row["gz2c_s"] = ""
    return rows


@pytest.fixture(scope="module")
def patchy(tmp_path_factory):
    return write_survey(tmp_path_factory.mktemp("data") / "patchy", patchy_rows(300))


@pytest.fixture(scope="module")
def data(patchy):
    return MultiData(("bands", "wise"), DEFAULTS, ROOT, OPTIONS_OF_A_RUN | {"ds": patchy})


def network_of(inputs, outputs=DEFAULTS, seed=1):
    """Build a network whose heads do not begin with zeros."""
    keras.utils.set_random_seed(seed)
    network = build_multi({name: INPUTS[name].shape for name in inputs}, outputs, FUNCTIONS, "x2y")
    for name in outputs:
        kernel = network.get_layer("fusion").get_layer(name).kernel
        kernel.assign(np.random.default_rng(seed).normal(0, 0.1, kernel.shape))
    return network


# === Network ===


def test_missing_inputs_have_no_influence_whatever_stands_in_them():
    inputs = ("fits", "bands", "wise")
    network = network_of(inputs)
    batch = {name: RNG.normal(15, 3, (4, *INPUTS[name].shape)).astype(np.float32) for name in inputs}
    batch[PRESENT] = np.array([[1, 1, 1], [0, 1, 1], [0, 0, 1], [1, 1, 0]], np.float32)
    expected = network.predict(batch, verbose=0)
    for garbage in (0.0, -1e30, np.nan, np.inf):
        changed = {name: values.copy() for name, values in batch.items()}
        for column, name in enumerate(inputs):
            changed[name][batch[PRESENT][:, column] == 0] = garbage
        found = network.predict(changed, verbose=0)
        for output in DEFAULTS:
            assert np.isfinite(found[output]).all()
            np.testing.assert_array_equal(found[output], expected[output])
    shown = network.predict(batch | {PRESENT: np.ones((4, 3), np.float32)}, verbose=0)
    assert (shown["redshift"][1:] != expected["redshift"][1:]).all()


@pytest.mark.parametrize("inputs", [("img",), ("spectra", "ssel"), tuple(INPUTS)])
@pytest.mark.parametrize("outputs", [("redshift",), ("smass", "gz2c")])
def test_network_takes_any_inputs_and_gives_any_outputs(inputs, outputs):
    network = build_multi({name: INPUTS[name].shape for name in inputs}, outputs, FUNCTIONS, "x2y")
    assert list(network.input) == [*inputs, PRESENT]
    assert {name: network.input[name].dtype for name in inputs} == {name: INPUTS[name].dtype for name in inputs}
    assert network.input[PRESENT].shape == (None, len(inputs))
    shapes = {name: (None, max(1, len(OUTPUTS[name].classes))) for name in outputs}
    assert {name: tensor.shape for name, tensor in network.output.items()} == shapes


def test_inputs_are_shown_whole_hidden_at_random_and_alone_while_training():
    present = np.repeat(np.array([[1, 1, 1], [1, 0, 1], [0, 1, 0]], np.float32), 1000, axis=0)
    layer = HideInputs(0.3, seed=1)
    np.testing.assert_array_equal(layer(present), present)
    whole, hidden, *alone = np.split(np.asarray(layer(present, training=True)), 5)
    np.testing.assert_array_equal(whole, present)
    for column, one in enumerate(alone):
        np.testing.assert_array_equal(one, present * np.eye(3)[column])
    assert (hidden <= present).all()
    assert (hidden.sum(axis=1) >= 1).all()
    # Of three each is hidden with probability 0.3, but for the 0.3³ of the objects that would lose all.
    assert 1 - hidden[:1000].mean() == pytest.approx(0.3 - 0.3**3 / 3, abs=0.03)
    again, other = (np.asarray(HideInputs(0.3, seed)(present, training=True)) for seed in (1, 2))
    np.testing.assert_array_equal(again[3000:6000], hidden)
    assert not np.array_equal(other[3000:6000], hidden)


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_what_surrounds_the_network_while_it_trains_is_not_in_its_predictions(dropout):
    network = network_of(("fits", "bands"))
    batch = {name: RNG.normal(15, 3, (5, *INPUTS[name].shape)).astype(np.float32) for name in ("fits", "bands")}
    batch[PRESENT] = np.ones((5, 2), np.float32)
    expected, found = (m.predict(batch, verbose=0) for m in (network, surround_multi(network, "dihedral", dropout, 0)))
    for name in DEFAULTS:
        np.testing.assert_allclose(found[name], expected[name], rtol=1e-6)


# === Data ===


def test_objects_with_any_input_and_any_output_are_used_in_the_usual_parts(patchy, data):
    rows = patchy_rows(300)
    objid = np.array([int(row["objid"]) for row in rows])
    has = np.array([number % 10 != 3 for number in range(300)])
    expected = {part: objid[has][chosen] for part, chosen in split(objid[has]).items()}
    whole = split(objid)
    for part, objects in data.parts.items():
        np.testing.assert_array_equal(objid[objects], expected[part])
        assert set(objects) <= set(whole[part])
    single = TrainingData(read_project(ROOT / "b2r"), {"ds": patchy, "limit": 0})
    assert set(single.parts["test"]) <= set(data.parts["test"])


def test_what_an_object_lacks_is_fed_as_zero_and_said_to_be_missing(data):
    for inputs, targets, weights in data.batches("test", 16):
        present = np.asarray(inputs[PRESENT])
        for column, name in enumerate(data.inputs):
            values = np.asarray(inputs[name])
            assert (values[present[:, column] == 0] == 0).all()
            assert (values[present[:, column] == 1] != 0).all()
        assert set(targets) == set(weights) == set(DEFAULTS)


def test_a_view_of_some_inputs_is_what_the_network_says_when_the_others_are_missing(data):
    network = network_of(("bands", "wise"))
    encoded = encode_part(network, data, "test")
    inputs = data.gather(data.parts["test"])
    for only, shown in (((), [1, 1]), (("wise",), [0, 1])):
        present = inputs[PRESENT] * np.array(shown, np.float32)
        raw = network.predict(inputs | {PRESENT: present}, verbose=0)
        seen = view(network, data, encoded, only)
        np.testing.assert_allclose(seen["redshift"], raw["redshift"][:, 0], rtol=1e-5)
        np.testing.assert_allclose(seen["gz2c"], raw["gz2c"], rtol=1e-5, atol=1e-7)


def test_weights_leave_out_unknown_truths_and_balance_the_outputs(data):
    targets, weights = data.targets("train")
    for name in DEFAULTS:
        known = data.known("train", name)
        assert not known.all() or name == "smass"
        np.testing.assert_array_equal(weights[name] > 0, known)
        assert weights[name].mean() == pytest.approx(1, rel=1e-5)
        assert np.isfinite(targets[name]).all()


def test_objects_without_a_label_teach_the_other_outputs_only():
    network = network_of(("bands", "wise"))
    model = surround_multi(network, "none", 0.3, 0)
    model.compile("sgd", {"redshift": "mae", "smass": "mae", "subclass": "categorical_crossentropy", "gz2c": "mae"})
    inputs = {name: RNG.normal(15, 1, (8, *INPUTS[name].shape)).astype(np.float32) for name in ("bands", "wise")}
    inputs[PRESENT] = np.ones((8, 2), np.float32)
    targets = {name: np.ones((8, OUTPUTS[name].size), np.float32) for name in DEFAULTS}
    weights = {name: np.full(8, float(name != "subclass"), np.float32) for name in DEFAULTS}
    before = {name: network.get_layer("fusion").get_layer(name).get_weights() for name in DEFAULTS}
    model.fit(inputs, targets, sample_weight=weights, verbose=0)
    for name, (kernel, bias) in before.items():
        after = network.get_layer("fusion").get_layer(name).get_weights()
        assert np.array_equal(after[0], kernel) is np.array_equal(after[1], bias) is (name == "subclass")


def test_training_begins_at_the_best_constants_with_a_loss_of_one_each(data):
    network = build_multi(data.shapes(), data.outputs, FUNCTIONS, "x2y")
    model = surround_multi(network, "none", 0.3, 0)
    compile_multi(model, data, OPTIONS_OF_A_RUN, steps=4, together=1, compiled=False)
    begin_at_constants(network, data)
    found = model.evaluate(data.batches("train", 64), verbose=0, return_dict=True)
    assert found["loss"] == pytest.approx(len(DEFAULTS), rel=1e-4)
    # The statistics are of the training objects that have the input: a zero in place of a magnitude is none.
    (layer,) = [layer for layer in network.get_layer("wise_encoder").layers if "normalization" in layer.name]
    seen = np.concatenate(list(data.chunks("wise")))
    assert len(seen) == data.present("train")[:, 1].sum()
    np.testing.assert_allclose(np.ravel(layer.adapt_mean)[:4], seen.mean(axis=0), rtol=1e-4)


def test_output_that_nobody_has_is_named(tmp_path):
    rows = [row | {"subclass": ""} for row in survey_rows(60)]
    folder = write_survey(tmp_path / "unlabelled", rows)
    with pytest.raises(DataError, match="expected objects with subclass and any of bands, wise in every part"):
        MultiData(("bands", "wise"), ("redshift", "subclass"), ROOT, OPTIONS_OF_A_RUN | {"ds": folder})


# === Options ===


def test_several_names_come_in_the_order_of_the_schema_and_once():
    assert convert("inputs", " wise, img,bands,wise") == "img,bands,wise"
    assert convert("outputs", "gz2c") == "gz2c"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--inputs", "bands,x"], "inputs: expected some of img, fits, spectra, ssel, bands, wise, found 'x'"),
        (["--inputs", ""], "inputs: expected some of img, fits, spectra, ssel, bands, wise, found ''"),
        (
            ["--outputs", "z"],
            "outputs: expected some of redshift, smass, subclass, gz2c, class3, morph10, votes, found 'z'",
        ),
        (["--input_dropout", "1"], "input_dropout: expected a number of at least 0 and below 1, found '1'"),
        (["--folds", "3"], "folds: x2y has no such option"),
    ],
)
def test_wrong_options_are_one_clear_line(arguments, expected):
    with pytest.raises(OptionError) as caught:
        parse_options(read_folder(ROOT / "x2y"), arguments)
    assert str(caught.value).startswith(expected)


# === Runs ===


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return f"sqlite:///{tmp_path_factory.mktemp('store')}/mlflow.db"


@pytest.fixture
def launch(repository, store, patchy, monkeypatch, tmp_path):
    """Run the folder's training as its train.py does; return exit code and MLflow run."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(store)

    def launch(**options):
        options = {"inputs": "bands,wise", "ds": patchy, "epochs": 2, "batch_size": 64} | options
        arguments = [text for key, value in options.items() for text in (f"--{key}", str(value))]
        code = train._run(repository / "x2y", FUNCTIONS, arguments)
        run, *_ = MlflowClient().search_runs(["0"], order_by=["attributes.start_time DESC"], max_results=1)
        return code, run

    yield launch
    keras.config.set_dtype_policy("float32")


def history_of(run, metric):
    return [point.value for point in MlflowClient().get_metric_history(run.info.run_id, metric)]


def test_run_is_judged_stored_and_predicts_with_an_input_missing(launch, patchy, repository, capsys):
    code, run = launch(epochs=8, learning_rate=0.01)
    assert (code, run.info.status) == (0, "FINISHED")
    metrics = run.data.metrics
    assert metrics["test_redshift_nmad"] < 0.5 * metrics["baseline_median_redshift_nmad"]
    for prefix in ("test", "test_available", "test_only_bands", "test_only_wise"):
        assert {f"{prefix}_{name}" for name in ("redshift_nmad", "smass_scatter_dex", "subclass_macro_f1")} < set(
            metrics
        )
    assert metrics["test_available_redshift_galaxies"] > metrics["test_redshift_galaxies"]
    output = capsys.readouterr().out
    for expected in ("all inputs", "only wise", "gradient boosting", "models:/x2y/", "tensorboard --logdir x2y/logs/"):
        assert expected in output
    files = {file.path for folder in ("", "plots") for file in MlflowClient().list_artifacts(run.info.run_id, folder)}
    assert {"scores.txt", "card.json", "card.md", "report.html", "plots/loss.png", "plots/gz2c_confusion.png"} < files
    scores = json.loads(mlflow.artifacts.load_text(f"{run.info.artifact_uri}/card.json"))["scores"]
    assert scores["redshift"]["only wise"]["nmad"] == metrics["test_only_wise_redshift_nmad"]

    (version,) = MlflowClient().search_model_versions(f"run_id='{run.info.run_id}'")
    address = f"models:/x2y/{version.version}"
    about = mlflow.models.get_model_info(address)
    assert about.metadata["inputs"] == ["bands", "wise"]
    assert about.metadata["outputs"] == list(DEFAULTS)
    assert about.metadata["reading"] == {"target": "log", "column": "BestFit"}
    assert [entry["name"] for entry in about.signature.inputs.to_dict()] == ["bands", "wise", PRESENT]
    assert [entry["name"] for entry in about.signature.outputs.to_dict()] == list(DEFAULTS)
    model = load_model(address)
    bands = np.array([[17.9, 16.9, 16.4, 16.1, 15.9], [18.4, 17.2, 16.5, 15.9, 15.6]], np.float32)
    missing = {"bands": bands, "wise": np.zeros((2, 4), np.float32), PRESENT: np.array([[1, 0]] * 2, np.float32)}
    predicted = model.predict(missing, verbose=0)
    garbage = model.predict(missing | {"wise": np.full((2, 4), np.nan, np.float32)}, verbose=0)
    assert {name: values.shape for name, values in predicted.items()} == {
        name: (2, OUTPUTS[name].size) for name in DEFAULTS
    }
    for name, values in predicted.items():
        np.testing.assert_array_equal(values, garbage[name])
    served = mlflow.pyfunc.load_model(address).predict(missing)
    np.testing.assert_allclose(served["redshift"], predicted["redshift"], rtol=1e-5)

    model = load("x2y")
    wise = np.array([[13.0, 13.0, 9.0, 7.0], [np.nan] * 4], np.float32)
    found = model.predict({"bands": bands, "wise": wise})
    assert list(found) == model.columns()
    assert found["inputs"].tolist() == ["bands|wise", "bands"]
    np.testing.assert_allclose(found["redshift"][1], predicted["redshift"][1, 0], rtol=1e-5)
    assert (found["redshift_low_90"] < found["redshift_high_90"]).all()
    alone = model.predict({"bands": bands})
    np.testing.assert_allclose(alone["redshift"], predicted["redshift"][:, 0], rtol=1e-5)
    nothing = model.predict({"wise": wise[1:]})
    assert nothing[["redshift", "subclass"]].isna().all(axis=None)
    assert nothing["flag"].tolist() == [int(Flag.BAD_INPUT)] == nothing["redshift_flag"].tolist()

    headless = embedder(model)
    features, _ = headless.features({"bands": Loaded(bands, np.zeros(2, np.int32))})
    assert features.shape == (2, headless.width)
    parts = np.split(features, len(model.outputs), axis=1)
    head = model.network.get_layer("fusion").get_layer("redshift")
    redshift = np.asarray(head(parts[[output.name for output in model.outputs].index("redshift")]))
    np.testing.assert_allclose(redshift, predicted["redshift"], rtol=1e-4)

    folder = model.predict(str(patchy))
    assert (folder["objid"].astype("int64") == open_catalogue(patchy).objid).all()
    used = folder["inputs"].value_counts()
    assert used.to_dict() == {"bands|wise": 210, "bands": 30, "wise": 30, "": 30}
    assert (folder.loc[folder["inputs"] == "", "flag"] & int(NO_PREDICTION)).all()
    assert not (folder.loc[folder["inputs"] != "", "flag"] & int(NO_PREDICTION)).any()
    for wrong in ({"img": bands}, {"bands": bands[:, :3]}, {"bands": bands, "wise": wise[:1]}, bands):
        with pytest.raises(OptionError, match="x2y: expected"):
            model.predict(wrong)
    card = json.loads(mlflow.artifacts.load_text(f"{run.info.artifact_uri}/card.json"))
    assert {row["level"] for row in card["coverage"]["redshift"]["as available"]} == {0.68, 0.9, 0.95}

    assert train._run(repository / "x2y", FUNCTIONS, ["evaluate", "--ds", str(patchy)]) == 0
    assert "on 50 galaxies" in capsys.readouterr().out
    judged, *_ = MlflowClient().search_runs(["0"], order_by=["attributes.start_time DESC"], max_results=1)
    assert judged.data.metrics["test_only_wise_redshift_nmad"] == pytest.approx(metrics["test_only_wise_redshift_nmad"])
    assert train._run(repository / "x2y", FUNCTIONS, ["evaluate", "--ds", str(patchy), "--part", "all"]) == 0
    assert "on 270 galaxies" in capsys.readouterr().out
    assert [(entry.name, entry.single) for entry in champions()] == [("x2y", False)]
    assert card_file("x2y", "card.md").read_text().startswith("# x2y")
    assert choose_models(["x2y"])[0][0].name == "x2y"
    with pytest.raises(ZooError, match="one2one: expected trained models"):
        choose_models(["one2one"])


def test_champion_of_other_outputs_or_equal_cost_stays(launch, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setattr(multi_session, "rivals_of", lambda data, _: {name: {} for name in data.outputs})
    for outputs in ("redshift", "redshift", "smass"):
        launch(epochs=1, inputs="bands,wise", outputs=outputs)
    first, equal, other = [line for line in capsys.readouterr().out.splitlines() if line.startswith("champion: ")]
    assert first == "champion: x2y/1 (the first of this name)"
    assert re.match(r"champion: x2y/1 stays \([0-9]+ galaxies, cost (.*) on the same .*, this one \1\); zoo", equal)
    assert "x2y/1 stays (trained with outputs=redshift; this run outputs=smass); zoo promote x2y/3" in other


def test_interrupted_run_goes_on_to_the_losses_of_a_whole_one_with_the_same_seed(launch, monkeypatch, capsys):
    options = {"epochs": 3, "inputs": "wise,bands", "outputs": "redshift"}
    monkeypatch.setattr(multi_session, "rivals_of", lambda data, _: {name: {} for name in data.outputs})
    _, whole = launch(**options)
    original = session.LogEpochs.on_epoch_end

    def interrupt(self, epoch, logs=None):
        original(self, epoch, logs)
        if epoch == 0:
            raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(session.LogEpochs, "on_epoch_end", interrupt)
        code, stopped = launch(**options)
    assert (code, stopped.info.status) == (130, "KILLED")
    text = capsys.readouterr().err
    assert f"go on with: mlflow run x2y -P resume={stopped.info.run_id} --no-conda" in text
    assert "best weights so far: models:/" in text
    code, resumed = launch(**(options | {"resume": stopped.info.run_id}))
    assert code == 0
    assert history_of(resumed, "val_loss") == history_of(whole, "val_loss")
    scores = [{key: value for key, value in run.data.metrics.items() if "_only_" in key} for run in (whole, resumed)]
    assert scores[0] == scores[1]
    assert resumed.data.params["inputs"] == "bands,wise"


def test_mistake_is_one_line_and_a_failed_run(launch, capsys):
    code, run = launch(inputs="bands,x")
    assert (code, run.info.status) == (1, "FAILED")
    assert [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")] == [
        "error: inputs: expected some of img, fits, spectra, ssel, bands, wise, found 'x'"
    ]


def test_scores_are_named_by_what_was_shown():
    rows = {
        "all inputs": {"nmad": 1},
        "as available": {"nmad": 2},
        "only img": {"nmad": 3},
        "gradient boosting": {"r2": 4},
    }
    assert Judgement({"redshift": rows}).numbers() == {
        "test_redshift_nmad": 1,
        "test_available_redshift_nmad": 2,
        "test_only_img_redshift_nmad": 3,
        "baseline_gradient_boosting_redshift_r2": 4,
    }
