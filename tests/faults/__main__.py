"""``make faults``: damage files, kill commands, attack the service; write what came of it into the documentation."""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent.parent / "docs" / "measured" / "reliability.md"
BEGIN, END = "<!-- measured -->", "<!-- end -->"
LONGEST = 1800
"""Seconds for one kind of file or command."""


def main():
    """Try everything, each kind in a process of its own, so that one that crashes is counted and the others go on."""
    parser = argparse.ArgumentParser(prog="python -m faults", description=__doc__)
    parser.add_argument("--files", type=int, default=10_000, help="damaged files of each kind (default: %(default)s)")
    parser.add_argument(
        "--requests", type=int, default=10_000, help="of each attack on the service (default: %(default)s)"
    )
    parser.add_argument("--kills", type=int, default=200, help="kills over all commands (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="another seed damages and kills elsewhere")
    parser.add_argument("--minutes", type=float, default=60, help="begin nothing after so many (default: %(default)s)")
    parser.add_argument("--output", type=Path, default=PAGE, help="page whose tables are replaced")
    parser.add_argument("--one", nargs=3, metavar=("WHAT", "NAME", "COUNT"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        what, name, count = options.one
        print(json.dumps(_try(what, name, int(count), options.seed)))
        return 0
    from .files import KINDS
    from .kills import COMMANDS
    from .service import ATTACKS

    began = time.monotonic()
    work = [("files", name, options.files) for name in KINDS]
    work += [("kills", name, -(-options.kills // len(COMMANDS))) for name in COMMANDS]
    work += [("requests", name, options.requests) for name in ATTACKS]
    rows = []
    for what, name, count in work:
        if time.monotonic() - began > 60 * options.minutes:
            print(f"{what} {name}: no time left", flush=True)
            continue
        rows.append((what, name, _in_process(what, name, count, options.seed)))
        print(*rows[-1], flush=True)
    _write(options.output, rows)
    return 1 if any(found["faults"] for _, _, found in rows) else 0


def _try(what, name, count, seed):
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        # Each kind imports what it needs: files and requests all of Keras.
        if what == "files":
            from .files import fuzz

            tried = fuzz(name, count, Path(folder), seed)
            found = {"tried": tried.count, "refused": tried.refused, "read": tried.read}
            faults = [text for text, _ in tried.faults]
        elif what == "requests":
            from .service import ATTACKS

            tried = ATTACKS[name](name, count, seed)
            found = {"tried": tried.count, "refused": tried.refused, "read": tried.read}
            faults = [text for text, _ in tried.faults]
        else:
            from .kills import kill_command

            done = kill_command(name, count, Path(folder) / "kills", seed)
            found, faults = {"tried": done.kills, "late": done.too_late}, done.faults
    print(*faults[:3], sep="\n", file=sys.stderr)
    return found | {"faults": len(faults), "seconds": round(time.monotonic() - began, 1)}


def _in_process(what, name, count, seed):
    command = [sys.executable, "-W", "ignore", "-m", "faults", "--seed", str(seed), "--one", what, name, str(count)]
    try:
        done = subprocess.run(command, cwd=HERE.parent, stdout=subprocess.PIPE, text=True, timeout=LONGEST)
        return json.loads(done.stdout.splitlines()[-1])
    except (subprocess.TimeoutExpired, IndexError, ValueError) as error:
        # A crash of the whole process, or one that hangs, is a fault like any other.
        return {"tried": 0, "faults": 1, "seconds": 0, "crash": type(error).__name__}


def _write(path, rows):
    lines = [f"Measured on {date.today()}.", "", "| Damaged file | tried | refused in one line | read, values good |"
             " crash, hang, bad value |", "|---|--:|--:|--:|--:|"]  # fmt: skip
    for what, name, found in rows:
        if what == "files":
            lines.append(_counted(name, found))
    lines += ["", "| Killed command | kills (SIGKILL) | ended wrong afterwards |", "|---|--:|--:|"]
    for what, name, found in rows:
        if what == "kills":
            lines.append(f"| {name} | {found['tried']:,} | {found['faults']:,} |")
    lines += ["", "| Trouble for the service | tried | refused or ended | answered | no answer, 5xx, traceback |",
              "|---|--:|--:|--:|--:|"]  # fmt: skip
    lines += [_counted(name, found) for what, name, found in rows if what == "requests"]
    text = path.read_text()
    before, after = text.partition(BEGIN)[0], text.partition(END)[2]
    path.write_text("\n".join([before + BEGIN, *lines, END + after]))


def _counted(name, found):
    cells = (found["tried"], found.get("refused", 0), found.get("read", 0), found["faults"])
    return f"| {name} | " + " | ".join(f"{cell:,}" for cell in cells) + " |"


if __name__ == "__main__":
    sys.exit(main())
