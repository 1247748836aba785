"""Runs of a model with several inputs and outputs: its options, what is recorded, kept, resumed and predicted."""

import json
from dataclasses import replace

import mlflow
import numpy as np
import pytest
from conftest import ROOT, survey_rows, write_survey
from helpers.ballots import ballots, write_votes
from helpers.several import FUNCTIONS, patchy_rows
from helpers.stores import new_store
from mlflow import MlflowClient

from common import train
from common.backend import keras
from common.data.sources import Loaded
from common.models.champion import READING_TAG
from common.models.library import artifact as card_file
from common.models.library import champions
from common.models.opening import load
from common.networks.inputs import PRESENT
from common.options import convert
from common.outputs.flags import NO_PREDICTION, Flag
from common.outputs.kinds import kind_of
from common.predict.choose import choose_models
from common.predict.embed import features_of
from common.project import parse_options, read_folder
from common.training import base_networks, keeping, pool, session
from sdss_gs.dataset import open_catalogue
from sdss_gs.errors import OptionError
from sdss_gs.schema import OUTPUTS


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
        (["--architecture", "fast"], "architecture: x2y has no such option"),
    ],
)
def test_wrong_options_are_one_clear_line(arguments, expected):
    with pytest.raises(OptionError) as caught:
        parse_options(read_folder(ROOT / "x2y"), arguments)
    assert str(caught.value).startswith(expected)


# === Runs ===

OUTPUTS_LEARNT = ("redshift", "subclass")
"""A number and classes: of more of a kind each would only be learnt once more."""
MEAN_PIXEL = """
from common.backend import keras
from common.networks.layers import dense_stack, standardise
from common.train import run


def fast(img):
    return dense_stack(standardise(keras.layers.GlobalAveragePooling2D()(img)), (16,))


if __name__ == "__main__":
    run(__file__, fast)
"""
"""The folder of an image model whose network is quick."""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with a store."""
    folder = tmp_path_factory.mktemp("store")
    new_store(folder)
    return folder


@pytest.fixture(scope="module")
def patchy(tmp_path_factory):
    return write_survey(tmp_path_factory.mktemp("data") / "patchy", patchy_rows(300))


@pytest.fixture
def launch(repository, home, patchy, monkeypatch, without_light_form):
    """Run the folder's training as its train.py does; return exit code and MLflow run."""
    store = f"sqlite:///{home}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.chdir(home)
    # Base networks of the same data are the same in all tests, and so trained once.
    told = base_networks.base_options
    monkeypatch.setattr(
        base_networks, "base_options", lambda *about: replace(told(*about), epochs=2, learning_rate=0.01)
    )
    # Of so few objects a pool is chosen in fewer steps.
    monkeypatch.setattr(pool, "STEPS", 40)
    mlflow.set_tracking_uri(store)
    for name in ("i2r", "i2s", "i2v"):
        (repository / name / "train.py").write_text(MEAN_PIXEL)

    def launch(**options):
        options = {"inputs": "bands,wise", "ds": patchy, "epochs": 2, "batch_size": 64} | options
        arguments = [text for key, value in options.items() for text in (f"--{key}", str(value))]
        code = train._run(repository / "x2y", FUNCTIONS, arguments)
        return code, newest()

    yield launch
    keras.config.set_dtype_policy("float32")


LEARNT = {"outputs": ",".join(OUTPUTS_LEARNT), "epochs": 8, "learning_rate": 0.01}


@pytest.fixture(scope="module")
def done():
    """What the first test that wants a run has trained, for the others."""
    return {}


@pytest.fixture
def learnt(launch, done, capsys):
    """The run that most tests look at: exit code, run, and what was printed."""
    if "learnt" not in done:
        done["learnt"] = (*launch(**LEARNT), capsys.readouterr().out)
    return done["learnt"]


def newest():
    runs = MlflowClient().search_runs(["0"], order_by=["attributes.start_time DESC"])
    # Those of base networks are nested.
    return next(run for run in runs if "mlflow.parentRunId" not in run.data.tags)


def card_of(run):
    return json.loads(mlflow.artifacts.load_text(f"{run.info.artifact_uri}/card.json"))


def outputs_of(run):
    return {output["name"]: output for output in card_of(run)["outputs"]}


def plots_of(run):
    return {file.path.removeprefix("plots/") for file in MlflowClient().list_artifacts(run.info.run_id, "plots")}


def history_of(run, metric):
    return [point.value for point in MlflowClient().get_metric_history(run.info.run_id, metric)]


def assert_card_and_pictures_are_complete(run):
    """Each output has what the output of a model of its own has: intervals, bins, pictures of residuals and cases."""
    outputs, metrics = outputs_of(run), run.data.metrics
    assert list(outputs) == list(OUTPUTS_LEARNT)
    for name, output in outputs.items():
        assert list(output["scores"])[:4] == ["all inputs", "as available", "only bands", "only wise"]
        assert "gradient boosting" in output["baselines"]
        metric = next(iter(output["metrics"]))
        for row, scores in output["scores"].items():
            low, high = output["intervals"][row][metric]
            assert low <= scores[metric] <= high, (name, row)
        assert {level["level"] for level in output["coverage"]["as available"]} == {0.68, 0.9, 0.95}
    redshift = outputs["redshift"]
    assert redshift["scores"]["only wise"]["nmad"] == metrics["test_only_wise_redshift_nmad"]
    counts = [each["count"] for each in redshift["bins"]["true redshift"]]
    assert 0 < sum(counts) <= redshift["scores"]["as available"]["galaxies"]
    for output in outputs.values():
        (first, *_) = output["bins"]["r magnitude"]
        assert list(first["scores"]) == ["as available", "gradient boosting"]
    numbers = {"predicted_vs_true", "residuals", "pit", "distributions", "worst_cases", "best_cases"}
    classes = {"confusion", "worst_cases", "best_cases"}
    kinds = {"redshift": numbers, "subclass": classes}
    assert plots_of(run) == {"loss.png", "selection.png"} | {
        f"{name}_{kind}.png" for name, found in kinds.items() for kind in found
    }


def test_run_is_judged_with_and_without_its_inputs(learnt):
    code, run, output = learnt
    assert (code, run.info.status) == (0, "FINISHED")
    metrics = run.data.metrics
    assert metrics["test_redshift_nmad"] < 0.5 * metrics["baseline_median_redshift_nmad"]
    for prefix in ("test", "test_available", "test_only_bands", "test_only_wise"):
        assert {f"{prefix}_{name}" for name in ("redshift_nmad", "subclass_macro_f1")} < set(metrics)
    assert metrics["test_available_redshift_galaxies"] > metrics["test_redshift_galaxies"]
    for expected in ("all inputs", "only wise", "gradient boosting", "models:/x2y/", "tensorboard --logdir x2y/logs/"):
        assert expected in output
    files = {file.path for file in MlflowClient().list_artifacts(run.info.run_id)}
    assert {"scores.txt", "card.json", "card.md", "report.html", "plots"} < files
    assert_card_and_pictures_are_complete(run)


def test_stored_model_predicts_with_an_input_missing(learnt, patchy):
    _, run, _ = learnt
    (version,) = MlflowClient().search_model_versions(f"run_id='{run.info.run_id}'")
    address = f"models:/x2y/{version.version}"
    # Only a model of the same inputs and outputs may take its place.
    reading = {"inputs": "bands,wise", "outputs": LEARNT["outputs"]}
    assert reading.items() <= json.loads(version.tags[READING_TAG]).items()
    about = mlflow.models.get_model_info(address)
    assert about.metadata["inputs"] == ["bands", "wise"]
    assert about.metadata["outputs"] == list(OUTPUTS_LEARNT)
    assert about.metadata["reading"] == {"target": "log", "column": "BestFit", "split": "hash"}
    assert [entry["name"] for entry in about.signature.inputs.to_dict()] == ["bands", "wise", PRESENT]
    assert [entry["name"] for entry in about.signature.outputs.to_dict()] == list(OUTPUTS_LEARNT)
    stored = load(address, "keras")
    model, outputs = stored.network, {output.name: output for output in stored.outputs}
    bands = np.array([[17.9, 16.9, 16.4, 16.1, 15.9], [18.4, 17.2, 16.5, 15.9, 15.6]], np.float32)
    missing = {"bands": bands, "wise": np.zeros((2, 4), np.float32), PRESENT: np.array([[1, 0]] * 2, np.float32)}
    predicted = model.predict(missing, verbose=0)
    garbage = model.predict(missing | {"wise": np.full((2, 4), np.nan, np.float32)}, verbose=0)
    assert {name: values.shape for name, values in predicted.items()} == {
        name: (2, outputs[name].size) for name in OUTPUTS_LEARNT
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
    medians = kind_of(outputs["redshift"]).point(predicted["redshift"])
    np.testing.assert_allclose(found["redshift"][1], medians[1], rtol=1e-5)
    assert (found["redshift_low_90"] < found["redshift_high_90"]).all()
    alone = model.predict({"bands": bands})
    np.testing.assert_allclose(alone["redshift"], medians, rtol=1e-5)
    nothing = model.predict({"wise": wise[1:]})
    assert nothing[["redshift", "subclass"]].isna().all(axis=None)
    assert nothing["flag"].tolist() == [int(Flag.MISSING)] == nothing["redshift_flag"].tolist()
    for wrong in ({"img": bands}, {"bands": bands[:, :3]}, {"bands": bands, "wise": wise[:1]}, bands):
        with pytest.raises(OptionError, match="x2y: expected"):
            model.predict(wrong)

    features, _ = features_of(model, {"bands": Loaded(bands, np.zeros(2, np.int32))})
    assert features.shape == (2, model.runtime.features_width)
    fusion = stored.network.get_layer("fusion")
    joint = keras.Model(fusion.input, fusion.get_layer("redshift").output)
    parts = np.split(features, len(model.outputs), axis=1)
    redshift = fusion.get_layer("redshift")(parts[list(outputs).index("redshift")])
    seen = {name: np.asarray(stored.network.get_layer(f"{name}_encoder")(missing[name])) for name in ("bands", "wise")}
    np.testing.assert_allclose(
        redshift, joint.predict(seen | {PRESENT: missing[PRESENT]}, verbose=0), rtol=1e-4, atol=1e-7
    )


def test_every_object_of_a_folder_is_predicted_by_what_it_has(learnt, patchy):
    found = load("x2y").predict(str(patchy))
    assert (found["objid"].astype("int64") == open_catalogue(patchy).objid).all()
    used = found["inputs"].value_counts()
    assert used.to_dict() == {"bands|wise": 210, "bands": 30, "wise": 30, "": 30}
    assert (found.loc[found["inputs"] == "", "flag"] & int(NO_PREDICTION)).all()
    assert not (found.loc[found["inputs"] != "", "flag"] & int(NO_PREDICTION)).any()


def test_evaluation_finds_the_scores_again(learnt, patchy, repository, capsys):
    _, run, _ = learnt
    assert train._run(repository / "x2y", FUNCTIONS, ["evaluate", "--ds", str(patchy)]) == 0
    assert "on 47 galaxies" in capsys.readouterr().out
    metrics = (one.data.metrics["test_only_wise_redshift_nmad"] for one in (newest(), run))
    assert next(metrics) == pytest.approx(next(metrics))
    assert train._run(repository / "x2y", FUNCTIONS, ["evaluate", "--ds", str(patchy), "--part", "all"]) == 0
    assert "on 261 galaxies" in capsys.readouterr().out


def test_champion_is_known_by_what_it_costs(learnt):
    _, run, _ = learnt
    (champion,) = champions()
    assert (champion.name, set(champion.validation)) == ("x2y", {n for n in run.data.tags["zoo.headline"].split(",")})
    assert card_file("x2y", "card.md").read_text().startswith("# x2y")
    assert choose_models(["x2y"])[0][0].name == "x2y"
    (model,), together = choose_models(["best"])
    assert (model.name, together.way, list(together.costs["x2y"])) == ("x2y", "best", list(OUTPUTS_LEARNT))
    # Of too few validation galaxies nothing is known.
    assert set(model.costs) <= {"bands", "wise", "bands|wise"}


def test_interrupted_run_goes_on_to_the_losses_of_a_whole_one_with_the_same_seed(launch, monkeypatch, capsys):
    options = {"epochs": 3, "inputs": "wise,bands", "outputs": "redshift"}
    monkeypatch.setattr(keeping, "predict_baselines", lambda *_: {})
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
    code, resumed = launch(**options, resume=stopped.info.run_id)
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


# === What models of one output have, these have too ===


@pytest.fixture(scope="module")
def pictured(tmp_path_factory):
    """Images and magnitudes, of which some are missing, with votes and a column of the user's own."""
    rows = survey_rows(120)
    for row in rows[::7]:
        row["modelMag_u"] = "-9999"
    folder = write_survey(tmp_path_factory.mktemp("data") / "pictured", rows, ("img",))
    for row in rows[1::11]:
        (folder / "img" / f"{row['objid']}.jpg").unlink()
    header, *lines = (folder / "data.csv").read_text().splitlines()
    shapes = ("far" if number % 3 else "near" for number in range(len(rows)))
    lines = [f"{line},{shape}" for line, shape in zip(lines, shapes, strict=True)]
    (folder / "data.csv").write_text("\n".join([f"{header},shape", *lines]) + "\n")
    write_votes(folder, [row["objid"] for row in rows], ballots(len(rows)))
    return folder


def test_folds_give_nested_runs_and_the_spread_of_each_score(launch, patchy, capsys):
    before = {run.info.run_id for run in MlflowClient().search_runs(["0"])}
    code, _ = launch(outputs="redshift", epochs=1, folds=3)
    assert code == 0
    found = [run for run in MlflowClient().search_runs(["0"]) if run.info.run_id not in before]
    (parent,) = [run for run in found if "mlflow.parentRunId" not in run.data.tags]
    children = [run for run in found if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    # Base networks must not know the objects that a fold tests: each fold has its own.
    assert sum("zoo.base" in run.data.tags for run in found) == 3 * 2
    for name in ("nmad", "available_nmad", "only_wise_nmad"):
        values = [child.data.metrics[f"test_{name}"] for child in children]
        assert parent.data.metrics[f"folds_mean_{name}"] == pytest.approx(np.mean(values))
        assert parent.data.metrics[f"folds_std_{name}"] == pytest.approx(np.std(values, ddof=1))
    used = [n for n in range(300) if n % 10 != 3 and n % 7 != 0]
    assert sum(int(child.data.tags["zoo.test_objects"]) for child in children) == len(used) == 231
    assert not [run for run in found if MlflowClient().search_model_versions(f"run_id='{run.info.run_id}'")]
    assert "mean ± standard deviation over 3 folds" in capsys.readouterr().out


@pytest.fixture
def seen(launch, pictured, done):
    """A run of images and magnitudes with a number, own classes whose rare ones weigh more, and votes."""
    outputs = {"outputs": "redshift,subclass,votes", "target": "shape"}
    if "seen" not in done:
        options = {"ds": pictured, "inputs": "img,bands", "loss": "dirichlet", "class_weights": "balanced", "epochs": 1}
        done["seen"] = launch(**options | outputs)
    return done["seen"]


def test_own_column_and_weights_of_rare_classes(seen, launch, pictured, capsys):
    code, run = seen
    assert code == 0
    output = outputs_of(run)["shape"]
    assert (output["classes"], output["scores"]["as available"]["galaxies"] > 0) == (["far", "near"], True)
    (version,) = MlflowClient().search_model_versions(f"run_id='{run.info.run_id}'")
    assert version.name == "x2y-shape"
    found = load("x2y-shape").predict(str(pictured))
    assert {"redshift", "shape", "shape_far", "shape_near", "shape_flag"} < set(found.columns)
    capsys.readouterr()
    code, _ = launch(ds=pictured, outputs="subclass,gz2c", target="shape")
    assert code == 1
    assert "error: target: expected one output of classes with a column of your own" in capsys.readouterr().err


def test_images_and_votes_beside_numbers_and_classes(seen, pictured):
    code, run = seen
    assert code == 0
    # Where the network looks is shown for each output.
    looked_at = {"redshift_influence.png", "shape_influence.png", "redshift_worst_cases.png"}
    assert looked_at | {"votes_answers.png", "redshift_residuals.png"} < plots_of(run)
    votes = outputs_of(run)["votes"]
    assert votes["task"] == "votes"
    assert "rmse37" in votes["intervals"]["all inputs"]
    found = load("x2y-shape").predict(str(pictured))
    shares = found[[f"votes_{column}" for column in OUTPUTS["votes"].answers]]
    assert ((shares.dropna() >= 0) & (shares.dropna() <= 1)).all(axis=None)
