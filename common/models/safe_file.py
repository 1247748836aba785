"""Model files are opened only if they are what was stored and hold layers of Keras alone."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import h5py

from common.backend import keras
from sdss_gs.errors import ZooError, first_line
from sdss_gs.files import sha256

LARGEST_ENTRIES = {"metadata.json": 2**20, "config.json": 2**26, "model.weights.h5": 2**32}
"""What a ``.keras`` file holds, and how many bytes of each at most."""
TENSOR = "__keras_tensor__"
"""How Keras writes a connection between layers: no class, no code."""


class UnsafeModelError(ZooError):
    """A stored model that is not what was stored, or that would run code which is not Keras'."""


def checked_model(path: Path, expected: str) -> keras.Model:
    """Open a ``.keras`` file.

    Raises
    ------
    UnsafeModelError
        If its SHA-256 is not the expected one, or its description names a Lambda layer or foreign code.
    ZooError
        If this Keras cannot open it.
    """
    if (digest := sha256(path)) != expected:
        raise UnsafeModelError(f"{path}: expected sha256 {expected}, found {digest}")
    check_description(path)
    try:
        return keras.saving.load_model(path, safe_mode=True)
    except Exception as error:
        # What is not as Keras describes layers today, a later version's for instance, may fail in any way.
        wanted, reason = f"a model that Keras {keras.__version__} opens", first_line(error)[:200]
        raise UnsafeModelError(f"{path}: expected {wanted}, found {reason}") from None


def check_description(path: Path) -> None:
    """Refuse a ``.keras`` file that holds more than a model, or that names a Lambda layer or a class outside Keras.

    Raises
    ------
    UnsafeModelError
        Nothing is imported before this check.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            for entry in archive.infolist():
                if entry.file_size > LARGEST_ENTRIES.get(entry.filename, -1):
                    large = f"{entry.filename!r} of {entry.file_size:,} bytes"
                    raise UnsafeModelError(f"{path}: expected {', '.join(LARGEST_ENTRIES)}, found {large}")
            description = json.loads(archive.read("config.json"))
            with h5py.File(io.BytesIO(archive.read("model.weights.h5"))) as weights:
                _refuse_other_files(path, weights)
        for entry in _objects(description):
            module, name = str(entry.get("module")), str(entry["class_name"])
            if name == "Lambda" or (module.split(".")[0] != "keras" and name != TENSOR):
                raise UnsafeModelError(f"{path}: expected layers of Keras without Lambda, found {module}.{name}")
    except ZooError:
        raise
    except Exception as error:
        # zipfile, zlib, json and HDF5 raise nearly anything on a forged file.
        raise UnsafeModelError(f"{path}: expected a .keras file, found {first_line(error)}") from None


def _refuse_other_files(path: Path, group: h5py.Group) -> None:
    """Refuse HDF5 objects whose numbers do not stand in the file itself, where its hash covers them."""
    for name in group:
        link = group.get(name, getlink=True)
        node = group.get(name) if isinstance(link, h5py.HardLink) else None
        if node is None or (isinstance(node, h5py.Dataset) and (node.external or node.is_virtual)):
            raise UnsafeModelError(f"{path}: expected weights in the file itself, found {name!r} in another file")
        if isinstance(node, h5py.Group):
            _refuse_other_files(path, node)


def _objects(node: object) -> Iterator[dict]:
    """Walk a description and yield every serialised object in it."""
    if isinstance(node, dict) and "class_name" in node:
        yield node
    if isinstance(node, dict | list):
        for value in node.values() if isinstance(node, dict) else node:
            yield from _objects(value)
