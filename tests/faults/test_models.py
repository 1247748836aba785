"""Models that are not what they say."""

import io
import json
import shutil
import zipfile
from pathlib import Path

import h5py
import mlflow
import numpy as np
import pytest
from helpers.stores import unpack_store

from common.models import library
from common.models.library import artifact, champions, import_model
from common.models.opening import load
from common.models.safe_file import LARGEST_ENTRIES, UnsafeModelError, check_description, checked_model
from common.runs.stored import StoredModel
from sdss_gs.errors import ZooError
from sdss_gs.files import sha256

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
FIXTURE = FIXTURES / "b2r"
WEIGHTS = "model.weights.h5"


@pytest.fixture
def model_folder(tmp_path):
    """An exported model that a test may damage."""
    return Path(shutil.copytree(FIXTURE, tmp_path / "b2r"))


def rewritten(source, target, change):
    """Copy a .keras file, each entry through `change` (name, content → content, or None to leave it out)."""
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as new:
        for entry in old.namelist():
            content = change(entry, old.read(entry))
            if content is not None:
                new.writestr(entry, content)
    return target


def opened(path):
    return checked_model(path, sha256(path))


# === A model of this version still opens in every later one ===


def test_model_that_was_exported_once_still_predicts_the_same():
    expected = json.loads((FIXTURE / "expected.json").read_text())
    found = load(FIXTURE).predict(np.array(expected["magnitudes"], np.float32))
    np.testing.assert_allclose(found["redshift"], expected["redshift"], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found["redshift_low_68"], expected["redshift_low_68"], rtol=1e-3, atol=1e-5)
    assert found["flag"].tolist() == expected["flag"]


def assert_same(table, recorded):
    """Compare with what zoo 0.1 predicted: the same columns, to the rounding of another processor."""
    assert list(table) == list(recorded)
    for name, expected in recorded.items():
        if table[name].dtype.kind == "f":
            np.testing.assert_allclose(table[name], np.array(expected, float), rtol=1e-5, atol=1e-9, err_msg=name)
        else:
            if name.endswith("flag"):
                # NaN was a bad magnitude then; it is a missing one, as in every file.
                expected = [1 if flag == 2 else flag for flag in expected]
            assert table[name].astype(object).where(table[name].notna(), None).tolist() == expected, name


def test_model_of_several_inputs_that_zoo_01_exported_predicts_the_same():
    """With both inputs, each missing or none, and outside what it was trained on."""
    recorded = json.loads((FIXTURES / "x2y" / "expected.json").read_text())
    inputs = {name: np.array(values, np.float32) for name, values in recorded["inputs"].items()}
    assert_same(load(FIXTURES / "x2y").predict(inputs), recorded["expected"])


def test_store_of_zoo_01_lists_its_champions_and_predicts_the_same(tmp_path, monkeypatch):
    unpack_store(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/mlflow.db")
    first, second = champions()
    assert (first.name, first.version, first.score, first.data) == ("b2r", "1", "nmad 0.0251", "sample")
    assert (second.name, second.score) == ("x2y", "redshift nmad 0.0346, subclass macro_f1 0.2020")
    recorded = json.loads((tmp_path / "expected.json").read_text())
    assert_same(load("b2r").predict(np.array(recorded["bands"], np.float32)), recorded["expected"])
    assert json.loads(artifact("b2r", "card.json").read_text())["model"] == "b2r"
    with pytest.raises(ZooError, match="x2y: expected the files of this trained model, found them gone"):
        load("x2y")


# === Damaged and forged files ===


@pytest.mark.parametrize("place", np.linspace(0, 1, 12))
def test_one_changed_bit_anywhere_is_refused(model_folder, place):
    path = model_folder / "model.keras"
    content = bytearray(path.read_bytes())
    content[int(place * (len(content) - 1))] ^= 1
    path.write_bytes(content)
    with pytest.raises(UnsafeModelError, match="expected sha256"):
        load(model_folder)


@pytest.mark.parametrize("cut", [0, 1, 100, -1])
def test_cut_file_is_refused(tmp_path, cut):
    path = tmp_path / "model.keras"
    path.write_bytes((FIXTURE / "model.keras").read_bytes()[:cut])
    with pytest.raises(UnsafeModelError, match=r"expected a \.keras file"):
        opened(path)


@pytest.mark.parametrize(
    ("module", "name"),
    [("keras.layers", "Lambda"), ("elsewhere", "Dense"), ("keras.layers", "Nothing"), (None, "Dense")],
)
def test_description_that_names_more_than_layers_of_keras_is_refused(tmp_path, module, name):
    def change(entry, content):
        if entry != "config.json":
            return content
        description = json.loads(content)
        description["config"]["layers"][0] |= {"module": module, "class_name": name}
        return json.dumps(description).encode()

    with pytest.raises(UnsafeModelError):
        opened(rewritten(FIXTURE / "model.keras", tmp_path / "model.keras", change))


def test_description_that_is_larger_than_it_may_be_is_refused(monkeypatch):
    with zipfile.ZipFile(FIXTURE / "model.keras") as archive:
        size = archive.getinfo("config.json").file_size
    monkeypatch.setitem(LARGEST_ENTRIES, "config.json", size)
    check_description(FIXTURE / "model.keras")
    monkeypatch.setitem(LARGEST_ENTRIES, "config.json", size - 1)
    with pytest.raises(UnsafeModelError, match=f"'config.json' of {size:,} bytes"):
        check_description(FIXTURE / "model.keras")


def test_entry_that_no_model_has_is_refused(tmp_path):
    path = tmp_path / "model.keras"
    shutil.copy(FIXTURE / "model.keras", path)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("more.txt", "here")
    with pytest.raises(UnsafeModelError, match=r"found 'more\.txt'"):
        opened(path)


@pytest.mark.parametrize("way", ["link", "view"])
def test_weights_that_are_not_plain_arrays_of_the_file_are_refused(tmp_path, way):
    """A link, and a view of another array, even where both stay inside the file."""

    def change(entry, content):
        if entry != WEIGHTS:
            return content
        stream = io.BytesIO(content)
        with h5py.File(stream, "a") as file:
            file["numbers"] = np.zeros(9)
            if way == "link":
                file["layers/extra"] = h5py.SoftLink("/numbers")
            else:
                layout = h5py.VirtualLayout((9,), "f8")
                layout[:] = h5py.VirtualSource(file["numbers"])
                file.create_virtual_dataset("layers/extra", layout)
        return stream.getvalue()

    with pytest.raises(UnsafeModelError, match="another file"):
        opened(rewritten(FIXTURE / "model.keras", tmp_path / "model.keras", change))


@pytest.mark.parametrize(
    "change",
    [
        {"format": 99},
        {"sha256": "0" * 64},
        {"facts": {}},
        {"facts": None},
        {"version": None},
        {"files": []},
    ],
)
def test_description_of_another_kind_is_one_clear_error(model_folder, change):
    path = model_folder / "zoo.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    if change == {"version": None}:
        path.write_text("{")
    with pytest.raises(ZooError, match="expected"):
        load(model_folder)


def test_file_of_an_exported_folder_that_leads_out_of_it_is_refused(model_folder, tmp_path):
    (tmp_path / "outside.txt").write_text("here")
    path = model_folder / "zoo.json"
    description = json.loads(path.read_text())
    description["files"]["../outside.txt"] = sha256(tmp_path / "outside.txt")
    path.write_text(json.dumps(description))
    with pytest.raises(ZooError, match="expected the file that was exported"):
        import_model(model_folder)


def test_leftover_of_an_export_that_was_killed_is_removed(tmp_path, monkeypatch):
    left = tmp_path / "exported.123.part"
    left.mkdir()
    (left / "model.keras").write_text("half")
    made = load(FIXTURE)
    monkeypatch.setattr("common.models.opening.load", lambda *_: made)
    stored = StoredModel("b2r", "1", "", {}, "")
    monkeypatch.setattr(library, "find_model", lambda _: (stored, tmp_path / "nowhere", {}))
    with pytest.raises(OSError, match="nowhere"):
        library.export("b2r", tmp_path / "exported")
    assert not list(tmp_path.iterdir())
