"""One file of a server into one file on disk, continued where an earlier attempt or an earlier process was cut."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from pathlib import Path

import requests
from urllib3.exceptions import HTTPError

from sdss_gs.errors import DataError, RemoteError
from sdss_gs.files import TEMPORARY, move_into_place, replacing
from sdss_gs.remote.client import Client

CHUNK = 2**17
WORTH_RESUMING = 2**20
"""Bytes; of a smaller file no record of its version is kept on disk."""


def fetch(
    client: Client,
    url: str,
    path: str | Path,
    *,
    size: int | None = None,
    checksum: str | None = None,
    advance: Callable[[int], None] | None = None,
) -> Path:
    """Fetch a file; a file that is there and agrees with size and checksum is left alone.

    What has come lies in ``<path>.part`` until it is whole and verified; the next call asks for the rest of it, if the
    server can tell that its file is still the same one (ETag, Last-Modified) or a checksum will.

    Parameters
    ----------
    client : Client
    url : str
    path : path-like
    size : int, optional
        Bytes.
    checksum : str, optional
        ``"md5:<hex>"``, ``"sha256:<hex>"`` or another algorithm of hashlib.
    advance : callable, optional
        Is told by how many bytes the file has grown; fewer than 0 when it begins again.

    Returns
    -------
    Path
        `path`.

    Raises
    ------
    RemoteError
        If the server cannot give this file. What has come stays for the next call, except wrong bytes.
    DataError
        If it cannot be written.
    """
    path = Path(path)
    advance = advance or (lambda _: None)
    if path.exists() and wrong(path, size, checksum) is None:
        advance(path.stat().st_size)
        return path
    part = _Part(client, url, path, size, checksum, advance)
    try:
        for last in (False, True):
            part.complete()
            problem = wrong(part.path, size, checksum)
            if problem is None:
                break
            part.begin_again()
            if last:
                raise RemoteError(f"{url}: {problem}, twice")
        move_into_place(part.path, path)
        part.record.unlink(missing_ok=True)
    except OSError as error:
        raise DataError(f"{path}: cannot be written ({error.strerror}); the same command goes on from there") from None
    return path


def wrong(path: Path, size: int | None = None, checksum: str | None = None) -> str | None:
    """Tell what is wrong with a file's size or checksum, as "expected …, found …"; None where they agree.

    Parameters
    ----------
    path : Path
    size : int, optional
        Bytes that are expected.
    checksum : str, optional
        Algorithm and digest, as ``md5:…``.
    """
    found = path.stat().st_size
    if size is not None and found != size:
        return f"expected {size:,} bytes, found {found:,}"
    if checksum is None:
        return None
    algorithm, _, expected = checksum.partition(":")
    with open(path, "rb") as file:
        digest = hashlib.file_digest(file, algorithm).hexdigest()
    return None if digest == expected.lower() else f"expected {algorithm} {expected}, found {digest}"


class _Part:
    """What has come of a file, and which version of it that is."""

    def __init__(self, client, url, path, size, checksum, advance):
        self.client, self.url, self.size, self.verified = client, url, size, checksum is not None
        self.path = path.with_name(path.name + TEMPORARY)
        self.record = path.with_name(f"{path.name}.version{TEMPORARY}")
        self._advance, self._reported, self._furthest = advance, 0, 0
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            known = json.loads(self.record.read_text())
        except (OSError, ValueError):
            known = {}
        self.validator, self.total = known.get("validator"), known.get("total")

    def complete(self) -> None:
        """Ask for what is missing until nothing is; a cut that brought something new costs no attempt."""
        while True:
            total = self.size if self.size is not None else self.total
            present = self._present()
            self._report(present)
            if total is not None and present == total:
                return
            try:
                if self.client.request(self.url, self._take, headers=self._headers):
                    return
            except RemoteError as error:
                # The server has no such bytes: what is here belongs to another file.
                if error.status != 416 or not self._present():
                    raise
                self.begin_again()
            self.client.sleep(self.client.backoff)

    def begin_again(self) -> None:
        """Forget what has come."""
        self.path.unlink(missing_ok=True)
        self.record.unlink(missing_ok=True)
        self.validator = self.total = None
        self._report(0)

    def _present(self) -> int:
        """Count the bytes that may be continued; others are removed."""
        try:
            present = self.path.stat().st_size
        except FileNotFoundError:
            return 0
        total = self.size if self.size is not None else self.total
        if (self.verified or self.validator) and (total is None or present <= total):
            return present
        self.begin_again()
        return 0

    def _headers(self) -> dict[str, str]:
        present = self._present()
        if not present:
            return {}
        return {"Range": f"bytes={present}-"} | ({"If-Range": self.validator} if self.validator else {})

    def _take(self, response: requests.Response) -> bool:
        """Add what an answer brings; tell whether the file is whole."""
        offset, total = self._range(response)
        kind = response.headers.get("Content-Type", "no type")
        if self.size is not None and total not in (None, self.size):
            raise RemoteError(f"{self.url}: expected {self.size:,} bytes, the server offers {total:,} of {kind}")
        if kind.startswith("text/html"):
            raise RemoteError(f"{self.url}: expected a file, the server sent a page ({kind})")
        self._note(response, total)
        limit = self.size if self.size is not None else total
        cut: HTTPError | None = None
        with open(self.path, "r+b" if offset else "wb") as file:
            file.seek(offset)
            self._report(offset)
            try:
                # As much as has come, not a full chunk: what a cut finds waiting for the rest of a chunk is lost.
                while chunk := response.raw.read1(CHUNK, decode_content=False):
                    self.client.sleep(0)
                    if limit is not None and self._reported + len(chunk) > limit:
                        raise RemoteError(f"{self.url}: expected {limit:,} bytes, the server sends more")
                    file.write(chunk)
                    self._report(self._reported + len(chunk))
            except HTTPError as error:
                cut = error
        if cut is None and limit is not None and self._reported < limit:
            cut = HTTPError(f"cut after {self._reported:,} of {limit:,} bytes")
        if cut is not None and self._reported <= self._furthest:
            raise cut
        self._furthest = max(self._furthest, self._reported)
        return cut is None

    def _range(self, response: requests.Response) -> tuple[int, int | None]:
        """Read where an answer begins and how long the whole file is."""
        length = response.headers.get("Content-Length", "")
        if response.status_code == 200:
            return 0, int(length) if length.isdigit() else None
        stated = response.headers.get("Content-Range", "no Content-Range")
        found = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", stated)
        present = self._present()
        if response.status_code != 206 or not found or int(found[1]) != present:
            self.begin_again()
            raise HTTPError(f"expected bytes from {present:,} on, the server sent {response.status_code}, {stated}")
        return present, None if found[2] == "*" else int(found[2])

    def _note(self, response: requests.Response, total: int | None) -> None:
        """Keep what tells this version of the file from another one (a weak ETag does not)."""
        etag = response.headers.get("ETag", "W/")
        self.validator = response.headers.get("Last-Modified") if etag.startswith("W/") else etag
        self.total = total
        if total is not None and total >= WORTH_RESUMING and self.validator:
            with replacing(self.record) as temporary:
                temporary.write_text(json.dumps({"validator": self.validator, "total": total}))

    def _report(self, position: int) -> None:
        self._advance(position - self._reported)
        self._reported = position
