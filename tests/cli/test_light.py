"""Predicting with what requirements-predict.txt installs: no TensorFlow, Keras, MLflow, scipy or matplotlib."""

import contextlib

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.table import Table
from conftest import FIRST_ID, survey_rows, write_survey
from helpers.bare import bare, hidden_packages, light_requirements
from helpers.distributed import distributed_by_hand
from helpers.exported import exported_folder
from helpers.trained import by_hand
from packaging.requirements import Requirement
from test_packaging import declared

from common.cli.command import main
from common.models.opening import load
from sdss_gs import errors

PATH_OF_PREDICTION = (
    "common.cli.command", "common.cli.doctor", "common.models.library", "common.models.opening",
    "common.outputs.metrics", "common.predict.choose", "common.predict.embed", "common.predict.predict",
    "common.predict.similar", "sdss_gs.__main__", "sdss_gs.info", "sdss_gs.packing.reading",
)  # fmt: skip
SERVE = ("fastapi", "starlette", "uvicorn", "h11", "python-multipart")
DISTRIBUTED = {"binned": 0, "mixture": 2}
"""Components of the mixture, by folder."""
ZOO = """
from common.cli.command import main
import sys

def zoo(*arguments):
    assert main([str(one) for one in arguments]) == 0, arguments
"""


@pytest.fixture(scope="module")
def there(tmp_path_factory):
    """Exported models, and galaxies for them: a folder with everything, its catalogue as CSV and FITS."""
    folder = tmp_path_factory.mktemp("light")
    for name in ("b2r", "i2s", "f2r", "s2r"):
        exported_folder(folder / name, by_hand(name))
    for name, components in DISTRIBUTED.items():
        exported_folder(folder / name, distributed_by_hand(components=components))
    rows = survey_rows(12)
    write_survey(folder / "ds", rows, ("img", "fits", "spectra"))
    columns = {name: [float(row[f"modelMag_{name}"]) for row in rows] for name in "ugriz"}
    Table({"objid": [int(row["objid"]) for row in rows], **columns}).write(folder / "t.fits")
    return folder


def test_path_of_prediction_imports_nothing_that_is_not_in_the_short_list():
    assert {"tensorflow", "keras", "mlflow", "matplotlib", "optuna", "scipy", "sklearn", "sqlalchemy", "h5py",
            "tensorboard", "jinja2", "requests"} <= hidden_packages()  # fmt: skip
    done = bare("".join(f"import {name}\n" for name in PATH_OF_PREDICTION))
    assert not done.stderr


def test_short_list_has_the_ranges_of_setup():
    whole = {one.name: one.specifier for one in map(Requirement, declared(extra=False))}
    for one in light_requirements():
        assert one.specifier == whole[one.name], one


@pytest.mark.parametrize(
    ("arguments", "package"),
    [(["compare"], "mlflow"), (["promote", "b2r/1"], "mlflow"), (["data", "sample", "x"], "scipy")],
)
def test_commands_that_need_more_say_in_a_line_what_installs_it(tmp_path, arguments, package):
    done = bare(f"import sys; from common.cli.command import main; sys.exit(main({arguments}))", cwd=tmp_path)
    expected = f"error: expected the package {package}, which this needs, found none; in the zoo's folder: "
    assert (done.returncode, done.stderr) == (1, f"{expected}pip install .\n")


def test_line_names_the_extra_and_other_packages_are_no_matter_of_the_user(monkeypatch):
    monkeypatch.setattr(errors, "find_spec", lambda name: None)
    assert errors.user_message(ModuleNotFoundError(name="ray.util")).endswith('pip install ".[ray]"')
    assert errors.user_message(ModuleNotFoundError(name="sklearn")).endswith("pip install .")
    assert errors.user_message(ModuleNotFoundError(name="nonsense")) == ""


def test_an_absent_module_of_a_package_that_is_there_is_a_fault():
    assert errors.user_message(ModuleNotFoundError(name="mlflow.nonsense")) == ""


INPUTS = {
    "b2r": ["ds/data.csv", "t.fits"], "i2s": ["ds/img"], "f2r": ["ds"], "s2r": ["ds/spectra", "ds"],
}  # fmt: skip


def test_predictions_without_tensorflow_are_those_of_keras(there):
    asked = [(name, where, f"{name}{number}") for name, given in INPUTS.items() for number, where in enumerate(given)]
    lines = [
        f"zoo('predict', '{name}', '--input', '{where}', '--output', '{file}.parquet')" for name, where, file in asked
    ]
    lines += [
        f"zoo('predict', 'b2r', '--input', 't.fits', '--output', 'b2r{ending}')" for ending in (".csv", ".fits", ".vot")
    ]
    done = bare(ZOO + "\n".join(lines), cwd=there)
    assert done.returncode == 0, done.stderr
    with contextlib.chdir(there):
        for name, where, file in asked:
            options = ["--input", where, "--output", f"{file}-keras.parquet", "--runtime", "keras"]
            assert main(["predict", name, *options]) == 0
            light, heavy = (pq.read_table(there / f"{file}{one}.parquet") for one in ("", "-keras"))
            assert light.column_names == heavy.column_names
            assert len(light) == 12
            for column in light.column_names:
                if pa.types.is_floating(light[column].type):
                    found, expected = light[column].to_numpy(), heavy[column].to_numpy()
                    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
                elif column != "runtime":
                    assert light[column].equals(heavy[column]), column


@pytest.mark.parametrize("name", DISTRIBUTED)
def test_distributions_without_tensorflow_are_those_of_keras(there, name):
    lines = [
        f"zoo('predict', '{name}', '--input', 't.fits', '--output', '{name}-{form}{ending}', '--pdf', '{form}')"
        for form in ("grid", "quantiles")
        for ending in (".parquet", ".fits", ".vot")
    ]
    done = bare(ZOO + "\n".join(lines), cwd=there)
    assert done.returncode == 0, done.stderr
    for form, column in {"grid": "redshift_pdf", "quantiles": "redshift_quantiles"}.items():
        frame = load(str(there / name), "keras").predict(there / "t.fits", pdf=form)
        for ending in (".parquet", ".fits", ".vot"):
            path = there / f"{name}-{form}{ending}"
            if ending == ".parquet":
                found = pq.read_table(path)[column].to_pylist()
            else:
                # The first of two tables.
                found = Table.read(path, {".fits": 1, ".vot": 0}[ending])[column]
            np.testing.assert_allclose(np.array(found), np.stack(frame[column]), rtol=1e-3, atol=1e-3)


def test_features_neighbours_and_service_without_tensorflow(there):
    code = """
zoo("embed", "b2r", "--input", "ds/data.csv", "--output", "features.parquet")
zoo("similar", "1237648720693755918", "--embedding", "features.parquet", "--n", "2")
import os, signal, threading, urllib.request
from common.serve import service

def ask(said):
    if said.startswith("http://"):
        threading.Thread(target=asking, args=[said.split()[0]], daemon=True).start()

def asking(address):
    body = b'{"rows": [{"u": 18.5, "g": 17.2, "r": 16.5, "i": 16.1, "z": 15.8}], "pdf": "quantiles"}'
    request = urllib.request.Request(f"{address}predict/b2r", body, {"Content-Type": "application/json"})
    try:
        print(urllib.request.urlopen(request, timeout=20).read().decode(), flush=True)
    finally:
        os.kill(os.getpid(), signal.SIGINT)

service.serve("127.0.0.1", 0, "", ["binned"], {}, "", ask)
"""
    done = bare(ZOO + code, *SERVE, cwd=there)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert str(FIRST_ID) in lines[2]
    assert '"redshift_quantiles":[0.' in lines[-1], done.stderr


def test_doctor_calls_an_install_for_prediction_alone_sound(tmp_path):
    done = bare(ZOO + "zoo('doctor')", cwd=tmp_path, env={"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db"})
    assert "nothing is broken" in done.stdout, done.stdout + done.stderr
