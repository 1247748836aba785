"""What some tests need besides the extra ``test``; without it they are skipped for one of these reasons."""

import os
import shutil
from pathlib import Path

import pytest

PROGRAMS = "programs of Debian that are not here: apt-get install $(cat tests/programs.txt)"
PACKAGES = 'packages that are not here: pip install -e ".[test,clients,docs,jax,rail,ray,umap]"'
FETCHED = "packages of npm that were not fetched: python -m helpers.fetched, in tests/"
HEAVY = "heavy: make backbones, or all with ZOO_HEAVY_TESTS=1 make test"
PLATFORM = "another system or user: as root, on Linux with glibc"

minutes = pytest.mark.skipif(not os.environ.get("ZOO_HEAVY_TESTS"), reason=HEAVY)
"""For tests that compute for minutes."""


def program(name: str) -> str:
    """Return the path of a program, or skip the test."""
    path = shutil.which(name)
    if path is None:
        pytest.skip(PROGRAMS)
    return path


def package(name: str):
    """Import a module of an optional package, or skip the test or the file of tests."""
    return pytest.importorskip(name, reason=PACKAGES)


def fetched(path: Path) -> Path:
    """Return a package of npm that was fetched before the tests, or skip the test."""
    if not path.is_file():
        pytest.skip(FETCHED)
    return path
