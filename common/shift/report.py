"""The diagnosis of a model on another survey as JSON, as lines for a terminal, and as one HTML page."""

from __future__ import annotations

import base64
import io
import json
import math
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from common.judge.card import score_text, template
from common.outputs.kinds import kind_of
from common.shift.diagnose import Diagnosis, next_steps
from common.shift.figures import pictures
from common.shift.performance import Estimate, Performance
from sdss_gs import __version__
from sdss_gs.files import replacing

SCHEMA_VERSION = 1


def as_data(found: Diagnosis, start: str, folder: str, notes: list[str]) -> dict[str, object]:
    """Say everything as JSON has it; docs/howto/fine_tune.md names the keys.

    Parameters
    ----------
    found : Diagnosis
    start, folder : str
        See `next_steps`.
    notes : list of str
        What should be known of how the survey was read.
    """
    survey, weighed = found.survey, found.importance
    return _plain({
        "schema_version": SCHEMA_VERSION,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "zoo": __version__,
        "model": {"name": found.model.name, "version": found.model.version, "sha256": found.model.sha256},
        "input": folder,
        "objects": {"input": survey.count, "seen": survey.seen, "predicted": len(survey.sample),
                    "reference": len(found.reference)},
        "flags": survey.flags,
        "missing": survey.missing,
        "outside_training": survey.outside / max(len(survey.sample), 1),
        "classifier": {
            "auc": weighed.auc,
            "interval": np.clip(weighed.auc + 1.96 * weighed.auc_error * np.array([-1, 1]), 0, 1).tolist(),
            "effective_objects": weighed.effective * len(weighed.weights),
            "covered": weighed.covered,
        },
        "embedding": asdict(found.embedding) if found.embedding else None,
        "traits": [asdict(one) | {"moved": one.moved} for one in found.differences],
        "classes": {name: {label: list(pair) for label, pair in one.items()} for name, one in found.shares.items()},
        "movements": [asdict(one) for one in found.movements],
        "scores": {one.output.name: _scores(one) for one in found.performances},
        "verdict": found.verdict.words,
        "reasons": found.verdict.reasons,
        "next": next_steps(found, start, folder),
        "notes": notes,
    })  # fmt: skip


def _scores(one: Performance) -> dict[str, object]:
    parts = {"reference": one.reference, "expected": one.expected, "measured": one.measured}
    return {
        **{key: {name: asdict(value) for name, value in found.items()} for key, found in parts.items()},
        "constant": one.constant,
        "offset": {key: asdict(value) for key, value in one.offsets.items()},
        "error_spread": one.spread,
        "labels": one.labels,
        "reference_objects": one.references,
        "effective_objects": one.effective,
    }


def _plain(value: object) -> object:
    """Turn what is no finite number into null."""
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value


def as_text(data: dict[str, object]) -> str:
    """Lay the verdict out for a terminal."""
    objects = data["objects"]
    head = f"{data['model']['name']} on {data['input']}: {data['verdict']}"
    looked = f"{objects['predicted']:,} objects beside {objects['reference']:,} reference objects"
    reasons = "\n".join(f"  - {reason}" for reason in data["reasons"])
    steps = "\n".join(f"  → {step}" for step in data["next"])
    return f"{head}\n{looked}\n{reasons}\n{steps}"


def write(found: Diagnosis, data: dict[str, object], prefix: Path) -> list[Path]:
    """Write ``<prefix>.html`` and ``<prefix>.json``; return where they are.

    Parameters
    ----------
    found : Diagnosis
    data : dict
        From `as_data`.
    prefix : Path
    """
    paths = [Path(f"{prefix}.html"), Path(f"{prefix}.json")]
    texts = [html_page(found, data), json.dumps(data, indent=1, allow_nan=False)]
    for path, text in zip(paths, texts, strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        with replacing(path) as temporary:
            temporary.write_text(text, encoding="utf-8")
    return paths


def html_page(found: Diagnosis, data: dict[str, object]) -> str:
    """Write the page: HTML5 without scripts and without anything to load."""
    shown = []
    for caption, figure in pictures(found):
        written = io.BytesIO()
        figure.savefig(written, dpi=110, format="png")
        picture = base64.b64encode(written.getvalue()).decode("ascii")
        shown.append({"caption": caption, "base64": picture, "wide": figure.get_figwidth() > 8})
    return template("shift.html").render(
        data=data, pictures=shown, tables=[_table(one) for one in found.performances], trait_row=_trait_row
    )


def _table(one: Performance) -> dict[str, object]:
    """Lay the scores of an output out: a row per metric."""
    kind, rows = kind_of(one.output), []
    for name in one.reference:
        cells = [_cell(part.get(name)) for part in (one.reference, one.expected, one.measured)]
        constant = score_text(one.constant[name])[0] if name in one.constant else "–"
        rows.append(
            {
                "label": kind.metrics[name].label,
                "meaning": kind.metrics[name].meaning,
                "cells": cells,
                "constant": constant,
            }
        )
    if one.offsets:
        cells = [_cell(one.offsets.get(key)) for key in ("reference", "expected", "measured")]
        meaning = f"median of predicted − true{kind.width_unit}"
        rows.append({"label": "offset", "meaning": meaning, "cells": cells, "constant": "–"})
    return {"name": one.output.name, "rows": rows, "labels": one.labels, "references": one.references,
            "effective": one.effective, "expected": bool(one.expected)}  # fmt: skip


def _cell(estimate: Estimate | None) -> tuple[str, str]:
    return score_text(estimate.value, (estimate.low, estimate.high)) if estimate else ("–", "")


def _trait_row(one: dict[str, object]) -> list[str]:
    """Write a trait's numbers as cells."""
    known = {key: float("nan") if one[key] is None else one[key] for key in ("reference", "other")}
    p = "< 0.0001" if one["p"] < 1e-4 else f"{one['p']:.2g}"
    missing = " → ".join(f"{one[key]:.0%}" for key in ("missing_reference", "missing_other"))
    return [f"{known['reference']:.4g}", f"{known['other']:.4g}", f"{one['effect']:+.2f}", f"{one['distance']:.2f}", p,
            f"{one['spread']:.2f}", missing]  # fmt: skip
