"""Which objects a data set is made of: rows of its catalogue from SkyServer or from a table of the user's."""

from __future__ import annotations

import csv
import hashlib
import math
from collections.abc import Callable, Iterator
from pathlib import Path

from sdss_gs.build import query, zoo
from sdss_gs.build.identity import number_of, parse_id
from sdss_gs.build.ledger import REFUSED, Ledger, Outcome
from sdss_gs.build.tables import read_table
from sdss_gs.errors import DataError, OptionError
from sdss_gs.files import replacing
from sdss_gs.sample.catalogue import COLUMNS

CATALOGUE = "catalogue"
POSITIONS_PER_QUERY = 30
Ask = Callable[[str], bytes]
"""Sends SQL to SkyServer, returns the body of the answer."""
Note = Callable[[str], None]


def select_by_query(ledger: Ledger, ask: Ask, sql: str, note: Note = print, own: bool = True) -> None:
    """Add the objects that a query returns.

    Parameters
    ----------
    ledger : Ledger
    ask : callable
    sql : str
        Must return columns objid, ra and dec; the names of SDSS-GS are understood, others are kept as they are.
    note : callable
        Shown to the user.
    own : bool
        The query is the user's own: its answer is complete. Otherwise masses are made linear and votes asked for.

    Raises
    ------
    DataError
        If the server reports an error, or the answer lacks a column or has no rows.
    """
    if not ledger.has_answer(sql):
        rows = query.read_answer(ask(sql))
        if not rows:
            raise DataError("the query returned no objects")
        if len(rows) >= query.ROW_LIMIT:
            note(f"the answer has {len(rows):,} rows, as many as SkyServer gives: there may be more objects")
        good = _usable(ledger, rows, "the query's answer", note)
        if not own:
            _make_linear(good, note)
        _add(ledger, good, sql)
    if not own:
        add_votes(ledger, ask)


def select_ids(ledger: Ledger, ask: Ask, ids: list[int], note: Note = print, progress=iter) -> None:
    """Add objects by their identifiers; those that SkyServer does not have are recorded as refused.

    Parameters
    ----------
    ledger : Ledger
    ask : Ask
    ids : list of int
    note : callable
        Takes what is to be said.
    progress : callable
        Takes the batches and gives them back, with a bar.
    """
    known = {row["objid"] for row in ledger.rows()}
    known |= {outcome.object for outcome in ledger.outcomes(REFUSED) if outcome.input == CATALOGUE}
    missing = [number for number in ids if str(number) not in known]
    for batch in progress(list(_batches(missing, query.IDS_PER_QUERY))):
        rows = query.read_answer(ask(query.selection(ids=batch)))
        good = _usable(ledger, rows, "SkyServer's answer", note) if rows else []
        lost = set(batch) - {int(row["objid"]) for row in rows}
        reason = "SkyServer has no object with a spectrum of this id"
        ledger.record(Outcome(str(number), CATALOGUE, REFUSED, reason) for number in sorted(lost))
        _make_linear(good, note)
        _add(ledger, good)
    add_votes(ledger, ask, progress)


def select_table(ledger: Ledger, ask: Ask | None, path: Path, note: Note = print, progress=iter) -> None:
    """Add the rows of a table as they are; rows without objid get that of the object within 2 arcsec.

    Parameters
    ----------
    path : Path
    ask : Ask or None
        Without it nobody is asked: rows without objid get a number made of their position.
    ledger, note, progress
        As for `select_ids`.
    """
    rows = read_table(path)
    if not rows:
        raise DataError(f"{path}: expected rows, found none")
    question = f"table {hashlib.sha256(path.read_bytes()).hexdigest()}"
    if ledger.has_answer(question):
        return
    lost = [name for name in ("ra", "dec") if name not in rows[0]]
    if lost:
        raise OptionError(f"--table {path}: expected columns ra and dec, found {', '.join(list(rows[0])[:12])}")
    if "objid" not in rows[0]:
        if ask is None:
            note(f"{path.name} has no objid: each row gets a number made of its ra and dec")
        rows = _identified(ledger, ask, rows, path.name, progress)
    good = _usable(ledger, rows, path.name, note) if rows else []
    _add(ledger, good, question)


def _identified(ledger: Ledger, ask: Ask | None, rows: list[dict], name: str, progress) -> list[dict]:
    places = []
    for number, row in enumerate(rows, 1):
        position = read_position(row)
        if position is None:
            ledger.record([Outcome(f"{name} row {number}", CATALOGUE, REFUSED, _bad_position(row))])
        else:
            places.append((number, *position))
    if ask is None:
        return [{"objid": str(number_of(ra, dec)), **rows[number - 1]} for number, ra, dec in places]
    found: dict[int, str] = {}
    for batch in progress(list(_batches(places, POSITIONS_PER_QUERY))):
        answer = query.read_answer(ask(query.nearest(batch)))
        found |= {int(row["number"]): row["objid"] for row in answer if parse_id(row.get("objid", ""))}
    for number, ra, dec in places:
        if number not in found:
            reason = f"no primary object within 2 arcsec of ({ra}, {dec})"
            ledger.record([Outcome(f"{name} row {number}", CATALOGUE, REFUSED, reason)])
    return [{"objid": found[number], **rows[number - 1]} for number, *_ in places if number in found]


def _usable(ledger: Ledger, rows: list[dict], name: str, note: Note) -> list[dict]:
    """Keep the rows with an id and a position, one for each id; record the others."""
    for column in ("objid", "ra", "dec"):
        if column not in {key.lower() for key in rows[0]}:
            raise DataError(f"{name}: expected a column {column}, found {', '.join(list(rows[0])[:12])}")
    good: dict[int, dict] = {}
    repeated = 0
    for number, row in enumerate(rows, 1):
        row = {_column(key): value for key, value in row.items()}
        objid = parse_id(row["objid"])
        if objid is None:
            reason = f"expected an integer as objid, found {row['objid'][:60]!r}"
            ledger.record([Outcome(f"{name} row {number}", CATALOGUE, REFUSED, reason)])
        elif read_position(row) is None:
            ledger.record([Outcome(str(objid), CATALOGUE, REFUSED, _bad_position(row))])
        else:
            repeated += objid in good
            good.setdefault(objid, row | {"objid": str(objid)})
    if repeated:
        note(f"{name}: {repeated} rows repeat an objid; the first of each was kept")
    return list(good.values())


def _column(name: str) -> str:
    """Spell a known column as SDSS-GS does (SkyServer's columns have capitals here and there)."""
    known = {column.lower(): column for column in (*COLUMNS, *zoo.COLUMNS, "specobjid", "run2d")}
    return known.get(name.lower(), name)


def _make_linear(rows: list[dict], note: Note) -> None:
    if query.linear_masses(rows):
        note("stellarmass was log10(M/Msun); made linear")


def _add(ledger: Ledger, rows: list[dict], question: str = "") -> None:
    ledger.add_rows((_with_class(row) for row in rows), question)


def _with_class(row: dict[str, str]) -> dict[str, str]:
    """Replace the votes of Galaxy Zoo, where a row has them all, by the class."""
    try:
        shares = {column: float(row[column]) for column in zoo.COLUMNS}
    except (KeyError, ValueError):
        return row
    full, simplified = zoo.classify(shares)
    return {k: v for k, v in row.items() if k not in shares} | {"gz2c_f": full, "gz2c_s": simplified}


def add_votes(ledger: Ledger, ask: Ask, progress=iter) -> None:
    """Ask for the Galaxy Zoo 2 votes on the objects of the catalogue, and write their classes into it.

    Parameters
    ----------
    ledger, ask, progress
        As for `select_ids`.
    """
    rows = {int(row["objid"]): row for row in ledger.rows() if "gz2c_f" not in row}
    for batch in progress(list(_batches(list(rows), query.IDS_PER_QUERY))):
        # A galaxy without votes is marked by an empty class: it is not asked for again.
        found = {number: {"gz2c_f": "", "gz2c_s": ""} for number in batch}
        for answer in query.read_answer(ask(query.votes(batch))):
            found[int(answer["objid"])] = _with_class({_column(key): value for key, value in answer.items()})
        ledger.add_rows(rows[number] | found[number] for number in batch)


def read_position(row: dict[str, str]) -> tuple[float, float] | None:
    """Read ra and dec, degrees; None where they are no place on the sky."""
    try:
        ra, dec = float(row["ra"]), float(row["dec"])
    except ValueError:
        return None
    return (ra, dec) if math.isfinite(ra) and 0 <= ra <= 360 and -90 <= dec <= 90 else None


def _bad_position(row: dict[str, str]) -> str:
    return f"expected ra and dec in degrees, found {row['ra'][:30]!r} and {row['dec'][:30]!r}"


def _batches(items: list, size: int) -> Iterator[list]:
    return (items[start : start + size] for start in range(0, len(items), size))


def write_catalogue(folder: Path, rows: list[dict[str, str]]) -> None:
    """Write ``data.csv``: the columns of SDSS-GS in its order, then any others."""
    others = dict.fromkeys(column for row in rows for column in row if column not in COLUMNS)
    path = folder / "data.csv"
    try:
        with replacing(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, (*COLUMNS, *others), lineterminator="\n", restval="")
            writer.writeheader()
            writer.writerows(rows)
    except OSError as error:
        raise DataError(f"{path}: cannot write the catalogue: {error}") from None
