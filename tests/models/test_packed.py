"""A model as bytes."""

import io
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from helpers.bare import bare
from helpers.exported import exported_folder
from helpers.trained import MAGNITUDES, by_hand, several_by_hand

from common.models.opening import load
from sdss_gs.errors import ZooError

SEEN = (MAGNITUDES + np.random.default_rng(1).normal(0, 1, (40, 5))).astype(np.float32)
BOTH = {"bands": SEEN, "wise": np.full((40, 4), 14.0, np.float32)}


def zipped(files):
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return written.getvalue()


def unzipped(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.fixture
def light(tmp_path):
    """A model that onnxruntime runs."""
    return load(exported_folder(tmp_path / "b2r", by_hand()))


def test_model_comes_back_from_its_bytes_and_predicts_the_same(light, tmp_path):
    content = light.to_bytes()
    again = load(content)
    assert (again.name, again.version, again.sha256, again.runtime.name) == ("b2r", "1", light.sha256, "onnxruntime")
    pd.testing.assert_frame_equal(again.predict(SEEN), light.predict(SEEN), check_exact=True)
    assert again.to_bytes() == content
    several = load(exported_folder(tmp_path / "x2y", several_by_hand()))
    seen = load(several.to_bytes()).predict(BOTH)
    pd.testing.assert_frame_equal(seen, several.predict(BOTH), check_exact=True)


def test_model_that_keras_runs_does_too():
    model = by_hand("b2s")
    again = load(model.to_bytes())
    assert again.runtime.name == "keras"
    pd.testing.assert_frame_equal(again.predict(SEEN), model.predict(SEEN), check_exact=True)
    # How it is used is no part of it.
    assert not load(replace(model, tta=True).to_bytes()).tta


def test_bytes_are_opened_where_only_prediction_is_installed(light, tmp_path):
    (tmp_path / "model").write_bytes(light.to_bytes())
    code = (
        "import sys; from common import load; from pathlib import Path; model = load(Path(sys.argv[1]).read_bytes()); "
    )
    code += "print(model.predict([[18.5, 17.2, 16.5, 16.1, 15.8]])['redshift'][0] == float(sys.argv[2]), "
    code += "model.to_bytes() == Path(sys.argv[1]).read_bytes(), 'tensorflow' in sys.modules, 'mlflow' in sys.modules)"
    expected = float(light.predict([[18.5, 17.2, 16.5, 16.1, 15.8]])["redshift"][0])
    done = bare(f"import sys; sys.argv = ['', {str(tmp_path / 'model')!r}, {expected!r}]; {code}")
    assert done.stdout.split() == ["True", "True", "False", "False"], done.stderr


def test_bytes_that_are_none_or_damaged_are_one_clear_line(light):
    content = light.to_bytes()
    files = unzipped(content)
    changed = files | {"light.onnx": files["light.onnx"][:-1] + b"?"}
    for bad, message in (
        (b"", "bytes: expected a model as Model.to_bytes makes them, found File is not a zip file"),
        (content[: len(content) // 2], "bytes: expected a model as Model.to_bytes makes them, found File is not"),
        (zipped({"zoo.json": b"{}"}), "bytes: expected a model as Model.to_bytes makes them, found "),
        (zipped(files | {"../elsewhere": b"x"}), r"found a file '\.\./elsewhere'"),
        (zipped(changed), "light.onnx: expected sha256"),
    ):
        with pytest.raises(ZooError, match=message):
            load(bad)
    with pytest.raises(ZooError, match=r"b2r: expected model.keras for keras, found its light form alone"):
        load(content, "keras")
    assert not Path("elsewhere").exists()
