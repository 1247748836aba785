"""One task of one part, in a process of its own: ``python -m benchmarks.run_task QUESTION ANSWER``."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

from .settings import Settings


def main() -> None:
    """Answer one question: measure, and write the rows as JSON."""
    question, answer = json.loads(sys.argv[1]), Path(sys.argv[2])
    settings = Settings(**question["settings"] | {"inputs": tuple(question["settings"]["inputs"])})
    part = importlib.import_module(f".{question['part']}", __package__)
    answer.write_text(json.dumps(part.measure(settings, **question["task"])))


if __name__ == "__main__":
    main()
