"""One object's files: fetched, checked, written; what goes wrong becomes an outcome with its reason."""

from __future__ import annotations

import errno
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sdss_gs.build import PICTURES, frames, picture, spectrum
from sdss_gs.build.addresses import Addresses
from sdss_gs.build.identity import Fibre, Field, fibre_of, field_of, parse_id
from sdss_gs.build.ledger import BUILT, FAILED, REFUSED, Outcome
from sdss_gs.build.selection import read_position
from sdss_gs.errors import BadFileError, DataError, RemoteError
from sdss_gs.files import replacing
from sdss_gs.remote import Client, fetch
from sdss_gs.schema import BANDS, INPUTS

GONE = (404, 410)
"""Statuses of what a server does not have, now and later."""
DISK_FULL = (errno.ENOSPC, errno.EDQUOT)


@dataclass(frozen=True)
class Workshop:
    """Where things come from and where they go.

    Parameters
    ----------
    folder : Path
        The data set.
    cache : Path
        Frames, until the objects on them are cut out.
    addresses : Addresses
    client : Client
    pictures : str
        One of `PICTURES`.
    """

    folder: Path
    cache: Path
    addresses: Addresses
    client: Client
    pictures: str = PICTURES[0]

    def target(self, name: str, row: dict[str, str]) -> Path:
        """Return the path of one input of an object."""
        return self.folder / name / f"{row['objid']}{INPUTS[name].suffix}"


@contextmanager
def judged(outcomes: list[Outcome], rows: list[dict[str, str]], name: str) -> Iterator[None]:
    """Record the objects as built when the block ends well, else as refused or failed.

    Parameters
    ----------
    outcomes : list of Outcome
        Takes what became of them.
    rows : list of dict
        Of the catalogue.
    name : str
        Of the input.
    """
    status, reason = BUILT, ""
    try:
        yield
    except (DataError, RemoteError) as error:
        _raise_if_unwritable(error)
        status, reason = (FAILED if _may_pass(error) else REFUSED), str(error)
    except OSError as error:
        _raise_if_unwritable(error)
    outcomes += [Outcome(row["objid"], name, status, reason) for row in rows]


def _raise_if_unwritable(error: Exception) -> None:
    """End the build where a file could not be written: the next one could not either."""
    cause = error if isinstance(error, OSError) else error.__context__
    if isinstance(cause, OSError) and not isinstance(error, BadFileError | RemoteError):
        problem = "the disk is full" if cause.errno in DISK_FULL else "a file cannot be written"
        raise DataError(f"{problem} ({cause}); the same command goes on where it was") from None


def _may_pass(error: DataError) -> bool:
    """Tell whether another try may bring something else."""
    if isinstance(error, RemoteError):
        return error.status not in GONE
    damaged = isinstance(error, BadFileError) and not isinstance(error, spectrum.UnfitError)
    return damaged or isinstance(error, picture.NoPictureError)


# === Pictures ===


def build_picture(workshop: Workshop, row: dict[str, str]) -> list[Outcome]:
    """Fetch the colour picture of an object."""
    outcomes: list[Outcome] = []
    target, client, addresses = workshop.target("img", row), workshop.client, workshop.addresses
    with judged(outcomes, [row], "img"), replacing(target) as temporary:
        ra, dec = read_position(row)
        if workshop.pictures == "ps1":
            names = picture.ps1_stacks(client.get(addresses.ps1_names(ra, dec)))
            temporary.write_bytes(client.get(addresses.ps1_picture(ra, dec, picture.PS1_PIXELS, names)))
            picture.resample(temporary, target.name)
        else:
            temporary.write_bytes(client.get(addresses.picture(ra, dec)))
        picture.check_sky(temporary, target.name)
    return outcomes


# === Spectra ===


def build_spectrum(workshop: Workshop, fibre: Fibre, row: dict[str, str]) -> list[Outcome]:
    """Fetch the spectrum of an object and write it as a table.

    Parameters
    ----------
    workshop : Workshop
    fibre : Fibre
    row : dict of str to str
        Of the catalogue.
    """
    outcomes: list[Outcome] = []
    target = workshop.target("spectra", row)
    with judged(outcomes, [row], "spectra"), replacing(target) as temporary:
        temporary.write_bytes(_first(workshop.client, workshop.addresses.spectra(fibre)))
        temporary.write_text(spectrum.convert(temporary, fibre.name), encoding="ascii", newline="")
    return outcomes


def fibre_in(row: dict[str, str]) -> Fibre:
    """Read which spectrum is an object's: columns plate, mjd, fiberid (and run2d), or specobjid.

    Raises
    ------
    DataError
        If the row does not say.
    """
    specobjid = parse_id(row.get("specobjid", ""))
    if specobjid:
        return fibre_of(specobjid)
    numbers = [parse_id(row.get(name, "")) for name in ("plate", "mjd", "fiberid")]
    if None in numbers:
        raise DataError("the catalogue has no plate, mjd and fiberid, nor specobjid, for this object")
    return Fibre(*numbers, row.get("run2d", "").strip())


def _first(client: Client, addresses: list[str]) -> bytes:
    """Fetch what is at the first of some addresses that has anything."""
    for address in addresses[:-1]:
        try:
            return client.get(address)
        except RemoteError as error:
            if error.status not in GONE:
                raise
    return client.get(addresses[-1])


# === Cut-outs ===


def field_in(row: dict[str, str]) -> Field:
    """Read on which field an object lies: columns run, camcol, field, or the bits of objid.

    Raises
    ------
    DataError
        If neither says.
    """
    numbers = [parse_id(row.get(name, "")) for name in ("run", "camcol", "field")]
    return field_of(int(row["objid"])) if None in numbers else Field(*numbers)


def build_cutouts(workshop: Workshop, field: Field, rows: list[dict[str, str]]) -> list[Outcome]:
    """Fetch the five frames of a field, once, and cut all its objects out of them.

    Frames are removed when their objects are done; where one of the five could not be had, the others wait for the
    next run.

    Parameters
    ----------
    workshop : Workshop
    field : Field
    rows : list of dict
        Of the catalogue: the objects of the field.
    """
    outcomes: list[Outcome] = []
    paths = {band: workshop.cache / field.frame(band) for band in BANDS}
    try:
        loaded = {band: _frame(workshop, field, band, path) for band, path in paths.items()}
    except (DataError, RemoteError, OSError):
        with judged(outcomes, rows, "fits"):
            raise
        if outcomes[0].status == FAILED:
            return outcomes
    else:
        for row in rows:
            target = workshop.target("fits", row)
            with judged(outcomes, [row], "fits"), replacing(target) as temporary:
                cutout = frames.cut(loaded, *read_position(row))
                content = io.BytesIO()
                np.save(content, cutout)
                # numpy itself does not say why a file could not be written.
                temporary.write_bytes(content.getvalue())
    for path in paths.values():
        path.unlink(missing_ok=True)
    return outcomes


def _frame(workshop: Workshop, field: Field, band: str, path: Path) -> frames.Frame:
    if not path.exists():
        fetch(workshop.client, workshop.addresses.frame(field, band), path)
    try:
        return frames.read_frame(path)
    except DataError:
        # Not to be found there by the next run.
        path.unlink(missing_ok=True)
        raise
