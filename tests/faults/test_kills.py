"""A few of the kills that `make faults` does by the hundred."""

import json
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("name", ["pack", "predict into .parquet", "zoo predict --pdf grid", "download"])
def test_killed_command_begun_again_ends_as_if_nothing_had_happened(name):
    # In a process of its own: what is killed is forked, and a fork of one in which Keras has calculated may hang.
    command = [sys.executable, "-W", "ignore", "-m", "faults", "--one", "kills", name, "2"]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    assert found["tried"] >= 2
    assert not found["faults"], done.stderr
