"""onnxruntime-web, which runs ONNX files in a browser: one version of npm's package, known by its hash."""

from __future__ import annotations

import gzip
import json
import shutil
import tarfile
import tempfile
from pathlib import Path

from common.elsewhere.npm import Package
from sdss_gs.download.unpack import unpack
from sdss_gs.errors import OptionError, RemoteError
from sdss_gs.remote import Client
from sdss_gs.remote.fetch import wrong

RUNTIME = Package(
    "onnxruntime-web",
    "1.30.0",
    33_106_585,
    "sha512-q0y+JrrtukXSzsBWEMccVfqX25LRmosXHF+CaRJmg8pZClzcV7svNc4rKY3jL02Vb7QmRMDs1SigqR4CXAfKYQ==",
)
SCRIPT, BINARY = "package/dist/ort.wasm.bundle.min.mjs", "package/dist/ort-wasm-simd-threaded.wasm"
"""What a page needs of it: the interface in JavaScript, and the operators on one thread with SIMD instructions."""


def package(given: Path | None = None, client: Client | None = None) -> Path:
    """Return the package as a file whose hash was checked; it is fetched where it is not kept yet.

    Parameters
    ----------
    given : Path, optional
        The package on disk, for machines without network.
    client : Client, optional
        Is closed in the end.

    Raises
    ------
    ZooError
        If the file is another one, or cannot be fetched.
    """
    if given is not None:
        if not given.is_file():
            raise OptionError(f"--onnxruntime-web {given}: expected {RUNTIME.file} of npm, found no file")
        if wrong(given, RUNTIME.size, RUNTIME.checksum):
            expected = f"{RUNTIME.address} ({RUNTIME.size:,} bytes, {RUNTIME.integrity[:20]}…)"
            raise OptionError(f"--onnxruntime-web {given}: expected {expected}, found {_found(given)}")
        return given
    try:
        return RUNTIME.fetched(client)
    except RemoteError as error:
        raise RemoteError(f"{error}; without network: --onnxruntime-web FILE, the same file brought here") from None


def _found(path: Path) -> str:
    """Say what a file is that is not the package: another version, if it says so."""
    try:
        with tarfile.open(path, "r:gz") as archive:
            about = json.loads(archive.extractfile("package/package.json").read(2**20))
        if (about["name"], about["version"]) != (RUNTIME.name, RUNTIME.version):
            return f"{about['name']} {about['version']}"
    except Exception:
        # Anything may be in a file that is not the package.
        return f"another file of {path.stat().st_size:,} bytes"
    return f"{RUNTIME.name} {RUNTIME.version} with other content"


def put_runtime(archive: Path, folder: Path) -> None:
    """Put the two files that a page needs into a folder, as ``ort.js`` and ``ort.wasm.gz``.

    A server may know no ending ``.mjs``, and few compress WebAssembly: it is stored compressed, to a quarter.
    """
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        unpacked = unpack(archive, Path(temporary) / "unpacked", wanted=lambda path: str(path) in (SCRIPT, BINARY))
        shutil.copyfile(unpacked / SCRIPT, folder / "ort.js")
        # Without a time: the same page is the same bytes.
        (folder / "ort.wasm.gz").write_bytes(gzip.compress((unpacked / BINARY).read_bytes(), mtime=0))
