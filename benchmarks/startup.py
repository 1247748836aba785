"""(e) Start-up: from the command to the first epoch, and what the imports cost."""

from __future__ import annotations

import os
import shutil
import signal
import statistics
import subprocess
import sys
import time
from pathlib import Path

from sdss_gs.dataset import open_dataset

from . import generate
from .settings import FILE_INPUTS, ROOT, Settings
from .timing import seconds

IMPORTED = ("numpy", "sdss_gs", "sdss_gs.dataset", "tensorflow", "mlflow", "common.train")
FIRST_EPOCH = "epoch   1/"


def measure(settings: Settings) -> list[dict]:
    """Time commands in processes of their own."""
    repeats = settings.pick(3, 1)
    work = Path(settings.work) / "startup"
    folder = generate.linked(work / "data", settings.source, FILE_INPUTS, settings.pick(2000, 300))
    open_dataset(folder, [name for name in FILE_INPUTS if name != "ssel"], progress=False)
    repository = copy_models(work / "zoo")
    rows = [_row("mlflow run b2r to the end of the first epoch: new store", [_run(repository, folder)])]
    again = [_run(repository, folder) for _ in range(repeats)]
    rows.append(_row("mlflow run b2r to the end of the first epoch", again))
    info = [sys.executable, "-m", "sdss_gs", "info", str(folder)]
    rows.append(_row("python -m sdss_gs info", _times(info, repeats)))
    rows.append(_row("python -c pass", _times([sys.executable, "-c", "pass"], repeats)))
    for module in IMPORTED:
        rows.append(_row(f"import {module}", _times([sys.executable, "-c", f"import {module}"], repeats)))
    return rows


def _row(what: str, times: list[float]) -> dict:
    return {"part": "startup", "what": what, "seconds": statistics.median(times), "repeats": len(times)}


def _times(command: list[str], repeats: int) -> list[float]:
    def run() -> None:
        subprocess.run(command, cwd=ROOT, env=environment(), check=True, capture_output=True)

    run()  # fills the page cache
    return [seconds(run) for _ in range(repeats)]


def copy_models(repository: Path, root: Path = ROOT) -> Path:
    """Copy the model folders of a checkout, so that logs and store stay out of the real ones."""
    repository.mkdir(parents=True)
    shutil.copy(root / "conda.yaml", repository)
    for project in root.glob("*/MLproject"):
        (repository / project.parent.name).mkdir()
        for name in ("MLproject", "train.py"):
            shutil.copy(project.parent / name, repository / project.parent.name)
    return repository


def environment(root: Path = ROOT) -> dict[str, str]:
    """Return the variables with which a command runs from a checkout, in whatever folder."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("MLFLOW_") and name != "SDSS_GS"}
    path = os.pathsep.join([str(Path(sys.executable).parent), own.get("PATH", "")])
    # The copy of the model folders has no packages beside it.
    search = os.pathsep.join(filter(None, [str(root), own.get("PYTHONPATH")]))
    return own | {"PATH": path, "PYTHONPATH": search, "MLFLOW_DISABLE_TELEMETRY": "true"}


def _run(repository: Path, folder: Path) -> float:
    """Start a training run; return the seconds until its first epoch is reported, and stop it there."""
    command = ["mlflow", "run", "b2r", "-P", f"ds={folder}", "-P", "epochs=1", "--no-conda"]
    began = time.perf_counter()
    run = subprocess.Popen(
        command, cwd=repository, env=environment(), text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    lines = []
    try:
        for line in run.stdout:
            lines.append(line)
            if line.startswith(FIRST_EPOCH):
                return time.perf_counter() - began
    finally:
        if run.poll() is None:
            os.killpg(run.pid, signal.SIGKILL)
        run.stdout.close()
        run.wait()
    raise RuntimeError(f"mlflow run b2r: expected a first epoch, found {''.join(lines[-3:]).strip()!r}")
