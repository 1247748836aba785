"""Predicting with what requirements-predict.txt installs: no TensorFlow, Keras, MLflow, scipy or matplotlib."""

import pytest
from helpers.bare import bare, hidden_packages, light_requirements
from packaging.requirements import Requirement
from test_packaging import declared

from sdss_gs import errors

PATH_OF_PREDICTION = (
    "common.cli.command", "common.cli.doctor.machine", "common.data.locate", "common.data.measure",
    "common.data.sources", "common.networks.inputs", "common.networks.parts", "common.networks.symmetry",
    "common.outputs.kinds", "common.outputs.metrics", "common.predict.neighbours", "common.predict.results",
    "common.predict.similar", "common.runs.failures", "common.runs.provenance", "common.runs.store_location",
    "sdss_gs.dataset", "sdss_gs.__main__",
)  # fmt: skip


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
