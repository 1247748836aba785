"""Packages of npm's registry: of each one version, known by its hash."""

from __future__ import annotations

import base64
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sdss_gs.packing.packed import cache_folder
from sdss_gs.remote import Client, fetch

REGISTRY = "https://registry.npmjs.org"
ATTEMPTS = 3


@dataclass(frozen=True)
class Package:
    """One version of a package.

    Parameters
    ----------
    name, version : str
    size : int
        Bytes of the archive.
    integrity : str
        As ``npm view NAME@VERSION dist.integrity`` prints it: ``sha512-…``.
    """

    name: str
    version: str
    size: int
    integrity: str

    @property
    def file(self) -> str:
        """Name of the archive."""
        return f"{self.name}-{self.version}.tgz"

    @property
    def address(self) -> str:
        """Where the registry has the archive."""
        return f"{REGISTRY}/{self.name}/-/{self.file}"

    @property
    def checksum(self) -> str:
        """The hash as `sdss_gs.remote.fetch` takes it."""
        return "sha512:" + base64.b64decode(self.integrity.removeprefix("sha512-")).hex()

    def cached(self) -> Path:
        """Return where the archive is kept once it was fetched."""
        return cache_folder() / self.file

    def fetched(self, client: Client | None = None) -> Path:
        """Return the archive as a file whose hash was checked; it is fetched where it is not kept yet.

        Parameters
        ----------
        client : Client, optional
            Is closed in the end.

        Raises
        ------
        RemoteError
            If the registry cannot give it.
        """
        with client or Client(attempts=ATTEMPTS, say=partial(print, file=sys.stderr)) as client:
            return fetch(client, self.address, self.cached(), size=self.size, checksum=self.checksum)
