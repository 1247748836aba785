"""Tries an installed wheel in an empty folder, with the commands of the README."""

from __future__ import annotations

import csv
import math
import os
import re
from collections.abc import Callable
from functools import partial
from pathlib import Path

from release.build import ran, uv
from release.version import stated
from sdss_gs.errors import ZooError

NOT_IN_WHEEL = 'from common.train import train; train("b2r", {"u": [1.0]})'
RELATIVE = 1e-5
"""How much a number may differ from the README's: processors round in ways of their own."""


class Bare:
    """An environment that has nothing but the wheel and what it needs.

    Parameters
    ----------
    folder : Path
        Will hold the environment, and an empty folder in which commands run.
    words : str or Path
        What uv is to install.
    """

    def __init__(self, folder: Path, *words: str | Path):
        self.here, self.python = folder / "here", folder / "python"
        self.here.mkdir(parents=True)
        ran([uv(), "venv", "--quiet", self.python], folder)
        self.install(*words)

    def install(self, *words: str | Path) -> None:
        """Install with uv."""
        ran([uv(), "pip", "install", "--quiet", "--compile-bytecode", "--python", self.python, *words], self.here)

    def run(self, program: str, *words: str) -> str:
        """Run one of its programs in the empty folder; return what it printed."""
        program = str(self.python / "bin" / program)
        kept = {name: os.environ[name] for name in ("LANG", "LC_ALL", "TMPDIR") if name in os.environ}
        path = os.pathsep.join((str(self.python / "bin"), os.defpath))
        return ran([program, *words], self.here, PATH=path, HOME=str(self.here), **kept)


def checks(root: Path) -> dict[str, Callable[[Bare], object]]:
    """Return what is tried, by the words that tell of it.

    Parameters
    ----------
    root : Path
        Checkout, for what the README shows.
    """
    readme = (root / "README.md").read_text()
    names = sorted(path.stem for path in (root / "common" / "shipped").glob("*.zoo"))
    return {
        "zoo predict b2r@shipped says README's numbers": partial(_predicts, root=root, readme=readme),
        "zoo --version": partial(_says_its_version, version=stated(root).version),
        "zoo list names what ships": partial(_lists, names=names),
        "zoo info b2r is its card": partial(_informs, card=(root / "common/shipped/b2r.card.md").read_text()),
        "zoo doctor finds nothing broken": _works("doctor"),
        "zoo data sample, and a prediction for it": _samples,
        "zoo serve --help": _works("serve", "--help"),
        "zoo export b2r@shipped as ONNX": _works("export", "b2r@shipped", "b2r-onnx", "--format", "onnx"),
        "README's Python": partial(_python, readme=readme),
        "training says in a line what is lacking": _does_not_train,
    }


def _works(*words: str) -> Callable[[Bare], str]:
    return lambda bare: bare.run("zoo", *words)


def example(bare: Bare, root: Path) -> str:
    """Put the galaxies of the README into the empty folder."""
    (bare.here / "galaxies.csv").write_bytes((root / "examples" / "galaxies.csv").read_bytes())
    return "galaxies.csv"


def _predicts(bare: Bare, root: Path, readme: str) -> None:
    printed = bare.run("zoo", "predict", "b2r@shipped", "--input", example(bare, root), "--output", "-")
    compare(printed, readme)


def compare(printed: str, readme: str) -> None:
    """Compare a printed table with that of the README.

    Raises
    ------
    ZooError
        If a cell differs.
    """
    shown = re.search(r"cut -d, -f1-4,9\n(.*?)\n```", readme, re.DOTALL)
    if shown is None:
        raise ZooError("README.md: expected a prediction for examples/galaxies.csv, found none")
    expected, found = (list(csv.DictReader(text.splitlines())) for text in (shown[1], printed))
    if len(found) != len(expected):
        raise ZooError(f"zoo predict b2r@shipped: expected {len(expected)} rows as in README.md, found {len(found)}")
    for told, row in zip(expected, found, strict=True):
        for name, cell in told.items():
            if not _close(cell, row.get(name) or "nothing"):
                raise ZooError(
                    f"zoo predict b2r@shipped: {name}: expected {cell} as in README.md, found {row.get(name)}"
                )


def _close(one: str, other: str) -> bool:
    try:
        return math.isclose(float(one), float(other), rel_tol=RELATIVE)
    except ValueError:
        return one == other


def _says_its_version(bare: Bare, version: str) -> None:
    if version not in (printed := bare.run("zoo", "--version").strip()):
        raise ZooError(f"zoo --version: expected {version}, found {printed}")


def _lists(bare: Bare, names: list[str]) -> None:
    printed = bare.run("zoo", "list")
    if absent := [name for name in names if not re.search(rf"^{name}\b", printed, re.MULTILINE)]:
        raise ZooError(f"zoo list: expected {absent[0]}, which ships, found: {printed.strip()[:200]}")


def _informs(bare: Bare, card: str) -> None:
    if bare.run("zoo", "info", "b2r").strip() != card.strip():
        raise ZooError("zoo info b2r: expected common/shipped/b2r.card.md, found another text")


def _samples(bare: Bare) -> None:
    bare.run("zoo", "data", "sample", "sample", "--n", "50")
    bare.run("zoo", "predict", "b2r", "--input", "sample/data.csv", "--output", "redshifts.parquet", "--pdf", "grid")


def _python(bare: Bare, readme: str) -> None:
    code = re.search(r"^```python\n(from common import load\n.*?)^```", readme, re.DOTALL | re.MULTILINE)
    if code is None:
        raise ZooError("README.md: expected an example of common.load, found none")
    bare.run("python", "-c", code[1])


def _does_not_train(bare: Bare) -> None:
    try:
        bare.run("python", "-c", NOT_IN_WHEEL)
    except ZooError as error:
        if "the installed package has no model folders" in str(error):
            return
        raise
    raise ZooError("training from the wheel: expected a line on where the model folders are, found none")
