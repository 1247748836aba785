"""What the benchmarks make of measurements: medians, targets, and the page."""

import json
import subprocess
import sys

import pytest

from benchmarks import write_report
from benchmarks.__main__ import main, without
from benchmarks.commands import SPENT, measured, rows_of
from benchmarks.targets import judge

MACHINE = {
    "processor": "A", "cores": 2, "instructions": [], "memory_gb": 8, "system": "Linux", "load_at_start": 0,
    "python": "3.11", "versions": {"numpy": "2"}, "date": "2026-01-02T00:00:00",
}  # fmt: skip


def speed(model, batch, gain):
    return {"part": "engines", "kind": "speed", "model": model, "network": "fast", "batch": batch, "gain": gain}


def test_two_builds_take_turns_and_their_medians_are_compared():
    order, times = [], {"before": iter([9.0, 8.0, 7.0]), "after": iter([1.0, 2.0, 4.0])}

    def work(name):
        order.append(name)
        return {"wall_s": next(times[name]), "peak_mb": 100.0}

    costs = measured({name: lambda name=name: work(name) for name in times}, 3)
    wall, peak = rows_of("zoo list", costs)
    assert order == ["before", "after"] * 3
    assert (wall["cost"], wall["unit"], wall["before"], wall["after"], wall["gain"]) == ("wall", "s", 8.0, 2.0, 4.0)
    assert (peak["cost"], peak["gain"]) == ("peak", 1.0)


def test_one_build_alone_has_no_ratio():
    (row,) = rows_of("zoo list", {"after": [{"answer_p50_ms": 3.0}]})
    assert (row["cost"], row["unit"], row["after"]) == ("answer p50", "ms", 3.0)
    assert "gain" not in row


def test_what_a_command_costs_is_its_own(tmp_path):
    command = [sys.executable, "-c", "block = bytearray(200_000_000)"]
    subprocess.run([sys.executable, "-S", "-E", SPENT, tmp_path / "cost.json", *command], check=True)
    cost = json.loads((tmp_path / "cost.json").read_text())
    assert 200 < cost["peak_mb"] < 260
    assert 0 < cost["cpu_s"] <= 2 * cost["wall_s"]


def test_the_worst_network_decides_and_what_was_not_measured_is_said():
    judged = {one["name"]: one for one in judge([speed("b2r", 512, 4.0), speed("b2r", 512, 2.0)])}
    target = judged["network in batches of 512, b2r: the slower gain of its networks"]
    assert (target["measured"], target["met"]) == (2.0, False)
    assert judged["zoo list: wall"]["met"] is None


def test_a_part_that_is_added_replaces_its_own_rows_only_and_says_where_it_was_measured(tmp_path, monkeypatch):
    monkeypatch.setattr(write_report, "draw", lambda *_: None)
    earlier = {
        "machine": MACHINE, "quick": False, "seconds": 60, "failures": ["engines b2r: lost"],
        "rows": [speed("b2r", 1, 9.0), {"part": "startup", "what": "import numpy", "seconds": 0.1}],
    }  # fmt: skip
    results = without(earlier, ("engines",))
    assert (results["failures"], len(results["rows"])) == ([], 1)
    about = {"machine": MACHINE | {"processor": "B"}, "quick": True, "builds": {"before": "abc", "after": "def"}}
    results |= {"rows": results["rows"] + [speed("b2r", 1, 4.0)], "added": {"engines": about}}
    page = write_report.write_report(results | {"targets": judge(results["rows"])}, tmp_path).read_text()
    assert "| network on one galaxy, b2r: the slower gain of its networks | ≥ 3.5× | 4× | yes |" in page
    assert "| zoo list: wall | ≥ 30× | not measured |  |" in page
    alone = page.partition("## The network alone")[2]
    assert "**Machine**: B, 2 cores" in alone
    assert "before abc, after def" in alone
    assert "| speed | b2r | fast | 1 | 4 |" in alone


@pytest.mark.parametrize(("option", "expected"), [("--before", "a checkout of the zoo"), ("--parts", "some of")])
def test_a_wrong_option_is_a_line(tmp_path, capsys, option, expected):
    assert main([option, str(tmp_path), "--output", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"{option} {tmp_path}: expected {expected}" in said
