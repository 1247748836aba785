"""Results as a Markdown page with tables and a plot."""

from __future__ import annotations

from pathlib import Path

from .draw import draw
from .settings import BATCH, NAIVE_BATCHES

NAME = "benchmarks"
TITLES = {
    "reading": "Reading raw files, one process",
    "packing": "Packing on all cores",
    "feeding": "Feeding alone",
    "training": "Training the reference network",
    "startup": "Start-up",
    "prediction": "Prediction",
    "growth": "Growth",
    "engines": "The network alone",
    "commands": "Whole commands, before and after",
    "runs": "Whole trainings, before and after",
}
NOTES = {
    "reading": "The zoo's readers check what they read. `ratio` is the reader's rate over the naive one.",
    "packing": "Cold: nothing packed. Warm: the packed set opened again. Resume: after SIGKILL when a third was "
    "packed. Naive: one process that reads the same files and keeps nothing; `ratio to naive that saves`: one that "
    "also writes them into one array on disk, as packing does. `disk` is a plain write and fsync of as many bytes: "
    "packing cannot be faster.",
    "feeding": "Shuffled batches drained inside TensorFlow, without a network; naive: the same object by object.",
    "training": f"Batch {BATCH} for every way. *packed*: a whole epoch at the defaults; *memory*: the same from an "
    f"array in memory; *naive*: {NAIVE_BATCHES} batches of an object-by-object `PyDataset` in float32 with one step "
    "per execution, its rate taken for the epoch. `packed float32` tells the feed's gain from that of bfloat16; "
    "`packed fast` is the other network, of which `ratio` compares the whole way. Memory is that of the packed way "
    "alone with its validation, measured before the others began; `time to memory` is the time of *packed* over that "
    "of *memory*. *program*: many steps as one program that XLA compiles, as a run of 3,000 steps and more of dense "
    "layers trains; `to packed`: its rate over that of Keras' own loop.",
    "startup": "Medians, files in the page cache. The time to the end of the first epoch of a small set is a close "
    "upper bound of the time to the first step.",
    "prediction": "Untrained networks in float32; naive: `model.predict` on the object-by-object batches.",
    "growth": "Each line is a process of its own. The files of the images are hard links to a thousand or fewer, so "
    "that their content is in the page cache; the packed images are not, once they outgrow the memory.",
    "engines": "Objects per second of one call with a batch, untrained networks, 2 threads, in one process. "
    "*before*: Keras' `predict` and `arcsinh`, as the zoo ran networks until they had a light form; *tensorflow*: "
    "`--runtime keras`; *onnxruntime*: the usual runtime; `gain`: of the usual runtime over *before*. All in float32 "
    "but *int8* (onnxruntime's dynamic quantisation) and *bfloat16* (OpenVINO, where the processor has it). The second "
    "table: b2r trained on the generated galaxies, and what others than TensorFlow in float32 make of its score.",
    "commands": "Both builds in turn, each command a process of its own, over one store of models that the later build "
    "trained for an epoch; medians, files in the page cache. `cpu`: with all processes that a command starts; `peak`: "
    "of its largest process. `gain`: before over after. *zoo serve*: all champions; one client that keeps its "
    "connection and asks for one galaxy of b2r at a time.",
    "runs": "Both builds in turn on one table of 20,000 random galaxies, each with MLflow, pictures and registration "
    "in a store that has seen one run; medians of three. `cpu`: with all processes of the command; `gain`: before over "
    "after. Programs that XLA compiled are kept from the second round on, as on a user's machine.",
}


def write_report(results: dict, output: Path) -> Path:
    """Write ``benchmarks.md`` and ``benchmarks.png``; return the page's path."""
    draw(results, output / f"{NAME}.png")
    rows = results["rows"]
    sections = [_head(results), "## Targets", targets_table(results["targets"]), f"![Ratios and growth]({NAME}.png)"]
    for part, title in TITLES.items():
        chosen = [row for row in rows if row["part"] == part]
        if chosen:
            added = results.get("added", {}).get(part)
            sections += [f"## {title}", NOTES[part], *([_added(added)] if added else []), *_tables(chosen)]
    if results["failures"]:
        sections += ["## Failed", "\n".join(f"- {failure}" for failure in results["failures"])]
    path = output / f"{NAME}.md"
    path.write_text("\n\n".join(sections) + "\n")
    return path


def _added(about: dict) -> str:
    """Say when and where a part was measured that was added to an earlier run."""
    quick = " **A quick run: not to be quoted.**" if about["quick"] else ""
    return f"Measured on {about['machine']['date'][:10]}:{quick}\n\n" + "\n".join(about_lines(about))


def about_lines(about: dict) -> list[str]:
    """Say in Markdown on which machine and with which software was measured."""
    machine = about["machine"]
    builds = ", ".join(f"{name} {commit}" for name, commit in about.get("builds", {}).items())
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    return [
        f"- **Machine**: {machine['processor']}, {machine['cores']} cores"
        f" ({', '.join(machine['instructions']) or 'no vector extensions known'}), {machine['memory_gb']:.0f} GB, "
        f"{machine['system']}; load at the start {machine['load_at_start']}",
        f"- **GPU**: {', '.join(machine.get('gpus', [])) or 'none; nothing here was measured on one'}",
        f"- **Software**: Python {machine['python']}, {versions}" + (f"; builds: {builds}" if builds else ""),
    ]


def _head(results: dict) -> str:
    lines = [
        "# Benchmarks",
        "",
        f"Written by `python -m benchmarks{' --quick' if results['quick'] else ''}` (`make bench`) in "
        f"{results['seconds'] / 60:.0f} minutes on {results['machine']['date'][:10]}.",
        "",
        *about_lines(results),
        "",
        "Competing ways run in turn, round by round, in one process; a ratio is the median of the rounds' ratios. "
        "*Naive* opens the one file of an object when the object is needed, after a scan of the catalogue for its row; "
        "that scan grows with `catalogue rows`. The files are in the page cache for every way. Catalogues are random "
        "numbers, files are hard links to generated galaxies. Memory is summed over a process and its workers: "
        "*anonymous* is what they hold themselves, *resident* counts also the pages of memory-mapped files, which "
        "belong to the page cache.",
    ]
    if results["quick"]:
        lines += ["", "**A quick run: sizes too small for numbers worth quoting.**"]
    return "\n".join(lines)


def targets_table(targets: list[dict]) -> str:
    """Lay out in Markdown what `targets.judge` returns."""
    lines = ["| what | target | measured | met |", "|---|---|---|---|"]
    for target in targets:
        unit = target["unit"] if target["unit"] in ("×", "") else f" {target['unit']}"
        measured = "not measured" if target["measured"] is None else f"{_number(target['measured'])}{unit}"
        met = {True: "yes", False: "**no**", None: ""}[target["met"]]
        lines.append(f"| {target['name']} | {target['sign']} {_number(target['target'])}{unit} | {measured} | {met} |")
    return "\n".join(lines)


def _tables(rows: list[dict]) -> list[str]:
    """Lay rows out, those of each kind in a table of their own."""
    kinds = dict.fromkeys(row.get("kind", "") for row in rows)
    return [_table([row for row in rows if row.get("kind", "") == kind]) for kind in kinds]


def _table(rows: list[dict]) -> str:
    columns = list(dict.fromkeys(name for row in rows for name in row if name != "part"))
    cells = [[_cell(row.get(name, "")) for name in columns] for row in rows]
    header = [name.replace("_per_", "/").replace("_", " ") for name in columns]
    numeric = [all(not isinstance(row.get(name, 0), str) for row in rows) for name in columns]
    lines = [header, ["---:" if number else "---" for number in numeric], *cells]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(value: object) -> str:
    return value if isinstance(value, str) else _number(value)


def _number(value: float) -> str:
    """Write a number with three digits, whole ones in full."""
    if isinstance(value, int) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"
