"""The machine and the software that the numbers belong to."""

from __future__ import annotations

import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version

from joblib import cpu_count

from common.processor import cpu_lines
from sdss_gs import __version__

PACKAGES = ("tensorflow", "keras", "numpy", "pandas", "pyarrow", "pillow", "mlflow", "onnxruntime")
OPTIONAL = ("openvino",)
FLAGS = ("avx2", "avx512f", "avx512_bf16", "amx_bf16")


def describe() -> dict[str, object]:
    """Return processor, cores, memory, versions and date."""
    processor = cpu_lines()
    flags = processor.get("flags", "").split()
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "processor": processor.get("model name") or platform.processor() or platform.machine(),
        "cores": cpu_count(),
        "instructions": [flag for flag in FLAGS if flag in flags],
        "memory_gb": round(pages / 1e9, 1),
        "gpus": _gpus(),
        "system": f"{platform.system()} {platform.release()}",
        "load_at_start": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "versions": {"sdss-zoo": __version__, **{package: version(package) for package in PACKAGES}} | _optional(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def commit(root: str) -> str:
    """Name the commit of a checkout, with its date, and whether files differ from it."""
    command = ["git", "-C", root, "log", "-1", "--format=%h of %as"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
        changed = subprocess.run(["git", "-C", root, "diff", "--quiet", "HEAD"], check=False).returncode
    except (OSError, subprocess.SubprocessError):
        return "no commit known"
    return found + " with changes" * bool(changed)


def _optional() -> dict[str, str]:
    """Return the versions of what a measurement can do without; of what is not there, how to install it."""
    found = {}
    for package in OPTIONAL:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            found[package] = f'not installed (`pip install ".[{package}]"`)'
    return found


def _gpus() -> list[str]:
    """Name the NVIDIA GPUs; empty where there is none, or no driver."""
    try:
        query = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
        return subprocess.run(query, capture_output=True, text=True, timeout=20, check=True).stdout.split("\n")[:-1]
    except (OSError, subprocess.SubprocessError):
        return []
