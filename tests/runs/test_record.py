"""What is recorded of a run that `mlflow run` began: it has written what was typed as the shell is to read it."""

import mlflow
import pytest
from helpers.stores import new_store
from mlflow.projects._project_spec import EntryPoint

from common.project import read_project
from common.runs.record import Run


@pytest.fixture
def recorded(repository, tmp_path, monkeypatch):
    """Record values in a run in which `mlflow run` has recorded what was typed; return its parameters."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store := new_store(tmp_path))
    mlflow.set_tracking_uri(store)

    def recorded(typed, values):
        declared, undeclared = EntryPoint("main", {}, "").compute_parameters(typed, None)
        record = Run(read_project(repository / "b2r"))
        mlflow.log_params(declared | undeclared)
        record.parameters(values)
        record.end("FINISHED")
        return mlflow.get_run(record.id).data.params

    return recorded


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ("batch_size=32|64,optimizer=adam", "batch_size=32|64,optimizer=adam"),
        ("/data/my galaxies", "/data/my galaxies"),
        ('Abell\'s "best" $HOME', 'Abell\'s "best" $HOME'),
        ("plain", "plain"),
        ("1e-3", 0.001),
        ("10.0", 10),
    ],
)
def test_value_that_was_typed_is_not_recorded_as_another(recorded, typed, value):
    assert list(recorded({"given": typed}, {"given": value})) == ["given"]


def test_other_value_of_a_resumed_run_is_recorded_beside_the_typed(recorded):
    typed = {"ds": "", "space": "a=1|2", "epochs": "3"}
    found = recorded(typed, {"ds": "/my data", "space": "a=1|2", "epochs": 4, "seed": 0})
    assert {name: found[name] for name in found if name not in typed} == {
        "resumed_ds": "/my data",
        "resumed_epochs": "4",
        "seed": "0",
    }
