"""Files that are either the old one or the new one, never half of it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sdss_gs.errors import OptionError

TEMPORARY = ".part"
SEAL = "checksum"


@contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Yield a temporary path beside `path`; rename it to `path` when the block ends without an error.

    The data reach the disk before the new name does, so that a crash leaves the old file or the new one.
    """
    temporary = temporary_path(path)
    try:
        yield temporary
        move_into_place(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Yield a temporary folder; it gets its name when the block ends without an error, and is removed otherwise.

    Raises
    ------
    OptionError
        If there is something of that name.
    """
    if folder.exists():
        raise OptionError(f"{folder}: expected a new folder, found one that exists")
    for leftover in folder.parent.glob(f"{folder.name}.*{TEMPORARY}"):
        # Of a process that was killed.
        shutil.rmtree(leftover, ignore_errors=True)
    temporary = temporary_path(folder)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        temporary.rename(folder)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def temporary_path(path: str | Path) -> Path:
    """Return a name beside `path` that `remove_leftovers` knows."""
    path = Path(path)
    return path.with_name(f"{path.name}.{os.getpid()}{TEMPORARY}")


def move_into_place(temporary: Path, path: str | Path) -> None:
    """Have the data of a temporary file reach the disk, then give it its name."""
    with open(temporary, "rb") as written:
        os.fsync(written.fileno())
    os.replace(temporary, path)


def read_bytes(path: str | Path) -> bytes:
    """Read a small file whole, with as few calls of the system as that takes."""
    with open(path, "rb", buffering=0) as file:
        return file.read()


def sha256(path: str | Path) -> str:
    """Return a file's SHA-256 in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sealed(content: dict) -> dict:
    """Add a checksum to what will be written as JSON.

    Examples
    --------
    >>> unsealed(sealed({"objects": 3}))
    {'objects': 3}
    """
    return content | {SEAL: _checksum(content)}


def unsealed(content: dict) -> dict:
    """Check and take away what `sealed` added.

    Raises
    ------
    ValueError
        If the content is not what was sealed.
    """
    rest = {key: value for key, value in content.items() if key != SEAL}
    if content.get(SEAL) != _checksum(rest):
        raise ValueError("a file that was changed after it was written")
    return rest


def _checksum(content):
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def remove_leftovers(folder: str | Path) -> None:
    """Remove temporary files that a killed process left in a folder (call it under the folder's lock)."""
    for leftover in Path(folder).glob(f"*{TEMPORARY}"):
        leftover.unlink(missing_ok=True)
