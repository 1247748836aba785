"""Which columns of a table a model's magnitudes are read from, by name, unit and what the user says."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from sdss_gs.errors import DataError, OptionError, did_you_mean
from sdss_gs.schema import DEREDDENED, ERRORS, INPUTS, Input
from sdss_gs.tables.error_columns import ErrorColumn, FoundErrors, find_errors
from sdss_gs.tables.extinction import (
    ExtinctionColumns,
    find_extinction,
    find_statement,
    read_statement,
    says_nothing,
)  # fmt: skip
from sdss_gs.tables.names import (
    MODEL,
    PHOTOMETRY,
    STATEMENTS,
    UNSTATED,
    families,
    full_names,
    meaning_of,
    short_name,
)  # fmt: skip
from sdss_gs.tables.readers.table import OpenTable, listed
from sdss_gs.tables.units import Convert, magnitudes_of

TABLES = {name: item.columns for name, item in INPUTS.items() if item.columns}
DUSTY = "bands"
"""The input whose magnitudes surveys also give dereddened: W1 to W4 lose too little light to the Galaxy's dust."""
BOTH = " or "
"""Between the kinds of magnitudes that a model can look at, the one it answers best from first."""


@dataclass(frozen=True)
class Chosen:
    """A column that is read.

    Parameters
    ----------
    name : str
        In the file.
    convert : callable or None
        See `units.magnitudes_of`.
    """

    name: str
    convert: Convert | None = None


@dataclass(frozen=True)
class Extras:
    """What is taken beyond rows of all magnitudes, by what the models that ask can use.

    Parameters
    ----------
    gaps : tuple of str
        Inputs of which magnitudes, and whole columns, may be missing.
    errors : tuple of str
        Inputs whose errors are read as well.
    limits : bool
        Whether 99 is an upper limit, which stands in the column of the errors, see
        `common.data.sources.magnitudes.taken_as_limits`.
    stated : str
        What the user says of magnitudes u g r i z: one of `names.STATEMENTS`; empty where it is found by the names.
    """

    gaps: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()
    limits: bool = False
    stated: str = ""


NO_EXTRAS = Extras()


def extras_of(items: Iterable[Input], limits: bool = False, stated: str = "") -> Extras:
    """Return what some inputs, each as a model has it, can use.

    Parameters
    ----------
    items : iterable of Input
    limits, stated
        As for `Extras`.

    Raises
    ------
    OptionError
        If `stated` is no word for magnitudes.
    """
    if stated and stated not in STATEMENTS:
        raise OptionError(f"photometry: expected {' or '.join(STATEMENTS)}, found {stated!r}")
    tables = [item for item in items if item.columns]
    gaps = dict.fromkeys(item.name for item in tables if item.gaps)
    return Extras(tuple(gaps), tuple(dict.fromkeys(item.name for item in tables if item.errors)), limits, stated)


@dataclass(frozen=True)
class Choice:
    """What is read from a table.

    Parameters
    ----------
    columns : dict of str to Chosen
        By the zoo's name; of the inputs in `photometry` all of them, or, where there may be gaps, some.
    photometry : dict of str to str
        By input: ``model``, ``psf``, ``dereddened``, …; empty where nobody says, or the user has chosen.
    notes : list of str
        What a user should know of it.
    errors : dict of str to ErrorColumn
        By the zoo's name of the magnitude.
    refused_errors : list of str
        Columns that are called as errors are, but whose unit says something else.
    extinction : ExtinctionColumns or None
        Of the Galaxy's dust, where u g r i z are read and the table has it.
    statement : str
        The column that says of each row whether u g r i z are dereddened; empty where there is none.
    """

    columns: dict[str, Chosen] = field(default_factory=dict)
    photometry: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    errors: dict[str, ErrorColumn] = field(default_factory=dict)
    refused_errors: list[str] = field(default_factory=list)
    extinction: ExtinctionColumns | None = None
    statement: str = ""

    def names(self) -> list[str]:
        """List the columns that are read, each once."""
        found = [one.name for one in (*self.columns.values(), *self.errors.values())]
        found += self.extinction.names if self.extinction else ()
        return list(dict.fromkeys([*found, *filter(None, (self.statement,))]))


def choose_columns(
    table: OpenTable,
    inputs: Sequence[str] = tuple(TABLES),
    told: Mapping[str, str] | None = None,
    preferred: Mapping[str, str] | None = None,
    extras: Extras = NO_EXTRAS,
) -> Choice:
    """Choose the columns of magnitudes.

    The user's word comes first. Else the names of all bands have to be written alike (``mag_u_lsst`` … ``mag_z_lsst``);
    of several such families the one of the preferred photometry is taken, then one that does not say what it is, then
    any other if it is the only one. A family that lacks bands is taken only where no other has all, and `extras` allow.

    Parameters
    ----------
    table : OpenTable
    inputs : sequence of str
        Those that are asked for.
    told : mapping of str to str, optional
        Name in the file by name in the zoo, ``modelMag_r`` or ``r``.
    preferred : mapping of str to str, optional
        Photometry by input; that of `PHOTOMETRY` by default.
    extras : Extras
        What may be missing, and whether errors are read.

    Raises
    ------
    OptionError
        If what the user says is not there.
    DataError
        If several columns may be meant, or a unit cannot become magnitudes.
    """
    refuse_repeats(table)
    choice, doubts = Choice(), []
    by_user = _told(table, told or {}, bool(extras.errors))
    for own in inputs:
        gaps, kind = own in extras.gaps, (PHOTOMETRY | dict(preferred or {}))[own]
        if extras.stated and own == DUSTY:
            kind = DEREDDENED if extras.stated == DEREDDENED else MODEL
        mine = {column: by_user[column] for column in TABLES[own] if column in by_user}
        try:
            names = _completed(table, own, mine, gaps) if mine else _best_family(table, own, kind, gaps)
        except _IncompleteError as error:
            # Only without anything else a reason to refuse: a table without gaps in it was always taken.
            doubts.append(error)
            continue
        if names:
            _take(table, own, names, choice, chosen=bool(mine))
            if own == DUSTY:
                choice = _with_dust(table, choice, names, extras.stated)
            if own in extras.errors:
                found = _errors_of(table, own, choice, by_user)
                choice.errors.update(found.errors)
                choice.notes.extend(found.notes)
    if doubts and not choice.columns:
        raise doubts[0]
    choice.notes.extend(f"passed over: {doubt}" for doubt in doubts)
    return choice


def _with_dust(table: OpenTable, choice: Choice, names: Mapping[str, str], stated: str) -> Choice:
    """Add to a choice what is known of the Galaxy's extinction in magnitudes; `stated` by the user.

    Raises
    ------
    OptionError
        If the user says that columns are raw whose names say otherwise.
    """
    kinds = {meaning.photometry if meaning else UNSTATED for meaning in map(meaning_of, names.values())}
    found = choice.photometry[DUSTY]
    if kinds == {DEREDDENED}:
        # Also of columns that the user has named: they are what their names say.
        found = DEREDDENED
    if stated == DEREDDENED:
        found = found if found == DEREDDENED else f"{DEREDDENED} {'' if found == MODEL else found}".strip()
    elif stated and found == DEREDDENED:
        raise OptionError(f"photometry: expected {DEREDDENED} for {listed(list(names.values()))}, found {stated}")
    choice.photometry[DUSTY] = found
    extinction, statement = find_extinction(table), "" if stated else find_statement(table.names)
    if extinction and says_nothing(table, extinction.names, extinction.read):
        choice.notes.append(f"{listed(extinction.names)}: expected the Galaxy's extinction, found no row that has it")
        extinction = None
    if statement and says_nothing(table, [statement], partial(read_statement, name=statement)):
        choice.notes.append(f"{statement}: expected {' or '.join(STATEMENTS)} in each row, found no row that says so")
        statement = ""
    return replace(choice, extinction=extinction, statement=statement)


def take_errors(table: OpenTable, choice: Choice, told: Mapping[str, str] | None = None) -> None:
    """Add to a choice the errors of its magnitudes, where the table has some; its notes say what is not plain.

    Parameters
    ----------
    table : OpenTable
    choice : Choice
        Of this table.
    told : mapping of str to str, optional
        Name of an error in the file by name in the zoo, ``modelMagErr_r`` or ``err_r``.
    """
    by_user = _told(table, told or {}, True)
    for own in choice.photometry:
        found = _errors_of(table, own, choice, by_user)
        plain = all(error == ErrorColumn(ERRORS[column]) for column, error in found.errors.items())
        choice.errors.update(found.errors)
        choice.refused_errors.extend(found.refused)
        choice.notes.extend(found.notes if found.refused or not plain else [])


def _errors_of(table: OpenTable, own: str, choice: Choice, told: Mapping[str, str]) -> FoundErrors:
    return find_errors(table, {name: choice.columns[name].name for name in TABLES[own] if name in choice.columns}, told)


class _IncompleteError(DataError):
    """Several families may be meant, none of which has all bands."""


def _take(table: OpenTable, own: str, names: Mapping[str, str], choice: Choice, chosen: bool) -> None:
    """Add an input's columns to a choice; `chosen` by the user, or found."""
    for column in TABLES[own]:
        if column not in names:
            continue
        choice.columns[column], words = _chosen(table, column, names[column])
        if names[column] != column or words:
            choice.notes.append(f"{column} is read from {names[column]}" + (f" ({words})" if words else ""))
    if missing := [short_name(column) for column in TABLES[own] if column not in names]:
        choice.notes.append(f"{own}: no column of {', '.join(missing)}, answered without")
    choice.photometry[own] = UNSTATED if chosen else meaning_of(next(iter(names.values()))).photometry


def table_with_magnitudes(
    path: Path,
    tables: Sequence[OpenTable],
    inputs: Sequence[str] = tuple(TABLES),
    told: Mapping[str, str] | None = None,
    preferred: Mapping[str, str] | None = None,
    extras: Extras = NO_EXTRAS,
) -> tuple[OpenTable, Choice]:
    """Find which of a file's tables has magnitudes; the first, and an empty choice, where none has.

    Parameters
    ----------
    path : Path
        Of the file, for messages.
    tables : sequence of OpenTable
    inputs, told, preferred, extras
        As for `choose_columns`. A table that has all bands of an input wins over those that do not.

    Raises
    ------
    OptionError
        If several have.
    """
    if len(tables) > 1 and told:
        tables = [one for one in tables if set(told.values()) <= set(one.names)] or tables[:1]
    choices, refusals, usable = [], [], []
    for allowed in (replace(extras, gaps=()), extras) if extras.gaps and len(tables) > 1 else (extras,):
        if not usable:
            choices, refusals = _choices(tables, inputs, told, preferred, allowed)
            usable = [pair for pair in choices if pair[1].columns]
    if refusals and not usable:
        # Tables that nobody means may be what they like.
        raise refusals[0]
    if len(usable) > 1:
        there = listed([one.where for one, _choice in usable])
        raise OptionError(f"{path}: expected one table with magnitudes, found {there}; say which, as file[number]")
    chosen, choice = (usable or choices)[0]
    if usable and extras != NO_EXTRAS:
        choice = choose_columns(chosen, inputs, told, preferred, extras)
    choice.notes.extend(f"passed over: {refusal}" for refusal in refusals)
    return chosen, choice


def _choices(
    tables: Sequence[OpenTable], inputs: Sequence[str], told: Mapping[str, str] | None,
    preferred: Mapping[str, str] | None, extras: Extras,
) -> tuple[list[tuple[OpenTable, Choice]], list[Exception]]:  # fmt: skip
    """Choose of each table; return also why some are refused."""
    choices, refusals = [], []
    for one in tables:
        try:
            choices.append((one, choose_columns(one, inputs, told, preferred, extras)))
        except (DataError, OptionError) as error:
            refusals.append(error)
    return choices, refusals


def refuse_repeats(table: OpenTable) -> None:
    """Refuse a table in which a magnitude stands twice."""
    for name, times in Counter(table.names).items():
        if times > 1 and meaning_of(name) is not None:
            raise DataError(f"{table.where}: expected one column {name}, found {times}")


def _told(table: OpenTable, told: Mapping[str, str], errors: bool) -> dict[str, str]:
    known, by_user = full_names(errors), {}
    for key, name in told.items():
        if key.lower() not in known:
            columns = [column for columns in TABLES.values() for column in columns]
            short = ", ".join(map(short_name, columns))
            raise OptionError(
                f"column {key}: expected one of {', '.join(columns)} (or {short}){did_you_mean(key, known)}"
            )
        if name not in table.names:
            raise OptionError(
                f"column {key}={name}: expected a column of {table.where}, which has {listed(table.names)}"
                f"{did_you_mean(name, table.names)}"
            )
        by_user[known[key.lower()]] = name
    return by_user


def _completed(table: OpenTable, own: str, mine: dict[str, str], gaps: bool) -> dict[str, str]:
    """Add to what the user has named the bands that he has not; with `gaps` as far as there are any."""
    names = dict(mine)
    for column in TABLES[own]:
        meanings = [(name, meaning_of(name)) for name in table.names if column not in mine]
        same = [name for name, meaning in meanings if meaning is not None and meaning.column == column]
        if same:
            names[column] = _one_of(table, column, same)
        elif column not in mine and not gaps:
            short = short_name(column)
            raise OptionError(
                f"column: expected one for {short} as well, found none in {table.where}; say {short}=NAME"
            )
    return names


def _best_family(table: OpenTable, own: str, preferred: str, gaps: bool) -> dict[str, str]:
    """Choose the family of an input's columns, with `gaps` also one that lacks bands; empty where there is none."""
    found = families(table.names, own, gaps)
    ranked: dict[int, list[str]] = {}
    for family, columns in found.items():
        meaning = meaning_of(next(iter(columns.values()))[0])
        kinds = list(dict.fromkeys((*preferred.split(BOTH), UNSTATED, *([MODEL] * (DEREDDENED in preferred)))))
        stated = kinds.index(meaning.photometry) if meaning.photometry in kinds else len(kinds)
        # A magnitude rather than the flux it is made of.
        ranked.setdefault(2 * stated + meaning.flux, []).append(family)
    if not ranked:
        return {}
    best = ranked[min(ranked)]
    most = max(map(len, found.values()))
    if len(best) > 1 or len(found[best[0]]) < most:
        there = listed(best if len(best) > 1 else list(found))
        raise (_IncompleteError if most < len(TABLES[own]) else DataError)(
            f"{table.where}: expected one set of magnitudes for {own}, found {there}; say which, with "
            f"--column {short_name(TABLES[own][0])}=NAME and so on"
        )
    names = {column: _one_of(table, column, same) for column, same in found[best[0]].items()}
    _refuse_redshift(table, names)
    _refuse_johnson(table, names)
    return names


def _refuse_redshift(table: OpenTable, names: dict[str, str]) -> None:
    """Refuse to guess that ``z`` is a magnitude where another column has that name, ``zmag``."""
    z = TABLES["bands"][-1]
    if names.get(z, "").lower() != "z":
        return
    meanings = {name: meaning_of(name) for name in table.names if len(name) > 1}
    also = [name for name, one in meanings.items() if one and (one.column, one.photometry) == (z, UNSTATED)]
    if also:
        raise DataError(
            f"{table.where}: expected one column for {z}, found {listed([names[z], *also])}; say --column z=NAME"
        )


def _refuse_johnson(table: OpenTable, names: dict[str, str]) -> None:
    """Refuse U, R and I beside B and V, written alike: Johnson's and Cousins' bands, not those of SDSS."""
    if len(names) == len(TABLES["bands"]):
        return
    there = {name.lower(): name for name in table.names}
    for column, name in names.items():
        at, text = short_name(column), name.lower()
        alike = [[text[:n] + band + text[n + 1 :] for n, one in enumerate(text) if one == at] for band in "bv"]
        found = [there[one] for ones in alike for one in ones if one in there]
        if all(any(one in there for one in ones) for ones in alike):
            raise DataError(
                f"{table.where}: expected magnitudes of SDSS's u g r i z, found {listed([*names.values(), *found])}, "
                f"named as Johnson's and Cousins' bands are; if they are SDSS's, say --column {at}={name} and so on"
            )


def _one_of(table: OpenTable, column: str, same: list[str]) -> str:
    """Choose among names that differ by case only."""
    exact = [name for wanted in (column, short_name(column)) for name in same if name == wanted]
    if exact or len(same) == 1:
        return (exact or same)[0]
    raise DataError(
        f"{table.where}: expected one column for {column}, found {listed(same)}; say --column {short_name(column)}=NAME"
    )


def _chosen(table: OpenTable, column: str, name: str) -> tuple[Chosen, str]:
    meaning = meaning_of(name)
    flux, sdss = (meaning.flux, meaning.sdss) if meaning else (False, False)
    declared = table.column(name)
    convert, words = magnitudes_of(table.where, name, declared.unit, short_name(column), flux, sdss)
    return Chosen(name, convert), words


def no_columns(table: OpenTable) -> str:
    """Say that a table has no magnitudes that a model knows."""
    needed = " or ".join(f"{listed(columns)} ({name})" for name, columns in TABLES.items())
    return (
        f"{table.where}: expected columns {needed}, or such names of other surveys, found {listed(table.names)}; say "
        f"which is which with --column r=NAME"
    ) + "".join(f"; {note}" for note in table.notes)
