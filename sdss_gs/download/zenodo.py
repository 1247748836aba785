"""What a record of Zenodo says: its versions, and each version's files with sizes and checksums.

Zenodo (InvenioRDM) writes records in two forms: ``files`` is a list in the older one, ``{"entries": {…}}`` in the newer
one, where a file's bytes are behind ``links.content`` and ``links.self`` describes it. Both are read.
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote, urlsplit, urlunsplit

from sdss_gs.errors import OptionError, RemoteError
from sdss_gs.remote import Client

HOST = "https://zenodo.org"
CONCEPT = 6393487
"""The data set as a whole, 10.5281/zenodo.6393487; each version is a record of its own."""
PAGE = 25
"""Records per answer that Zenodo gives a visitor without an account."""


@dataclass(frozen=True)
class Entry:
    """One file of a record; `checksum` as ``algorithm:hex``."""

    name: str
    size: int
    checksum: str | None
    url: str


@dataclass(frozen=True)
class Record:
    """One version of the data set."""

    number: int
    version: str
    date: str
    doi: str
    entries: tuple[Entry, ...]

    def __str__(self) -> str:
        label = f"version {self.version}" if self.version else "a version without a name"
        return f"{label} (record {self.number}, {self.date})"


def find_record(client: Client, host: str = HOST, version: str | None = None) -> Record:
    """Find a version of the data set.

    Parameters
    ----------
    client : Client
    host : str
        Address of Zenodo or of a server that answers like it.
    version : str, optional
        A version's name, record number or DOI; the newest one by default.

    Raises
    ------
    OptionError
        If there is no such version; it lists those that are there.
    RemoteError
        If the server cannot be reached or what it says is no record.
    """
    host = host.rstrip("/")
    newest = _newest(client, host)
    if version is None:
        return newest
    records = [newest, *(record for record in _versions(client, host, newest) if record.number != newest.number)]
    for record in records:
        if version in (record.version, record.version.removeprefix("v"), str(record.number), record.doi):
            # A list may leave out what belongs to one record only.
            return record if record.entries else _read(client, host, f"{host}/api/records/{record.number}")
    known = ", ".join(map(str, records))
    raise OptionError(f"--version {version}: expected the name, number or DOI of one of: {known}")


def _newest(client: Client, host: str) -> Record:
    try:
        return _read(client, host, f"{host}/api/records/{CONCEPT}")
    except RemoteError as error:
        if error.status != 404:
            raise
    # Zenodo has not always resolved the number of a whole set (zenodo/zenodo#2499); its search does.
    query = {"q": f"conceptrecid:{CONCEPT}", "sort": "mostrecent", "size": 1}
    url = f"{host}/api/records"
    for answer in _hits(client.json(url, query), url):
        return _record(answer, host, url)
    raise RemoteError(f"{url}: expected a record of the set {CONCEPT}, found none")


def _versions(client: Client, host: str, newest: Record) -> list[Record]:
    url, records = f"{host}/api/records/{newest.number}/versions", []
    while True:
        hits = _hits(client.json(url, {"size": PAGE, "page": len(records) // PAGE + 1}), url)
        records += [_record(answer, host, url) for answer in hits]
        if len(hits) < PAGE:
            return records


def _hits(answer, url: str) -> list:
    try:
        return list(answer["hits"]["hits"])
    except (TypeError, KeyError):
        raise RemoteError(f"{url}: expected a list of records (hits.hits), found {str(answer)[:80]}") from None


def _read(client: Client, host: str, url: str) -> Record:
    return _record(client.json(url), host, url)


def _record(answer, host: str, url: str) -> Record:
    try:
        number, metadata = int(answer["id"]), answer.get("metadata", {})
        files = answer.get("files", [])
        listed = list(files["entries"].values()) if isinstance(files, dict) and "entries" in files else files
        return Record(
            number,
            str(metadata.get("version") or ""),
            str(metadata.get("publication_date") or "no date"),
            str(answer.get("doi") or f"10.5281/zenodo.{number}"),
            tuple(_entry(file, number, host) for file in listed),
        )
    except (TypeError, KeyError, ValueError, AttributeError):
        raise RemoteError(f"{url}: expected a record with id and files, found {str(answer)[:80]}") from None


def _entry(file: dict, number: int, host: str) -> Entry:
    name = file["key"]
    if not isinstance(name, str) or name in ("", ".", "..") or "/" in name or "\\" in name or "\0" in name:
        raise ValueError(name)
    links = file.get("links", {})
    url = links.get("content") or links.get("self") or f"{host}/api/records/{number}/files/{quote(name)}/content"
    if url.startswith(HOST):
        # A mirror may repeat Zenodo's own words.
        url = urlunsplit((*urlsplit(host)[:2], *urlsplit(url)[2:]))
    checksum = file.get("checksum")
    return Entry(name, int(file["size"]), checksum if checksum and ":" in checksum else None, url)
