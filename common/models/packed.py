"""A trained model as bytes: the files of an exported folder that it takes to predict, in one archive."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from common.models.described import DESCRIPTION, MODEL_FILE, read_description, write_description
from sdss_gs import __version__
from sdss_gs.errors import ZooError, first_line

LARGEST = 2**32
"""Bytes of all files together, at most."""


def pack(name: str, version: str, digest: str, facts: Mapping[str, object], files: Mapping[str, bytes]) -> bytes:
    """Put a model into bytes.

    Parameters
    ----------
    name, version, digest : str
        Of the model; the SHA-256 of its weights, where their file is not among the others.
    facts : mapping
        What it takes to use it beside its network, see `Model.facts`.
    files : mapping of str to bytes
        From which its network is opened.
    """
    digests = {file: sha256(content).hexdigest() for file, content in files.items()}
    description = {
        "name": name,
        "version": version,
        "sha256": digests.get(MODEL_FILE, digest),
        "facts": {"zoo_version": __version__} | dict(facts),
        "files": digests,
    }
    with TemporaryDirectory(prefix="zoo-model-") as folder:
        write_description(Path(folder), description)
        contents = {DESCRIPTION: (Path(folder) / DESCRIPTION).read_bytes(), **files}
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w") as archive:
        for file, content in contents.items():
            # Without the time, so that the same model is the same bytes.
            archive.writestr(zipfile.ZipInfo(file), content)
    return written.getvalue()


@contextmanager
def unpacked(content: bytes) -> Iterator[Path]:
    """Yield a temporary folder with what `pack` put into bytes, as ``zoo export`` writes one.

    Raises
    ------
    ZooError
        If the bytes are no such archive.
    """
    with TemporaryDirectory(prefix="zoo-model-") as name:
        folder = Path(name)
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                entries = archive.infolist()
                if sum(entry.file_size for entry in entries) > LARGEST:
                    raise ValueError(f"more than {LARGEST:,} bytes")
                for entry in entries:
                    if Path(entry.filename).name != entry.filename:
                        raise ValueError(f"a file {entry.filename!r}")
                    (folder / entry.filename).write_bytes(archive.read(entry))
            read_description(folder)
        except Exception as error:
            # zipfile and zlib raise nearly anything on a forged or damaged archive.
            found = first_line(error).removeprefix(f"{folder}: ")
            raise ZooError(f"bytes: expected a model as Model.to_bytes makes them, found {found}") from None
        yield folder
