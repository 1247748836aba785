"""What ``zoo shift`` says of a new survey; and how often it says something of a survey that is the same."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np

from common.models.model import Model
from common.models.reference import Sample
from common.outputs.flags import Flag
from common.runs.store_location import REPOSITORY
from common.shift.diagnose import diagnose
from common.shift.from_folder import reference_of_folder
from common.shift.survey import Survey, chosen_of
from sdss_gs.errors import ZooError

from . import ways
from .measure import FEW, MANY
from .pairs import OLD, Pair, turns

HALVES = 100
RUN = "import sys; from common.cli.command import main; sys.exit(main())"


def diagnosed(pair: Pair, folder: Path, store: Path, address: str) -> list[dict]:
    """Diagnose a new survey by command, without labels, with a few, and with many.

    Parameters
    ----------
    pair : Pair
    folder : Path
        With its data sets.
    store : Path
        Where the command runs and its pages are kept.
    address : str
        Version of the model that learnt from the old survey.

    Returns
    -------
    list of dict
        For each number of ``labels``: ``verdict``, ``reasons``, ``movements`` (their kinds).
    """
    new, _ = next(turns(pair, folder))
    found = []
    for count in (0, FEW, MANY):
        labelled = ways.with_labels(new, folder / "labels" / f"diagnosed-{count}", count, 0)
        prefix = store / f"{folder.name}-{count}"
        arguments = ["shift", address, "--input", labelled, "--reference", folder / OLD, "--output", prefix]
        done = subprocess.run(
            [sys.executable, "-c", RUN, *map(str, arguments), "--overwrite"],
            cwd=REPOSITORY, text=True, capture_output=True,
        )  # fmt: skip
        if done.returncode:
            last = (done.stderr.strip().splitlines() or ["nothing said"])[-1]
            raise ZooError(f"zoo shift {address}: exit code {done.returncode}: {last}")
        said = json.loads(prefix.with_name(f"{prefix.name}.json").read_text())
        movements = [one["kind"] for one in said["movements"]]
        found.append({"labels": count, "verdict": said["verdict"], "reasons": said["reasons"], "movements": movements})
        print(f"{pair.title}: zoo shift with {count} labels: {said['verdict']}; {said['reasons'][0]}", flush=True)
    return found


def false_alarms(pair: Pair, folder: Path, address: str, labelled: bool, halves: int = HALVES) -> dict[str, object]:
    """Divide objects of the old survey at random, over and over, and diagnose one half beside the other.

    They are those that its model has not learnt from: otherwise its errors would differ.

    Parameters
    ----------
    pair : Pair
    folder : Path
    address : str
    labelled : bool
        Whether the other half has labels.
    halves : int
        How often.

    Returns
    -------
    dict
        ``survey``, ``labelled``, ``halves``, ``objects`` of a half, and ``verdicts``: how often each came.
    """
    model, counted = ways.stored(address), Counter()
    sample = reference_of_folder(model, folder / OLD)
    for ours, theirs in _halves(sample, halves):
        truths = theirs.truth if labelled else {}
        counted[diagnose(model, ours, _as_survey(model, theirs), truths).verdict.words] += 1
    about = {"survey": pair.title.partition(" →")[0], "labelled": labelled, "halves": halves}
    return about | {"objects": len(sample) // 2, "verdicts": dict(counted)}


def _halves(sample: Sample, count: int) -> Iterator[tuple[Sample, Sample]]:
    for seed in range(count):
        order = np.random.default_rng(seed).permutation(len(sample))
        middle = len(sample) // 2
        yield chosen_of(sample, np.sort(order[:middle])), chosen_of(sample, np.sort(order[middle:]))


def _as_survey(model: Model, sample: Sample) -> Survey:
    """Take a sample for what the model finds of another survey."""
    (item,) = model.inputs
    magnitudes = sample.traits[item.name][:, : len(item.magnitudes)]
    outside = int(model.training_ranges[item.name].outside(item, magnitudes).sum())
    flags = {bit.name: 0 for bit in Flag} | {Flag.OUTSIDE_TRAINING.name: outside}
    missing = dict(zip(item.magnitudes, np.isnan(magnitudes).mean(axis=0).tolist(), strict=True))
    bare = replace(sample, truth={})
    return Survey(bare, len(sample), len(sample), np.arange(len(sample)), flags, missing)
