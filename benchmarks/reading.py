"""(a) Reading raw files: the zoo's readers beside the naive way, one process each, files in the page cache."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from sdss_gs.formats.raw import list_files, probe_layout, read_file
from sdss_gs.schema import INPUTS
from sdss_gs.tables.catalogue import read_catalogue

from . import generate, naive
from .memory import watching
from .settings import FILE_INPUTS, Settings
from .timing import in_turn, rate, ratio


def measure(settings: Settings, name: str) -> list[dict]:
    """Read the files of one input in both ways, the catalogue for ``bands`` (and ``wise``)."""
    files = name in FILE_INPUTS
    ways, objects = (_file_ways if files else _table_ways)(settings, name)
    with watching() as peak:
        rates = in_turn(ways, settings.rounds())
    return [
        {
            "part": "reading",
            "input": name if files else "data.csv",
            "objects": objects,
            "reader_per_s": rate(rates, "reader"),
            "naive": {".jpg": "PIL", ".npy": "np.load"}.get(INPUTS[name].suffix, "pandas.read_csv"),
            "naive_per_s": rate(rates, "naive"),
            "ratio": ratio(rates, "reader", "naive"),
            **peak.columns(),
        }
    ]


def _file_ways(settings: Settings, name: str):
    found = (file.path for file in list_files(settings.source, name).values())
    paths = [path for path in found if path.endswith(INPUTS[name].suffix)][: settings.pick(500, 50)]
    layout = probe_layout(name, paths)

    def reader() -> int:
        for path in paths:
            read_file(name, path, layout)
        return len(paths)

    def naively() -> int:
        for path in paths:
            naive.read_path(name, path)
        return len(paths)

    return {"reader": reader, "naive": naively}, len(paths)


def _table_ways(settings: Settings, _name: str):
    rows = settings.pick(100_000, 10_000)
    folder = generate.table(Path(settings.work) / "reading", rows)
    ways = {"reader": lambda: len(read_catalogue(folder)), "naive": lambda: len(pd.read_csv(folder / "data.csv"))}
    return ways, rows
