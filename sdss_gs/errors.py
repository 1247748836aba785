"""Errors a user can act on: one line that names the file or option, what was expected and what was found."""

from __future__ import annotations

import re
from collections.abc import Iterable
from importlib.util import find_spec

PROJECT = "sdss-zoo"
"""As `pip` knows it."""
PACKAGES = {"PIL": "pillow", "sklearn": "scikit-learn", "yaml": "pyyaml", "umap": "umap-learn"}
"""Packages by module, where they are called otherwise."""


def first_line(error: Exception) -> str:
    """Return what an error of a library says, in one line; its kind where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


LONGEST = 2000
"""Characters of a line."""


def one_line(text: str) -> str:
    """Return a text as one line that a terminal shows: what a file holds may break lines or move the cursor."""
    shown = "".join(mark if mark.isprintable() else repr(mark)[1:-1] for mark in text[: LONGEST + 1])
    return shown if len(shown) <= LONGEST else f"{shown[:LONGEST]} …"


NEAR = 0.7
"""How alike two names are, from 0 to 1, of which one may be meant for the other: b2rr for b2r, but not b2s."""


def did_you_mean(found: str, known: Iterable[str]) -> str:
    """Say which name is meant, as the end of a message; empty where none is near.

    Examples
    --------
    >>> did_you_mean("epoch", ["seed", "epochs"]), did_you_mean("B2R", ["b2r"]), did_you_mean("qq", ["seed"])
    ('; did you mean epochs?', '; did you mean b2r?', '')
    """
    # Only here: nothing of this is needed where nothing is wrong.
    from difflib import get_close_matches

    folded = {name.lower(): name for name in known}
    close = get_close_matches(found.lower(), folded, 1, NEAR)
    return f"; did you mean {folded[close[0]]}?" if close else ""


class ZooError(Exception):
    """Base of every error that is reported to the user as one line, without a traceback.

    Parameters
    ----------
    text : str
        The file or option, what was expected and what was found; may quote a file, see `one_line`.
    """

    def __init__(self, text: str):
        super().__init__(one_line(text))


class DataError(ZooError):
    """A data set as a whole cannot be used (missing folder, no ``data.csv``, no usable object, …)."""


class BadFileError(DataError):
    """One raw file cannot be used; the object loses this input, the data set goes on without it.

    Parameters
    ----------
    path : path-like
        The file.
    problem : str
        What was expected and what was found.
    """

    def __init__(self, path, problem: str):
        super().__init__(f"{path}: {problem}")
        self.problem = one_line(problem)


class RemoteError(ZooError):
    """A server cannot be reached or does not give what was asked for.

    Parameters
    ----------
    text : str
        The address, what was expected and what came.
    status : int, optional
        HTTP status of the answer, where there was one: 404 for what does not exist.
    """

    def __init__(self, text: str, status: int | None = None):
        super().__init__(text)
        self.status = status


class OptionError(ZooError):
    """An option has an unknown name or an impossible value."""


def user_message(error: BaseException) -> str:
    """Return the line that a user is told of an error; empty where it is a fault of the zoo, whose traceback is wanted.

    Besides the zoo's own errors these are the ones the system gives: a full disk, no permission, no such folder; and
    packages that the zoo needs for more than prediction (``requirements-predict.txt``) and that are not installed.
    """
    if isinstance(error, ZooError):
        return str(error)
    if isinstance(error, ModuleNotFoundError):
        return _missing_package((error.name or "").partition(".")[0])
    if isinstance(error, OSError):
        # Of a copy, the second file is the one that is written.
        file = error.filename2 or error.filename
        # numpy and h5py say how many bytes were written, and no reason.
        reason = error.strerror or f"a file cannot be read or written ({first_line(error)})"
        return one_line(f"{file}: {reason}" if file else reason)
    return ""


def _missing_package(module: str) -> str:
    """Say what installs a package that the zoo declares and that is not here; empty for any other."""
    # Only here: it takes a tenth of the time of zoo --help.
    from importlib import metadata

    try:
        declared = metadata.requires(PROJECT) or []
    except metadata.PackageNotFoundError:
        return ""
    package = PACKAGES.get(module, module.replace("_", "-"))
    line = next((line for line in declared if re.split(r"[^\w.-]", line)[0].lower() == package), "")
    if not line or find_spec(module):
        return ""
    extra = re.search(r"extra == .(\w+)", line)
    install = f'pip install ".[{extra[1]}]"' if extra else "pip install ."
    return f"expected the package {package}, which this needs, found none; in the zoo's folder: {install}"
