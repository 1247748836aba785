"""Write docs/measured/x2y.md's tables and x2y.json."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path

from common.outputs.calibration import LEVELS
from common.outputs.kinds import kind_of
from sdss_gs.errors import DataError
from sdss_gs.files import replacing
from sdss_gs.schema import INPUTS, OUTPUTS

HEADLINES = {name: kind_of(OUTPUTS[name]).headline for name in ("redshift", "smass", "subclass", "gz2c")}
"""The metric of each output."""
BEGIN, END = "<!-- begin measured -->", "<!-- end measured -->"
WHOLE, AVAILABLE, ALONE = "all inputs", "as available", "only {}"
POINTS = 2.0
"""How far from its level a coverage may be, in per cent."""


def write_page(found: dict, folder: Path) -> Path:
    """Replace the tables between the page's marks, and write the numbers beside it.

    Parameters
    ----------
    found : dict
        From `measure`.
    folder : Path
        Of ``x2y.md``.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    DataError
        If it has no marks.
    """
    page = folder / "x2y.md"
    text = page.read_text() if page.is_file() else f"# x2y\n\n{BEGIN}\n{END}\n"
    if text.count(BEGIN) != 1 or text.count(END) != 1:
        raise DataError(f"{page}: expected the lines {BEGIN} and {END} once each, found otherwise")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    with replacing(page) as temporary:
        temporary.write_text(f"{before}{BEGIN}\n\n{tables(found)}\n{END}{after}")
    with replacing(folder / "x2y.json") as temporary:
        temporary.write_text(json.dumps(found, indent=1) + "\n")
    return page


def tables(found: dict) -> str:
    """Write all tables of what was measured."""
    machine = found["machine"]
    lines = [
        f"Measured on {found['date']}: {found['galaxies']:,} generated galaxies, {machine['processor']}, "
        f"{machine['cores']} cores. In brackets 95 % intervals, by bootstrap over the test galaxies.\n"
    ]
    for inputs, run in found["x2y"].items():
        lines += _of_set(inputs, run, found["singles"])
    return "\n".join(lines)


def _of_set(inputs: str, run: dict, singles: dict) -> Iterable[str]:
    alone = {name: sum(_seconds(singles, name, output) for output in HEADLINES) for name in inputs.split(",")}
    yield f"## {inputs}\n"
    yield (
        f"`mlflow run x2y -P inputs={inputs} -P ds=D --no-conda`: {run['parameters']:,} parameters; "
        f"{run['seconds']:.0f} s with its base networks in the store, {run['training_seconds']:.0f} s of them the "
        "training of what is fused. "
        f"The base networks took {sum(alone.values()):.0f} s of training.\n"
    )
    yield "| output | metric | best single model | its score | x2y, all inputs | x2y, as available |"
    yield "|---|---|---|---|---|---|"
    for output, metric in HEADLINES.items():
        name, best = _best(singles, inputs, output)
        row = run["outputs"][output]
        cells = [_score(row, line, metric) for line in (WHOLE, AVAILABLE)]
        yield f"| {output} | {metric} | {name} | {_score(best, name, metric)} | {cells[0]} | {cells[1]} |"
    yield "\n| one input alone | " + " | ".join(f"{name} ({metric})" for name, metric in HEADLINES.items()) + " |"
    yield "|---|" + "---|" * len(HEADLINES)
    for item in inputs.split(","):
        cells = []
        for output, metric in HEADLINES.items():
            single = f"{INPUTS[item].code}2{OUTPUTS[output].code}"
            own = singles[single]["outputs"][output]["scores"][single][metric]
            ours = run["outputs"][output]["scores"][ALONE.format(item)][metric]
            cells.append(f"{ours:.3g} ({single} {own:.3g})")
        yield f"| {item} | {' | '.join(cells)} |"
    yield ""
    yield from _coverage(run["coverage"])


def _seconds(singles: dict, item: str, output: str) -> float:
    return singles[f"{INPUTS[item].code}2{OUTPUTS[output].code}"]["training_seconds"]


def _best(singles: dict, inputs: str, output: str) -> tuple[str, dict]:
    """Return the model of one input with the best test score."""
    metric = kind_of(OUTPUTS[output]).metrics[HEADLINES[output]]
    names = [f"{INPUTS[item].code}2{OUTPUTS[output].code}" for item in inputs.split(",")]
    scores = {name: singles[name]["outputs"][output]["scores"][name][HEADLINES[output]] for name in names}
    best = min(names, key=lambda name: metric.cost(scores[name]))
    return best, singles[best]["outputs"][output]


def _score(row: dict, line: str, metric: str) -> str:
    low, high = row["intervals"][line][metric]
    return f"{row['scores'][line][metric]:.3g} [{low:.3g}, {high:.3g}]"


def _coverage(found: dict) -> Iterable[str]:
    """Write what is held, by how many inputs there are: the mean over sets of so many, and the least and most."""
    galaxies = max(one["galaxies"] for by_output in found.values() for one in by_output.values())
    yield (
        f"What intervals and class sets hold, for every one of {len(found)} sets of inputs, of {galaxies:,} other "
        "generated galaxies (%): the mean over the sets of so many inputs, and the least and the most of any.\n"
    )
    yield (
        "| inputs | " + " | ".join(f"{output}: {100 * level:.0f} %" for output in HEADLINES for level in LEVELS) + " |"
    )
    yield "|---|" + "---|" * (len(HEADLINES) * len(LEVELS))
    for many in sorted({key.count("|") + 1 for key in found}):
        cells = []
        for output in HEADLINES:
            for level in LEVELS:
                held = [100 * by[output][str(level)] for key, by in found.items() if key.count("|") + 1 == many]
                cells.append(f"{sum(held) / len(held):.1f} ({min(held):.1f}–{max(held):.1f})")
        yield f"| {many} | {' | '.join(cells)} |"
    off = [
        _off(output, 100 * (by[output][str(level)] - level))
        for by in found.values()
        for output in HEADLINES
        for level in LEVELS
    ]
    yield (
        f"\n{sum(one <= POINTS for one in off)} of {len(off)} lie within {POINTS:.0f} points of their level, the "
        f"farthest {max(off):.1f} points off. (A class set has one class at least: where most galaxies are classified "
        "rightly it holds more than it is asked to, which is not counted.)\n"
    )


def _off(output: str, points: float) -> float:
    return max(0.0, -points) if OUTPUTS[output].classes else abs(points)
