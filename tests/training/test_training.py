"""Training runs in this process, with a real store: what is recorded, kept, repeated, resumed and refused."""

import contextlib
import io
from itertools import combinations
from pathlib import Path

import mlflow
import numpy as np
import pandas as pd
import pytest
from conftest import ROOT, survey_rows, write_image, write_survey
from helpers.folders import architectures_of
from helpers.stores import new_store
from mlflow import MlflowClient
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from common import train
from common.backend import keras
from common.data import measure
from common.judge import judge
from common.models.opening import load
from common.models.running import serving_inputs
from common.options import TrainingOptions
from common.outputs.kinds import kind_of
from common.training import keeping, one_program, session
from common.training.compile import optimizer_of
from common.training.from_python import functions_of
from common.training.state import load_state
from sdss_gs import __version__
from sdss_gs.schema import INPUTS, OUTPUTS
from sdss_gs.split import split

PLAIN = {"epochs": 15, "learning_rate": 0.01, "batch_size": 16, "schedule": "constant"}
"""Options of the run that most tests look at, whose best epoch is not its last."""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A folder with a store."""
    folder = tmp_path_factory.mktemp("store")
    new_store(folder)
    return folder


@pytest.fixture(scope="module")
def magnitudes(tmp_path_factory):
    return write_survey(tmp_path_factory.mktemp("data") / "magnitudes", survey_rows(500))


@pytest.fixture
def launch(repository, home, monkeypatch, without_light_form):
    """Run a model folder's training as its train.py does; return exit code and MLflow run."""
    store = f"sqlite:///{home}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    monkeypatch.chdir(home)
    mlflow.set_tracking_uri(store)

    def launch(name, architectures=None, root=repository, **options):
        arguments = [text for key, value in options.items() for text in (f"--{key}", str(value))]
        before = {run.info.run_id for run in MlflowClient().search_runs(["0"])} if store_exists() else set()
        code = train._run(root / name, architectures or architectures_of(name), arguments)
        (run,) = [run for run in MlflowClient().search_runs(["0"]) if run.info.run_id not in before]
        return code, run

    def store_exists():
        return bool(MlflowClient().search_experiments())

    yield launch
    keras.config.set_dtype_policy("float32")


@pytest.fixture(scope="module")
def done():
    """What the first test that wants a run has trained, for the others."""
    return {}


@pytest.fixture
def plain(launch, magnitudes, done):
    """A b2r of these magnitudes: exit code, run, and what was printed."""
    if not done:
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            code, run = launch("b2r", ds=magnitudes, **PLAIN)
        done["plain"] = code, run, printed.getvalue()
    return done["plain"]


def history_of(run, metric):
    return [point.value for point in MlflowClient().get_metric_history(run.info.run_id, metric)]


def files_of(run, folder=""):
    return {file.path for file in MlflowClient().list_artifacts(run.info.run_id, folder)}


def opened(run):
    (version,) = MlflowClient().search_model_versions(f"run_id='{run.info.run_id}'")
    return load(f"models:/{version.name}/{version.version}", "keras")


def model_of(run):
    return opened(run).network


def predicted_by(model, item, values, **options):
    return model.predict(serving_inputs(INPUTS[item], values), verbose=0, **options)


def logs_of(run, part):
    events = EventAccumulator(f"{run.data.tags['zoo.logs']}/{part}", {"tensors": 0, "images": 0}).Reload()
    return events.Tags()["tensors"]


def test_run_is_learnt_recorded_drawn_and_registered(plain):
    code, run, output = plain
    assert (code, run.info.status) == (0, "FINISHED")
    metrics = run.data.metrics
    assert metrics["test_nmad"] < 0.25 * metrics["baseline_mean_nmad"]
    assert {"test_bias", "test_outlier_fraction_05", "baseline_median_mse", "baseline_gradient_boosting_nmad"} < set(
        metrics
    )
    assert len(history_of(run, "val_loss")) == len(history_of(run, "loss")) == 15
    assert run.data.params["learning_rate"] == "0.01"
    tags = run.data.tags
    assert tags["zoo.version"] == __version__
    assert tags["zoo.code"].startswith(__version__)
    assert f"numpy=={np.__version__}\n" in mlflow.artifacts.load_text(f"{run.info.artifact_uri}/packages.txt")
    assert tags["zoo.model"] == "b2r"
    assert run.info.run_name.startswith("b2r-")
    (used,) = run.inputs.dataset_inputs
    assert used.dataset.name == "magnitudes"
    assert len(used.dataset.digest) == 16
    assert int(tags["zoo.network_parameters"]) == model_of(run).count_params()
    assert sum(int(tags[f"zoo.{part}_objects"]) for part in ("train", "validation", "test")) == 500
    drawn = ("loss", "selection", "predicted_vs_true", "residuals", "pit", "distributions", "worst_cases", "best_cases")
    assert files_of(run, "plots") == {f"plots/{name}.png" for name in drawn}
    assert {"report.html", "card.md", "card.json", "scores.txt"} < files_of(run)
    for expected in ("gradient boosting", "mlflow ui", "tensorboard --logdir b2r/logs/", "models:/b2r/", "float32"):
        assert expected in output
    assert {"epoch/loss", "epoch/learning_rate"} <= set(logs_of(run, "train"))
    assert "epoch/loss" in logs_of(run, "validation")
    assert set(drawn) <= set(logs_of(run, "plots"))


def test_stored_model_is_the_best_epoch_and_predicts_alone_as_in_any_batch(plain):
    _, run, _ = plain
    model = model_of(run)
    rows = survey_rows(500)
    bands = np.array([[float(row[f"modelMag_{band}"]) for band in "ugriz"] for row in rows], np.float32)
    truth = np.array([float(row["redshift"]) for row in rows])
    parts = split(np.array([int(row["objid"]) for row in rows]))
    validation = parts["validation"]
    colours = [bands[:, first] - bands[:, second] for first, second in combinations(range(5), 2)]
    seen = np.hstack([bands, np.transpose(colours)])[parts["train"]]
    # The statistics inside the model are those of the training objects alone.
    (normalisation,) = [
        layer for layer in model.get_layer("b2r").layers if isinstance(layer, keras.layers.Normalization)
    ]
    np.testing.assert_allclose(np.ravel(normalisation.adapt_mean), seen.mean(axis=0), rtol=1e-4)
    np.testing.assert_allclose(np.ravel(normalisation.adapt_variance), seen.var(axis=0), rtol=1e-3)
    loss = kind_of(opened(run).outputs[0]).loss("")
    shares = predicted_by(model, "bands", bands[validation])
    assert np.mean(loss(truth[validation, None].astype(np.float32), shares)) == pytest.approx(
        min(history_of(run, "val_loss")), rel=1e-4
    )
    together = predicted_by(model, "bands", bands)
    order = np.random.default_rng(0).permutation(500)
    shuffled = predicted_by(model, "bands", bands[order], batch_size=7)
    np.testing.assert_allclose(shuffled, together[order], rtol=2e-5, atol=1e-7)
    alone = np.concatenate([predicted_by(model, "bands", bands[k : k + 1]) for k in range(5)])
    np.testing.assert_allclose(alone, together[:5], rtol=2e-5, atol=1e-7)


def test_weighted_classes_also_decide_which_epoch_is_kept(launch, tmp_path):
    rows = survey_rows(500)
    for number, row in enumerate(rows):
        # Rare ones hide among the others: what tells them best is not what pleases the majority.
        row["subclass"] = "AGN" if number % 9 == 0 else "STARFORMING"
    folder = write_survey(tmp_path / "unequal", rows)
    _, run = launch("b2s", ds=folder, epochs=8, learning_rate=0.05, schedule="constant", class_weights="balanced")
    parts = split(np.array([int(row["objid"]) for row in rows]))
    bands = np.array([[float(row[f"modelMag_{band}"]) for band in "ugriz"] for row in rows], np.float32)
    label = np.array([OUTPUTS["subclass"].classes.index(row["subclass"]) for row in rows])
    predicted = predicted_by(model_of(run), "bands", bands[parts["validation"]])
    truth, learnt = label[parts["validation"]], label[parts["train"]]
    loss = -np.log(predicted[np.arange(len(truth)), truth])
    weighted = (loss * len(learnt) / 2 / np.bincount(learnt)[truth]).mean()
    assert weighted == pytest.approx(min(history_of(run, "val_loss")), rel=1e-4)
    assert weighted != pytest.approx(loss.mean(), rel=1e-2)


def test_stored_model_has_a_signature_and_no_pickle(plain):
    _, run, _ = plain
    (version,) = MlflowClient().search_model_versions(f"run_id='{run.info.run_id}'")
    loaded = mlflow.pyfunc.load_model(f"models:/b2r/{version.version}")
    columns = loaded.metadata.signature.inputs.to_dict()
    assert [column["name"] for column in columns] == list(INPUTS["bands"].columns)
    assert {(column["tensor-spec"]["dtype"], column["tensor-spec"]["shape"]) for column in columns} == {
        ("float32", (-1,))
    }
    table = pd.DataFrame({column: [17.0, 18.0] for column in INPUTS["bands"].columns})
    assert loaded.predict(table).shape == (2, opened(run).outputs[0].size)
    folder = mlflow.artifacts.download_artifacts(f"models:/b2r/{version.version}")
    names = {path.name for path in Path(folder).rglob("*")}
    assert "input_example.json" in names
    assert not [name for name in names if "pickle" in name or name.endswith(".pkl")]


def on_test_objects(run):
    return {key: value for key, value in run.data.metrics.items() if key.startswith("test_")}


def test_another_seed_gives_other_scores(plain, launch, magnitudes):
    _, run, _ = plain
    assert on_test_objects(run) != on_test_objects(launch("b2r", ds=magnitudes, **PLAIN, seed=5)[1])


def interrupt_after(epochs, monkeypatch):
    """Interrupt every training after so many epochs."""
    original = session.LogEpochs.on_epoch_end

    def interrupt(self, epoch, logs=None):
        original(self, epoch, logs)
        if epoch + 1 == epochs:
            raise KeyboardInterrupt

    monkeypatch.setattr(session.LogEpochs, "on_epoch_end", interrupt)


@pytest.mark.parametrize("pays", [1, one_program.PAYS])
def test_interrupted_run_goes_on_to_the_same_weights(plain, launch, magnitudes, monkeypatch, capsys, pays):
    """In programs of many steps, and step by step: as from the start with the same seed."""
    options, whole = {"ds": magnitudes, **PLAIN}, plain[1]
    if pays == 1:
        monkeypatch.setattr(one_program, "PAYS", pays)
        options |= {"epochs": 6, "architecture": "reference"}
        _, whole = launch("b2r", **options)
    capsys.readouterr()
    with monkeypatch.context() as patch:
        interrupt_after(3, patch)
        code, stopped = launch("b2r", **options)
    assert (code, stopped.info.status) == (130, "KILLED")
    assert f"mlflow run b2r -P resume={stopped.info.run_id} --no-conda" in capsys.readouterr().err
    progress, arrays = load_state(Path(stopped.data.tags["zoo.logs"]) / "state.npz")
    assert progress.epoch == 3
    assert all(array.dtype.kind in "fiu" for array in arrays.values()), "a state holds numbers only"
    # Its best weights are kept as a model.
    (logged,) = MlflowClient().search_logged_models(["0"], filter_string=f"source_run_id='{stopped.info.run_id}'")
    parameters = int(stopped.data.tags["zoo.network_parameters"])
    assert load(logged.model_uri, "keras").network.count_params() == parameters
    assert not MlflowClient().search_model_versions(f"run_id='{stopped.info.run_id}'")
    # `mlflow run` records the defaults of MLproject before the child knows that it resumes.
    started = MlflowClient().create_run("0").info.run_id
    MlflowClient().log_param(started, "epochs", "60")
    monkeypatch.setenv("MLFLOW_RUN_ID", started)
    folder = Path(stopped.data.tags["zoo.logs"]).parent.parent
    code = train._run(folder, architectures_of("b2r"), ["--resume", stopped.info.run_id])
    resumed = MlflowClient().get_run(started)
    assert (code, resumed.info.status) == (0, "FINISHED")
    assert resumed.data.params["resumed_epochs"] == str(options["epochs"])
    assert resumed.data.params["batch_size"] == "16"
    assert "resumed_batch_size" not in resumed.data.params
    assert history_of(resumed, "val_loss") == history_of(whole, "val_loss")
    assert on_test_objects(resumed) == on_test_objects(whole)
    for first, second in zip(model_of(whole).get_weights(), model_of(resumed).get_weights(), strict=True):
        np.testing.assert_array_equal(first, second)


def test_resume_of_something_else_is_refused(plain, launch, magnitudes, tmp_path, capsys):
    _, first, _ = plain
    other = write_survey(tmp_path / "other", survey_rows(90, seed=1))
    for change, expected in [
        ({"resume": "0" * 32}, "resume: expected the id of a run in this store"),
        ({"epochs": 9}, "resume: the run goes on with epochs=15, found epochs=9"),
        ({"seed": 3}, "resume: the run goes on with seed=0, found seed=3"),
        ({"ds": other}, "expected the data the run began with"),
    ]:
        code, run = launch("b2r", **({"ds": magnitudes, "resume": first.info.run_id} | change))
        assert (code, run.info.status) == (1, "FAILED")
        assert expected in run.data.tags["zoo.failure"]
        assert expected in capsys.readouterr().err


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"ds": "nowhere"}, "ds=nowhere: expected a folder with data.csv"),
        ({"optimizer": "adamm"}, "optimizer: expected one of rmsprop, adam, adamw, sgd, found 'adamm'"),
        ({"epochs": "x"}, "epochs: expected a whole number"),
        ({"limit": 3}, "in every part of the split, found"),
        ({"learning_rate": "1e30", "schedule": "constant"}, "expected a finite validation loss"),
    ],
)
def test_failed_run_is_marked_with_its_reason_in_one_line(launch, magnitudes, options, expected, capsys):
    code, run = launch("b2r", **({"ds": magnitudes, "epochs": 1} | options))
    assert (code, run.info.status) == (1, "FAILED")
    assert expected in run.data.tags["zoo.failure"]
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert expected in errors[0]


def test_fault_of_the_program_marks_the_run_failed_too(launch, magnitudes, monkeypatch):
    monkeypatch.setattr(keeping, "predict_baselines", lambda *_: 1 / 0)
    code, run = launch("b2r", ds=magnitudes, epochs=1)
    assert (code, run.info.status) == (1, "FAILED")
    assert run.data.tags["zoo.failure"] == "ZeroDivisionError: division by zero"


def test_limit_and_dirty_rows_are_counted(launch, tmp_path, capsys):
    rows = survey_rows(300)
    rows[0]["modelMag_u"], rows[1]["redshift"], rows[2]["modelMag_z"] = "-9999", "", "junk"
    folder = write_survey(tmp_path / "dirty", rows)
    _, run = launch("b2r", ds=folder, epochs=1, limit=100)
    assert sum(int(run.data.tags[f"zoo.{part}_objects"]) for part in ("train", "validation", "test")) == 100
    output = capsys.readouterr().out
    assert "300 objects; 0 without bands, 1 without redshift; 100 used" in output
    assert "modelMag_u: missing 1 (sentinel -9999)" in output
    assert "1 wrong values or files" in output
    few = f"redshift: {run.data.tags['zoo.validation_objects']} validation galaxies are too few for intervals of 90 %"
    assert f"warning: {few}" in output
    assert few in mlflow.artifacts.load_text(f"{run.info.artifact_uri}/card.md")


def test_patience_stops_a_run_that_no_longer_improves(launch, magnitudes):
    steep = {"optimizer": "sgd", "schedule": "constant", "learning_rate": 0.3, "architecture": "reference"}
    _, run = launch("b2r", ds=magnitudes, epochs=40, patience=2, **steep)
    losses = history_of(run, "val_loss")
    assert len(losses) < 40
    assert int(np.argmin(losses)) == len(losses) - 3


@pytest.mark.parametrize("optimizer", ["rmsprop", "adam", "adamw", "sgd"])
@pytest.mark.parametrize("schedule", ["constant", "cosine", "step"])
def test_optimizer_and_schedule_are_those_asked_for(optimizer, schedule):
    options = TrainingOptions(optimizer=optimizer, schedule=schedule, learning_rate=0.5, epochs=20)
    made = optimizer_of(options, steps=10)
    assert type(made).__name__.lower() == optimizer
    made.iterations.assign(150)
    expected = {"constant": 0.5, "cosine": 0.25 * (1 + np.cos(np.pi * 0.75)), "step": 0.25}[schedule]
    assert float(np.asarray(made.learning_rate)) == pytest.approx(expected, rel=1e-4)


def test_function_of_the_folder_is_chosen_by_its_name(launch, tmp_path, capsys):
    folder = write_survey(tmp_path / "survey", survey_rows(60))
    networks = architectures_of("b2r") | {"deep": lambda bands: keras.layers.Dense(7)(bands)}
    code, run = launch("b2r", networks, ds=folder, epochs=1, architecture="deep")
    assert code == 0
    assert (5, 7) in {weights.shape for weights in model_of(run).weights}
    code, _ = launch("b2r", networks, ds=folder, epochs=1, architecture="deeper")
    assert code == 1
    assert "architecture: expected one of reference, fast, deep, found 'deeper'" in capsys.readouterr().err


def test_wide_network_answers_rows_with_gaps_by_a_distribution(launch, tmp_path):
    folder = write_survey(tmp_path / "survey", survey_rows(60))
    code, run = launch("b2r", functions_of(ROOT / "b2r"), ds=folder, epochs=1, architecture="wide")
    assert code == 0
    model = opened(run)
    assert model.inputs[0].gaps
    assert model.outputs[0].grid
    assert (256, 256) in {weights.shape for weights in model.network.weights}


def patches(img):
    """Turn coarse patches of an image into features: enough here, and quick."""
    seen = keras.layers.Conv2D(4, 15, strides=15, activation="relu")(img)
    return keras.layers.Dense(8, activation="relu")(keras.layers.Flatten()(seen))


def test_image_model_takes_smaller_images_and_stores_float32(launch, tmp_path, capsys, repository, monkeypatch):
    rows = survey_rows(60)
    folder = write_survey(tmp_path / "images", rows, ("img",))
    for path in (folder / "img").iterdir():
        write_image(path, 100, size=(120, 120))
    bad = folder / "img" / f"{rows[0]['objid']}.jpg"
    bad.write_bytes(bad.read_bytes()[:-20])
    measured, image_features = [], measure.image_features
    monkeypatch.setattr(measure, "image_features", lambda seen: measured.append(len(seen)) or image_features(seen))
    monkeypatch.setattr(judge, "simple_features", lambda _: pytest.fail("what only votes are compared with"))
    code, run = launch("i2r", {"patches": patches}, ds=folder, epochs=1, precision="bfloat16")
    assert code == 0
    # Measuring an image takes milliseconds: each object once for what it is compared with, once for its novelty.
    assert sum(measured) <= 2 * sum(
        int(run.data.tags[f"zoo.{part}_objects"]) for part in ("train", "validation", "test")
    )
    output = capsys.readouterr().out
    assert "60 objects; 1 without img" in output
    assert "120x120 pixels, cropped or edge-padded" in output
    assert "bfloat16" in output
    model = model_of(run)
    assert {layer.compute_dtype for layer in model.layers} == {"float32"}
    images = np.random.default_rng(0).integers(0, 255, (9, 150, 150, 3), np.uint8)
    together = model.predict({"img": images}, verbose=0)
    alone = np.concatenate([model.predict({"img": images[k : k + 1]}, verbose=0) for k in range(9)])
    np.testing.assert_allclose(alone, together, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(model.predict({"img": images[::-1]}, verbose=0)[::-1], together, rtol=1e-5, atol=1e-6)
    assert run.data.metrics["test_mse"] < 0.1
    assert "plots/influence.png" in files_of(run, "plots")
    assert train._run(repository / "i2r", {}, ["evaluate", "--ds", str(folder), "--tta", "yes"]) == 0
    (judged,) = MlflowClient().search_runs(["0"], order_by=["attributes.start_time DESC"], max_results=1)
    assert judged.data.metrics["test_mse"] == pytest.approx(run.data.metrics["test_mse"], rel=0.5)
    assert "'tta': 'yes'" in str(mlflow.artifacts.load_dict(f"{judged.info.artifact_uri}/card.json")["options"])


def test_new_model_takes_one_folder_with_two_short_files(launch, tmp_path, magnitudes):
    """A class output from WISE: nothing but the folder is new."""
    folder = tmp_path / "w2s"
    folder.mkdir()
    project = (ROOT / "w2r" / "MLproject").read_text().replace("w2r", "w2s")
    project = project.replace("loss: {type: str, default: mae}", "label_smoothing: {type: float, default: 0.1}")
    project = project.replace("--loss {loss}", "--label_smoothing {label_smoothing}")
    (folder / "MLproject").write_text(project)
    code, run = launch("w2s", architectures_of("w2r"), root=tmp_path, ds=magnitudes, epochs=8, learning_rate=0.01)
    assert code == 0
    assert run.data.metrics["test_accuracy"] > run.data.metrics["baseline_majority_accuracy"] + 0.1
    assert "plots/confusion.png" in files_of(run, "plots")
    assert model_of(run).output_shape == (None, 4)


def test_cross_validation_gives_nested_runs_and_their_spread(launch, repository, magnitudes, capsys, monkeypatch):
    monkeypatch.setattr(one_program, "PAYS", 1)
    before = {run.info.run_id for run in MlflowClient().search_runs(["0"])}
    versions = len(MlflowClient().search_model_versions("name='b2r'"))
    arguments = ["--ds", str(magnitudes), "--epochs", "2", "--folds", "3", "--architecture", "reference"]
    assert train._run(repository / "b2r", architectures_of("b2r"), arguments) == 0
    found = [run for run in MlflowClient().search_runs(["0"]) if run.info.run_id not in before]
    children = [run for run in found if "mlflow.parentRunId" in run.data.tags]
    (parent,) = [run for run in found if "mlflow.parentRunId" not in run.data.tags]
    assert [child.info.status for child in children] == ["FINISHED"] * 3
    nmad = [child.data.metrics["test_nmad"] for child in children]
    assert parent.data.metrics["folds_mean_nmad"] == pytest.approx(np.mean(nmad))
    assert parent.data.metrics["folds_std_nmad"] == pytest.approx(np.std(nmad, ddof=1))
    assert sum(int(child.data.tags["zoo.test_objects"]) for child in children) == 500
    assert len(MlflowClient().search_model_versions("name='b2r'")) == versions
    output = capsys.readouterr().out
    assert "3 networks as one" in output
    assert "mean ± standard deviation over 3 folds" in output
    arguments = ["--ds", str(magnitudes), "--resume", children[0].info.run_id]
    assert train._run(repository / "b2r", architectures_of("b2r"), arguments) == 1
    assert "resume: expected a run of its own, found a fold" in capsys.readouterr().err


def test_disk_that_is_full_ends_a_run_in_one_line_and_the_next_one_trains(
    plain, launch, repository, home, magnitudes, full_disk, capfd
):
    capfd.readouterr()
    full_disk((home / "mlflow.db").stat().st_size)
    code = train._run(repository / "b2r", architectures_of("b2r"), ["--ds", str(magnitudes), "--epochs", "30"])
    full_disk(0)
    assert code == 1
    said = capfd.readouterr().err
    (line,) = [text for text in said.splitlines() if text.startswith("error: ")]
    assert "store: expected a data base that MLflow can use" in line
    assert "Traceback" not in said
    mlflow.end_run("FAILED")
    assert launch("b2r", ds=magnitudes, epochs=1)[0] == 0
