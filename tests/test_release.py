"""make release: what it writes, and what it refuses; that what it builds works is tried by the command itself."""

import re
import shutil
import subprocess
from datetime import date

import pytest
from conftest import ROOT

from release import __main__ as command
from release.bare import compare
from release.version import HOMES
from sdss_gs.errors import ZooError

WAITING = "# Changelog\n\n## Unreleased\n\n- A change.\n\n## 0.1.0 (2026-01-02)\n\n- The first.\n"


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    """Commit the files that name the version, and nothing that could be built, in a repository of its own."""
    root = tmp_path / "checkout"
    for name in HOMES:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, root / name)
    (root / HOMES[0]).write_text('"""Words."""\n\n__version__ = "0.1.0"\n')
    (root / "CITATION.cff").write_text(re.sub(r"(?m)^version: .*", "version: 0.1.0", (root / HOMES[1]).read_text()))
    page = root / "docs" / "cite.md"
    page.write_text(re.sub(r"version = \{.+\}", "version = {0.1.0}", page.read_text()))
    (root / "CHANGELOG.md").write_text(WAITING)
    git(root, "init", "--quiet")
    commit(root)
    monkeypatch.setattr(command, "ROOT", root)
    return root


def git(root, *words):
    who = ("-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false")
    return subprocess.run(["git", *who, *words], cwd=root, check=True, capture_output=True, text=True).stdout


def commit(root):
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--allow-empty", "--message", "As it stands")


def said(root):
    return {name: (root / name).read_text() for name in HOMES}


def release(capsys, *words):
    code = command.main(list(words))
    error = capsys.readouterr().err
    assert error.count("\n") <= 1, error
    return code, error


def test_new_version_is_written_everywhere_and_released_once(checkout, monkeypatch, capsys):
    monkeypatch.setattr(command, "make", lambda output: [output / "sdss_zoo.tar.gz", output / "sdss_zoo.whl"])
    assert command.main(["--version", "0.2.0"]) == 0
    told, today = capsys.readouterr().out, date.today().isoformat()
    assert "git tag --annotate v0.2.0" in told
    assert "twine upload" in told
    files = said(checkout)
    assert '\n__version__ = "0.2.0"\n' in files["sdss_gs/__init__.py"]
    assert f"\nversion: 0.2.0\ndate-released: {today}\n" in files["CITATION.cff"]
    assert files["CHANGELOG.md"] == WAITING.replace("## Unreleased", f"## 0.2.0 ({today})")
    assert "\n  version = {0.2.0}\n" in files["docs/cite.md"]
    assert set(git(checkout, "diff", "--name-only").split()) == set(HOMES)
    commit(checkout)
    assert release(capsys) == (0, "")
    newer = "error: VERSION: expected a newer one than 0.2.0, which was released, found 0.2.0\n"
    assert release(capsys, "--version", "0.2.0") == (1, newer)


@pytest.mark.parametrize(
    ("version", "changes", "expected"),
    [
        ("0.1.0", WAITING, "VERSION: expected a newer one than 0.1.0, which was released, found 0.1.0"),
        ("0.0.9", "## 0.1.0 (unreleased)\n\n- A.\n", "VERSION: expected 0.1.0 or newer, which sdss_gs/__init__.py has, "
         "found 0.0.9"),
        ("0.2", WAITING, "VERSION: expected three numbers such as 0.2.0, found '0.2'"),
        ("v0.2.0", WAITING, "VERSION: expected three numbers such as 0.2.0, found 'v0.2.0'"),
        ("0.2.0", "## Unreleased\n", "CHANGELOG.md: expected what has changed below '## Unreleased', found nothing"),
        ("0.2.0", "## 0.1.0 (2026-01-02)\n\n- A.\n", "CHANGELOG.md: expected '## Unreleased' as its newest section, "
         "found '## 0.1.0 (2026-01-02)'"),
        ("0.2.0", "# Changelog\n", "CHANGELOG.md: expected a section that begins with '## ', found none"),
        ("", WAITING, "CHANGELOG.md: expected '## 0.1.0 (DATE)' as its newest section, found '## Unreleased'; "
         "make release VERSION=X.Y.Z writes it"),
    ],
)  # fmt: skip
def test_what_cannot_be_released_is_one_line_and_changes_nothing(checkout, capsys, version, changes, expected):
    (checkout / "CHANGELOG.md").write_text(changes)
    commit(checkout)
    date_there = re.search(r"date-released: (.*)", (checkout / "CITATION.cff").read_text()).group(1)
    before = said(checkout)
    words = ("--version", version) if version else ()
    assert release(capsys, *words) == (1, f"error: {expected.replace('DATE', date_there)}\n")
    assert said(checkout) == before


def test_places_that_differ_and_files_that_are_not_committed_are_named(checkout, capsys):
    citation = checkout / "CITATION.cff"
    citation.write_text(citation.read_text().replace("version: 0.1.0", "version: 0.3.0"))
    code, error = release(capsys)
    assert (code, error) == (
        1, f"error: {checkout}: expected everything committed, found CITATION.cff; git commit, or git stash\n",
    )  # fmt: skip
    commit(checkout)
    expected = "error: CITATION.cff: expected version: 0.1.0, as in sdss_gs/__init__.py, found 0.3.0\n"
    assert release(capsys) == (1, expected)


def test_a_release_that_cannot_be_built_leaves_the_files_as_they_were(checkout, tmp_path, capsys):
    before, others = said(checkout), tmp_path / "dist" / "notes.tar.gz"
    others.parent.mkdir()
    others.write_text("mine")
    code, error = release(capsys, "--version", "0.2.0", "--output", str(others.parent))
    assert code == 1
    assert error.startswith("error: uv build ")
    assert said(checkout) == before
    assert others.read_text() == "mine"


def test_readmes_numbers_are_compared_cell_by_cell():
    readme = "$ zoo predict … | cut -d, -f1-4,9\nid,z,low,high,flag\n1,0.1,0.05,0.2,0\n```\n"
    row = "1,{},0.05,0.2,0,0,0,0,0"
    table = "id,z,low,high,a,b,c,d,flag\n"
    compare(table + row.format("0.1000000001"), readme)
    for printed, expected in (
        (table + row.format("0.11"), "z: expected 0.1 as in README.md, found 0.11"),
        (table + row.format(""), "z: expected 0.1 as in README.md, found"),
        (table.replace("flag", "flags") + row.format("0.1"), "flag: expected 0 as in README.md, found None"),
        (table, "expected 1 rows"),
    ):
        with pytest.raises(ZooError, match=expected):
            compare(printed, readme)
