"""Commands that are killed at random moments and begun again: in the end all is as if nothing had happened."""

import hashlib
import os
import random
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

LONGEST = 300
"""Seconds after which a command that was begun again is given up."""


@dataclass(frozen=True)
class Command:
    """Something to be killed.

    Parameters
    ----------
    prepare : callable
        Takes an empty folder and makes in it what the command needs.
    act : callable
        Takes the folder.
    state : callable
        Takes the folder and returns what a user gets, comparable; asserts that nothing else is left.
    """

    prepare: Callable[[Path], None]
    act: Callable[[Path], None]
    state: Callable[[Path], object]


@dataclass
class Killed:
    """How many runs were killed and how many of those survived; what went wrong."""

    kills: int = 0
    too_late: int = 0
    faults: list[str] = field(default_factory=list)


def kill_often(command, kills, folder, seed=0):
    """Kill a command so many times, one to three times in a row, and compare the end with an uninterrupted run.

    Parameters
    ----------
    command : Command
    kills : int
    folder : Path
        To work in.
    """
    rng, done = random.Random(seed), Killed()
    (folder / "original").mkdir(parents=True)
    command.prepare(folder / "original")
    whole = _fresh(folder, "whole")
    began = time.monotonic()
    code = run_and_kill(command.act, whole, None)
    seconds = time.monotonic() - began
    assert code == 0, f"the uninterrupted run ended with {code}"
    expected = command.state(whole)
    while done.kills < kills:
        here = _fresh(folder, "killed")
        moments = []
        for _ in range(rng.choice((1, 1, 2, 3))):
            moments.append(rng.uniform(0, 0.95 * seconds))
            if run_and_kill(command.act, here, moments[-1]) == -signal.SIGKILL:
                done.kills += 1
            else:
                done.too_late += 1
        code = run_and_kill(command.act, here, LONGEST)
        try:
            assert code == 0, f"the run after the kill ended with {code}"
            found = command.state(here)
            others = [key for key in found if found[key] != expected.get(key)] if isinstance(found, dict) else []
            others += [key for key in expected if key not in found] if isinstance(expected, dict) else []
            assert found == expected, f"the result differs from the uninterrupted one {others[:5]}"
        except Exception:
            done.faults.append(f"killed after {moments} of {seconds:.2f} s: {traceback.format_exc(limit=-1)}")
    return done


def _fresh(folder, name):
    shutil.rmtree(folder / name, ignore_errors=True)
    shutil.copytree(folder / "original", folder / name)
    return folder / name


def run_and_kill(act, folder, seconds):
    """Run in a process of its own, killed after so many seconds; return its exit code, negative for a signal."""
    sys.stdout.flush()
    child = os.fork()
    if not child:
        code = 1
        try:
            quiet = os.open(os.devnull, os.O_WRONLY)
            os.dup2(quiet, 1)
            if "FAULTS_SHOW" not in os.environ:
                os.dup2(quiet, 2)
            code = int(act(folder) or 0)
        except BaseException:
            traceback.print_exc()
        os._exit(code)
    end = None if seconds is None else time.monotonic() + seconds
    while True:
        found, status = os.waitpid(child, os.WNOHANG if end else 0)
        if found:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > end:
            os.kill(child, signal.SIGKILL)
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        time.sleep(0.0005)


def hashes(folder, without=()):
    found = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name not in without:
            found[str(path.relative_to(folder))] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found
