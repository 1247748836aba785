"""(i) Whole commands of two builds of the zoo, in turn, with the same trained models."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from common.models.light import WHOLE
from sdss_gs.dataset import open_dataset

from . import generate
from .settings import FILE_INPUTS, ROOT, Settings
from .startup import copy_models, environment
from .tasks import OBJECTS, PREDICTING, ROWS, SERVE, TRAIN
from .timing import in_turn

TRAINED_ON = 400
REQUESTS = 300
GALAXY = json.dumps({"rows": [{"u": 18.5, "g": 17.2, "r": 16.5, "i": 16.1, "z": 15.8}]})
SPENT = Path(__file__).parent / "spent.py"

Cost = dict[str, float]


@dataclass(frozen=True)
class Build:
    """A checkout of the zoo, and the folder that its commands run in.

    Parameters
    ----------
    root : Path
    store : Path
        Has ``mlflow.db``.
    """

    root: Path
    store: Path

    def zoo(self, *arguments: str) -> list[str]:
        """Return a command line of this build's ``zoo``."""
        module, function = re.search(r'"zoo = ([\w.]+):(\w+)"', (self.root / "setup.py").read_text()).groups()
        return [
            sys.executable,
            "-c",
            f"import sys; from {module} import {function}; sys.exit({function}())",
            *arguments,
        ]

    def cost(self, command: list[str], store: Path | None = None) -> Cost:
        """Run a command to its end; return ``wall_s``, ``cpu_s`` with all it started, and the largest ``peak_mb``."""
        folder, answer = store or self.store, self.store / "cost.json"
        done = subprocess.run(
            [sys.executable, "-S", "-E", str(SPENT), str(answer), *command],
            cwd=folder, env=environment(self.root), capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode:
            said = (done.stderr.strip() or done.stdout.strip()).splitlines()
            raise RuntimeError(f"{self.root.name}: {' '.join(command[-3:])}: {said[-1] if said else done.returncode}")
        return json.loads(answer.read_text())


def measure(settings: Settings, what: str) -> list[dict]:
    """Let both builds do the same in turn; one of them where there is no other."""
    work = Path(settings.work) / "commands"
    roots = {"before": settings.before, "after": settings.after or str(ROOT)}
    builds = {name: Build(Path(root), work / "store") for name, root in roots.items() if root}
    if not work.exists():
        prepare(settings, work, builds["after"])
    works = {name: partial(_once, work, build, name, what, settings) for name, build in builds.items()}
    short = what.startswith(("zoo list", "zoo info")) or what.endswith(("1 row, CSV", "20,000 rows, CSV"))
    return rows_of(what, measured(works, settings.pick(3 if short else 2, 1)))


def measured(works: dict[str, Callable[[], Cost]], rounds: int) -> dict[str, list[Cost]]:
    """Run each way once per round; return what each cost."""
    costs: dict[str, list[Cost]] = {name: [] for name in works}

    def run(name: str) -> int:
        costs[name].append(works[name]())
        return 1

    in_turn({name: partial(run, name) for name in works}, rounds, warm_up=False)
    return costs


def rows_of(what: str, costs: dict[str, list[Cost]], part: str = "commands") -> list[dict]:
    """Make a row of each kind of cost: the medians of both builds, and how many times less the later one takes."""
    rows = []
    for kind in next(iter(costs.values()))[0]:
        name, _, unit = kind.rpartition("_")
        medians = {build: statistics.median(cost[kind] for cost in some) for build, some in costs.items()}
        row = {"part": part, "what": what, "cost": name.replace("_", " "), "unit": unit} | medians
        if len(medians) > 1:
            row["gain"] = medians["before"] / medians["after"]
        rows.append(row)
    return rows


# === What is measured ===


def prepare(settings: Settings, work: Path, build: Build) -> None:
    """Train the models, and write the galaxies that they predict."""
    copy_models(build.store, build.root)
    few = generate.linked(work / "few", settings.source, FILE_INPUTS, settings.pick(TRAINED_ON, 200))
    for name in PREDICTING:
        build.cost(training(name, few))
    if len(found := list(build.store.rglob(WHOLE))) != len(PREDICTING):
        raise RuntimeError(f"expected a light form of each of {', '.join(PREDICTING)}, found {len(found)}")
    for rows in sorted(set(ROWS.values())):
        path = work / f"rows-{rows}.csv"
        shutil.move(generate.table(work / "table", settings.pick(rows, min(rows, 5000))) / "data.csv", path)
        pd.read_csv(path).to_parquet(path.with_suffix(".parquet"))
    many = generate.linked(work / "objects", settings.source, FILE_INPUTS, settings.pick(OBJECTS, 100))
    # Packed, as after the first command of all.
    open_dataset(many, [name for name in FILE_INPUTS if name != "ssel"], progress=False)


def training(name: str, folder: Path) -> list[str]:
    """Return a command that trains a model for an epoch."""
    return [sys.executable, "-m", "mlflow", "run", name, "-P", f"ds={folder}", "-P", "epochs=1", "--no-conda"]


def _once(work: Path, build: Build, name: str, what: str, settings: Settings) -> Cost:
    """Do one of the things once."""
    if what == SERVE:
        return served(build, settings.pick(REQUESTS, 20))
    if what == TRAIN:
        # A store of its own: a new version would change what the others open.
        store = work / f"trained-{name}"
        if not store.exists():
            shutil.copy(build.store / "mlflow.db", copy_models(store, build.root))
        return build.cost(training("b2r", work / "few"), store)
    model = what.partition(", ")[0].partition("predict ")[2]
    if not model:
        return build.cost(build.zoo(*what.split()[1:]))
    rows = ROWS.get(what.partition(", ")[2])
    ending = ".parquet" if what.endswith("Parquet") else ".csv"
    source = work / (f"rows-{rows}{ending}" if rows else "objects")
    output = str(work / f"predicted{ending}")
    return build.cost(build.zoo("predict", model, "--input", str(source), "--output", output, "--overwrite"))


def served(build: Build, requests: int) -> Cost:
    """Start a service of all champions, and ask it for one galaxy again and again on one connection."""
    began = time.perf_counter()
    service = subprocess.Popen(
        build.zoo("serve", "--port", "0"), cwd=build.store, env=environment(build.root), text=True,
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        port = next((found[1] for line in service.stdout if (found := re.match(r"http://[^/]+:(\d+)/", line))), None)
        if port is None:
            raise RuntimeError(f"{build.root.name}: zoo serve: expected an address, found its end")
        connection = http.client.HTTPConnection("127.0.0.1", int(port), timeout=60)
        _ask(connection)
        first = time.perf_counter() - began
        for _ in range(requests // 10):
            _ask(connection)
        busy, times = _busy(service.pid), []
        for _ in range(requests):
            asked = time.perf_counter()
            _ask(connection)
            times.append(time.perf_counter() - asked)
        ranks = statistics.quantiles(times, n=100)
        return {
            "start_to_first_answer_s": first,
            "answer_p50_ms": 1000 * ranks[49],
            "answer_p99_ms": 1000 * ranks[98],
            "cpu_per_answer_ms": 1000 * (_busy(service.pid) - busy) / requests,
        }
    finally:
        service.send_signal(signal.SIGINT)
        service.communicate(timeout=60)


def _ask(connection: http.client.HTTPConnection) -> None:
    connection.request("POST", "/predict/b2r", GALAXY, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    said = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"zoo serve: expected an answer, found {answer.status} {said[:200]!r}")


def _busy(pid: int) -> float:
    """Return the processor time that a process has used, s."""
    # Behind the name, which may hold anything: state is the first, user and system time the 12th and 13th.
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
