"""Which data set a command means when it is told one, or told none."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

from sdss_gs.errors import BadFileError, DataError, first_line
from sdss_gs.origin import SAMPLE, TEMPLATES
from sdss_gs.schema import SAMPLE_FILE

ENVIRONMENT = "SDSS_GS"
LAUNCH_FOLDER = "ZOO_LAUNCH_FOLDER"
"""Variable with the folder in which the user typed the command: ``mlflow run`` starts its child elsewhere."""
PICTURES = (".jpg", ".jpeg", ".png")
SAMPLE_FOLDER, SAMPLE_OBJECTS, SAMPLE_SEED = "sdss-gs-sample", 2000, 0
SAMPLE_NOTICE = """\

No data set given: using the generated sample in {folder} (made once, under a minute).
Its galaxies are synthetic: scores on it show that the software works and say nothing about real galaxies.
The real set is the SDSS Galaxy Subset (https://doi.org/10.5281/zenodo.6393487): zoo data download
brings it to {beside}; or point -P ds=<folder> or the environment variable {variable} at it.
"""


def find_dataset(ds: str | None, repository: Path, say: Callable[[str], None] = print) -> Path:
    """Find the data set: the option, else ``$SDSS_GS``, else ``../sdss-gs``, else the generated sample.

    Parameters
    ----------
    ds : str or None
        The option as the user typed it; a relative path starts where the command was typed. Empty means not given.
    repository : Path
        Root of the repository; the sample is generated inside it once.
    say : callable
        Is told what the user must know about a choice that was not explicit.

    Returns
    -------
    Path
        The data set's folder.

    Raises
    ------
    DataError
        If a data set that was named is none.
    """
    for origin, value in (
        (f"ds={ds}", ds),
        (f"${ENVIRONMENT}={os.environ.get(ENVIRONMENT)}", os.environ.get(ENVIRONMENT)),
    ):
        if value:
            folder = as_typed(value)
            if not (folder / "data.csv").is_file():
                found = _instead(folder) if folder.is_dir() else "no such folder"
                raise DataError(f"{origin}: expected a folder with data.csv at {folder}, found {found}")
            return folder
    beside = folder_beside(repository)
    if (beside / "data.csv").is_file():
        say(f"Using the data set {beside}.")
        return beside
    sample = repository / SAMPLE_FOLDER
    say(SAMPLE_NOTICE.format(folder=sample, beside=beside, variable=ENVIRONMENT))
    return _sample(sample)


def folder_beside(repository: Path) -> Path:
    """Return where the real data set is looked for when none is named."""
    return repository.parent / "sdss-gs"


def default_folder() -> Path:
    """Return where a set is put so that commands that are told none find it: ``$SDSS_GS`` or beside the repository."""
    named = os.environ.get(ENVIRONMENT)
    return Path(named).expanduser() if named else folder_beside(Path(__file__).resolve().parents[1])


def as_typed(path: str) -> Path:
    """Return the absolute path of one that may be relative to where the command was typed."""
    return Path(os.environ.get(LAUNCH_FOLDER, "."), Path(path).expanduser()).resolve()


def _instead(folder: Path) -> str:
    """Say what a folder without ``data.csv`` is."""
    for inside in sorted(folder.iterdir()):
        if inside.is_dir() and any(file.suffix.lower() in PICTURES for file in inside.iterdir()):
            return (
                f"folders of images, for example {inside.name} (if they are named by class, "
                "zoo data import makes a data set of them)"
            )
    return "a folder without it"


def _sample(folder: Path) -> Path:
    """Generate the sample unless this version's is there; one of another version makes room for it."""
    # Imported here: the MLflow plug-in loads this module in every process.
    from filelock import FileLock

    from sdss_gs.sample import SAMPLE_VERSION, write_sample

    expected = {"n": SAMPLE_OBJECTS, "seed": SAMPLE_SEED, "version": SAMPLE_VERSION}
    with FileLock(folder.with_name(f".{folder.name}.lock")):
        try:
            if json.loads((folder / SAMPLE_FILE).read_text()) == expected:
                return folder
            folder.rename(folder.with_name(f"{folder.name}-{os.urandom(3).hex()}"))
        except FileNotFoundError:
            pass
        return write_sample(folder, SAMPLE_OBJECTS, SAMPLE_SEED)


def how_made(folder: Path) -> dict[str, object]:
    """Read how the objects of a data set were made, whatever its folder is called; nothing if they are real.

    Returns
    -------
    dict of str to object
        What ``sample.json`` says, and as ``origin`` whether it is a `SAMPLE` or made of `TEMPLATES`.

    Raises
    ------
    BadFileError
        If the file is damaged.
    """
    path = folder / SAMPLE_FILE
    if not path.is_file():
        return {}
    try:
        made = dict(json.loads(path.read_bytes()))
    except (ValueError, TypeError) as error:
        problem = f"expected how the data set was made, found {first_line(error)}; make it again"
        raise BadFileError(path, problem) from None
    return made | {"origin": TEMPLATES if TEMPLATES in made else SAMPLE}
