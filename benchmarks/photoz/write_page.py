"""The measurements as a Markdown page: tables between marks, so that words around them stay."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from common.outputs.calibration import LEVELS, percent

from ..write_report import about_lines, targets_table
from .answers import BRIGHTNESS, TRUTH, WIDTH
from .measure import SIGNALS
from .rail import rail_rivals
from .rivals import RIVALS
from .summary import OURS, STRONG, grouped, label_of, spread

NAME = "photoz"
BEGIN, END = "<!-- tables: written by python -m benchmarks.photoz -->", "<!-- end of tables -->"
SCORES = (
    ("NMAD", "nmad", 4, 1), ("> 0.05", "outlier_fraction_05", 4, 1), ("> 0.15", "outlier_fraction_15", 4, 1),
    ("CRPS × 10³", "crps", 2, 1e3), ("CDE loss", "cde_loss", 2, 1), ("PIT KS", "pit_ks", 3, 1),
    ("interval score 90 %", "interval_score_90", 4, 1),
    *((f"holds {percent(level)} %", f"coverage_{percent(level)}", 3, 1) for level in LEVELS), ("AUC", "auc", 3, 1),
)  # fmt: skip
"""Heading, score, decimals, factor."""
COSTS = (
    ("training, CPU s", "cpu_s", 1), ("galaxies / CPU s", "per_cpu_s", 0), ("peak memory, MB", "peak_mb", 0),
    ("size, MB", "size_mb", 2),
)  # fmt: skip
SHOWN = (OURS, *STRONG, "boosting")
FIFTHS = {BRIGHTNESS: 2, TRUTH: 3, WIDTH: 4}
"""Decimals of the borders of bins."""


def write_page(results: dict, output: Path) -> Path:
    """Write the tables into ``photoz.md``, between the marks where the page is there; return its path."""
    path, tables = output / f"{NAME}.md", f"{BEGIN}\n\n{_tables(results)}\n\n{END}"
    text = path.read_text() if path.is_file() else f"# Photometric redshifts beside other tools\n\n{BEGIN}\n{END}\n"
    before, _, rest = text.partition(BEGIN)
    path.write_text(f"{before}{tables}{rest.partition(END)[2]}")
    return path


def _tables(results: dict) -> str:
    rows = results["rows"]
    sections = [_head(results), "### All galaxies", _main_table(rows), _settings(rows, results["rail"])]
    if results["targets"]:
        sections += ["### Targets", targets_table(results["targets"])]
    sections += [f"![PIT histograms, and coverage by width]({NAME}.png)"]
    sections += ["### Magnitudes missing", _hidden_table(rows)]
    if grouped(rows, "errors", "no errors"):
        sections += ["### Errors of magnitudes", _signal_table(rows)]
    sections += ["### Coverage in bins", _bins_table(rows)]
    if results["failures"]:
        sections += ["### Failed", "\n".join(f"- {failure}" for failure in results["failures"])]
    return "\n\n".join(sections)


def _head(results: dict) -> str:
    parts = ", ".join(f"{count:,} {part}" for part, count in results["objects"].items())
    lines = [f"Measured on {results['machine']['date'][:10]}: {results['about']} ({parts}).", ""]
    lines += about_lines(results)
    if results["quick"]:
        lines += ["", "**A quick run: few epochs, numbers not to be quoted.**"]
    return "\n".join(lines)


def _main_table(rows: list[dict]) -> str:
    lines = []
    for some in grouped(rows, "zoo", "rival").values():
        cells = [_score(some, score, decimals, factor) for _, score, decimals, factor in SCORES]
        costs = [_cell(spread(some, lambda row, cost=cost: row[cost]), decimals) for _, cost, decimals in COSTS]
        lines.append([label_of(some[0]), str(len(some)), *cells, *costs])
    return _table(["", "seeds", *(one[0] for one in SCORES), *(one[0] for one in COSTS)], lines)


def _settings(rows: list[dict], rail: dict[str, tuple[str, str]]) -> str:
    rivals, lines = RIVALS | rail_rivals(), []
    for name in grouped(rows, "rival"):
        package = f"{' '.join(rail[name])}; " if name in rail else ""
        lines.append(f"- `{name}`: {package}{rivals[name].settings}")
    missing = {name: package for name, (package, number) in rail.items() if not number}
    lines += [f"- `{name}` is not installed (`pip install {package}`)" for name, package in missing.items()]
    return "\n".join(lines)


def _hidden_table(rows: list[dict]) -> str:
    lines = []
    for some in grouped(rows, "zoo", "rival").values():
        if (some[0]["name"] not in SHOWN) or "hidden" not in some[0]:
            continue
        for bands in some[0]["hidden"]:
            without = " ".join(bands) or "none"
            lines.append([label_of(some[0]), without, *_reliable(some, lambda row, bands=bands: row["hidden"][bands])])
    return _table(["", "missing", *_RELIABLE], lines)


def _signal_table(rows: list[dict]) -> str:
    lines = []
    for kind, label in (("errors", "with errors"), ("no errors", "without errors")):
        for some in grouped(rows, kind).values():
            for signal in map(str, SIGNALS):
                cells = _reliable(some, lambda row, signal=signal: row["signals"][signal])
                lines.append([f"b2r, {label}", signal, *cells])
    return _table(["", "signal / noise", *_RELIABLE], lines)


_RELIABLE = ("NMAD", "CRPS × 10³", *(f"holds {percent(level)} %" for level in LEVELS), "width 68 %")


def _reliable(rows: list[dict], read: Callable[[dict], dict]) -> list[str]:
    wanted = (("nmad", 4, 1), ("crps", 2, 1e3), *((f"coverage_{percent(level)}", 3, 1) for level in LEVELS))
    wanted += (("width", 4, 1),)
    return [
        _cell(spread(rows, lambda row, name=name, factor=factor: _times(read(row).get(name), factor)), decimals)
        for name, decimals, factor in wanted
    ]


def _bins_table(rows: list[dict]) -> str:
    tools = {name: some for name, some in grouped(rows, "zoo", "rival").items() if name in SHOWN[:3]}
    lines = []
    for quantity, decimals in FIFTHS.items():
        counts = [len(some[0]["bins"].get(quantity, [])) for some in tools.values()]
        for number in range(min(counts, default=0)):
            line = next(iter(tools.values()))[0]["bins"][quantity][number]
            low, high = (f"{line[end]:.{decimals}f}" for end in ("low", "high"))
            cells = [_held(some, quantity, number) for some in tools.values()]
            lines.append([quantity, f"{low} to {high}", f"{line['count']:,}", *cells])
    return _table(["bin of", "from", "galaxies", *(label_of(some[0]) for some in tools.values())], lines)


def _held(rows: list[dict], quantity: str, number: int) -> str:
    lines = [row["bins"][quantity][number]["coverage"] for row in rows if len(row["bins"][quantity]) > number]
    return " ".join(f"{np.mean([line[str(level)] for line in lines]):.3f}" for level in LEVELS)


def _score(rows: list[dict], name: str, decimals: int, factor: float) -> str:
    return _cell(spread(rows, lambda row: _times(row["scores"].get(name), factor)), decimals)


def _times(value: float | None, factor: float) -> float | None:
    return None if value is None else value * factor


def _cell(value: tuple[float, float] | None, decimals: int) -> str:
    if value is None:
        return "–"
    mean, deviation = value
    # Nothing less than a digit of the mean.
    spreads = deviation >= 0.5 * 10**-decimals
    return f"{mean:,.{decimals}f}" + (f" ± {deviation:,.{decimals}f}" if spreads else "")


def _table(header: list[str], lines: list[list[str]]) -> str:
    marks = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, marks, *lines))
