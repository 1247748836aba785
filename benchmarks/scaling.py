"""What more workers bring to a prediction: ``python -m benchmarks.scaling b2r --workers 1 2``, here or on a cluster.

Start-up and the rate after the first piece are told apart: their sum is what a run takes, whatever its size.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from common.data.sources import open_source
from common.predict.choose import choose_models
from common.predict.predict import here, predict
from common.predict.ray_engine import on_ray
from sdss_gs.schema import INPUTS

from .generate import FIRST_ID

SHARD = 250_000


def shards(folder: Path, rows: int) -> Path:
    """Write a folder of Parquet files of random magnitudes."""
    columns = [*INPUTS["bands"].columns, *INPUTS["wise"].columns]
    for number, first in enumerate(range(0, rows, SHARD)):
        size = min(SHARD, rows - first)
        values = np.random.default_rng(number).normal(17, 1, (size, len(columns))).round(4)
        frame = pd.DataFrame(values, columns=columns)
        frame.insert(0, "objid", FIRST_ID + 7 * np.arange(first, first + size))
        frame.to_parquet(folder / f"{number:05d}.parquet", index=False, row_group_size=65_536)
    return folder


def measure(models, folder: Path, output: Path, engine) -> dict[str, float]:
    """Predict once; return seconds until the first piece, objects per second after it, and seconds in all."""
    times, counts = [], []

    def timed(*arguments):
        for rows, flags in engine(*arguments):
            times.append(time.perf_counter())
            counts.append(rows)
            yield rows, flags

    began = time.perf_counter()
    predict(models, open_source([folder], ["bands", "wise"]), output, engine=timed, overwrite=True)
    steady = sum(counts[1:]) / (times[-1] - times[0])
    return {"first piece s": times[0] - began, "then/s": steady, "whole s": time.perf_counter() - began}


def main() -> None:
    """Measure every number of workers and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scaling", description=__doc__.splitlines()[0])
    parser.add_argument("model", help="a stored model of bands or wise")
    parser.add_argument("--rows", type=int, default=1_000_000, help="default: %(default)s")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--address", default="", help="of a Ray cluster (default: this machine)")
    options = parser.parse_args()
    models, _together = choose_models([options.model])
    with tempfile.TemporaryDirectory(prefix="zoo-scaling-") as name:
        folder, results = Path(name) / "shards", {}
        folder.mkdir()
        shards(folder, options.rows)
        opened = partial(open_source, [folder], ["bands", "wise"], progress=False)
        ray = partial(on_ray, opened=opened, address=options.address)
        ways = {"local": here} | {f"ray, workers: {count}": partial(ray, workers=count) for count in options.workers}
        whole = None
        for way, engine in ways.items():
            output = Path(name) / "out.parquet"
            load = os.getloadavg()[0]
            results[way] = measure(models, folder, output, engine) | {"load before": load}
            found = output.read_bytes()
            whole = whole or found
            results[way]["same bytes"] = found == whole
            print(way, {key: round(value, 2) for key, value in results[way].items()}, flush=True)


if __name__ == "__main__":
    main()
