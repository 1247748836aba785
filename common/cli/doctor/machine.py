"""Processors, memory, graphics cards and disks."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from joblib import cpu_count

from common.cli.doctor.findings import BROKEN, NOTE, OK, Finding
from common.runs.store_location import REPOSITORY
from sdss_gs.packing.packed import cache_folder

GIGABYTE = 10**9
LITTLE_DISK, NO_DISK = 5 * GIGABYTE, GIGABYTE // 2
LITTLE_MEMORY = 4 * GIGABYTE
THREADS = ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
CUDA = "nvidia-cudnn-cu12"
"""Part of what ``pip install -e .[gpu]`` brings and the plain TensorFlow does not."""


def devices() -> list[Finding]:
    """List what there is to compute on."""
    limits = [f"{name}={os.environ[name]}" for name in THREADS if name in os.environ]
    cores = f"{cpu_count()} of {os.cpu_count()} cores may be used"
    found = [Finding("threads", OK, ", ".join([cores, *limits]))]
    memory = _memory()
    if memory:
        fix = "a smaller batch_size, or -P limit=" if memory < LITTLE_MEMORY else ""
        state = NOTE if memory < LITTLE_MEMORY else OK
        found.append(Finding("memory", state, f"{memory / GIGABYTE:.1f} GB", fix))
    return [*found, _graphics()]


def _memory() -> int:
    """Bytes of main memory; 0 where the system does not say."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return 0


def _graphics() -> Finding:
    query = ["nvidia-smi", "--query-gpu=name,memory.total", "--format=csv,noheader"]
    try:
        names = subprocess.run(query, capture_output=True, text=True, timeout=10, check=True).stdout.split("\n")
    except FileNotFoundError:
        return Finding("GPU", OK, "none of NVIDIA's: the CPU trains")
    except (OSError, subprocess.SubprocessError) as error:
        return Finding(
            "GPU", NOTE, f"nvidia-smi does not answer ({type(error).__name__})", "restart, or mend the driver"
        )
    text = "; ".join(name.strip() for name in names if name.strip()) or "none"
    try:
        version(CUDA)
    except PackageNotFoundError:
        return Finding("GPU", NOTE, f"{text}, but without {CUDA} TensorFlow uses the CPU", 'pip install -e ".[gpu]"')
    return Finding("GPU", OK, text)


def disks() -> list[Finding]:
    """Tell how much room there is for runs, temporary files and the cache, once for each disk."""
    try:
        temporary = tempfile.gettempdir()
    except FileNotFoundError as error:
        return [Finding("disk", BROKEN, f"no folder for temporary files: {error}", "export TMPDIR=<a folder>")]
    found, seen = [], set()
    for use, folder in (("runs", REPOSITORY), ("temporary files", Path(temporary)), ("cache", cache_folder())):
        folder = next(path for path in (folder, *folder.parents) if path.is_dir())
        if not os.access(folder, os.W_OK):
            state = BROKEN if use == "temporary files" else NOTE
            found.append(Finding("disk", state, f"{folder} ({use}) cannot be written", f"chmod u+w {folder}"))
        if folder.stat().st_dev in seen:
            continue
        seen.add(folder.stat().st_dev)
        found.append(_room(use, folder))
    return found


def _room(use: str, folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    state = BROKEN if free < NO_DISK else NOTE if free < LITTLE_DISK else OK
    fix = "" if state == OK else "mlflow gc removes deleted runs; <data set>/packed may be deleted, it is made again"
    return Finding("disk", state, f"{free / GIGABYTE:.1f} GB free at {folder} ({use})", fix)
