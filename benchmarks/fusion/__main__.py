"""Train every model of one input and x2y on the same galaxies, and write docs/measured/x2y.md's tables."""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import mlflow
from mlflow import MlflowClient

from common.runs.store_location import REPOSITORY
from sdss_gs.errors import OptionError, ZooError
from sdss_gs.schema import INPUTS, OUTPUTS

from .. import machine
from .coverage import coverage
from .write_page import HEADLINES, write_page

SETS = ("bands,wise", "img,bands,wise", "img,fits,spectra,ssel,bands,wise")
"""Inputs of x2y that are tried."""
GALAXIES, QUICK_GALAXIES = 4000, 400


def main(arguments: list[str] | None = None) -> int:
    """Measure, write the page; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.fusion", description=__doc__)
    add = parser.add_argument
    add(
        "--work", type=Path, default=Path(".venv/fusion"), help="folder for data sets and models, which is gone on with"
    )
    add("--sets", default=";".join(SETS), help="inputs of x2y, several sets separated by ; (default: %(default)s)")
    add("--quick", action="store_true", help="few galaxies, one epoch: to see that everything works, not to quote")
    add(
        "--output",
        type=Path,
        default=Path("docs/measured"),
        help="folder of x2y.md and x2y.json (default: %(default)s)",
    )
    options = parser.parse_args(arguments)
    try:
        sets = [tuple(one.split(",")) for one in options.sets.split(";")]
        if unknown := [name for one in sets for name in one if name not in INPUTS]:
            raise OptionError(f"--sets: expected some of {', '.join(INPUTS)}, found {unknown[0]!r}")
        found = measure(options.work.resolve(), sets, options.quick)
        print(write_page(found, options.output))
    except ZooError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def measure(work: Path, sets: list[tuple[str, ...]], quick: bool) -> dict:
    """Train and judge what is not there yet.

    Parameters
    ----------
    work : Path
        Holds data sets, store and what was measured before.
    sets : list of tuple of str
        Inputs of x2y.
    quick : bool
        Few galaxies and one epoch.

    Returns
    -------
    dict
        As JSON has it.
    """
    work.mkdir(parents=True, exist_ok=True)
    os.environ["MLFLOW_TRACKING_URI"] = uri = f"sqlite:///{work}/mlflow.db"
    mlflow.set_tracking_uri(uri)
    count = QUICK_GALAXIES if quick else GALAXIES
    data, other = (_sample(work / f"sample-{seed}", count, seed) for seed in (0, 1))
    told = ("--epochs", "1") if quick else ()
    names = [f"{INPUTS[item].code}2{OUTPUTS[output].code}" for item in INPUTS for output in HEADLINES]
    singles = {name: trained(name, data, work, told) for name in names if any(name_in(name, one) for one in sets)}
    several = {}
    for one in sets:
        inputs = ",".join(one)
        several[inputs] = found = trained("x2y", data, work, ("--inputs", inputs, *told))
        found["coverage"] = coverage(found["address"], other)
    return {"date": time.strftime("%Y-%m-%d"), "machine": machine.describe(), "galaxies": count} | {
        "singles": singles, "x2y": several,
    }  # fmt: skip


def name_in(name: str, inputs: tuple[str, ...]) -> bool:
    """Tell whether a model's input is among some."""
    return name.partition("2")[0] in {INPUTS[item].code for item in inputs}


def _sample(folder: Path, count: int, seed: int) -> Path:
    if not (folder / "data.csv").is_file():
        command = [sys.executable, "-m", "sdss_gs", "sample", str(folder), "--n", str(count), "--seed", str(seed)]
        subprocess.run(command, check=True)
    return folder


def trained(name: str, data: Path, work: Path, options: tuple[str, ...]) -> dict:
    """Train a model by its folder's command, unless that was done.

    Parameters
    ----------
    name : str
        Of the folder.
    data, work : Path
        The data set; where the answer is kept.
    options : tuple of str
        Of the command.

    Returns
    -------
    dict
        Address, seconds of the command and of training, parameters, and the outputs of its card.
    """
    kept = work / f"{'-'.join([name, *(one.lstrip('-') for one in options)])}.json"
    if kept.is_file():
        return json.loads(kept.read_text())
    print(f"{name} {' '.join(options)}", flush=True)
    began = time.perf_counter()
    command = [sys.executable, "train.py", "--ds", str(data), *options]
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY)}
    done = subprocess.run(command, cwd=REPOSITORY / name, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise ZooError(f"{name}: {done.stderr.strip().splitlines()[-1]}")
    seconds = time.perf_counter() - began
    version = max(MlflowClient().search_model_versions(f"name = '{name}'"), key=lambda one: int(one.version))
    run = MlflowClient().get_run(version.run_id)
    card = json.loads(mlflow.artifacts.load_text(f"{run.info.artifact_uri}/card.json"))
    found = {
        "address": f"models:/{name}/{version.version}",
        "seconds": seconds,
        "training_seconds": run.data.metrics["training_seconds"],
        "parameters": int(run.data.tags["zoo.network_parameters"]),
        "outputs": {one["name"]: {key: one[key] for key in ("scores", "intervals")} for one in card["outputs"]},
    }
    kept.write_text(json.dumps(found))
    return found


if __name__ == "__main__":
    sys.exit(main())
