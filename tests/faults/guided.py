"""``make fuzz``: files changed under the guidance of which lines they reach (Atheris), unlike the blind `mutate`."""

import argparse
import hashlib
import random
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
READ = ["sdss_gs", "common", "astropy.io.fits", "astropy.io.votable", "PIL"]
"""Packages whose Python is watched; compiled code is not."""


def main():
    """Try each kind of file for some seconds, in a process of its own; print a line for each."""
    parser = argparse.ArgumentParser(prog="python -m faults.guided", description=__doc__)
    parser.add_argument("--seconds", type=int, default=60, help="for each kind (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="another seed changes files otherwise")
    parser.add_argument("--keep", type=Path, help="folder for the inputs that a reader failed on")
    parser.add_argument("--one", nargs=2, metavar=("KIND", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        return _fuzz(*options.one, options.seconds, options.seed)
    from .files import KINDS

    print("| Damaged file | tried | places reached: valid files | in the end | crash, hang, bad value |")
    print("|---|--:|--:|--:|--:|", flush=True)
    return max([_in_process(kind, options) for kind in KINDS])


def _in_process(kind, options):
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-W", "ignore", "-m", "faults.guided", "--one", kind, folder]
        command += ["--seconds", str(options.seconds), "--seed", str(options.seed)]
        # What the fuzzer says is decoded with care: it prints the damaged input.
        done = subprocess.run(command, cwd=HERE.parent, capture_output=True, text=True, errors="replace")
        said = done.stderr
        reached = [int(number) for number in re.findall(r"cov: (\d+)", said)]
        runs = re.findall(r"^#(\d+)", said, re.MULTILINE)
        faults = sorted(Path(folder, "faults").glob("*"))
        failed = len(faults) // 2 + (done.returncode != 0)
        if options.keep and failed:
            (options.keep / kind).mkdir(parents=True, exist_ok=True)
            for fault in [*faults, *Path(folder).glob("crash-*")]:
                (options.keep / kind / fault.name).write_bytes(fault.read_bytes())
            (options.keep / kind / "log.txt").write_text(said)
        last, first = (reached[-1], _of_valid_files(said)) if reached else (0, 0)
        print(f"| {kind} | {int(runs[-1]) if runs else 0:,} | {first:,} | {last:,} | {failed} |", flush=True)
        return int(failed > 0)


def _of_valid_files(said):
    found = re.search(r"INITED cov: (\d+)", said)
    return int(found.group(1)) if found else 0


def _fuzz(kind, folder, seconds, seed):
    import atheris

    with atheris.instrument_imports(include=READ):
        from .files import KINDS, attempt
        from .mutate import mutate
    one, folder = KINDS[kind], Path(folder)
    for name in ("work", "corpus", "faults"):
        (folder / name).mkdir()
    valid, path = one.valid(folder / "work"), folder / "work" / one.file
    for number, content in enumerate(valid):
        (folder / "corpus" / str(number)).write_bytes(content)

    def read(content):
        path.write_bytes(content)
        if outcome := attempt(one.read, path):
            # One input for each way to fail: the fuzzer would end with the first.
            name = hashlib.sha256("\n".join(outcome.strip().splitlines()[-3:]).encode()).hexdigest()[:12]
            if not (folder / "faults" / name).exists():
                (folder / "faults" / name).write_bytes(content)
                (folder / "faults" / f"{name}.txt").write_text(outcome)

    def change(content, longest, chance):
        rng = random.Random(chance)
        if rng.random() < 0.5:
            content = mutate(content, valid, rng)[:longest]
        return atheris.Mutate(content, longest) if not content or rng.random() < 0.5 else content

    longest = 2 * max(map(len, valid)) + 4096
    fuzzer = [f"-max_total_time={seconds}", f"-max_len={longest}", f"-seed={seed}", f"-artifact_prefix={folder}/"]
    fuzzer += ["-rss_limit_mb=4096", "-timeout=60", str(folder / "corpus")]
    atheris.Setup([sys.argv[0], *fuzzer], read, custom_mutator=change)
    atheris.Fuzz()


if __name__ == "__main__":
    sys.exit(main())
