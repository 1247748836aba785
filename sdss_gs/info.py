"""Count what a data set holds, without reading its raw files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from sdss_gs.check import lacking_notes, layout_notes
from sdss_gs.dataset import is_known, open_catalogue, truth_of
from sdss_gs.formats.raw import list_paths, served_by, strangers_note
from sdss_gs.packing.packed import Packed, packed_folder, read_manifest
from sdss_gs.schema import INPUTS, OUTPUTS, Output
from sdss_gs.terminal import BOLD, paint


def summarise(folder: str | Path) -> dict[str, Any]:
    """Summarise a data set.

    Returns
    -------
    dict
        ``folder``, ``objects``, ``problems`` (number of wrong values), ``notes`` (how the table is understood),
        ``inputs`` and ``outputs`` (a dict per name), and ``usable``: objects that have both, by input and output.

    Raises
    ------
    DataError
        If there is no usable catalogue.
    """
    folder = Path(folder)
    catalogue = open_catalogue(folder)
    have, inputs = {}, {}
    for name in INPUTS:
        have[name], inputs[name] = _table(catalogue, name) if INPUTS[name].columns else _files(folder, catalogue, name)
    truths = {name: truth_of(folder, catalogue, output) for name, output in OUTPUTS.items()}
    known = {name: is_known(truth) for name, truth in truths.items()}
    outputs = {name: _output(catalogue, OUTPUTS[name], truth[known[name]]) for name, truth in truths.items()}
    usable = {
        name: {output: int((present & has).sum()) for output, has in known.items()} for name, present in have.items()
    }
    return {
        "folder": str(folder),
        "objects": len(catalogue),
        "problems": len(catalogue.problems),
        "notes": list(catalogue.notes),
        "inputs": inputs,
        "outputs": outputs,
        "usable": usable,
    }


def _table(catalogue, name: str) -> tuple[np.ndarray, dict]:
    values = catalogue.table(INPUTS[name].columns)
    present = np.isfinite(values).all(axis=1)
    summary = {"state": "data.csv", "available": int(present.sum()), "rejected": 0, "shape": list(values.shape[1:])}
    if present.any():
        summary |= {"low": float(values[present].min()), "high": float(values[present].max())}
    reasons: dict[str, int] = {}
    for column in INPUTS[name].columns:
        for reason, count in catalogue.missing[column].items():
            reasons[reason] = reasons.get(reason, 0) + count
    return present, summary | {"bytes": values.nbytes, "missing": reasons, "notes": []}


def _files(folder: Path, catalogue, name: str) -> tuple[np.ndarray, dict]:
    source = served_by(folder, name)
    target = packed_folder(folder) / source
    manifest = read_manifest(target)
    strangers = strangers_note(folder, name)
    if manifest is None:
        present = np.isin(catalogue.objid, list(list_paths(folder, source)))
        state = "not packed" if present.any() else "none"
        counts = {"available": int(present.sum()), "rejected": 0, "missing": {}}
        return present, {"state": state, **counts, "notes": strangers}
    packed = Packed(target)
    present = packed.locate(catalogue.objid)[0] >= 0
    summary = {
        "state": "packed" if source == name else f"from {source}",
        "available": int(present.sum()),
        "rejected": len(manifest.rejects),
        "shape": list(manifest.layout.shape),
        "bytes": packed.nbytes() if source == name else 0,
        "missing": {},
        "notes": strangers + layout_notes(source, manifest.layout) + lacking_notes(source, manifest.lacks.values()),
    }
    return present, summary | ({"low": manifest.low, "high": manifest.high} if manifest.available else {})


def _output(catalogue, output: Output, truth: np.ndarray) -> dict:
    """Summarise the truths that there are."""
    summary = {"available": len(truth), "missing": catalogue.missing.get(output.column, {})}
    if output.classes:
        counts = np.bincount(truth, minlength=len(output.classes))
        return summary | {"classes": dict(zip(output.classes, counts.tolist(), strict=True))}
    if len(truth) and output.kind != "votes":
        summary |= {"low": float(truth.min()), "median": float(np.median(truth)), "high": float(truth.max())}
    return summary


def as_text(summary: dict[str, Any]) -> str:
    """Lay a summary out for a terminal."""
    objects = summary["objects"]
    lines = [f"{summary['folder']}: {objects:,} objects, {summary['problems']} wrong values in data.csv"]
    lines += [*summary["notes"], ""]
    head = f"{'input':<9}{'available':>10}{'missing':>9}{'refused':>9}{'size':>12}  {'state':<14}range"
    lines.append(paint(head, BOLD))
    for name, item in summary["inputs"].items():
        lines += _input_lines(name, item, objects)
    lines += ["", paint(f"{'output':<9}{'available':>10}{'missing':>9}", BOLD)]
    for name, item in summary["outputs"].items():
        missing = objects - item["available"]
        lines.append(f"{name:<9}{item['available']:>10,}{missing:>9,}  {_output_detail(name, item)}")
    head = f"{'':<9}" + "".join(f"{name:>10}" for name in OUTPUTS)
    lines += ["", "objects usable for <input>2<output>", paint(head, BOLD)]
    for name, counts in summary["usable"].items():
        lines.append(f"{name:<9}" + "".join(f"{count:>10,}" for count in counts.values()))
    return "\n".join(lines)


def _input_lines(name: str, item: dict, objects: int) -> list[str]:
    missing = objects - item["available"] - item["rejected"]
    span = f"{item['low']:.4g} .. {item['high']:.4g} {INPUTS[name].unit}" if "low" in item else ""
    size = f"{item.get('bytes', 0) / 1e6:,.1f} MB"
    counts = f"{item['available']:>10,}{missing:>9,}{item['rejected']:>9,}"
    lines = [f"{name:<9}{counts}{size:>12}  {item['state']:<14}{span}"]
    lines += [f"{'':9}values missing: {count:,} ({reason})" for reason, count in item["missing"].items()]
    return lines + [f"{'':9}{note}" for note in item["notes"]]


def _output_detail(name: str, item: dict) -> str:
    if "classes" in item:
        shares = {label: count / item["available"] for label, count in item["classes"].items() if count}
        return "  ".join(f"{label} {share:.1%}" for label, share in shares.items())
    if "low" not in item:
        return ""
    return f"{item['low']:.4g} .. {item['median']:.4g} (median) .. {item['high']:.4g} {OUTPUTS[name].unit}"
