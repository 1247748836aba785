"""Questions to SkyServer, and its answers."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable

import numpy as np
from urllib3.exceptions import HTTPError

from sdss_gs.build import zoo
from sdss_gs.build.addresses import Addresses
from sdss_gs.build.picture import plain_text
from sdss_gs.errors import DataError
from sdss_gs.remote import Client
from sdss_gs.schema import BANDS

IDS_PER_QUERY = 60
"""Keeps an address below 4,000 characters, which every server takes."""
MASS_COLUMN = "Chabrier_MILES_total_mass"
"""Of sdssEbossFirefly since DR16, solar masses (DR14 and DR15 had nine ``…_stellar_mass`` columns instead)."""
DEX = (4.0, 15.0)
"""Between these a mass is log10 of solar masses."""
ROW_LIMIT = 500_000
"""Rows that SkyServer returns at most."""
REFUSALS = (400, 500)
"""Statuses with which SkyServer sends what is wrong with a query."""
RADIUS_ARCMIN = 2 / 60
"""How far from a position an object may be that is taken for it."""


def selection(top: int | None = None, ids: Iterable[int] | None = None) -> str:
    """Write the query for the columns of SDSS-GS: galaxies with a sub-class and a good redshift, or given objects.

    Parameters
    ----------
    top : int, optional
        At most so many objects.
    ids : iterable of int, optional
        These objects, with whatever class and redshift they have.

    Returns
    -------
    str
        SQL for SkyServer: SpecPhoto, with WISE aperture magnitudes and a Firefly mass where there are.
    """
    magnitudes = ", ".join(f"s.modelMag_{band}" for band in BANDS)
    wise = ", ".join(f"w.w{number}mag" for number in (1, 2, 3, 4))
    if ids is None:
        condition = "s.class = 'GALAXY' AND s.subClass <> '' AND s.zWarning = 0"
    else:
        condition = f"s.objID IN ({_numbers(ids)})"
    return (
        f"SELECT {f'TOP {int(top)} ' if top else ''}s.objID AS objid, s.mjd, s.plate, s.tile, s.fiberID AS fiberid, "
        "s.run, s.rerun, s.camcol, s.field, s.ra, s.dec, s.class, s.subClass AS subclass, "
        f"{magnitudes}, s.z AS redshift, f.{MASS_COLUMN} AS stellarmass, {wise}, s.specObjID AS specobjid "
        "FROM SpecPhoto AS s LEFT JOIN sdssEbossFirefly AS f ON f.specObjID = s.specObjID "
        "LEFT JOIN wise_xmatch AS x ON x.sdss_objid = s.objID LEFT JOIN wise_allsky AS w ON w.cntr = x.wise_cntr "
        f"WHERE {condition}"
    )


def votes(ids: Iterable[int]) -> str:
    """Write the query for the Galaxy Zoo 2 votes on objects."""
    columns = ", ".join(zoo.COLUMNS)
    return f"SELECT dr8objid AS objid, {columns} FROM zoo2MainSpecz WHERE dr8objid IN ({_numbers(ids)})"


def nearest(positions: Iterable[tuple[int, float, float]]) -> str:
    """Write the query for the primary objects nearest to positions (number, ra, dec in degrees), within 2 arcsec."""
    return " UNION ALL ".join(
        f"SELECT {int(number)} AS number, "
        f"dbo.fGetNearestObjIdEq({float(ra):.8f}, {float(dec):.8f}, {RADIUS_ARCMIN:.6f}) AS objid"
        for number, ra, dec in positions
    )


def _numbers(ids: Iterable[int]) -> str:
    # Nothing but digits can come out of this, whatever was in the user's file.
    return ", ".join(str(int(number)) for number in ids)


def ask(client: Client, addresses: Addresses, sql: str) -> bytes:
    """Send a query to SkyServer and return the body of its answer, be it rows or what is wrong with the query.

    Parameters
    ----------
    client : Client
    addresses : Addresses
    sql : str
    """

    def use(response) -> bytes:
        body = response.content
        if response.status_code >= 400 and not body.lstrip().startswith((b"{", b"[")):
            # A server in trouble answers with a page; one that does not understand, with a message in JSON.
            raise HTTPError(f"HTTP {response.status_code}: {plain_text(body)}")
        return body

    return client.request(addresses.query(sql), use, also=REFUSALS)


def read_answer(content: bytes) -> list[dict[str, str]]:
    """Read SkyServer's answer in CSV.

    Parameters
    ----------
    content : bytes
        A line ``#Table1``, the column names, the rows; an error comes as text, JSON or HTML.

    Returns
    -------
    list of dict of str to str
        Rows by column name; numbers as they are written, ``null`` as an empty text.

    Raises
    ------
    DataError
        With the server's own message where the answer is an error.
    """
    import pandas

    text = content.decode("utf-8-sig", "replace").lstrip()
    message = error_message(text)
    if message:
        raise DataError(f"SkyServer did not answer the query: {message}")
    text = re.sub(r"\A#[^\n]*\n", "", text)
    if not text.strip():
        return []
    try:
        table = pandas.read_csv(io.StringIO(text), dtype=str, keep_default_na=False)
    except (pandas.errors.ParserError, pandas.errors.EmptyDataError) as error:
        raise DataError(f"SkyServer's answer is no table: {str(error).splitlines()[0]}") from None
    return [
        {key: "" if str(value).lower() == "null" else str(value) for key, value in row.items()}
        for row in table.to_dict("records")
    ]


def error_message(text: str) -> str:
    r"""Find the server's message in an answer that is no table; empty for a table.

    Examples
    --------
    >>> error_message('{"Error Code": 400, "Error Message": "Incorrect syntax near WHER."}')
    'Incorrect syntax near WHER.'
    >>> error_message("<html><title>Skyserver Error</title><h2>An error occured</h2></html>")
    'Skyserver Error An error occured'
    >>> error_message("#Table1\\nobjid,ra\\n")
    ''
    """
    if text.startswith(("{", "[")):
        try:
            found = json.loads(text)
        except ValueError:
            return text[:200]
        found = found[0] if isinstance(found, list) and found else found
        messages = [str(v) for k, v in found.items() if "message" in k.lower() and v] if isinstance(found, dict) else []
        return " ".join((messages or [text])[0].split())[:300]
    first = text[:2000].lower()
    if text.startswith("<") or re.match(r"(error|sql error|exception|error_message|incorrect syntax)", first):
        return plain_text(text.encode(), 300)
    return ""


def linear_masses(rows: list[dict[str, str]]) -> bool:
    """Turn Firefly's masses, where they are log10, into linear ones, in place; tell whether they were.

    Firefly's result files hold either. Every galaxy has more solar masses than `DEX` allows, and none 10 to that.
    """
    masses = {number: _number(row.get("stellarmass", "")) for number, row in enumerate(rows)}
    positive = [mass for mass in masses.values() if mass > 0]
    if not positive or not all(DEX[0] < mass < DEX[1] for mass in positive):
        return False
    for number, mass in masses.items():
        if mass > 0:
            rows[number]["stellarmass"] = f"{10**mass:.6g}"
    return True


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return np.nan
