"""From what archives hold, however it is nested and named, to the folders of a data set."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Sequence
from filecmp import cmp
from itertools import islice
from pathlib import Path, PurePosixPath

from sdss_gs.errors import DataError
from sdss_gs.formats.raw import SUFFIXES
from sdss_gs.schema import INPUTS

CATALOGUE = "data.csv"
FILE_INPUTS = {name: item for name, item in INPUTS.items() if item.suffix}
ALIASES = {
    **dict.fromkeys(("image", "images", "imgs", "jpg", "jpeg"), "img"),
    "npy": "fits",
    "spectrum": "spectra",
}
OF_SUFFIX = {"jpg": "img", "jpeg": "img", "npy": "fits", "csv": "spectra"}
"""Input of a file whose folder and archive do not say."""
OBJECT_FILE = re.compile(rf"\d{{1,19}}\.({'|'.join(sorted({*OF_SUFFIX, 'fits'}))})", re.IGNORECASE)


def named_input(name: str) -> str | None:
    """Tell which input a folder's or an archive's name speaks of, if it speaks of exactly one.

    Examples
    --------
    >>> named_input("sdss-gs_img.tar.gz"), named_input("sdss-gs.zip"), named_input("img_fits.zip")
    ('img', None, None)
    """
    words = re.split(r"[^a-z]+", name.lower())
    found = {ALIASES.get(word, word) for word in words} & FILE_INPUTS.keys()
    return found.pop() if len(found) == 1 else None


def wanted_by(inputs: Iterable[str]) -> Callable[[PurePosixPath], bool]:
    """Return a function that tells whether a path in an archive belongs to some inputs or to none of all."""
    others = FILE_INPUTS.keys() - set(inputs)

    def wanted(path) -> bool:
        return "__MACOSX" not in path.parts and not any(named_input(part) in others for part in path.parts[:-1])

    return wanted


def install(unpacked: Sequence[Path], folder: Path) -> list[str]:
    """Move what archives held into a data set's folder: files of the inputs first, ``data.csv`` last.

    Each step is a rename, and may be repeated after a kill. A set without its ``data.csv`` is taken for none, so that
    nobody sees it half.

    Parameters
    ----------
    unpacked : sequence of Path
        Folders that were unpacked, each called like its archive, and files that were no archives.
    folder : Path
        On the same file system.

    Returns
    -------
    list of str
        How many files of each input there were.

    Raises
    ------
    DataError
        If there is no ``data.csv``, or there are two different files of one object.
    """
    catalogue, places = _survey(unpacked)
    if catalogue is None and not (folder / CATALOGUE).is_file():
        names = ", ".join(path.name for path in unpacked)
        found = ", ".join(sorted({path.name for root in unpacked for path in _some(root)})[:8])
        raise DataError(f"{names or 'the archives'}: expected a {CATALOGUE}, found {found or 'nothing'}")
    said = []
    for name, sources in places.items():
        moved = sum(_move_files(source, folder / name, endings) for source, endings in sources.items())
        said.append(f"{name}: {moved:,} files")
    if catalogue is not None:
        for beside in catalogue.parent.iterdir():
            if beside.is_file() and re.match(r"(read.?me|licen[cs]e)", beside.name, re.IGNORECASE):
                os.replace(beside, folder / beside.name)
        os.replace(catalogue, folder / CATALOGUE)
    return said


def _survey(unpacked: Sequence[Path]) -> tuple[Path | None, dict[str, dict[Path, set[str]]]]:
    """Find the catalogue nearest to the top, and by input the folders with its files and those files' endings."""
    catalogues: list[Path] = []
    places: dict[str, dict[Path, set[str]]] = {}
    for root in unpacked:
        if root.name == CATALOGUE and root.is_file():
            catalogues.append(root)
        for parent, _, names in os.walk(root):
            path = Path(parent)
            catalogues += [path / CATALOGUE] if CATALOGUE in names else []
            for ending in {match[1].lower() for name in names if (match := OBJECT_FILE.fullmatch(name))}:
                name = _input_of(path, root, ending)
                if name:
                    places.setdefault(name, {}).setdefault(path, set()).add(ending)
    return min(catalogues, key=lambda path: (len(path.parts), path), default=None), places


def _input_of(path: Path, root: Path, ending: str) -> str | None:
    """Tell the input by the innermost folder that names one, else by the archive, else by the files' ending."""
    for part in reversed(path.relative_to(root.parent).parts):
        name = named_input(part)
        if name is not None:
            suffix = INPUTS[name].suffix
            if f".{ending}" in SUFFIXES.get(suffix, (suffix,)):
                return name
    return OF_SUFFIX.get(ending)


def _move_files(source: Path, target: Path, endings: set[str]) -> int:
    """Move the files of one input and count them: their folder at once where it holds nothing else."""
    files = list(source.iterdir())
    ours = [file for file in files if (match := OBJECT_FILE.fullmatch(file.name)) and match[1].lower() in endings]
    if len(ours) == len(files) and not target.exists():
        os.replace(source, target)
        return len(ours)
    target.mkdir(exist_ok=True)
    for file in ours:
        there = target / file.name
        if there.exists() and not cmp(file, there, shallow=False):
            raise DataError(f"{there}: expected one file of an object, found another one in {source}")
        os.replace(file, there)
    return len(ours)


def _some(root: Path) -> list[Path]:
    return [root] if root.is_file() else [path for path in islice(root.rglob("*"), 50) if path.is_file()]
