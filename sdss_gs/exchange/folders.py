"""Images in folders of the user's own: a folder for each class, or one table that names each image and its labels."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path

from sdss_gs.errors import DataError
from sdss_gs.exchange.item import Item, LeftOut
from sdss_gs.formats.img import ENDINGS
from sdss_gs.split import PARTS
from sdss_gs.tables.rows import read_rows

PART = "part"
"""Column for the name of a folder that holds a part of the classes' images, one of `PARTS`. The zoo divides by id, but
with ``split=column:part``."""
LABELS = "labels.csv"
FILE_COLUMNS = (
    "filename", "file_name", "file", "image", "image_name", "image_id", "path", "filepath", "file_loc", "img",
    "name", "id", "id_str", "objid", "galaxyid", "asset_id",
)  # fmt: skip
"""What the column that names the image may be called, the likeliest first; without case."""


def tree(folder: Path, target: str) -> Iterator[Item | LeftOut]:
    """Images in ``<class>/`` or in ``train/<class>/`` (valid, test, …); the class goes to the column `target`."""
    inside = [path for path in _files(folder) if path.parent != folder]
    parts = {path.relative_to(folder).parts[0] for path in inside if _why_not(path) == ""}
    depth = 3 if parts and all(part.lower() in PARTS for part in parts) and _deep(folder, inside) else 2
    files = {path: _place(folder, path, depth) for path in _files(folder)}
    repeated = Counter(int(path.stem) for path, why in files.items() if not why and _is_number(path.stem))
    for path, why in files.items():
        relative = path.relative_to(folder)
        if why:
            yield LeftOut(relative.as_posix(), why)
            continue
        unique = _is_number(path.stem) and repeated[int(path.stem)] == 1
        cells = {target: path.parent.name} | ({PART: relative.parts[0]} if depth == 3 else {})
        yield Item(path.stem if unique else relative.as_posix(), path, cells)


def _deep(folder: Path, files: list[Path]) -> bool:
    return any(len(path.relative_to(folder).parts) == 3 and _why_not(path) == "" for path in files)


def _place(folder: Path, path: Path, depth: int) -> str:
    """Say why a file is left out; empty for an image at the depth where the others are."""
    if (why := _why_not(path)) or len(path.relative_to(folder).parts) == depth:
        return why
    wanted = "<class>/<image>" if depth == 2 else "<train, valid or test>/<class>/<image>"
    return f"expected {wanted}, found another depth of folders"


def _why_not(path: Path) -> str:
    if path.name.startswith("."):
        return "a hidden file"
    return "" if path.suffix.lower() in ENDINGS else f"expected an image ({', '.join(ENDINGS)}), found another ending"


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def _is_number(text: str) -> bool:
    return text.isdigit() and text.isascii()


def labels(path: Path, images: Path | None = None) -> Iterator[Item | LeftOut]:
    """Images and a table ``labels.csv`` that names each of them; its other columns go to ``data.csv`` as they are.

    Parameters
    ----------
    path : Path
        Folder with the table, or the table itself.
    images : Path, optional
        Folder of the images, at any depth; that of the table by default.
    """
    table = path if path.is_file() else _table_in(path)
    folder = images or table.parent
    rows, column = _read(table)
    known, files = _by_name(folder)
    taken: dict[Path, dict[str, str]] = {}
    wrong: dict[Path, str] = {}
    for row in rows:
        name = row[column].strip()
        found = known.get(name) or known.get(name.rpartition("/")[2], [])
        if len(found) != 1:
            yield LeftOut(name, f"expected one image of that name in {folder}, found {len(found) or 'none'}")
        elif taken.setdefault(found[0], row) != row:
            wrong[found[0]] = f"expected one row of {table.name}, found several that differ"
    for image in files:
        relative = image.relative_to(folder).as_posix()
        why = (
            _why_not(image)
            or wrong.get(image, "")
            or ("" if image in taken else f"expected a row of {table.name}, found none")
        )
        if not why:
            yield _item(image, relative, taken[image], column)
        elif image != table:
            yield LeftOut(relative, why)


def _item(image: Path, relative: str, row: dict[str, str], column: str) -> Item:
    objid = next((cell.strip() for name, cell in row.items() if name.lower() == "objid"), "")
    name = next((text for text in (objid, row[column].strip(), image.stem) if _is_number(text)), relative)
    return Item(name, image, {key: cell for key, cell in row.items() if key.lower() != "objid"})


def _table_in(folder: Path) -> Path:
    if (folder / LABELS).is_file():
        return folder / LABELS
    tables = sorted(folder.glob("*.csv"))
    if len(tables) != 1:
        found = ", ".join(path.name for path in tables[:5]) or "none"
        raise DataError(f"{folder}: expected {LABELS}, or one table .csv, found {found}; name the file")
    return tables[0]


def _read(path: Path) -> tuple[list[dict[str, str]], str]:
    """Read the table's rows, and choose the column that names the images."""
    names, rows = read_rows(path)
    if len(names) < 2 or not all(names):
        raise DataError(f"{path}: expected columns of different names, the image's and its labels', found {names[:8]}")
    lower = {name.lower(): name for name in names}
    column = next((lower[name] for name in FILE_COLUMNS if name in lower), names[0])
    return rows, column


def _by_name(folder: Path) -> tuple[dict[str, list[Path]], list[Path]]:
    """Find images by path, by file name, and by file name without the ending."""
    known: dict[str, list[Path]] = defaultdict(list)
    files = _files(folder)
    for path in files:
        if not _why_not(path):
            for name in {path.relative_to(folder).as_posix(), path.name, path.stem}:
                known[name].append(path)
    return known, files
