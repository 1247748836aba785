"""Data sets of any size, made cheaply: hard links to a few real files, beside a catalogue of random numbers.

Throughput does not ask what the numbers mean. Every link is opened and read like a file of its own.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from itertools import cycle, islice
from pathlib import Path

import numpy as np
import pandas as pd

from sdss_gs.errors import DataError
from sdss_gs.formats.raw import list_files
from sdss_gs.sample import write_sample
from sdss_gs.schema import INPUTS

FIRST_ID = 1237648720693755918
"""Ids as long as those of the survey: a table of short ones would be read faster."""


def sample(folder: Path, n: int) -> Path:
    """Generate the synthetic galaxies whose files the benchmarks read, unless they are there already."""
    return folder if folder.exists() else write_sample(folder, n, progress=False)


def table(folder: Path, n: int) -> Path:
    """Write a data set that is a catalogue only."""
    folder.mkdir(parents=True, exist_ok=True)
    random = np.random.default_rng(0)
    columns = [*INPUTS["bands"].columns, *INPUTS["wise"].columns]
    frame = pd.DataFrame(random.normal(17, 1, (n, len(columns))).round(4), columns=columns)
    frame.insert(0, "objid", FIRST_ID + 7 * np.arange(n))
    frame["redshift"] = random.uniform(0.02, 0.3, n).round(6)
    frame.to_csv(folder / "data.csv", index=False)
    return folder


def linked(folder: Path, source: str | Path, names: Sequence[str], n: int) -> Path:
    """Write a data set of `n` objects whose files of some inputs are hard links to those of another set.

    Raises
    ------
    DataError
        If the other set has no file of an input with the ending that the naive way reads.
    """
    table(folder, n)
    for name in names:
        suffix = INPUTS[name].suffix
        paths = [file.path for file in list_files(source, name).values() if file.path.endswith(suffix)]
        if not paths:
            raise DataError(f"{Path(source) / name}: expected files *{suffix} to measure, found none")
        (folder / name).mkdir(exist_ok=True)
        for number, path in enumerate(islice(cycle(paths), n)):
            _link(path, folder / name / f"{FIRST_ID + 7 * number}{suffix}")
    return folder


def files_for(name: str) -> tuple[str, ...]:
    """List the folders that an input's measurement needs: packed ``ssel`` is cut out of ``spectra``."""
    if name == "ssel":
        return ("spectra", "ssel")
    return (name,) if INPUTS[name].suffix else ()


def _link(path: str, target: Path) -> None:
    try:
        os.link(path, target)
    except FileExistsError:
        return
    except OSError:
        # Another disk, a file system without links, or too many of them.
        shutil.copyfile(path, target)
