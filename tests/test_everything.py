"""make everything: parts that fail or hang keep none of the others from being run, and from being told of."""

import re
import subprocess

import everything
from conftest import ROOT

MAKEFILE = """
.PHONY: docs release
docs:
	@echo "built | 12 pages"
audit:
	@echo found a vulnerability; exit 3
fuzz:
	@echo begun; sleep 60
release:
	@echo "released $(OPTIONS)"
"""


def test_each_part_has_a_row_and_a_log_and_one_failure_is_enough(tmp_path, capsys):
    (tmp_path / "Makefile").write_text(MAKEFILE)
    words = ["--makefile", str(tmp_path / "Makefile"), "--folder", str(tmp_path / "logs"), "--minutes", "0.05"]
    assert everything.main([*words, "audit", "fuzz", "docs", "release"]) == 1
    printed = capsys.readouterr().out
    assert printed == (tmp_path / "logs" / "everything.md").read_text()
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in printed.splitlines()[2:]]
    assert [(row[0], row[1], row[3]) for row in rows] == [
        ("audit", "failed (2)", "found a vulnerability"),
        ("fuzz", "stopped", "begun"),
        ("docs", "passed", "built \\| 12 pages"),
        ("release", "passed", "released --rehearse"),
    ]
    assert (tmp_path / "logs" / "audit.log").read_text().startswith("found a vulnerability\n")
    assert everything.main([*words, "docs"]) == 0


def test_a_part_that_there_is_not_is_one_line(capsys):
    assert everything.main(["docs", "dogs"]) == 1
    assert re.fullmatch(r"error: PARTS: expected some of faults .*, found dogs\n", capsys.readouterr().err)


def test_every_part_is_a_target():
    done = subprocess.run(["make", "-n", *everything.PARTS], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
