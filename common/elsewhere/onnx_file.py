"""ONNX files that say themselves what goes in, what comes out and how sure it is."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

METADATA = "zoo"
"""Key of the file's ``metadata_props`` under which the description stands as JSON."""
_METADATA_PROPS, _KEY, _VALUE = 14, 1, 2
"""Numbers of fields in onnx.proto: of ``ModelProto``, and of ``StringStringEntryProto``."""


def write_with_description(content: bytes, path: Path, description: Mapping) -> None:
    """Write an ONNX file with a description added to its metadata.

    A message of Protocol Buffers may be added to by writing further fields behind it: the network's bytes stay what
    they were, and no package that knows ONNX is needed.

    Parameters
    ----------
    content : bytes
        Of the ONNX file as it is.
    path : Path
    description : mapping
        What JSON has.
    """
    entry = _field(_KEY, METADATA.encode()) + _field(_VALUE, json.dumps(description).encode())
    path.write_bytes(content + _field(_METADATA_PROPS, entry))


def _field(number: int, content: bytes) -> bytes:
    """Write a field of bytes: its number and wire type (2), its length, its content."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    """Write a whole number in groups of seven bits, the lowest first."""
    groups = bytearray()
    while value > 127:
        groups.append(value & 127 | 128)
        value >>= 7
    return bytes([*groups, value])
