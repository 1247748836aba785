"""What is read is never written over: an output that is an input is refused, whatever it is called."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from sdss_gs.errors import OptionError
from sdss_gs.schema import CATALOGUE_FILE, INPUTS, VOTES_FILE


def refuse_inputs(output: Path, inputs: Iterable[Path]) -> None:
    """Check that an output, a file or folder, is none of the inputs and no part of one.

    Parameters
    ----------
    output : Path
    inputs : iterable of Path
        Files and folders. Inside a data set's folder there is room for outputs beside its tables and its files.

    Raises
    ------
    OptionError
        If it is, by whatever name: the same path, a symbolic link, a hard link.
    """
    place = output.resolve()
    for path in inputs:
        given = path.resolve()
        if place == given or _is_part(place, given) or _is_same(output, given):
            raise OptionError(f"output {output}: it is the input {path}, or a part of it; name another file")


def _is_part(place: Path, folder: Path) -> bool:
    """Tell whether a path lies where the next reading of an input folder would find it."""
    if not place.is_relative_to(folder):
        return False
    first = place.relative_to(folder).parts[0]
    survey = (folder / CATALOGUE_FILE).is_file()
    return not survey or first in (CATALOGUE_FILE, VOTES_FILE, *INPUTS)


def _is_same(output: Path, given: Path) -> bool:
    """Tell whether an output is another name of an input, or of a file in one."""
    if not output.exists() or not given.exists():
        return False
    # Only a file with several names can be another one's.
    linked = given.is_dir() and output.is_file() and output.stat().st_nlink > 1
    return output.samefile(given) or (linked and any(path.is_file() and path.samefile(output)
                                                     for path in given.rglob("*")))  # fmt: skip
