"""Write the tables of two pages from `sdss_gs.schema` and `sdss_gs.cite`: ``python docs/make/write_data.py``.

What is between ``<!-- name -->`` and ``<!-- end of name -->`` is replaced; a test checks that it is up to date.
"""

import re
import textwrap
from pathlib import Path

from sdss_gs import cite, schema

DOCS = Path(__file__).resolve().parents[1]


def table(head, rows):
    """Lay rows out as a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def columns():
    """List the columns of data.csv that are read, with unit, source and what counts as missing or impossible."""
    rows = [
        ["`objid`", "int64 id, the file names of the inputs", "", "SDSS photometry", "", "an integer up to 2^63 - 1"]
    ]
    for item in schema.INPUTS.values():
        for column in item.columns:
            rows.append(number_row(column, f"input `{item.name}`", item.source))
    for output in schema.OUTPUTS.values():
        if output.kind == "votes":
            first, *_, last = output.answers
            rows.append([f"`{first}` … `{last}`", f"output `{output.name}`", "", output.source, "empty", "0 to 1"])
        elif output.classes:
            rows.append(
                [f"`{output.column}`", f"output `{output.name}`", "", output.source, "empty", "the classes below"]
            )
        else:
            rows.append(number_row(output.column, f"output `{output.name}`", output.source))
    return table(["column", "is", "unit", "source", "missing when", "possible"], rows)


def number_row(column, role, source):
    """Describe a column of numbers."""
    quantity = schema.QUANTITIES[column]
    sentinels = ", ".join(f"{value:g}" for value in quantity.sentinels)
    span = f"{quantity.low:g} to {quantity.high:g}"
    return [f"`{column}`", role, quantity.unit, source, f"empty, {sentinels}", span]


def inputs():
    """List the six inputs."""
    rows = []
    for item in schema.INPUTS.values():
        where = f"`{item.name}/<objid>{item.suffix}`" if item.suffix else "`data.csv`"
        shape = "×".join(map(str, item.shape))
        rows.append(
            [f"`{item.name}`", f"`{item.code}`", where, shape, item.dtype, item.unit, item.description, item.source]
        )
    return table(["input", "code", "where", "shape", "packed as", "unit", "what", "source"], rows)


def outputs():
    """List the outputs."""
    rows = [
        [
            f"`{o.name}`",
            f"`{o.code}`",
            o.column if o.kind == "votes" else f"`{o.column}`",
            o.unit,
            o.description,
            o.source,
            ", ".join(o.classes),
        ]
        for o in schema.OUTPUTS.values()
    ]
    return table(["output", "code", "column", "unit", "what", "source", "classes in one-hot order"], rows)


def windows():
    """List the windows of ssel."""
    return textwrap.fill(", ".join(f"{low}–{high}" for low, high in schema.SSEL_WINDOWS) + " Å.", 120)


def grid():
    """Describe the standard grid."""
    first, last = schema.WAVELENGTH[0], schema.WAVELENGTH[-1]
    return (
        f"λ = 10^(k × 10⁻⁴) Å with k from {schema.GRID_FIRST} to {schema.GRID_LAST}: {len(schema.WAVELENGTH)} vacuum "
        f"wavelengths from {first:.4f} to {last:.4f} Å,\n"
        f"in the observed frame. `ssel` has {len(schema.SSEL_INDEX)} of them."
    )


PAGES = {
    DOCS / "reference" / "data.md": {
        "columns": columns, "inputs": inputs, "outputs": outputs, "grid": grid, "windows": windows,
    },
    DOCS / "cite.md": {
        "acknowledgements": cite.as_markdown, "bibtex": lambda: f"```bibtex\n{cite.bibtex()}```",
    },
}  # fmt: skip
"""What is written into which page, by the name of its marks."""


def fill(page, text):
    """Return the text of a page with every part written anew."""
    for name, write in PAGES[page].items():
        marks = rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)"
        text, count = re.subn(
            marks, lambda match, write=write: f"{match[1]}\n{write()}\n\n{match[2]}", text, flags=re.DOTALL
        )
        if count != 1:
            raise SystemExit(f"{page}: expected the marks of {name} once, found them {count} times")
    return text


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(fill(page, page.read_text(encoding="utf-8")), encoding="utf-8")
