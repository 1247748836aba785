"""``data.csv`` → typed columns: ids stay int64, sentinels become missing, everything odd is counted or named."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sdss_gs.errors import DataError
from sdss_gs.schema import DEREDDENED, ERRORS, EXTINCTION, OUTPUTS, QUANTITIES, Quantity
from sdss_gs.tables.cells import MISSING, expected_number, plain_numbers, read_numbers
from sdss_gs.tables.columns import TABLES, Choice, Chosen, choose_columns, refuse_repeats, take_errors
from sdss_gs.tables.error_columns import ErrorColumn
from sdss_gs.tables.extinction import read_statement
from sdss_gs.tables.identifiers import id_column
from sdss_gs.tables.names import STATEMENTS, same_name
from sdss_gs.tables.readers.table import OpenTable, listed
from sdss_gs.tables.readers.text import open_text
from sdss_gs.tables.repeats import Merged, merge_repeats

ID_PATTERN = r"^[0-9]{1,19}$"
LARGEST_ID = np.iinfo(np.int64).max
BROADLINE = "BROADLINE"


@dataclass(frozen=True)
class Problem:
    """Something wrong in a data set, named so that a person can find it.

    Parameters
    ----------
    where : str
        File, or ``data.csv`` with the object.
    item : str
        Input, output or column concerned.
    text : str
        What was expected and what was found.
    """

    where: str
    item: str
    text: str


@dataclass(frozen=True)
class Catalogue:
    """The typed content of ``data.csv``; ``n`` objects in the order of their first rows, see `repeats`.

    Parameters
    ----------
    objid : ndarray of int64, shape (n,)
    numbers : dict of str to ndarray of float64, shape (n,)
        Columns of `schema.QUANTITIES`; NaN where missing. Errors are those of magnitudes, whatever the file has.
    labels : dict of str to ndarray of int16, shape (n,)
        Class numbers by output name; -1 where missing.
    missing : dict of str to dict of str to int
        Missing values by column and by reason (``empty``, ``sentinel -9999``, …).
    problems : tuple of Problem
        What is wrong (impossible values, rows that contradict each other, unknown classes); missing values are not
        wrong.
    photometry : dict of str to str
        Kind of the magnitudes, by input; see `names.Meaning`.
    notes : tuple of str
        Which columns are read under another name, and how many rows repeat an object.
    rows : ndarray of int64, shape (m,)
        Position of the object of each row of ``data.csv`` that has an id.
    extinction : tuple of str
        Columns that the extinction of magnitudes, or E(B-V), was read from.
    statement : str
        Column that says of each object whether its magnitudes are dereddened; empty where there is none.
    """

    objid: np.ndarray
    numbers: dict[str, np.ndarray]
    labels: dict[str, np.ndarray]
    missing: dict[str, dict[str, int]] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    photometry: dict[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    rows: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    extinction: tuple[str, ...] = ()
    statement: str = ""

    def __len__(self) -> int:
        return len(self.objid)

    def truths(self, row: int) -> dict[str, float | str | None]:
        """Return an object's true values by output, numbers in the catalogue's unit; None where one is missing.

        Votes are no single value: None.
        """
        found: dict[str, float | str | None] = {}
        for name, output in OUTPUTS.items():
            if output.classes:
                label = int(self.labels[name][row])
                found[name] = output.classes[label] if label >= 0 else None
            elif output.answers:
                found[name] = None
            else:
                value = float(self.numbers[output.column][row])
                found[name] = value if math.isfinite(value) else None
        return found

    def table(self, columns: tuple[str, ...]) -> np.ndarray:
        """Return some number columns side by side, float32 ``(n, len(columns))``, NaN where missing."""
        return np.stack([self.numbers[column] for column in columns], axis=1).astype(np.float32)


def read_catalogue(folder: str | Path) -> Catalogue:
    """Read ``data.csv`` of a data set.

    Parameters
    ----------
    folder : path-like
        Folder that holds ``data.csv``.

    Returns
    -------
    Catalogue

    Raises
    ------
    DataError
        If the file is missing, empty, no table, or has no ``objid`` column or no usable row.
    """
    path = Path(folder) / "data.csv"
    problems: list[Problem] = []
    opened = open_csv(path, problems)
    choice = _magnitudes(opened, problems)
    photometric = [*ERRORS, *ERRORS.values(), *EXTINCTION.values(), DEREDDENED]
    wanted = [column for column in QUANTITIES if column not in photometric]
    wanted += [output.column for output in OUTPUTS.values() if output.classes]
    table = _strings(opened, ["objid", *wanted, *choice.names()])
    table, objid = keep_good_ids(table, problems)
    if not len(objid):
        first = next((f"; {one.where}: {one.text}" for one in problems if one.item == "objid"), "")
        raise DataError(f"{path}: expected at least one row with a usable objid, found none{first}")
    merged = _merge(table, objid, choice, problems)
    table, objid = merged.table, pc.cast(merged.table["objid"], pa.int64()).to_numpy()
    numbers, labels, missing = {}, {}, {}
    for column, quantity in QUANTITIES.items():
        if column in ERRORS or column not in photometric:
            chosen = choice.columns.get(column, Chosen(column))
            numbers[column], missing[column] = _numbers(table, quantity, chosen, objid, problems)
    for column, error in ERRORS.items():
        numbers[error], missing[error] = _errors(table, choice, column, np.isfinite(numbers[column]))
    numbers |= _dust(table, choice, objid, problems)
    for output in OUTPUTS.values():
        if output.classes:
            labels[output.name], missing[output.column] = _labels(table, output, objid, problems)
    notes = [*choice.notes, *merged.notes()]
    return Catalogue(
        objid, numbers, labels, missing, tuple(problems), choice.photometry, tuple(notes), merged.rows,
        choice.extinction.names if choice.extinction else (), choice.statement,
    )  # fmt: skip


# === Rows ===


def open_csv(path: Path, problems: list[Problem]) -> OpenTable:
    """Open ``data.csv`` or a table beside it, as any table of text (`sdss_gs.tables.readers`).

    Parameters
    ----------
    path : Path
    problems : list of Problem
        Rows with a wrong number of cells are left out and named here.

    Raises
    ------
    DataError
        If the file is missing, no table, or has no column of ids.
    """
    if not path.is_file():
        raise DataError(f"{path}: no such file (expected an SDSS-GS folder with data.csv)")

    def skip(row):
        expected = f"expected {row.expected_columns} cells, found {row.actual_columns}"
        problems.append(Problem(f"{path.name} line {row.number}", "row", expected))
        return "skip"

    table = open_text(path, skip)
    if not id_column(table):
        raise DataError(f"{path}: expected a column objid, found {listed(table.names, 8) or 'an empty file'}")
    return table


def read_strings(path: Path, wanted: Sequence[str], problems: list[Problem]) -> pa.Table:
    """Read those of the wanted columns that are there as stripped text, empty where there is nothing.

    Parameters
    ----------
    path : Path
    wanted : sequence of str
        ``objid`` stands for the column of ids; a name in another case will do where there is none as it is written.
    problems : list of Problem
        Rows with a wrong number of cells are left out and named here.

    Raises
    ------
    DataError
        If the file is missing, no table, or has no column of ids.
    """
    return _strings(open_csv(path, problems), wanted)


def _strings(table: OpenTable, wanted: Sequence[str]) -> pa.Table:
    names = {}
    for name in wanted:
        same = [id_column(table)] if name == "objid" else same_name(table.names, name)
        if len(same) > 1:
            found = len(same) if len(set(same)) == 1 else listed(same)
            raise DataError(f"{table.where}: expected one column {name}, found {found}")
        if same:
            names[name] = same[0]
    pieces = list(table.batches(list(dict.fromkeys(names.values())), 0))
    whole = (
        pa.concat_tables(pieces) if pieces else pa.table({name: pa.array([], pa.string()) for name in names.values()})
    )
    return pa.table({name: pc.fill_null(whole[theirs].cast(pa.string()), "") for name, theirs in names.items()})


def _magnitudes(table: OpenTable, problems: list[Problem]) -> Choice:
    """Choose the columns of magnitudes; where they cannot be understood, the objects lack them."""
    refuse_repeats(table)
    choice = Choice()
    for own in TABLES:
        try:
            one = choose_columns(table, [own])
        except DataError as error:
            problems.append(Problem("data.csv", own, str(error).removeprefix(f"{table.where}: ")))
            continue
        choice.columns.update(one.columns)
        choice.photometry.update(one.photometry)
        choice.notes.extend(one.notes)
        if one.extinction or one.statement:
            choice = replace(choice, extinction=one.extinction, statement=one.statement)
    take_errors(table, choice)
    return choice


def keep_good_ids(table: pa.Table, problems: list[Problem]) -> tuple[pa.Table, np.ndarray]:
    """Drop rows without an integer id, and name them; return also the ids, int64."""
    text = table["objid"]
    objid = np.zeros(len(text), np.int64)
    good = pc.match_substring_regex(text, ID_PATTERN).to_numpy().copy()
    # As unsigned first: nineteen digits can be more than an int64 holds.
    unsigned = pc.cast(text.filter(pa.array(good)), pa.uint64()).to_numpy()
    small = unsigned <= LARGEST_ID
    objid[good] = np.where(small, unsigned, 0).astype(np.int64)
    good[good] = small
    for row in np.flatnonzero(~good).tolist():
        found = text[row].as_py()
        problems.append(Problem(f"data.csv row {row + 1}", "objid", f"expected an integer, found {found!r}"))
    return (table if good.all() else table.filter(pa.array(good))), objid[good]


def _merge(table: pa.Table, objid: np.ndarray, choice: Choice, problems: list[Problem]) -> Merged:
    """Merge rows of one object; name what contradicts."""
    columns = {column: choice.columns.get(column, Chosen(column)) for column in QUANTITIES}
    names = {chosen.name: column for column, chosen in columns.items()}
    names |= {error.name: ERRORS[column] for column, error in choice.errors.items()}
    numbers = {one.name: (column, partial(_values, QUANTITIES[column], one)) for column, one in columns.items()}
    numbers |= {one.name: (ERRORS[column], partial(_deviations, one)) for column, one in choice.errors.items()}
    inputs = {chosen.name for chosen in choice.columns.values()}
    merged = merge_repeats(table, objid, numbers, inputs)
    for one in merged.contradictions:
        text = "expected rows that agree, found {} and {}: left out".format(*one.found)
        text += ", and with it what else the rows say of its class, redshift and mass" if one.column in inputs else ""
        problems.append(Problem(f"data.csv objid {one.objid}", names.get(one.column, one.column), text))
    return merged


def _values(quantity: Quantity, chosen: Chosen, cells: pa.ChunkedArray) -> np.ndarray:
    return read_numbers(cells, quantity, chosen.convert).values


def _deviations(error: ErrorColumn, cells: pa.ChunkedArray) -> np.ndarray:
    return error.deviations(plain_numbers(cells))


# === Cells ===


def _numbers(table, quantity: Quantity, chosen: Chosen, objid, problems) -> tuple[np.ndarray, dict[str, int]]:
    """Turn one string column into float64 with NaN for missing, and count why values are missing."""
    if chosen.name not in table.column_names:
        return np.full(len(objid), np.nan), {"no such column": len(objid)}
    text = table[chosen.name]
    cells = read_numbers(text, quantity, chosen.convert)
    for row in np.flatnonzero(cells.unreadable | cells.impossible):
        expected = expected_number(quantity, bool(cells.unreadable[row]))
        found = text[int(row)].as_py()
        problems.append(Problem(f"data.csv objid {objid[row]}", quantity.column, f"expected {expected}, found {found}"))
    counts = {"empty": cells.empty, "not a number": cells.unreadable, "impossible": cells.impossible}
    reasons = Counter({reason: int(mask.sum()) for reason, mask in counts.items()})
    reasons.update(f"sentinel {value:g}" for value in cells.sentinels)
    return cells.values, {reason: count for reason, count in reasons.items() if count}


def _errors(table, choice: Choice, column: str, known: np.ndarray) -> tuple[np.ndarray, dict[str, int]]:
    """Read the errors of a magnitude where this is known; one that is missing or absurd is unknown, not wrong."""
    if column not in choice.errors:
        return np.full(len(known), np.nan), {"no such column": len(known)}
    errors = choice.errors[column].read(table, choice.columns[column].name, QUANTITIES[ERRORS[column]])
    errors[~known] = np.nan
    unknown = int(np.isnan(errors).sum())
    return errors, {"unknown": unknown} if unknown else {}


def _dust(table, choice: Choice, objid, problems: list[Problem]) -> dict[str, np.ndarray]:
    """Read the extinction of magnitudes, and whether they are corrected for it, NaN where a row does not say."""
    extinction, stated = np.full((len(objid), len(EXTINCTION)), np.nan), np.full(len(objid), np.nan)
    if choice.extinction:
        extinction = choice.extinction.read(table)
    if choice.statement:
        stated = read_statement(table, choice.statement)
        for row in np.flatnonzero(np.isnan(stated)).tolist():
            if found := table[choice.statement][row].as_py():
                expected = "1 or 0" if choice.statement.lower() == DEREDDENED else " or ".join(STATEMENTS)
                text = f"expected {expected}, found {found!r}"
                problems.append(Problem(f"data.csv objid {objid[row]}", choice.statement, text))
    return dict(zip(EXTINCTION.values(), extinction.T, strict=True)) | {DEREDDENED: stated}


def _labels(table, output, objid, problems) -> tuple[np.ndarray, dict[str, int]]:
    """Turn one class column into class numbers, -1 for missing.

    A compound sub-class such as ``STARFORMING BROADLINE`` is BROADLINE: the pipeline appends that word when the lines
    are broad, which is what the class says.
    """
    if output.column not in table.column_names:
        return np.full(len(objid), -1, np.int16), {"no such column": len(objid)}
    number_of = {label: number for number, label in enumerate(output.classes)}
    reasons: Counter[str] = Counter()
    encoded = table[output.column].combine_chunks().dictionary_encode()
    rows = encoded.indices.to_numpy()
    numbers = np.full(len(encoded.dictionary), -1, np.int16)
    for position, label in enumerate(encoded.dictionary.to_pylist()):
        count = int((rows == position).sum())
        words = label.split()
        if label.lower() in MISSING:
            reasons["empty"] += count
        elif label in number_of:
            numbers[position] = number_of[label]
        elif BROADLINE in number_of and BROADLINE in words and all(word in number_of for word in words):
            numbers[position] = number_of[BROADLINE]
        else:
            reasons["unknown class"] += count
            found = f"found {label!r} in {count} rows, first objid {objid[np.argmax(rows == position)]}"
            problems.append(Problem("data.csv", output.column, f"expected one of {', '.join(output.classes)}; {found}"))
    return numbers[rows], dict(reasons)
