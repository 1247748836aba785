"""Measure b2r and other tools for photometric redshifts on the same galaxies, by the same scores."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from sdss_gs.errors import OptionError, ZooError
from sdss_gs.locate import how_made

from .. import generate, machine
from ..run_task import apart
from ..settings import Settings
from ..startup import environment
from .draw import draw
from .galaxies import parts, read, write
from .rail import packages, rail_rivals
from .rivals import RIVALS
from .summary import HEADS, OURS, judge
from .write_page import NAME, write_page

ORDER = (*HEADS, *RIVALS, *rail_rivals())
"""Of the rows."""
ALL, NONE = "all", "none"
SAMPLE, QUICK_SAMPLE = 2000, 300
"""Generated galaxies."""
ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "LOKY_MAX_CPU_COUNT")}
"""So that no time is spent on threads that wait for one another."""


def main(arguments: list[str] | None = None) -> int:
    """Measure every tool that was asked for; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.photoz", description=__doc__)
    add = parser.add_argument
    add("--ds", default="", help="folder with data.csv, or a table (default: generated galaxies)")
    add("--about", default="", help="words for the page on what these are (default: the name of the folder)")
    add(
        "--models", default=ALL, help=f"heads of b2r: some of {','.join(HEADS)}, {ALL} or {NONE} (default: %(default)s)"
    )
    rivals = ORDER[len(HEADS) :]
    add("--rivals", default=ALL, help=f"some of {','.join(rivals)}, {ALL} or {NONE} (default: %(default)s)")
    add("--seeds", type=int, default=5, help="trainings of each head (default: %(default)s)")
    add("--rival-seeds", type=int, default=1, help="trainings of each rival (default: %(default)s)")
    add("--quick", action="store_true", help="few galaxies and epochs: to see that everything works, not to quote")
    add("--add", action="store_true", help="keep what the output has of other tools")
    add("--output", default="docs/measured", help=f"folder for {NAME}.md, .json and .png (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        heads = _chosen("--models", options.models, tuple(HEADS))
        rivals = _chosen("--rivals", options.rivals, rivals)
        for option in ("seeds", "rival_seeds"):
            if getattr(options, option) < 1:
                raise OptionError(f"--{option.replace('_', '-')}: expected 1 or more, found {getattr(options, option)}")
        tasks = _tasks(heads, rivals, options.seeds, options.rival_seeds)
        if not tasks:
            raise OptionError(
                f"--models {NONE}: expected a model, or a rival that is installed, to measure; found neither"
            )
        with tempfile.TemporaryDirectory(prefix="zoo-photoz-") as work:
            return _measure_all(Path(work), tasks, options)
    except (ZooError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"interrupted; what was measured is in {options.output}/{NAME}.json", file=sys.stderr)
        return 130


def _chosen(option: str, text: str, known: tuple[str, ...]) -> tuple[str, ...]:
    if text in (ALL, NONE):
        return known if text == ALL else ()
    for name in text.split(","):
        if name not in known:
            raise OptionError(f"{option} {name}: expected some of {', '.join(known)}, or {ALL} or {NONE}")
    return tuple(text.split(","))


def _tasks(heads: tuple[str, ...], rivals: tuple[str, ...], seeds: int, rival_seeds: int) -> list[dict]:
    """List the arguments of `measure.measure`."""
    rail = packages()
    found = [{"kind": "zoo", "name": name, "seed": seed} for name in heads for seed in range(seeds)]
    if OURS in heads:
        found += [{"kind": kind, "name": OURS, "seed": 0} for kind in ("errors", "no errors")]
    for name in (name for name in rivals if name in rail and not rail[name][1]):
        print(f"{name}: left out, {rail[name][0]} is not installed", flush=True)
    there = (name for name in rivals if name not in rail or rail[name][1])
    return found + [{"kind": "rival", "name": name, "seed": seed} for name in there for seed in range(rival_seeds)]


def _measure_all(work: Path, tasks: list[dict], options: argparse.Namespace) -> int:
    """Run every task in its own process, so that a peak of memory is its own; keep what is done after each."""
    source = Path(options.ds)
    if not options.ds:
        print("generating galaxies", flush=True)
        source = generate.sample(work / "source", QUICK_SAMPLE if options.quick else SAMPLE)
    galaxies = read(source, work)
    settings = Settings(str(work), str(write(galaxies, work / "galaxies")), options.quick, ("bands",))
    about = {
        "about": options.about or (source.name if options.ds else "generated galaxies"),
        "objects": {part: len(some) for part, some in parts(galaxies).items()},
        "machine": machine.describe(),
        "quick": options.quick,
        "rail": packages(),
    }
    output = Path(options.output)
    output.mkdir(parents=True, exist_ok=True)
    path = output / f"{NAME}.json"
    rows, failures, measured_with = [], [], {}
    if options.add and path.is_file():
        rows, failures, measured_with = _kept(path, tasks, about["objects"])
    about["rail"] |= measured_with
    results = about | {"rows": rows, "failures": failures, "targets": []}
    for task in tasks:
        label = " ".join(map(str, task.values()))
        found, problem, took = apart(settings, "photoz.measure", task, environment() | ONE_THREAD)
        print(f"{label:<34}{took:>7.1f} s  {_line(found) if found else f'failed: {problem}'}", flush=True)
        results["rows"] = sorted(results["rows"] + found, key=lambda row: ORDER.index(row["name"]))
        failures += [f"{label}: {problem}"] if problem else []
        # What is meant to be reached was said of real galaxies.
        results["targets"] = [] if how_made(source) else judge(results["rows"])
        path.write_text(json.dumps(results) + "\n")
    draw(results["rows"], output / f"{NAME}.png")
    print(write_page(results, output))
    return 1 if failures else 0


def _kept(path: Path, tasks: list[dict], objects: dict[str, int]) -> tuple[list[dict], list[str], dict[str, list]]:
    """Return what an earlier run has measured, and what it could not, of other tools than those of some tasks.

    And which versions of packages it measured these with.
    """
    before = json.loads(path.read_text())
    if before["objects"] != objects:
        raise OptionError(f"--add: expected the galaxies of {path} ({before['objects']}), found {objects}")
    again = {(task["kind"], task["name"]) for task in tasks}
    rows = [row for row in before["rows"] if (row["kind"], row["name"]) not in again]
    done_again = tuple(f"{kind} {name} " for kind, name in again)
    failures = [one for one in before["failures"] if not one.startswith(done_again)]
    names = {row["name"] for row in rows}
    return rows, failures, {name: package for name, package in before["rail"].items() if name in names}


def _line(rows: list[dict]) -> str:
    found = rows[0].get("scores") or rows[0]["signals"]["10"]
    shown = ("nmad", "crps", "cde_loss", "pit_ks", "interval_score_90", "auc")
    return "  ".join(f"{name} {found[name]:.4f}" for name in shown if name in found)


if __name__ == "__main__":
    sys.exit(main())
