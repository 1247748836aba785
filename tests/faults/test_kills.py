"""A few of the kills that `make faults` does by the hundred."""

import pytest

from .kills import kill_command


@pytest.mark.parametrize("name", ["pack", "predict into .parquet", "zoo predict --pdf grid", "download"])
def test_killed_command_begun_again_ends_as_if_nothing_had_happened(tmp_path, name):
    done = kill_command(name, 2, tmp_path / "here")
    assert done.kills >= 2
    assert not done.faults, done.faults[0]
