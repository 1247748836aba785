"""Python, the zoo and its packages, as their metadata say: nothing of them is imported."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from importlib.metadata import Distribution, PackageNotFoundError, distribution, version
from pathlib import Path

from packaging.requirements import Requirement

import sdss_gs
from common.cli.doctor.findings import BROKEN, NOTE, OK, Finding
from common.runs.store_location import REPOSITORY

SHOWN = ("tensorflow", "keras", "mlflow", "numpy")
"""Packages that are listed even where nothing is wrong with them."""
OPTIONAL = {"serve": "zoo serve", "umap": "-P maps=umap"}
"""What an extra is for, by its name."""


def python_and_packages() -> list[Finding]:
    """Compare Python and every required package with the ranges that are declared in ``setup.py``."""
    install = f"{sys.executable} -m pip install -e {REPOSITORY}"
    try:
        zoo = distribution("sdss-zoo")
    except PackageNotFoundError:
        return [Finding("zoo", BROKEN, f"{REPOSITORY}: not installed in this Python ({sys.executable})", install)]
    found = [_python(zoo), _zoo(zoo, install)]
    needed = [Requirement(text) for text in zoo.requires or []]
    main = [item for item in needed if item.marker is None or item.marker.evaluate({"extra": ""})]
    states = [_package(item, install) for item in main]
    found += [item for item in states if item.state != OK or item.subject in SHOWN]
    good = sum(item.state == OK for item in states)
    found.append(Finding("packages", OK, f"{good} of {len(states)} required ones are as the zoo wants them"))
    return found + [_extra(extra, use, needed) for extra, use in OPTIONAL.items()]


def _python(zoo: Distribution) -> Finding:
    from packaging.specifiers import SpecifierSet

    wanted, found = zoo.metadata["Requires-Python"] or "", platform.python_version()
    if SpecifierSet(wanted).contains(found, prereleases=True):
        return Finding("python", OK, f"{found}, {sys.executable}")
    return Finding(
        "python", BROKEN, f"expected {wanted}, found {found}", "python3.11 -m venv, and install the zoo there"
    )


def _zoo(zoo: Distribution, install: str) -> Finding:
    place = Path(sdss_gs.__file__).parent.parent
    if zoo.version != sdss_gs.__version__:
        text = f"{sdss_gs.__version__} in {place}, but {zoo.version} is installed"
        return Finding("zoo", NOTE, text, install)
    return Finding("zoo", OK, f"{zoo.version}, {place}")


def _package(item: Requirement, install: str) -> Finding:
    try:
        found = version(item.name)
    except PackageNotFoundError:
        return Finding(item.name, BROKEN, f"expected {item.specifier}, found none", install)
    if item.specifier.contains(found, prereleases=True):
        return Finding(item.name, OK, found)
    older = all(not spec.contains(found, True) for spec in item.specifier if spec.operator.startswith(">"))
    word = "too old" if older else "too new"
    return Finding(item.name, BROKEN, f"expected {item.specifier}, found {found}, {word}", install)


def _extra(extra: str, use: str, needed: list[Requirement]) -> Finding:
    items = [item for item in needed if item.marker and item.marker.evaluate({"extra": extra})]
    install = f'{sys.executable} -m pip install -e "{REPOSITORY}[{extra}]"'
    states = [_package(item, install) for item in items]
    absent = [item.subject for item in states if item.text.endswith("found none")]
    if absent:
        return Finding(use, NOTE, f"not installed: {', '.join(absent)}", install)
    return next((item for item in states if item.state != OK), Finding(use, OK, "installed"))


def programs() -> list[Finding]:
    """Check that the commands of this Python are those that the shell finds, and what steers them is sane."""
    found, here = [], Path(sys.executable).parent
    # `mlflow run --no-conda` starts the `python` of the shell.
    for program in ("python", "mlflow", "zoo"):
        path = shutil.which(program)
        if path is None or Path(path).parent.resolve() != here.resolve():
            text = f"expected {here / program}, the shell finds {path or 'none'}"
            found.append(
                Finding(f"command {program}", NOTE, f"{text}: mlflow run would use that", f'export PATH="{here}:$PATH"')
            )
    backend = os.environ.get("KERAS_BACKEND", "tensorflow")
    if backend != "tensorflow":
        found.append(Finding("KERAS_BACKEND", BROKEN, f"expected tensorflow, found {backend}", "unset KERAS_BACKEND"))
    return found
