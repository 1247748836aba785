"""What commands load: listing what is stored costs no network."""

import os
import subprocess
import sys

import pytest


@pytest.mark.parametrize("command", [["list"], ["info", "b2r"], ["report", "b2r"]])
def test_commands_that_need_no_network_load_neither_keras_nor_matplotlib(tmp_path, command):
    code = (
        "import sys; from common.cli.command import main; "
        f"main({command}); print([name for name in ('tensorflow', 'keras', 'matplotlib') if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, text=True, capture_output=True,
        env=os.environ | {"MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/mlflow.db"},
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "[]", done.stderr
