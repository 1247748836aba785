"""What is stored, what is opened, and what is refused."""

import json
import shutil
import warnings
import zipfile
from dataclasses import asdict
from pathlib import Path

import mlflow
import numpy as np
import pytest
from helpers.stores import new_store
from helpers.trained import by_hand, untried
from mlflow import MlflowClient

from common.backend import keras
from common.models.described import DESCRIPTION, MODEL_FILE, read_description, write_description
from common.models.model import ANY
from common.models.opening import load
from common.models.running import serving_inputs
from common.models.safe_file import UnsafeModelError, check_description
from common.models.serving import serving_network
from common.models.store import log_model, sha256
from sdss_gs.errors import ZooError
from sdss_gs.schema import INPUTS, OUTPUTS, Output

BANDS, REDSHIFT = INPUTS["bands"], OUTPUTS["redshift"]


@pytest.fixture(scope="module")
def uri(tmp_path_factory):
    return new_store(tmp_path_factory.mktemp("store"))


@pytest.fixture
def keep(uri, monkeypatch, tmp_path):
    """Log and register small table models."""
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(uri)

    def keep(name="b2r", seed=0):
        keras.utils.set_random_seed(seed)
        inputs = keras.Input((5,), name="bands")
        network = keras.Model({"bands": inputs}, keras.layers.Dense(1, name="redshift")(inputs), name=name)
        model = untried(serving_network(network, [BANDS]), [BANDS], [REDSHIFT])
        with mlflow.start_run():
            return network, log_model(model, model.example())

    return keep


def stored_file(address):
    return Path(mlflow.artifacts.download_artifacts(address)) / "data" / "model.keras"


def test_stored_model_predicts_what_the_network_did(keep):
    model, address = keep()
    values = np.random.default_rng(0).normal(17, 1, (4, 5)).astype(np.float32)
    expected = model.predict({"bands": values}, verbose=0)
    found = load(address).network.predict(serving_inputs(BANDS, values), verbose=0)
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_changed_file_is_refused_with_both_hashes(keep):
    _, address = keep()
    path = stored_file(address)
    before = sha256(path)
    path.write_bytes(path.read_bytes() + b"x")
    with pytest.raises(UnsafeModelError, match=f"expected sha256 {before}, found {sha256(path)}"):
        load(address)


def test_model_whose_files_were_moved_away_is_named_as_such(keep):
    _, address = keep()
    shutil.rmtree(stored_file(address).parent.parent)
    with pytest.raises(ZooError, match="expected the files of this trained model, found them gone"):
        load(address)
    with pytest.raises(ZooError, match="expected a trained model, found none"):
        load("models:/b2r/999")


@pytest.mark.parametrize("address", ["models:/b2r/999", "models:/nobody/1", "models:/b2r@nobody", "models:/m-0"])
def test_unknown_model_is_one_clear_error(keep, address):
    keep()
    with pytest.raises(ZooError, match="expected a trained model, found none"):
        load(address)


@pytest.mark.parametrize(
    ("module", "name"),
    [("keras.layers", "Lambda"), ("elsewhere", "Dense"), ("keras_like", "Dense"), (None, "Dense")],
)
def test_lambda_and_foreign_code_are_refused_before_anything_is_imported(keep, tmp_path, module, name):
    _, address = keep()
    crafted = tmp_path / "crafted.keras"
    with zipfile.ZipFile(stored_file(address)) as source, zipfile.ZipFile(crafted, "w") as target:
        for entry in source.namelist():
            content = source.read(entry)
            if entry == "config.json":
                description = json.loads(content)
                description["config"]["layers"].append({"module": module, "class_name": name, "config": {}})
                content = json.dumps(description)
            target.writestr(entry, content)
    with pytest.raises(UnsafeModelError, match="expected layers of Keras without Lambda"):
        check_description(crafted)


def test_model_of_somebody_else_is_refused(keep):
    model, _ = keep()
    with mlflow.start_run(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        logged = mlflow.tensorflow.log_model(model, name="model", pip_requirements=["tensorflow"])
    with pytest.raises(ZooError, match="expected a model stored by the zoo"):
        load(logged.model_uri)


def test_file_that_is_no_model_is_refused(tmp_path):
    (tmp_path / "model.keras").write_bytes(b"PK\x03\x04 nothing")
    with pytest.raises(UnsafeModelError, match=r"expected a \.keras file"):
        check_description(tmp_path / "model.keras")


def test_store_holds_no_pickle(keep):
    _, address = keep()
    names = {path.name for path in Path(mlflow.artifacts.download_artifacts(address)).rglob("*")}
    assert not [name for name in names if "pickle" in name or name.endswith((".pkl", ".joblib"))]


@pytest.fixture
def exported(tmp_path):
    """A folder as ``zoo export`` writes it, without card and report; returns a function that changes what it says."""
    model, folder = by_hand(), tmp_path / "exported"
    folder.mkdir()
    with warnings.catch_warnings():
        # What Keras' saving calls is deprecated by numpy.
        warnings.simplefilter("ignore", DeprecationWarning)
        model.network.save(folder / MODEL_FILE)
    facts = model.facts() | {"zoo_version": "9.9"}
    digest = sha256(folder / MODEL_FILE)
    description = {"format": 1, "name": "b2r", "version": "1", "sha256": digest, "facts": facts, "files": {}}

    def change(**other):
        (folder / DESCRIPTION).write_text(json.dumps(description | other))
        return folder

    change.facts = facts
    return change


def test_exported_folder_opens_without_a_store(exported):
    assert load(exported()).predict([[18.5, 17.2, 16.5, 16.1, 15.8]])["redshift"][0] == pytest.approx(0.1682)


@pytest.mark.parametrize(
    ("old", "new"),
    [("0.02", "0.03"), ('"b2r"', '"w2r"'), ('"checksum"', '"checksun"'), ('"format": 2', '"format": 1')],
)
def test_description_whose_bits_changed_is_refused_and_no_other_number_comes_out(exported, old, new):
    folder = exported()
    write_description(folder, {key: value for key, value in read_description(folder).items() if key != "format"})
    load(folder)
    text = (folder / DESCRIPTION).read_text()
    assert old in text
    (folder / DESCRIPTION).write_text(text.replace(old, new, 1))
    with pytest.raises(ZooError, match="expected a folder that zoo export wrote"):
        load(folder)


def test_exported_folder_of_another_format_or_damaged_is_one_clear_error(exported):
    with pytest.raises(ZooError, match="expected a folder that zoo export wrote, found format 99"):
        load(exported(format=99))
    folder = exported()
    (folder / DESCRIPTION).write_text("{")
    with pytest.raises(ZooError, match="expected a folder that zoo export wrote"):
        load(folder)


@pytest.mark.parametrize(
    "other",
    [
        {"training_range": {"bands": {"unheard_of": 1}}},
        {"calibration": {"": {"redshift": {"unheard_of": 1}}}},
        {"training_range": None},
        {"outputs": ["unheard_of"]},
    ],
)
def test_model_of_a_later_zoo_is_refused_with_its_version(exported, other):
    with pytest.raises(ZooError, match=r"b2r: expected a model as zoo .* stores it, found one of zoo 9\.9"):
        load(exported(facts=exported.facts | other))


def test_own_label_of_zoo_01_keeps_its_name_and_classes(exported):
    """Zoo 0.1 noted one input and one output; of a user's own label all fields."""
    model, shape = (
        by_hand("b2s"),
        Output("shape", "s", "shape", "", "own column shape", "data.csv", classes=tuple("abcd")),
    )
    facts = {
        "input": "bands",
        "output": "shape",
        "own_output": asdict(shape),
        "reading": {},
        "calibration": asdict(model.calibrations[ANY]["subclass"]),
        "training_range": asdict(model.training_ranges["bands"]),
    }
    folder = exported(facts=facts, name="b2s-shape")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        model.network.save(folder / MODEL_FILE)
    exported(facts=facts, name="b2s-shape", sha256=sha256(folder / MODEL_FILE))
    opened = load(folder)
    assert opened.outputs == (shape,)
    magnitudes = [[18.5, 17.2, 16.5, 16.1, 15.8]]
    before, after = (one.predict(magnitudes).loc[0].tolist() for one in (model, opened))
    names = dict(zip(model.outputs[0].classes, shape.classes, strict=True))
    renamed = ["|".join(names[part] for part in v.split("|")) if isinstance(v, str) else v for v in before]
    assert after == renamed


def test_hash_is_that_of_sha256sum(tmp_path):
    (tmp_path / "file").write_bytes(b"zoo")
    assert sha256(tmp_path / "file") == "24fe93c9e17cb80452e5d86f1c186fc2fda2482cd5f81d7d305c2295bdab0aec"


class KilledError(BaseException):
    """What no handler expects."""


def test_model_whose_storing_is_cut_short_is_not_registered(keep, monkeypatch):
    def killed(*_):
        raise KilledError

    monkeypatch.setattr(MlflowClient, "set_logged_model_tags", killed)
    with pytest.raises(KilledError):
        keep("b2sm")
    assert not MlflowClient().search_model_versions("name='b2sm'")
