"""The version: where it is written, and that all places say the same."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from packaging.version import Version

from sdss_gs.errors import ZooError

MODULE, CITATION, CHANGES, PAGE = "sdss_gs/__init__.py", "CITATION.cff", "CHANGELOG.md", "docs/cite.md"
HOMES = (MODULE, CITATION, CHANGES, PAGE)
"""The files that a release writes; whatever else names the version reads the first."""
FORM = re.compile(r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)")
DATE = r"\d{4}-\d\d-\d\d"
_MODULE = re.compile(r'^__version__ = "(.+)"$', re.MULTILINE)
_VERSION, _RELEASED = (re.compile(rf"^{key}: (.+)$", re.MULTILINE) for key in ("version", "date-released"))
_ENTRY = re.compile(r"^  version = \{.+\}$", re.MULTILINE)
"""BibTeX, as `sdss_gs.cite` prints it; a test holds the page to that."""
_SECTION = re.compile(r"^## (.+)$", re.MULTILINE)
_UNRELEASED = re.compile(r"(?:\S+ \()?unreleased\)?", re.IGNORECASE)
_DATED = re.compile(rf"(\S+) \(({DATE})\)")


@dataclass(frozen=True)
class Stated:
    """What the files of a checkout say.

    Parameters
    ----------
    version : str
        Of the module.
    cited, date : str
        Of the citation.
    section : str
        Title of the newest section of the changelog.
    text : str
        What stands in it.
    released : tuple of str
        Versions of the changelog that have a date.
    """

    version: str
    cited: str
    date: str
    section: str
    text: str
    released: tuple[str, ...]

    @property
    def waiting(self) -> bool:
        """Whether the newest section is one that has not been released."""
        return bool(_UNRELEASED.fullmatch(self.section))


def stated(root: Path) -> Stated:
    """Read what a checkout says of its version.

    Raises
    ------
    ZooError
        If one of the files does not say it.
    """
    module, citation, changes, _ = ((root / name).read_text() for name in HOMES)
    titles = list(_SECTION.finditer(changes))
    if not titles:
        raise ZooError(f"{CHANGES}: expected a section that begins with '## ', found none")
    end = titles[1].start() if len(titles) > 1 else len(changes)
    dated = (_DATED.fullmatch(title[1]) for title in titles)
    return Stated(
        version=_one(_MODULE, module, MODULE, '__version__ = "…"'),
        cited=_one(_VERSION, citation, CITATION, "version: …"),
        date=_one(_RELEASED, citation, CITATION, "date-released: …"),
        section=titles[0][1],
        text=changes[titles[0].end() : end].strip(),
        released=tuple(found[1] for found in dated if found),
    )


def _one(pattern: re.Pattern, text: str, name: str, expected: str) -> str:
    found = pattern.findall(text)
    if len(found) != 1:
        raise ZooError(f"{name}: expected one line {expected}, found {len(found)}")
    return found[0]


def check_stated(root: Path, rehearsal: bool = False) -> str:
    """Check that all places say the same version; return it.

    Parameters
    ----------
    root : Path
        Checkout.
    rehearsal : bool
        Whether the changelog's newest section need not be released.

    Raises
    ------
    ZooError
        If they do not.
    """
    said = stated(root)
    if said.cited != said.version:
        raise ZooError(f"{CITATION}: expected version: {said.version}, as in {MODULE}, found {said.cited}")
    if rehearsal and said.waiting:
        return said.version
    expected = f"## {said.version} ({said.date})"
    if f"## {said.section}" != expected:
        mend = "make release VERSION=X.Y.Z writes it" if said.waiting else f"as {MODULE} and {CITATION} say"
        raise ZooError(f"{CHANGES}: expected '{expected}' as its newest section, found '## {said.section}'; {mend}")
    return said.version


def write_version(root: Path, version: str, today: str) -> None:
    """Write a new version and its date into all places.

    Parameters
    ----------
    root : Path
        Checkout.
    version : str
    today : str
        Date of the release, as 2026-11-30.

    Raises
    ------
    ZooError
        If it is no version, or not a newer one, or if there is nothing to release.
    """
    if not FORM.fullmatch(version):
        raise ZooError(f"VERSION: expected three numbers such as 0.2.0, found {version!r}")
    said = stated(root)
    before = max([*map(Version, said.released), *([] if said.waiting else [Version(said.version)])], default=None)
    if before is not None and Version(version) <= before:
        raise ZooError(f"VERSION: expected a newer one than {before}, which was released, found {version}")
    if Version(version) < Version(said.version):
        raise ZooError(f"VERSION: expected {said.version} or newer, which {MODULE} has, found {version}")
    if not said.waiting:
        raise ZooError(f"{CHANGES}: expected '## Unreleased' as its newest section, found '## {said.section}'")
    if not said.text:
        raise ZooError(f"{CHANGES}: expected what has changed below '## {said.section}', found nothing")
    changed = (
        (MODULE, _MODULE, f'__version__ = "{version}"'),
        (CITATION, _VERSION, f"version: {version}"),
        (CITATION, _RELEASED, f"date-released: {today}"),
        (CHANGES, _SECTION, f"## {version} ({today})"),
        (PAGE, _ENTRY, f"  version = {{{version}}}"),
    )
    for name, pattern, line in changed:
        (root / name).write_text(pattern.sub(line, (root / name).read_text(), count=1))


@contextmanager
def undone_on_failure(root: Path) -> Iterator[None]:
    """Put the files that a release writes back as they were, whatever ends the block but its end."""
    kept = {root / name: (root / name).read_bytes() for name in HOMES}
    try:
        yield
    except BaseException:
        for path, content in kept.items():
            path.write_bytes(content)
        raise


def check_clean(root: Path) -> None:
    """Refuse a checkout in which anything is not committed.

    Raises
    ------
    ZooError
        If there is such a file, or no repository of git.
    """
    done = subprocess.run(["git", "status", "--porcelain"], cwd=root, capture_output=True, text=True)
    if done.returncode:
        raise ZooError(f"{root}: expected a checkout of git, found: {done.stderr.strip()}")
    if lines := done.stdout.splitlines():
        more = f" and {len(lines) - 1} more" if len(lines) > 1 else ""
        raise ZooError(f"{root}: expected everything committed, found {lines[0][3:]}{more}; git commit, or git stash")
