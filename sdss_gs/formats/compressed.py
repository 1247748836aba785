"""Compressed files of strangers, which may be made to grow without bound."""

from __future__ import annotations

import importlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from sdss_gs.files import read_bytes

MODULES = {b"\x1f\x8b": "gzip", b"BZh": "bz2", b"\xfd7zXZ": "lzma"}
MAGIC = tuple(MODULES)
LARGEST_RATIO = 50
"""A file may grow to so many times its size (CSV tables shrink to a quarter, cut-outs hardly at all)."""
HARMLESS = 100 * 2**20
"""Bytes to which any file may grow."""


@contextmanager
def unpacking(path: str | Path) -> Iterator[tuple[BinaryIO, BinaryIO]]:
    """Open a file compressed with gzip, bzip2 or xz (told by its first bytes), or any other.

    Yields
    ------
    tuple of binary files
        The file itself, whose position tells how far it is read, and its content.
    """
    with open(path, "rb") as raw:
        start = raw.read(6)
        raw.seek(0)
        module = next((module for magic, module in MODULES.items() if start.startswith(magic)), None)
        if module is None:
            yield raw, raw
            return
        # Not every Python was built with all of them.
        with importlib.import_module(module).open(raw, "rb") as content:
            yield raw, content


def largest_content(path: str | Path) -> int:
    """Return how many bytes a compressed file may hold: 50 times its size, or 100 MiB if that is more."""
    return max(HARMLESS, LARGEST_RATIO * os.path.getsize(path))


def read_unpacked(path: str | Path) -> bytes:
    """Read a file whole, compressed (as `unpacking` knows) or not.

    Raises
    ------
    ValueError
        If it holds more than `largest_content`. A damaged file raises what the modules of Python raise.
    """
    limit = largest_content(path)
    with unpacking(path) as (_, content):
        unpacked = content.read(limit + 1)
    if len(unpacked) > limit:
        raise ValueError(f"it unpacks to more than {limit:,} bytes")
    return unpacked


def read_content(path: str | Path) -> bytes:
    """Read a small file whole, as `read_unpacked` does, with as few calls of the system as that takes."""
    content = read_bytes(path)
    return read_unpacked(path) if content.startswith(MAGIC) else content
