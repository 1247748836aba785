"""(j) Whole trainings of two builds of the zoo, in turn, on the same table."""

from __future__ import annotations

import shutil
import sys
from functools import partial
from pathlib import Path

from . import generate
from .commands import Build, Cost, measured, rows_of
from .settings import ROOT, Settings
from .startup import copy_models
from .tasks import RUN_ROWS, RUNS


def measure(settings: Settings, what: str) -> list[dict]:
    """Let both builds train in turn, each time in a new folder with a store that has seen one run."""
    work = Path(settings.work) / "runs"
    roots = {"before": settings.before, "after": settings.after or str(ROOT)}
    builds = {name: Build(Path(root), work / f"store-{name}") for name, root in roots.items() if root}
    table = work / "table"
    if not table.exists():
        generate.table(table, settings.pick(RUN_ROWS, 1000))
    for build in builds.values():
        if not build.store.exists():
            copy_models(build.store, build.root)
            build.cost(_command(table, "-P", "epochs=1"))
    works = {name: partial(_once, build, table, what) for name, build in builds.items()}
    return rows_of(what, measured(works, settings.pick(3, 1)), "runs")


def _command(table: Path, *arguments: str) -> list[str]:
    mlflow = str(Path(sys.executable).with_name("mlflow"))
    return [mlflow, "run", "b2r", *arguments, "-P", f"ds={table}", "--no-conda"]


def _once(build: Build, table: Path, what: str) -> Cost:
    used = build.store.with_name("used")
    shutil.rmtree(used, ignore_errors=True)
    shutil.copytree(build.store, used)
    return build.cost(_command(table, *RUNS[what]), used)
