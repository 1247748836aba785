"""The list of what was skipped, as a run of the tests ends."""

import subprocess
import sys

import pytest
from conftest import ROOT

TESTS = """
import pytest

@pytest.mark.parametrize("number", range(3))
@pytest.mark.skip(reason="no browser: apt-get install chromium")
def test_page(number):
    pass

def test_rest():
    pytest.importorskip("no_such_package", reason="no such package")
"""
WHOLE_FILE = 'import pytest\npytest.importorskip("no_such_package", reason="no browser: apt-get install chromium")\n'


@pytest.mark.parametrize(("most", "processes", "code"), [("2", "2", 0), ("1", "0", 1)])
def test_reasons_are_counted_and_too_many_fail(tmp_path, most, processes, code):
    (tmp_path / "test_some.py").write_text(TESTS)
    (tmp_path / "test_file.py").write_text(WHOLE_FILE)
    command = [sys.executable, "-m", "pytest", "-p", "xdist", "-p", "helpers.skips", "-n", processes]
    environment = {"PYTHONPATH": str(ROOT / "tests"), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
    done = subprocess.run(
        [*command, "--skip-reasons", most], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    lines = done.stdout.splitlines()
    assert done.returncode == code, done.stdout
    assert "    4  no browser   run them: apt-get install chromium" in lines
    assert "    1  no such package" in lines
    assert ("--skip-reasons: expected at most 1, found 2" in lines) == bool(code)
