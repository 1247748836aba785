"""Builds sdist and wheel of what is tracked, and compares the wheel with one that is built from the sdist."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from sdss_gs.errors import PROJECT, ZooError

TRAINING = ("b2r/train.py", "b2r/MLproject", "conda.yaml", "examples/galaxies.csv", "LICENSE", "README.md", "setup.py")
"""Some of what is in the sdist and not in the wheel: with it everything can be trained."""

KINDS = tuple(f"{PROJECT.replace('-', '_')}-*{ending}" for ending in (".tar.gz", ".whl"))
"""Names of sdists and of wheels."""


def uv() -> str:
    """Return the path of uv, which the extra ``test`` brings.

    Raises
    ------
    ZooError
        If it is not there.
    """
    found = shutil.which("uv", path=os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", ""))))
    if found is None:
        raise ZooError('uv: expected it beside Python, found none; pip install -e ".[test]"')
    return found


def ran(command: list[str | Path], folder: Path, **environment: str) -> str:
    """Run a command that must succeed; return what it printed.

    Raises
    ------
    ZooError
        If it fails: the command, and the last line that it printed.
    """
    words = [str(word) for word in command]
    done = subprocess.run(words, cwd=folder, env=environment or None, capture_output=True, text=True)
    if done.returncode:
        said = [line for line in (done.stdout + "\n" + done.stderr).splitlines() if line.strip()] or ["nothing"]
        shown = " ".join([Path(words[0]).name, *words[1:]])
        raise ZooError(f"{shown}: expected exit code 0, found {done.returncode}: {said[-1].strip()}")
    return done.stdout


def copy_tracked(root: Path, folder: Path) -> None:
    """Copy what git tracks, as it stands in the checkout: what lies about there is no part of a release."""
    for name in ran(["git", "ls-files", "-z"], root).split("\0"):
        if name and (root / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(root / name, folder / name)


def build(root: Path, folder: Path, scratch: Path) -> tuple[Path, Path]:
    """Build sdist and wheel, which must be what a wheel from the sdist is, file by file.

    Parameters
    ----------
    root : Path
        Checkout.
    folder : Path
        Gets both; those of earlier releases go.
    scratch : Path

    Returns
    -------
    sdist, wheel : Path

    Raises
    ------
    ZooError
        If one cannot be built, or if the wheels differ.
    """
    source, again = scratch / "source", scratch / "again"
    copy_tracked(root, source)
    for old in (path for kind in KINDS for path in folder.glob(kind)):
        old.unlink()
    ran([uv(), "build", "--quiet", "--no-create-gitignore", "--sdist", "--out-dir", folder, source], scratch)
    ran([uv(), "build", "--quiet", "--no-create-gitignore", "--wheel", "--out-dir", folder, source], scratch)
    (sdist,), (wheel,) = (folder.glob(kind) for kind in KINDS)
    ran([uv(), "build", "--quiet", "--wheel", "--out-dir", again, sdist], scratch)
    here, there = (_content(one) for one in (wheel, again / wheel.name))
    if different := sorted(name for name in here | there if here.get(name) != there.get(name)):
        raise ZooError(f"{sdist.name}: expected the wheel's files from it, found {different[0]} different or absent")
    _check_sdist(sdist)
    return sdist, wheel


def _content(wheel: Path) -> dict[str, str]:
    """Return the hash of each file of a wheel."""
    with zipfile.ZipFile(wheel) as archive:
        return {name: hashlib.sha256(archive.read(name)).hexdigest() for name in archive.namelist()}


def _check_sdist(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    if absent := [name for name in TRAINING if name not in names]:
        raise ZooError(f"{sdist.name}: expected {absent[0]}, with which models are trained; see MANIFEST.in")


def check_metadata(files: list[Path], scratch: Path) -> None:
    """Have twine check what PyPI would show.

    Raises
    ------
    ZooError
        If it warns of anything.
    """
    ran([uv(), "tool", "run", "--quiet", "twine", "check", "--strict", *files], scratch)
