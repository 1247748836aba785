"""Predictions as a VOTable: what is missing is an empty cell, which is null from version 1.3 on."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from common.outputs.column import Vector
from common.predict.rows import ABOVE_SIGNED, TABLE_NAME, Rows, escaped, is_number, is_vector, number_type

if TYPE_CHECKING:
    from astropy.io.votable.tree import TableElement, VOTableFile

TEXTS = ("char", "unicodeChar")
"""Types of text: ASCII, and any."""
FOREIGN = r"[\x00-\x08\x0B-\x1F\x{FFFE}\x{FFFF}]"
"""Characters that XML 1.0 cannot have, or keep."""


def write_votable(rows: Rows, path: Path) -> None:
    """Write the rows piece by piece into what astropy writes around them; by itself it takes thirty times as long."""
    before, end, after = _votable_around(rows).partition("  </TABLE>")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"{before}   <DATA>\n    <TABLEDATA>\n")
        for piece in rows.pieces():
            cells = [_votable_texts(cells) for cells in piece.columns]
            lines = pc.binary_join_element_wise(*cells, "</TD><TD>", null_handling="replace", null_replacement="")
            file.writelines(f"<TR><TD>{line}</TD></TR>\n" for line in lines.to_pylist())
        file.write(f"    </TABLEDATA>\n   </DATA>\n{end}{after}")


def _votable_around(rows: Rows) -> str:
    """Write a VOTable with all its columns and no row, and behind it a table for each column of vectors."""
    from astropy.io.votable.tree import Field, Resource, TableElement, VOTableFile

    document = VOTableFile(version="1.4")
    resource, table = Resource(type="results"), TableElement(document, name=TABLE_NAME)
    document.resources.append(resource)
    resource.tables.append(table)
    for name, datatype in _votable_types(rows).items():
        known, size = rows.column(name), {"arraysize": "*"} if datatype in TEXTS else {}
        if known.vector is not None:
            size = {"arraysize": str(len(next(iter(known.vector.axes.values()))))}
        entry = Field(document, name=name, datatype=datatype, ucd=known.ucd or None, unit=known.unit or None, **size)
        entry.description = known.description or None
        table.fields.append(entry)
    table.create_arrays(0)
    for name, column in rows.columns.items():
        if column.vector is not None:
            axes = _votable_axes(document, f"{name}_{column.vector.ending}", column.vector)
            resource.tables.append(axes)
    stream = io.BytesIO()
    document.to_xml(stream)
    return stream.getvalue().decode()


def _votable_axes(document: VOTableFile, name: str, vector: Vector) -> TableElement:
    """Make the table of what the numbers of a column of vectors stand for."""
    from astropy.io.votable.tree import Field, TableElement

    table = TableElement(document, name=name)
    table.description = f"a row for each number of a vector: {vector.scale}"
    table.fields.extend(Field(document, name=axis, datatype="double") for axis in vector.axes)
    table.create_arrays(len(next(iter(vector.axes.values()))))
    for axis, numbers in vector.axes.items():
        table.array[axis] = numbers
    return table


def _votable_types(rows: Rows) -> dict[str, str]:
    """Choose the type of each column: that of all pieces is the last of `TEXTS` that one of them needs."""
    found: dict[str, str] = {}
    for piece in rows.pieces():
        for name, cells in zip(piece.column_names, piece.columns, strict=True):
            if is_vector(cells.type):
                needed = "float"
            elif not is_number(cells.type):
                needed = TEXTS[bool(pc.any(pc.invert(pc.string_is_ascii(cells))).as_py())]
            elif pa.types.is_uint64(cells.type) and (pc.max(cells).as_py() or 0) >= ABOVE_SIGNED:
                # VOTable has no unsigned integers.
                needed = TEXTS[0]
            else:
                needed = number_type(cells.type)[1]
            found[name] = max(found.get(name, needed), needed, key=lambda one: one in TEXTS and 1 + TEXTS.index(one))
    return found


def _votable_texts(cells: pa.ChunkedArray) -> pa.ChunkedArray:
    if is_vector(cells.type):
        # An array has no null: its numbers are NaN.
        parts = cells.combine_chunks()
        texts = pc.fill_null(parts.flatten().cast(pa.string()), "NaN")
        ends = pa.array(range(0, len(texts) + 1, cells.type.list_size), pa.int32())
        return pa.chunked_array([pc.binary_join(pa.ListArray.from_arrays(ends, texts), " ")])
    if pa.types.is_floating(cells.type):
        texts = cells.cast(pa.string())
        for ours, theirs in (("^nan$", "NaN"), ("^inf$", "+Inf"), ("^-inf$", "-Inf")):
            texts = pc.replace_substring_regex(texts, ours, theirs)
        return texts
    if is_number(cells.type):
        return cells.cast(pa.string())
    texts = escaped(cells, FOREIGN, keep_nulls=True)
    for ours, theirs in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        texts = pc.replace_substring(texts, ours, theirs)
    return texts
