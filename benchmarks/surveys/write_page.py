"""The measurements as tables of docs/measured/surveys.md, between marks, so that the words around them stay."""

from __future__ import annotations

from pathlib import Path

from common.judge.compare import insert

from .measure import ADAPTED, ALL, BEFORE, FEW, HOME, MANY, RETRAINED, WAYS
from .pairs import PAIRS
from .scores import BALANCED, ERROR

NAME = "surveys"
BEGIN, END = "<!-- surveys: written by make surveys -->", "<!-- end of surveys -->"
LABELS = {
    ERROR: "1.48 × median absolute error", BALANCED: "balanced accuracy", "nmad": "NMAD", "bias": "bias",
    "outlier_fraction_05": "> 0.05", "scatter_dex": "scatter, dex", "bias_dex": "bias, dex", "accuracy": "accuracy",
    "macro_f1": "macro F1",
}  # fmt: skip
BESIDE = {"redshift": ("nmad", "bias", "outlier_fraction_05"), "mass": ("scatter_dex", "bias_dex"), "classes": ()}
"""Scores beside the one that decides, by kind of output."""


def write_page(results: dict, output: Path) -> None:
    """Write the tables into ``surveys.md``, between the marks."""
    insert(output / f"{NAME}.md", _tables(results), BEGIN, END)


def _tables(results: dict) -> str:
    pairs = {name: results["pairs"][name] for name in PAIRS if name in results["pairs"]}
    sections = [f"Measured on {results['machine']['date'][:10]} by `make surveys`.", _overview(pairs)]
    sections += [_alarms(one) for one in results.get("false_alarms", [])]
    for name, found in pairs.items():
        sections += [f"### {PAIRS[name].title}: {PAIRS[name].shift}", _pair(found)]
    return "\n\n".join(sections)


def _alarms(alarms: dict) -> str:
    false = alarms["halves"] - alarms["verdicts"].get("use", 0)
    how = "with all labels" if alarms["labelled"] else "without labels"
    halves = f"{alarms['halves']} random halves of {alarms['survey']} ({alarms['objects']:,} objects each)"
    return f"`zoo shift` beside the other half, {how}: {false} of {halves} got another verdict than *use*."


def _overview(pairs: dict[str, dict]) -> str:
    """Lay out the score that decides of every pair in a line."""
    columns = {"own survey": (HOME, 0), "before": (BEFORE, 0)}
    columns |= {f"adapted, {count:,} labels": (ADAPTED, count) for count in (0, FEW, MANY)}
    columns |= {f"from nothing, {count:,}": (RETRAINED, count) for count in (FEW, MANY)} | {"all": (RETRAINED, ALL)}
    header = ["", "score", f"`zoo shift`: no labels / {FEW} / {MANY:,}", *columns, f"gap closed, {MANY:,} labels"]
    lines = []
    for name, found in pairs.items():
        rows, score = {(row["way"], row["asked"]): row for row in found["rows"]}, found["score"]
        verdicts = " / ".join(one["verdict"] for one in found.get("diagnosed", [])) or "–"
        cells = [_score(rows.get(key), score) for key in columns.values()]
        closed = _closed(rows.get((ADAPTED, MANY), {}).get("closed"))
        lines.append([PAIRS[name].title, LABELS[score], verdicts, *cells, closed])
    return _table(header, lines)


def _pair(found: dict) -> str:
    score = found["score"]
    beside = [name for name in BESIDE[found["kind"]] if name in found["rows"][0]["scores"]]
    coverages = [name for name in found["rows"][0]["scores"] if name.startswith("coverage_")]
    header = ["way", "labels", "draws", LABELS[score], *(LABELS[name] for name in beside)]
    header += [f"{name.removeprefix('coverage_')} % hold" for name in coverages] + ["gap closed"]
    lines = []
    rows = {(row["way"], row["labels"]): row for row in found["rows"]}
    for row in sorted(rows.values(), key=lambda row: list(WAYS).index(row["way"])):
        values = row["scores"]
        told = [_score(row, score), *(f"{values[name]:.4f}" for name in beside)]
        told += [f"{100 * values[name]:.1f}" for name in coverages]
        lines.append([row["way"], f"{row['labels']:,}", str(row["draws"]), *told, _closed(row.get("closed"))])
    sizes = found["objects"]
    about = f"{sizes['test']:,} test objects, {sizes['labels']:,} others with labels to draw from."
    said = [
        f"- `zoo shift` with {one['labels']:,} labels: **{one['verdict']}**: {one['reasons'][0]}"
        for one in found.get("diagnosed", [])
    ]
    return "\n\n".join([about, *(["\n".join(said)] if said else []), _table(header, lines)])


def _score(row: dict | None, name: str) -> str:
    if row is None:
        return "–"
    digits = 3 if row["scores"][name] > 0.1 else 4
    low, high = row["intervals"][name]
    return f"{row['scores'][name]:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


def _closed(part: dict | None) -> str:
    if part is None:
        return "–"
    low, high = (f"{100 * end:.0f}" for end in part["interval"])
    return f"{100 * part['value']:.0f} % ({low}–{high})"


def _table(header: list[str], lines: list[list[str]]) -> str:
    marks = ["---", *["---:"] * (len(header) - 1)]
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, marks, *lines))
