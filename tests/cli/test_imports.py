"""What commands load: listing what is stored costs no network, and no MLflow."""

import contextlib
import os
import sqlite3
import subprocess
import sys

import pytest
from helpers.bare import bare
from helpers.stores import unpack_store

from common.models.described import HEADLINE_TAG

HEAVY = ("tensorflow", "keras", "mlflow", "sqlalchemy", "matplotlib", "pandas")
LISTING = (*HEAVY, "numpy", "pyarrow", "astropy", "scipy", "sdss_gs.schema")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """A store with a champion whose run has what a run of today has."""
    file = unpack_store(tmp_path_factory.mktemp("store"))
    with contextlib.closing(sqlite3.connect(file)) as changed, changed:
        ((run, folder),) = changed.execute(
            "SELECT run_uuid, artifact_uri FROM runs JOIN model_versions ON run_uuid = run_id "
            "WHERE model_versions.name = 'b2r'"
        )
        changed.execute("INSERT OR REPLACE INTO tags VALUES (?, 'nmad', ?)", [HEADLINE_TAG, run])
        changed.execute("DELETE FROM registered_model_aliases WHERE name = 'x2y'")
    for name in ("card.md", "report.html"):
        with open(f"{folder}/{name}", "w") as written:
            written.write("# b2r\n")
    return file


@pytest.mark.parametrize(
    ("command", "shown", "unwanted"),
    [
        (["list"], "b2r    1        nmad 0.0251", LISTING),
        (["info", "b2r"], "# b2r", LISTING),
        (["info", "models:/b2r/1"], "# b2r", LISTING),
        (["report", "b2r"], "report.html", LISTING),
        (["doctor"], "champion, its file is what was stored", HEAVY),
    ],
)
def test_commands_that_only_read_the_store_load_no_more_than_that_takes(store, tmp_path, command, shown, unwanted):
    # A sample that lies in this clone would be looked at.
    alone = "import pathlib, common.data.locate; common.data.locate.REPOSITORY = pathlib.Path('none'); "
    code = (
        f"import sys; {alone if command == ['doctor'] else ''}from common.cli.command import main; "
        f"main({command}); print([name for name in {unwanted} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, text=True, capture_output=True,
        env=os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{store}"},
    )  # fmt: skip
    assert shown in done.stdout, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


def test_store_is_read_where_mlflow_is_not_installed(store, tmp_path):
    code = """
from common.cli.command import main
from common.models.described import stored_model
print(main(["list"]), main(["info", "b2r"]), main(["info", "nobody"]), stored_model("b2r")[2]["input"])
"""
    done = bare(code, cwd=tmp_path, env={"MLFLOW_TRACKING_URI": f"sqlite:///{store}"})
    assert done.stdout.splitlines()[-1] == "0 0 1 bands", done.stderr
    code = 'from common.cli.command import main; main(["list"])'
    done = bare(code, cwd=tmp_path, env={"MLFLOW_TRACKING_URI": "http://127.0.0.1:9"})
    assert done.stderr == (
        "error: store: expected MLflow to read http://127.0.0.1:9, found no module mlflow; "
        "in the zoo's folder: pip install .\n"
    )
