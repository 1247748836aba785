"""Archives of strangers, unpacked so that nothing lands outside a folder and nothing grows without bound."""

from __future__ import annotations

import lzma
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from sdss_gs.errors import BadFileError, DataError
from sdss_gs.formats.compressed import HARMLESS, largest_content, unpacking

MOST_FILES = 5_000_000
DAMAGE = (zipfile.BadZipFile, tarfile.TarError, zlib.error, lzma.LZMAError, EOFError, NotImplementedError)

Wanted = Callable[[PurePosixPath], bool]


def is_archive(path: str | Path) -> bool:
    """Tell an archive (zip; tar, plain or compressed with gzip, bzip2 or xz) by its content."""
    if zipfile.is_zipfile(path):
        return True
    try:
        return tarfile.is_tarfile(path)
    except (OSError, EOFError, *DAMAGE):
        return False


def unpack(
    archive: str | Path,
    folder: str | Path,
    *,
    wanted: Wanted = lambda _: True,
    advance: Callable[[int], None] = lambda _: None,
) -> Path:
    """Unpack an archive into a folder that appears when all of it is there.

    Parameters
    ----------
    archive : path-like
    folder : path-like
        Is created; while it is filled it is called ``<folder>.part``, which a later call removes.
    wanted : callable
        Tells from a file's path in the archive whether to unpack it.
    advance : callable
        Is told how many more bytes of the archive are done.

    Returns
    -------
    Path
        `folder`.

    Raises
    ------
    BadFileError
        If the archive is damaged, is none, has a member that leads out of the folder or is no plain file or folder (a
        link, a device), or unpacks to more than 50 times its size. Nothing of it stays.
    DataError
        If the disk is full or cannot be written.
    """
    archive, folder = Path(archive), Path(folder)
    temporary = folder.with_name(f"{folder.name}.part")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        temporary.mkdir(parents=True)
        members = _zip_members(archive) if zipfile.is_zipfile(archive) else _tar_members(archive)
        limit = largest_content(archive)
        done = total = 0
        for number, (name, size, position, opened) in enumerate(members, 1):
            path, total = _inside(archive, name), total + max(size, 0)
            if total > limit or number > MOST_FILES:
                raise _too_much(archive, limit)
            if opened is not None and wanted(path):
                (temporary / path).parent.mkdir(parents=True, exist_ok=True)
                with opened() as source, open(temporary / path, "wb") as target:
                    shutil.copyfileobj(source, target)
            advance(position - done)
            done = position
        os.replace(temporary, folder)
    except DAMAGE as error:
        raise BadFileError(archive, f"expected a whole zip or tar archive: {error}") from None
    except OSError as error:
        if error.errno is None:
            raise BadFileError(archive, f"expected a whole zip or tar archive: {error}") from None
        raise DataError(
            f"{folder}: cannot unpack {archive.name} ({error.strerror}); the same command goes on from there"
        ) from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return folder


def unpacked_size(archive: str | Path) -> int | None:
    """Tell how many bytes an archive holds, where its list of contents says so (zip)."""
    if not zipfile.is_zipfile(archive):
        return None
    try:
        with zipfile.ZipFile(archive) as opened:
            return sum(member.file_size for member in opened.infolist())
    except DAMAGE:
        return None


Member = tuple[str, int, int, Callable[[], BinaryIO] | None]
"""Name, size, position in the archive after it, and how to open it (None: a folder)."""


def _zip_members(archive: Path) -> Iterator[Member]:
    with zipfile.ZipFile(archive) as opened:
        members = opened.infolist()
        if sum(member.file_size for member in members) > largest_content(archive):
            # Told before anything is written: the list of contents is at hand.
            raise _too_much(archive, largest_content(archive))
        position = 0
        for member in members:
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise BadFileError(archive, f"expected files and folders, found the link or device {member.filename!r}")
            if member.flag_bits & 1:
                raise BadFileError(archive, f"expected a readable archive, {member.filename!r} needs a password")
            position += member.compress_size
            # `orig_filename` is what the archive says, before zipfile makes it harmless.
            yield (
                member.orig_filename, member.file_size, position,
                None if member.is_dir() else lambda member=member: opened.open(member),
            )  # fmt: skip


def _tar_members(archive: Path) -> Iterator[Member]:
    with unpacking(archive) as (raw, stream), tarfile.open(fileobj=stream, mode="r|") as opened:
        for member in opened:
            if not (member.isfile() or member.isdir()):
                raise BadFileError(archive, f"expected files and folders, found the link or device {member.name!r}")
            yield (
                member.name, member.size, raw.tell(),
                None if member.isdir() else lambda member=member: opened.extractfile(member),
            )  # fmt: skip
        # Compression ends with a checksum, which is compared when all has been read.
        rest = 0
        while chunk := stream.read(2**20):
            rest += len(chunk)
            if rest > HARMLESS:
                raise _too_much(archive, HARMLESS)


def _too_much(archive: Path, limit: int) -> BadFileError:
    return BadFileError(archive, f"expected at most {limit:,} bytes in {MOST_FILES:,} files, found more: not unpacked")


def _inside(archive: Path, name: str) -> PurePosixPath:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or "\0" in name or (path.parts and path.parts[0].endswith(":")):
        raise BadFileError(archive, f"expected members inside the archive's folder, {name!r} leads out of it")
    return path
