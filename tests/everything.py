"""``make everything``: what takes too long for every change, part after part, and one table of what came of it."""

import argparse
import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PARTS = {
    "faults": (), "fuzz": (), "backbones": (), "rail": (), "notebooks": (), "docs": (), "test-locked": (),
    "test-oldest": (), "matrix": (), "audit": (), "release": ("OPTIONS=--rehearse",),
}  # fmt: skip
"""Targets of the Makefile, and the variables that they are given."""
TABLE = "everything.md"
OURS = ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "OPTIONS", "PARTS")
"""Variables of the environment that make hands on to the makes which it starts."""
LONGEST = 100
"""Characters of what a part printed last."""


@dataclass(frozen=True)
class Outcome:
    """What came of a part.

    Parameters
    ----------
    part : str
    ended : str
        ``passed``, ``failed (2)``, ``stopped``.
    seconds : float
    last : str
        Line that it printed last.
    log : Path
    """

    part: str
    ended: str
    seconds: float
    last: str
    log: Path


def main(arguments=None):
    """Run the parts; return 1 if any failed."""
    parser = argparse.ArgumentParser(prog="make everything", description=__doc__)
    add = parser.add_argument
    add("parts", nargs="*", metavar="PART", help=f"some of {' '.join(PARTS)} (default: all)")
    add("--folder", type=Path, default=ROOT / "everything", help="for logs and table (default: %(default)s)")
    add("--makefile", type=Path, default=ROOT / "Makefile", help="has the parts (default: %(default)s)")
    add("--minutes", type=float, default=180, help="stop a part after so many (default: %(default)s)")
    options = parser.parse_args(arguments)
    if unknown := [name for name in options.parts if name not in PARTS]:
        print(f"error: PARTS: expected some of {' '.join(PARTS)}, found {unknown[0]}", file=sys.stderr)
        return 1
    options.folder.mkdir(parents=True, exist_ok=True)
    outcomes = []
    for part in options.parts or PARTS:
        print(f"{part} …", file=sys.stderr, flush=True)
        outcomes.append(run(part, options.makefile, options.folder / f"{part}.log", 60 * options.minutes))
        # After each: whoever is stopped in between has what came of the others.
        (options.folder / TABLE).write_text(table(outcomes))
    print(table(outcomes), end="")
    return int(any(one.ended != "passed" for one in outcomes))


def run(part: str, makefile: Path, log: Path, limit: float) -> Outcome:
    """Make one part; its words go into the log, and it is stopped with all that it started after so many seconds."""
    command = ["make", "--no-print-directory", "-f", str(makefile), part, *PARTS[part]]
    environment = {name: value for name, value in os.environ.items() if name not in OURS}
    began = time.monotonic()
    with log.open("w") as file:
        started = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        try:
            code = started.wait(limit)
            ended = f"failed ({code})" if code else "passed"
        except subprocess.TimeoutExpired:
            ended = "stopped"
        finally:
            end(started)
    return Outcome(part, ended, time.monotonic() - began, last_line(log), log)


def end(started: subprocess.Popen) -> None:
    """End a part that goes on, with the processes it started."""
    if started.poll() is None:
        os.killpg(started.pid, signal.SIGTERM)
        try:
            started.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(started.pid, signal.SIGKILL)
            started.wait()


def last_line(log: Path) -> str:
    """Return what was printed last; of a failed part, before make says that it failed."""
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines()]
    told = [line for line in lines if line and not line.startswith("make: ***")]
    line = told[-1] if told else ""
    return line if len(line) <= LONGEST else f"{line[:LONGEST]} …"


def table(outcomes: list[Outcome]) -> str:
    """Write the outcomes as a table of Markdown."""
    lines = ["| part | outcome | seconds | printed last | log |", "|---|---|--:|---|---|"]
    for one in outcomes:
        last = one.last.replace("|", "\\|")
        lines.append(f"| {one.part} | {one.ended} | {one.seconds:,.0f} | {last} | {one.log} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
