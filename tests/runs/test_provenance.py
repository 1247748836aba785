"""Which code a result is from."""

import subprocess

from common.runs.provenance import code_version, packages
from sdss_gs import __version__


def git(folder, *arguments):
    me = ("-c", "user.name=a", "-c", "user.email=a@b.example", "-c", "commit.gpgsign=false")
    return subprocess.run(["git", "-C", folder, *me, *arguments], check=True, capture_output=True, text=True).stdout


def test_a_checkout_is_named_by_its_commit_and_by_what_was_changed(tmp_path):
    git(tmp_path, "init", "-q")
    (tmp_path / "a.py").write_text("1")
    git(tmp_path, "add", "a.py")
    git(tmp_path, "commit", "-qm", "first")
    git(tmp_path, "tag", "v9")
    commit = git(tmp_path, "rev-parse", "HEAD").strip()
    assert code_version(tmp_path) == f"{__version__}+{commit}"
    (tmp_path / "a.py").write_text("2")
    assert code_version(tmp_path) == f"{__version__}+{commit}.dirty"


def test_without_a_checkout_or_without_git_it_is_the_version(tmp_path, monkeypatch):
    git(tmp_path, "init", "-q")
    inside = tmp_path / "site-packages"
    inside.mkdir()
    assert code_version(inside) == __version__
    monkeypatch.setenv("PATH", str(inside))
    assert code_version(tmp_path) == __version__


def test_packages_are_listed_once_with_their_versions():
    lines = packages().splitlines()
    assert len(lines) == len(set(lines)) > 20
    assert any(line.startswith("numpy==") for line in lines)
