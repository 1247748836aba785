"""Python and its packages, as their metadata say (nothing of them is imported); programs, processors and disks."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import PackageNotFoundError, distribution, version
from importlib.util import find_spec
from pathlib import Path

from joblib import cpu_count
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

import sdss_gs
from common.cli.doctor.findings import BROKEN, NOTE, OK, Finding
from common.runs.store_location import REPOSITORY
from sdss_gs.packing.packed import cache_folder

NONE = ", found none"
TRAINING = "tensorflow"
"""Package without which nothing is trained; who only predicts does not install it."""
SHOWN = ("tensorflow", "keras", "mlflow", "numpy")
"""Packages whose versions are listed."""
EXTRAS = {"serve": "zoo serve", "umap": "-P maps=umap"}
"""What an extra is for, by its name."""
CUDA = "nvidia-cudnn-cu12"
"""Part of what ``pip install -e .[gpu]`` brings and the plain TensorFlow does not."""
GIGABYTE = 10**9
LITTLE_DISK, NO_DISK = 5 * GIGABYTE, GIGABYTE // 2
"""Free bytes below which a disk is noted, and below which it is broken."""


def python_and_packages() -> list[Finding]:
    """Compare Python and every required package with the ranges that are declared in ``setup.py``."""
    install = f"{sys.executable} -m pip install -e {REPOSITORY}"
    try:
        zoo = distribution("sdss-zoo")
    except PackageNotFoundError:
        return [Finding("zoo", BROKEN, f"{REPOSITORY}: not installed in this Python ({sys.executable})", install)]
    python, wanted = platform.python_version(), SpecifierSet(zoo.metadata["Requires-Python"] or "")
    findings = [Finding("python", OK, f"{python}, {sys.executable}")]
    if not wanted.contains(python, prereleases=True):
        another = "install the zoo in another Python"
        findings = [Finding("python", BROKEN, f"expected {wanted}, found {python}", another)]
    findings.append(Finding("zoo", OK, f"{zoo.version}, {Path(sdss_gs.__file__).parent.parent}"))
    if zoo.version != sdss_gs.__version__:
        findings.append(Finding("zoo", NOTE, f"{sdss_gs.__version__} here, but {zoo.version} is installed", install))
    required = [Requirement(text) for text in zoo.requires or []]
    problems = _problems(required, "")
    lacking = [name for name, problem in problems.items() if problem.endswith(NONE)]
    if TRAINING in lacking:
        # Whatever is lacking from the short list says so itself, whoever needs it.
        text = f"for prediction alone (requirements-predict.txt): without {', '.join(lacking)}"
        findings.append(Finding("packages", NOTE, text, "to train, in the zoo's folder: pip install ."))
        problems = {name: problem for name, problem in problems.items() if name not in lacking}
    findings += [Finding(name, BROKEN, problem, install) for name, problem in problems.items()]
    if not problems:
        versions = ", ".join(f"{name} {version(name)}" for name in SHOWN if name not in lacking)
        findings.append(Finding("packages", OK, f"as the zoo wants them: {versions} and the others"))
    for extra, use in EXTRAS.items():
        text = "; ".join(f"{name}: {problem}" for name, problem in _problems(required, extra).items())
        findings.append(Finding(use, NOTE, text, f"{install}[{extra}]") if text else Finding(use, OK, "installed"))
    return findings


def _problems(required: list[Requirement], extra: str) -> dict[str, str]:
    """Say what is wrong with the packages of an extra (empty: those that are always needed), by name."""
    problems = {}
    for item in required:
        if ("extra" in str(item.marker)) != bool(extra) or (item.marker and not item.marker.evaluate({"extra": extra})):
            continue
        try:
            if not item.specifier.contains(version(item.name), prereleases=True):
                problems[item.name] = f"expected {item.specifier}, found {version(item.name)}"
        except PackageNotFoundError:
            problems[item.name] = f"expected {item.specifier}{NONE}"
    return problems


def programs() -> list[Finding]:
    """Check that the commands of this Python are those that the shell finds, and what steers them is sane."""
    findings, here = [], Path(sys.executable).parent
    # `mlflow run --no-conda` starts the `python` of the shell.
    for program in ("python", "zoo", *(["mlflow"] if find_spec("mlflow") else [])):
        path = shutil.which(program)
        if path is None or Path(path).parent.resolve() != here.resolve():
            text = f"expected {here / program}, found {path or 'none'} in the shell: mlflow run would use that"
            findings.append(Finding(f"command {program}", NOTE, text, f'export PATH="{here}:$PATH"'))
    backend, name = os.environ.get("KERAS_BACKEND", "tensorflow"), "KERAS_BACKEND"
    if backend != "tensorflow":
        findings.append(Finding(name, BROKEN, f"expected tensorflow, found {backend}", f"unset {name}"))
    return findings


def processors() -> list[Finding]:
    """List what there is to compute on."""
    cores = Finding("cores", OK, f"{cpu_count()} of {os.cpu_count()} may be used")
    query = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        answer = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True).stdout
    except FileNotFoundError:
        return [cores, Finding("GPU", OK, "none of NVIDIA's: the CPU trains")]
    except (OSError, subprocess.SubprocessError) as error:
        text = f"nvidia-smi does not answer ({type(error).__name__})"
        return [cores, Finding("GPU", NOTE, text, "restart, or mend the driver")]
    text = "; ".join(name.strip() for name in answer.splitlines() if name.strip()) or "none"
    try:
        version(CUDA)
        return [cores, Finding("GPU", OK, text)]
    except PackageNotFoundError:
        text = f"{text}, but without {CUDA} TensorFlow uses the CPU"
        return [cores, Finding("GPU", NOTE, text, f'pip install -e "{REPOSITORY}[gpu]"')]


def disks() -> list[Finding]:
    """Tell how much room there is for runs, temporary files and the cache, once for each disk."""
    findings = {}
    uses = {"runs": REPOSITORY, "temporary files": Path(tempfile.gettempdir()), "cache": cache_folder()}
    for use, folder in uses.items():
        folder = next(path for path in (folder, *folder.parents) if path.is_dir())
        if not os.access(folder, os.W_OK):
            findings[use] = Finding("disk", NOTE, f"{folder} ({use}) cannot be written", f"chmod u+w {folder}")
        free = shutil.disk_usage(folder).free
        state = BROKEN if free < NO_DISK else NOTE if free < LITTLE_DISK else OK
        text = f"{free / GIGABYTE:.1f} GB free at {folder} ({use})"
        fix = "mlflow gc removes deleted runs; <data set>/packed may be deleted, it is made again"
        findings.setdefault(folder.stat().st_dev, Finding("disk", state, text, "" if state == OK else fix))
    return list(findings.values())
