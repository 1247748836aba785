"""The notebooks of the documentation, executed once for all tests."""

import os
import subprocess
import sys
from pathlib import Path

from conftest import ROOT
from filelock import FileLock

NOTEBOOKS = ROOT / "docs" / "notebooks"


def executed_notebooks(tmp_path_factory) -> Path:
    """Return a folder of executed copies; whichever process of pytest asks first makes it."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    folder, done = folder / "notebooks", folder / "notebooks.done"
    with FileLock(folder.with_suffix(".lock")):
        if not done.exists():
            command = [sys.executable, NOTEBOOKS / "execute.py", folder]
            # One process makes the sample: to start others takes as long where other tests run beside it.
            environment = os.environ | {"PYTHONPATH": str(ROOT), "LOKY_MAX_CPU_COUNT": "1"}
            run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
            assert not run.returncode, run.stderr[-3000:]
            done.touch()
    return folder
