"""Measure the zoo beside the naive way, other engines, and an earlier build of itself."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

from sdss_gs.errors import OptionError, ZooError
from sdss_gs.schema import INPUTS

from . import generate, machine
from .run_task import apart
from .settings import PARTS, QUICK_INPUTS, ROOT, Settings
from .targets import judge
from .tasks import tasks_of
from .write_report import NAME, write_report

SOURCES = 1000
"""Generated galaxies whose files are measured."""


def main(arguments: list[str] | None = None) -> int:
    """Run the parts one after the other; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    add = parser.add_argument
    add("--parts", default=",".join(PARTS), help="comma-separated (default: %(default)s)")
    add("--inputs", default="", help=f"comma-separated (default: all; with --quick {','.join(QUICK_INPUTS)})")
    add("--quick", action="store_true", help="small sizes: to see that everything works, not to quote")
    add("--ds", default="", help="data set whose files are measured (default: generated galaxies)")
    add("--before", default="", metavar="CHECKOUT", help="earlier build, for the part commands (default: none)")
    add("--after", default="", metavar="CHECKOUT", help="build that it is compared with (default: this one)")
    add("--add", action="store_true", help="keep what the output has of other parts")
    add("--work", default="", help="folder for generated data, up to 10 GB (default: the system's temporary folder)")
    add("--output", default="docs/measured", help=f"folder for {NAME}.md, .json and .png (default: %(default)s)")
    options = parser.parse_args(arguments)
    try:
        parts = _chosen("--parts", options.parts, PARTS)
        default = QUICK_INPUTS if options.quick else INPUTS
        inputs = _chosen("--inputs", options.inputs or ",".join(default), tuple(INPUTS))
        checkouts = [_checkout(f"--{name}", getattr(options, name)) for name in ("before", "after")]
        with tempfile.TemporaryDirectory(prefix="zoo-bench-", dir=options.work or None) as work:
            source = options.ds and str(Path(options.ds).resolve())
            if not source:
                print("generating galaxies", flush=True)
                source = str(generate.sample(Path(work) / "source", 48 if options.quick else SOURCES))
            settings = Settings(work, source, options.quick, inputs, *checkouts)
            return _measure_all(settings, parts, Path(options.output), options.add)
    except (ZooError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f"interrupted; what was measured is in {options.output}/{NAME}.json", file=sys.stderr)
        return 130


def _chosen(option: str, text: str, known: tuple[str, ...]) -> tuple[str, ...]:
    names = tuple(text.split(","))
    for name in names:
        if name not in known:
            raise OptionError(f"{option} {name}: expected some of {', '.join(known)}")
    return names


def _checkout(option: str, text: str) -> str:
    if text and not (Path(text) / "setup.py").is_file():
        raise OptionError(f"{option} {text}: expected a checkout of the zoo, found no setup.py there")
    return text and str(Path(text).resolve())


def _measure_all(settings: Settings, parts: tuple[str, ...], output: Path, add: bool) -> int:
    """Run every task in its own process, so that a peak of memory is its own; keep what is done after each."""
    began = time.perf_counter()
    builds = {"before": settings.before, "after": settings.after or str(ROOT)}
    about = {
        "machine": machine.describe(),
        "builds": {name: machine.commit(root) for name, root in builds.items() if root},
        "quick": settings.quick,
        "seconds": 0,
    }
    results = about | {"rows": [], "failures": []}
    output.mkdir(parents=True, exist_ok=True)
    if add and (path := output / f"{NAME}.json").is_file():
        results = without(json.loads(path.read_text()), parts)
        results["added"] |= dict.fromkeys(parts, about)
    failures = results["failures"]
    for part in parts:
        for task in tasks_of(part, settings):
            label = " ".join([part, *map(str, task.values())])
            rows, problem, took = apart(settings, part, task)
            print(f"{label:<28}{took:>7.1f} s  {problem and f'failed: {problem}'}", flush=True)
            for row in rows:
                print(f"    {_line(row)}", flush=True)
            results["rows"] += rows
            failures += [f"{label}: {problem}"] if problem else []
            about["seconds"] = round(time.perf_counter() - began)
            results |= {} if add else about
            results["targets"] = judge(results["rows"])
            (output / f"{NAME}.json").write_text(json.dumps(results, indent=1))
    print(write_report(results, output))
    return 1 if failures else 0


def without(results: dict, parts: tuple[str, ...]) -> dict:
    """Return the results of an earlier run without those of some parts."""
    kept = {"rows": [row for row in results["rows"] if row["part"] not in parts]}
    kept["failures"] = [one for one in results["failures"] if one.split()[0].rstrip(":") not in parts]
    kept["added"] = {part: about for part, about in results.get("added", {}).items() if part not in parts}
    return results | kept


def _line(row: dict) -> str:
    values = {name: f"{value:,.4g}" if isinstance(value, float) else value for name, value in row.items()}
    return "  ".join(f"{name} {value}" for name, value in values.items() if name != "part")


if __name__ == "__main__":
    sys.exit(main())
