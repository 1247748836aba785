"""One task of one part, in a process of its own: ``python -m benchmarks.run_task QUESTION ANSWER``."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

from .settings import ROOT, Settings


def apart(
    settings: Settings, part: str, task: Mapping[str, object], environment: Mapping[str, str] | None = None
) -> tuple[list[dict], str, float]:
    """Run one task in a process of its own.

    Parameters
    ----------
    settings : Settings
    part : str
        Module of this package that measures it.
    task : mapping
        Arguments of its ``measure``.
    environment : mapping, optional
        Variables of the process.

    Returns
    -------
    rows : list of dict
    problem : str
        What went wrong; empty if nothing did.
    seconds : float
    """
    began, answer = time.perf_counter(), Path(settings.work) / "answer.json"
    answer.unlink(missing_ok=True)
    question = json.dumps({"settings": asdict(settings), "part": part, "task": task})
    command = [sys.executable, "-m", "benchmarks.run_task", question, str(answer)]
    done = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    took = time.perf_counter() - began
    if done.returncode or not answer.is_file():
        lines = done.stderr.strip().splitlines()
        return [], lines[-1].strip() if lines else f"exit code {done.returncode}", took
    return json.loads(answer.read_text()), "", took


def main() -> None:
    """Answer one question: measure, and write the rows as JSON."""
    question, answer = json.loads(sys.argv[1]), Path(sys.argv[2])
    settings = Settings(**question["settings"] | {"inputs": tuple(question["settings"]["inputs"])})
    part = importlib.import_module(f".{question['part']}", __package__)
    answer.write_text(json.dumps(part.measure(settings, **question["task"])))


if __name__ == "__main__":
    main()
