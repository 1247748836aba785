"""What the benchmarks make of measurements: medians, targets, and the page."""

import json
import subprocess
import sys

import numpy as np
import pytest
from threadpoolctl import threadpool_limits

from benchmarks import write_report
from benchmarks.__main__ import main, without
from benchmarks.commands import SPENT, measured, rows_of
from benchmarks.photoz import __main__ as photoz
from benchmarks.photoz import answers, galaxies, rail, rivals, summary, write_page
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


# === Photometric redshifts ===


@pytest.fixture(scope="module")
def some_galaxies():
    """Galaxies whose colours tell their redshifts but for noise."""
    random, count = np.random.default_rng(0), 600
    redshift = random.uniform(0.02, 0.3, count)
    magnitudes = 17 + np.outer(redshift, [9, 5, 2, 1, 0]) + random.normal(0, 0.05, (count, 5))
    errors = np.full((count, 5), np.nan, np.float32)
    return galaxies.Galaxies(10**18 + np.arange(count), magnitudes.astype(np.float32), errors, redshift)


@pytest.fixture(scope="module")
def measured_galaxies(some_galaxies, tmp_path_factory):
    """The page and numbers of a command that measured two rivals, and then added the zoo's own model."""
    folder = tmp_path_factory.mktemp("photoz")
    source = galaxies.write(some_galaxies, folder / "colours")
    (folder / "photoz.md").write_text(
        f"Words before.\n\n{write_page.BEGIN}\nearlier tables\n{write_page.END}\n\nWords behind.\n"
    )
    same = ["--ds", str(source), "--quick", "--seeds", "1", "--output", str(folder), "--about", "600 made-up galaxies"]
    assert photoz.main([*same, "--models", "none", "--rivals", "boosting-colours,neighbours"]) == 0
    assert photoz.main([*same, "--models", "mixture", "--rivals", "neighbours", "--add"]) == 0
    return (folder / "photoz.md").read_text(), json.loads((folder / "photoz.json").read_text())


def test_everybody_is_measured_on_the_same_galaxies(measured_galaxies, some_galaxies):
    results = measured_galaxies[1]
    rows = {row["name"]: row for row in results["rows"]}
    sizes = {name: len(part) for name, part in galaxies.parts(some_galaxies).items()}
    assert results["objects"] == sizes
    assert sorted(rows) == ["boosting-colours", "mixture", "neighbours"]
    assert rows["neighbours"]["scores"]["nmad"] < 0.03
    # What the zoo says of them are its own intervals, from validation galaxies; it has learnt for three epochs.
    assert 0.5 < rows["mixture"]["scores"]["coverage_68"] < 0.9
    for row in rows.values():
        assert row["cpu_s"] > 0
        assert row["per_cpu_s"] > 100
        assert row["peak_mb"] > 50
        assert row["size_mb"] > 0.01
        assert sum(row["pit"]) == sizes["test"]
    assert set(rows["mixture"]["hidden"]) == set(rows["boosting-colours"]["hidden"]) >= {"u", "uz"}


def test_the_page_has_every_tool_and_leaves_the_words_around_it(measured_galaxies):
    page, _ = measured_galaxies
    assert page.startswith("Words before.")
    assert page.endswith("Words behind.\n")
    assert "earlier tables" not in page
    assert "600 made-up galaxies" in page
    assert "quick run" in page
    table = page.partition("### All galaxies")[2].partition("###")[0]
    assert [line.split(" |")[0] for line in table.splitlines() if line.startswith("| ")][2:] == [
        "| b2r, mixture", "| boosting-colours", "| neighbours",
    ]  # fmt: skip
    for package, version in rail.packages().values():
        assert (f"is not installed (`pip install {package}`)" in page) == (not version)


def test_a_distribution_is_scored_as_what_it_is():
    random, count = np.random.default_rng(0), 4000
    centre, sigma = random.uniform(0.1, 0.2, count), 0.02
    truth = centre + sigma * random.standard_normal(count)
    borders = rivals.even_borders(np.array([0.0, 0.35]))
    middle = (borders[1:] + borders[:-1]) / 2

    def scored(width):
        shares = rivals.normalised(np.exp(-0.5 * ((middle - centre[:, None]) / width) ** 2))
        return answers.scores(answers.of_shares(shares, borders), truth)

    right, narrow = scored(sigma), scored(sigma / 2)
    assert right["coverage_68"] == pytest.approx(0.68, abs=0.02)
    assert right["coverage_95"] == pytest.approx(0.95, abs=0.01)
    # Of a normal distribution: Gneiting & Raftery 2007, JASA 102, 367.
    assert right["crps"] == pytest.approx(sigma / np.sqrt(np.pi), rel=0.03)
    assert right["pit_ks"] < 0.03 < narrow["pit_ks"]
    assert narrow["coverage_68"] < 0.45
    assert narrow["cde_loss"] > right["cde_loss"]


@pytest.mark.parametrize("name", ["boosting-quantiles", "forest"])
def test_rivals_learn_and_their_intervals_hold(name, some_galaxies, monkeypatch):
    # A tenth of the trees, with steps ten times as large.
    monkeypatch.setattr(rivals, "TREES", rivals.TREES | {"max_iter": 60, "learning_rate": 0.4})
    parts = galaxies.parts(some_galaxies)
    # On busy cores several threads take many times longer than one.
    with threadpool_limits(1):
        answer = rivals.RIVALS[name].fit(parts["train"], parts["validation"], 0)(parts["test"])
    found = answers.scores(answer, parts["test"].redshift)
    assert found["nmad"] < 0.03
    assert answer.shares.sum(axis=1) == pytest.approx(1)
    assert found["coverage_90"] > 0.6


def test_noise_is_as_large_as_the_errors_that_are_noted(some_galaxies):
    seen = galaxies.noisy(some_galaxies, (20, 20))
    assert seen.errors == pytest.approx(1.0857 / 20, rel=1e-3)
    assert np.std((seen.magnitudes - some_galaxies.magnitudes) / seen.errors) == pytest.approx(1, abs=0.05)
    twice = galaxies.noisy(seen, (20, 20))
    assert twice.errors == pytest.approx(2**0.5 * 1.0857 / 20, rel=1e-3)


def test_leads_are_over_the_named_rivals_and_what_was_not_measured_is_said():
    def row(kind, name, nmad):
        return {
            "kind": kind, "name": name, "bins": {}, "per_cpu_s": 1, "cpu_s": 1,
            "scores": {"nmad": nmad, "coverage_68": 0.7, "coverage_90": 0.9, "coverage_95": 0.95},
            "hidden": {bands: {"nmad": 0.02} for bands in ("u", "z", "uz")},
        }  # fmt: skip

    rows = [row("zoo", "binned", 0.014), row("zoo", "binned", 0.016), row("rival", "boosting-colours", 0.02)]
    found = {one["name"]: one for one in summary.judge(rows)}
    assert found["NMAD"]["measured"] == pytest.approx(0.015)
    assert found["NMAD"]["met"] is False
    assert found["lead over boosting-colours, NMAD"]["measured"] == pytest.approx(0.25)
    assert found["lead over boosting-colours, NMAD"]["met"] is True
    assert found["lead over rail-flexzboost, NMAD"]["met"] is None
    assert found["coverage overall, largest difference"]["measured"] == pytest.approx(0.02)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--models", "softmax"], "--models softmax: expected some of binned"),
        (["--rivals", "bpz"], "--rivals bpz: expected some of boosting"),
        (["--seeds", "0"], "--seeds: expected 1 or more, found 0"),
        (["--models", "none", "--rivals", "none"], "--models none: expected a model, or a rival that is installed"),
        (["--ds", "nowhere.csv", "--models", "none", "--rivals", "boosting"], "nowhere.csv: no such file or folder"),
    ],
)
def test_a_wrong_option_of_photoz_is_a_line(tmp_path, capsys, arguments, expected):
    assert photoz.main([*arguments, "--output", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert expected in said
    assert not list(tmp_path.iterdir())
