"""A few of the kills that `make faults` does by the hundred."""

import json
import os
import subprocess
import sys

import pytest
from conftest import ROOT


@pytest.mark.parametrize("name", ["pack", "predict into .parquet", "zoo predict --pdf grid", "download"])
def test_killed_command_begun_again_ends_as_if_nothing_had_happened(name):
    # In a process of its own: what is killed is forked, and a fork of one in which Keras has calculated may hang.
    command = [sys.executable, "-W", "ignore", "-m", "faults", "--one", "kills", name, "2"]
    # tests/sdss_gs must not be taken for the package.
    first = os.environ | {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=ROOT / "tests", env=first, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["tried"] >= 2
    assert not found["faults"], done.stderr
