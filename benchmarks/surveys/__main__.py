"""Measure what models are worth on another survey: as they are, diagnosed, adapted, and retrained."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

from sdss_gs.errors import OptionError, ZooError
from weights.sources import SOURCES, check_sources

from .. import machine
from .diagnose import HALVES, diagnosed, false_alarms
from .measure import WAYS, measure, old_model
from .pairs import PAIRS, write_pair
from .ways import use_store
from .write_page import NAME, write_page

DRAWS = 3
SAME = "a1-kc"
"""The pair whose old survey is compared with itself."""


def main(arguments: list[str] | None = None) -> int:
    """Measure every pair of surveys that was asked for; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.surveys", description=__doc__)
    add = parser.add_argument
    add("sources", type=Path, help="folder with the files of weights/recipe.md")
    add("real", type=Path, help="folder with the data sets resolve, gz1 and gz2")
    add("--pairs", default=",".join(PAIRS), help="comma-separated (default: %(default)s)")
    add("--ways", default=",".join(WAYS), help="comma-separated (default: %(default)s)")
    add("--draws", type=int, default=DRAWS, help="draws of labels (default: %(default)s)")
    add(
        "--halves", type=int, default=HALVES, help="halves of a survey for false alarms (default: %(default)s; 0: none)"
    )
    add("--work", type=Path, help="folder for data sets, models and answers, which are kept (default: a temporary one)")
    add(
        "--output",
        type=Path,
        default=Path("docs/measured"),
        help=f"folder of {NAME}.md and .json (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    try:
        pairs = _chosen("--pairs", options.pairs, tuple(PAIRS))
        chosen = _chosen("--ways", options.ways, tuple(WAYS))
        for option, least in (("draws", 1), ("halves", 0)):
            if (value := getattr(options, option)) < least:
                raise OptionError(f"--{option}: expected {least} or more, found {value}")
        check_sources(options.sources, sorted({name for pair in pairs for name in PAIRS[pair].sources}), SOURCES)
        with tempfile.TemporaryDirectory(prefix="zoo-surveys-") as temporary:
            work = (options.work or Path(temporary)).resolve()
            use_store(work / "store")
            results = _earlier(options.output / f"{NAME}.json")
            for name in pairs:
                pair, folder = PAIRS[name], work / name
                write_pair(pair, options.sources, options.real, folder)
                address = old_model(pair, folder, work / "store")
                found = measure(pair, folder, work / "store", address, chosen, options.draws)
                found["diagnosed"] = diagnosed(pair, folder, work / "store", address)
                results["pairs"][name] = found
                if name == SAME and options.halves:
                    alarms = [false_alarms(pair, folder, address, truths, options.halves) for truths in (False, True)]
                    results["false_alarms"] = alarms
                results["machine"] = machine.describe()
                (options.output / f"{NAME}.json").write_text(json.dumps(results, indent=1, allow_nan=False) + "\n")
                write_page(results, options.output)
    except (ZooError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def _chosen(option: str, text: str, known: tuple[str, ...]) -> tuple[str, ...]:
    """Read some of the known names, in their order."""
    names = text.split(",")
    if unknown := [name for name in names if name not in known]:
        raise OptionError(f"{option} {unknown[0]}: expected some of {', '.join(known)}")
    return tuple(name for name in known if name in names)


def _earlier(path: Path) -> dict:
    """Return what an earlier run measured of other pairs."""
    return json.loads(path.read_text()) if path.is_file() else {"pairs": {}}


if __name__ == "__main__":
    sys.exit(main())
