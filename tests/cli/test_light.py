"""Predicting with what requirements-predict.txt installs: no TensorFlow, Keras, MLflow, scipy or matplotlib."""

from helpers.bare import bare, hidden_packages, light_requirements
from packaging.requirements import Requirement
from test_packaging import declared

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
