"""(b) Packing on all cores: cold, warm and resumed after a kill, beside a naive one-process loop over the files."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from joblib import cpu_count

from sdss_gs.dataset import open_catalogue, open_dataset
from sdss_gs.formats.raw import list_files
from sdss_gs.packing.pack import pack
from sdss_gs.packing.packed import Packed, packed_folder, read_manifest

from . import generate, naive
from .memory import watching
from .settings import ROOT, Settings
from .timing import in_turn, rate, ratio, seconds


def measure(settings: Settings, name: str) -> list[dict]:
    """Pack the files of one input again and again."""
    count = settings.pick({"img": 20_000, "fits": 20_000, "spectra": 6000}[name], 600)
    folder = generate.linked(Path(settings.work) / f"packing-{name}", settings.source, [name], count)
    objid = open_catalogue(folder).objid
    paths = [file.path for file in list_files(folder, name).values()]

    def cold() -> int:
        return pack(folder, name, objid, progress=False).available

    one = naive.read_path(name, paths[0])

    def naively() -> int:
        for path in paths:
            naive.read_path(name, path)
        return len(paths)

    def naively_saved() -> int:
        file = Path(settings.work) / "naive.npy"
        rows = np.lib.format.open_memmap(file, "w+", one.dtype, (count, *one.shape))
        for row, path in zip(rows, paths, strict=True):
            row[...] = naive.read_path(name, path)
        rows.flush()
        return len(paths)

    def written() -> int:
        with open(Path(settings.work) / "disk.bin", "wb") as file:
            for _ in range(count):
                file.write(content)
            file.flush()
            os.fsync(file.fileno())
        return count

    def before(_way: str) -> None:
        shutil.rmtree(packed_folder(folder) / name, ignore_errors=True)

    # The first time also fills the page cache and imports every module.
    manifest = pack(folder, name, objid, progress=False)
    content = bytes(Packed(packed_folder(folder) / name).nbytes() // manifest.available)
    with watching() as peak:
        ways = {"cold": cold, "naive": naively, "saved": naively_saved, "disk": written}
        rates = in_turn(ways, settings.pick(3, 1), warm_up=False, before=before)
    pack(folder, name, objid, progress=False)
    warm = seconds(lambda: open_dataset(folder, [name], progress=False), 3)
    before("cold")
    left, resumed = _resume(folder, name, objid)
    return [
        {
            "part": "packing",
            "input": name,
            "files": count,
            "processes": cpu_count(),
            "cold_s": count / rate(rates, "cold"),
            "cold_per_s": rate(rates, "cold"),
            "naive_per_s": rate(rates, "naive"),
            "ratio": ratio(rates, "cold", "naive"),
            "disk_per_s": rate(rates, "disk"),
            "ratio_to_naive_that_saves": ratio(rates, "cold", "saved"),
            "warm_open_s": warm,
            "left_after_kill": left,
            "resume_s": resumed,
            **peak.columns(),
        }
    ]


def _resume(folder: Path, name: str, objid) -> tuple[int, float]:
    """Kill a packing run once it has finished a shard; return the files left and the time to pack them."""
    target = packed_folder(folder) / name
    command = [sys.executable, "-m", "sdss_gs", "pack", str(folder), "--inputs", name]
    run = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                           start_new_session=True)  # fmt: skip
    while run.poll() is None:
        manifest = read_manifest(target)
        if manifest is not None and manifest.available >= len(objid) // 3:
            os.killpg(run.pid, signal.SIGKILL)
        time.sleep(0.02)
    manifest = read_manifest(target)
    left = len(objid) - (manifest.available if manifest else 0)
    return left, seconds(lambda: pack(folder, name, objid, progress=False))
