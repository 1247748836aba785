"""Which version is used where none is named, and what it takes to become it."""

import re
import shutil
from pathlib import Path

import mlflow
import pytest
from conftest import survey_rows, write_survey
from helpers.folders import architectures_of
from helpers.light import leave_out
from helpers.stores import new_store
from helpers.trained import untried
from mlflow import MlflowClient

from common import train
from common.backend import keras
from common.cli.command import main
from common.models.champion import FINGERPRINT_TAG, SCORE_TAG, Training, promote, promote_champion, promote_first
from common.models.library import champions
from common.models.serving import serving_network
from common.models.store import log_model
from sdss_gs.errors import ZooError
from sdss_gs.schema import INPUTS, OUTPUTS

LEARNT = {"epochs": 8, "learning_rate": 0.01}
BEST_FIT = {"target": "log", "column": "BestFit"}


# === By hand: a rule per line ===


@pytest.fixture(scope="module")
def uri(tmp_path_factory):
    return new_store(tmp_path_factory.mktemp("store"))


@pytest.fixture(scope="module")
def stored(uri):
    """Log a model by which every version of these tests is made: what it predicts is of no interest."""
    mlflow.set_tracking_uri(uri)
    inputs = keras.Input((5,), name="bands")
    network = keras.Model({"bands": inputs}, keras.layers.Dense(1, name="redshift")(inputs), name="b2r")
    model = untried(serving_network(network, [INPUTS["bands"]]), [INPUTS["bands"]], [OUTPUTS["redshift"]])
    with mlflow.start_run():
        return log_model(model, model.example(), facts={"reading": BEST_FIT}, register=False)


@pytest.fixture
def keep(stored, uri, request):
    """Register versions of a model that belongs to one test; say of each what it was trained on, and what it costs."""
    mlflow.set_tracking_uri(uri)
    name = f"b2r-{re.sub('[^a-z0-9]', '-', request.node.name)[:100]}"
    costs = {}

    def register(cost=0.05):
        address = f"models:/{name}/{mlflow.register_model(stored, name).version}"
        costs[address] = cost
        return address

    def keep(cost=0.05, **other):
        fields = {"fingerprint": "one", "objects": 20_934, "data": "colors", "limit": 0, "reading": BEST_FIT}
        training = Training(**fields | {"metric": "nmad", "cost": cost} | other)
        return promote_champion(register(cost), training, costs.__getitem__).replace(name, "b2r")

    keep.name, keep.register = name, register
    return keep


def champion_of(name):
    return str(MlflowClient().get_model_version_by_alias(name, "champion").version)


def test_first_version_becomes_the_champion_and_says_so(keep):
    assert keep() == "champion: b2r/1 (the first of this name)"
    assert champion_of(keep.name) == "1"


def test_better_on_the_same_data_replaces_and_says_what(keep):
    keep(0.0167)
    assert keep(0.015) == (
        "champion: b2r/2 replaces b2r/1 (20,934 galaxies, nmad 0.0167 on the same validation objects, this one "
        "0.0150); zoo promote b2r/1 goes back"
    )
    assert champion_of(keep.name) == "2"


@pytest.mark.parametrize("cost", [0.0167, 0.0202])
def test_equal_or_worse_on_the_same_data_stays(keep, cost):
    keep(0.0167)
    assert keep(cost) == (
        f"champion: b2r/1 stays (20,934 galaxies, nmad 0.0167 on the same validation objects, this one {cost:.4f}); "
        "zoo promote b2r/2 makes this one the champion"
    )
    assert champion_of(keep.name) == "1"


def test_more_is_better_where_it_is(keep):
    keep(-0.8, metric="macro_f1")
    assert "b2r/1 stays" in keep(-0.7, metric="macro_f1")
    assert "replaces b2r/1 (20,934 galaxies, macro_f1 0.8000" in keep(-0.9, metric="macro_f1")


@pytest.mark.parametrize(
    ("other", "reason"),
    [
        (
            {"fingerprint": "two", "objects": 3000, "limit": 3000},
            "trained on other data: 20,934 galaxies of colors; this run 3,000, limit 3,000",
        ),
        (
            {"fingerprint": "two", "objects": 60, "data": "mine"},
            "trained on other data: 20,934 galaxies of colors; this run 60 of mine",
        ),
        ({"fingerprint": "two"}, "trained on other data: 20,934 galaxies of colors; this run 20,934 of other content"),
        ({"reading": BEST_FIT | {"column": "Flux"}}, "trained with column=BestFit; this run column=Flux"),
        ({"reading": BEST_FIT | {"outputs": "smass"}}, "trained with outputs=; this run outputs=smass"),
        ({"reading": BEST_FIT | {"target": "linear"}}, "trained with target=log; this run target=linear"),
        ({"reading": {"target": "log"}}, "trained with column=BestFit; this run column="),
    ],
)
def test_what_learnt_something_else_does_not_replace_however_good_it_looks(keep, other, reason):
    keep(0.05)
    assert keep(0.001, **other) == (f"champion: b2r/1 stays ({reason}); zoo promote b2r/2 makes this one the champion")
    assert champion_of(keep.name) == "1"


def test_version_of_an_older_zoo_is_judged_by_the_data_it_saw(keep):
    client = MlflowClient()
    keep.register(0.05)
    client.set_model_version_tag(keep.name, "1", FINGERPRINT_TAG, "one")
    client.set_model_version_tag(keep.name, "1", SCORE_TAG, "0.05")
    client.set_registered_model_alias(keep.name, "champion", "1")
    said = keep(0.01, fingerprint="two")
    assert "b2r/1 stays (trained on other data: those of an older zoo; this run 20,934 of colors)" in said
    assert "trained with column=BestFit; this run column=Flux" in keep(0.01, reading=BEST_FIT | {"column": "Flux"})
    assert "b2r/1 stays (20,934 galaxies, nmad 0.0500" in keep(0.05)
    assert "replaces b2r/1 (20,934 galaxies, nmad 0.0500" in keep(0.04)
    assert champion_of(keep.name) == "5"


def test_champion_of_which_nothing_is_known_stays(keep):
    promote_first(keep.register())
    assert "b2r/1 stays (not known what it was trained on); zoo promote b2r/2" in keep(0.01)
    assert champion_of(keep.name) == "1"


def test_champion_that_cannot_be_opened_stays_and_the_reason_is_said(keep):
    keep()

    def judged(address):
        raise RuntimeError(f"{address}: expected its files, found them gone\nsomewhere")

    training = Training("one", 20_934, "colors", 0, BEST_FIT, "nmad", 0.04)
    assert promote_champion(keep.register(), training, judged).replace(keep.name, "b2r") == (
        "champion: b2r/1 stays (it cannot be judged: models:/b2r/1: expected its files, found them gone); "
        "zoo promote b2r/2 makes this one the champion"
    )
    assert champion_of(keep.name) == "1"


def test_imported_model_is_the_champion_only_where_there_is_none(keep):
    first, second = keep.register(), keep.register()
    assert promote_first(first) == f"champion: {keep.name}/1 (the first of this name)"
    assert promote_first(second).replace(keep.name, "b2r") == (
        "champion: b2r/1 stays (an imported model replaces none); zoo promote b2r/2 makes this one the champion"
    )
    assert champion_of(keep.name) == "1"


@pytest.mark.parametrize("name", ["b2r", "b2r/", "b2r/best", "models:/b2r@champion"])
def test_to_promote_takes_a_version(keep, name):
    with pytest.raises(ZooError, match=r"expected NAME/VERSION such as b2r/4, found"):
        promote(name)


def test_what_cannot_be_opened_is_not_promoted(keep):
    keep()
    with pytest.raises(ZooError, match="expected"):
        promote(f"{keep.name}/1")
    with pytest.raises(ZooError, match="expected a trained model, found none"):
        promote(f"{keep.name}/99")


# === Trained: what a user sees ===


@pytest.fixture(scope="module")
def magnitudes(tmp_path_factory):
    return write_survey(tmp_path_factory.mktemp("data") / "magnitudes", survey_rows(500))


@pytest.fixture(scope="module")
def runs(repository):
    """Train a model folder as its train.py does."""

    def runs(store, name, functions=None, **options):
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("MLFLOW_TRACKING_URI", store)
            leave_out(patch)
            mlflow.set_tracking_uri(store)
            arguments = [text for key, value in options.items() for text in (f"--{key}", str(value))]
            assert train._run(repository / name, functions or architectures_of(name), arguments) == 0
        keras.config.set_dtype_policy("float32")

    return runs


@pytest.fixture(scope="module")
def full(runs, magnitudes, tmp_path_factory):
    """A store with a b2r of all objects."""
    folder = tmp_path_factory.mktemp("full")
    runs(new_store(folder), "b2r", ds=magnitudes, **LEARNT)
    return folder / "mlflow.db"


@pytest.fixture
def again(full, runs, magnitudes, tmp_path, monkeypatch, capsys):
    """Train b2r beside the first one, each test in a store of its own; return what is said of the champion."""
    shutil.copy(full, tmp_path / "mlflow.db")
    store = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store)
    mlflow.set_tracking_uri(store)

    def again(**options):
        capsys.readouterr()
        runs(store, "b2r", **{"ds": magnitudes} | LEARNT | options)
        (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("champion: ")]
        return line

    return again


def test_quick_trial_does_not_take_the_championship(again, capsys):
    assert again(limit=300, epochs=1) == (
        "champion: b2r/1 stays (trained on other data: 500 galaxies of magnitudes; this run 300, limit 300); "
        "zoo promote b2r/2 makes this one the champion"
    )
    assert [entry.version for entry in champions()] == ["1"]
    tags = MlflowClient().get_model_version("b2r", "2").tags
    assert (tags["zoo.objects"], tags["zoo.limit"], tags["zoo.data"]) == ("300", "300", "magnitudes")
    # And by the user's word it does, there and back.
    assert main(["promote", "b2r/2"]) == 0
    assert capsys.readouterr().out.startswith("champion: b2r/2 replaces b2r/1 (500 galaxies of magnitudes, nmad 0.0")
    assert champion_of("b2r") == "2"
    assert main(["promote", "b2r/1"]) == 0
    text = capsys.readouterr().out
    assert text.startswith("champion: b2r/1 replaces b2r/2 (300 galaxies of magnitudes, nmad ")
    assert text.endswith("; zoo promote b2r/2 goes back\n")
    assert champion_of("b2r") == "1"
    assert main(["promote", "b2r/1"]) == 0
    assert capsys.readouterr().out == "champion: b2r/1 (it is already)\n"


def test_same_data_decide_by_the_same_validation_objects(again):
    # An equal score does not replace.
    assert "b2r/1 stays (500 galaxies, nmad " in again()
    assert "replaces b2r/1 (500 galaxies, nmad " in again(epochs=25)
    assert [entry.version for entry in champions()] == ["3"]


def test_champion_whose_files_are_gone_stays(again):
    files = Path(mlflow.artifacts.download_artifacts("models:/b2r/1"))
    files.rename(files.with_name("away"))
    try:
        said = again(epochs=1)
    finally:
        files.with_name("away").rename(files)
    assert "champion: b2r/1 stays (it cannot be judged: models:/b2r/1: expected" in said
    assert said.endswith("; zoo promote b2r/2 makes this one the champion")
    assert champion_of("b2r") == "1"


def mean_flux(ssel):
    """Turn the spectrum's mean into features: enough here, and quick."""
    return keras.layers.Dense(4)(keras.ops.mean(ssel, axis=1, keepdims=True))


def test_spectra_as_measured_do_not_replace_those_of_the_best_fit(runs, tmp_path, capsys):
    store = new_store(tmp_path)
    data = write_survey(tmp_path / "spectra", survey_rows(60), ("ssel",))
    runs(store, "ss2r", {"mean": mean_flux}, ds=data, epochs=1)
    runs(store, "ss2r", {"mean": mean_flux}, ds=data, epochs=2, column="Flux")
    mlflow.set_tracking_uri(store)
    assert "champion: ss2r/1 stays (trained with column=BestFit; this run column=Flux); zoo promote ss2r/2" in (
        capsys.readouterr().out
    )
    assert champion_of("ss2r") == "1"
