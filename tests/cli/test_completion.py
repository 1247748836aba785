"""What a shell completes; each answer is as fast as it can be, and never a word of error."""

import os
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT
from helpers import needed
from helpers.stores import choose_store, unpack_store

from common.cli.command import main

SLOW = ("tensorflow", "keras", "mlflow", "sqlalchemy", "pandas", "pyarrow", "astropy", "scipy", "matplotlib")


@pytest.fixture
def store(tmp_path, monkeypatch):
    """A store with a model b2r and another, x2y, beside what ships."""
    monkeypatch.delenv("ZOO_SHIPPED", raising=False)
    choose_store(monkeypatch, f"sqlite:///{unpack_store(tmp_path)}")


@pytest.fixture
def complete(monkeypatch, capfd):
    """Return what a shell is told of the last of some words."""

    def ask(*words, shell="bash"):
        monkeypatch.setenv("_ZOO_COMPLETE", f"{shell}_complete")
        monkeypatch.setenv("COMP_WORDS", " ".join(("zoo", *words)))
        monkeypatch.setenv("COMP_CWORD", words[-1] if shell == "fish" else str(len(words)))
        assert main() == 0
        written = capfd.readouterr()
        assert not written.err
        return written.out.split("\n")[:-1]

    return ask


def plain(*names):
    return [f"plain,{name}" for name in names]


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["pre"], plain("predict")),
        (["--ver"], plain("--verbose", "--version")),
        (["predict", "b2r", "--out"], plain("--output")),
        (["predict", "b2r", "--pdf", ""], plain("grid", "quantiles", "qp")),
        (["predict", "b2r", "--pdf", "=", "gr"], plain("grid")),
        (["predict", "--input", ""], ["file,"]),
        (["predict", "b2r", "--input", "a.fits", "b"], ["file,b"]),
        (["predict", "o"], plain("one2one")),
        (["info", "b2"], plain("b2c", "b2r", "b2s", "b2sm")),
        (["info", "x"], plain("x2y")),
        (["info", "b2r", "@", "s"], plain("@shipped")),
        (["info", "b2r", "@"], plain("@shipped")),
        (["report", "b2r/"], plain("b2r/1")),
        (["info", "exported/"], ["dir,exported/"]),
        (["serve", "--models", "b2c", "b2r"], plain("b2r")),
        (["similar", "1", "--model", "s2s"], plain("s2s")),
        (["export", "b2r", "there", "--format", "on"], plain("onnx")),
        (["data", "in"], plain("info")),
        (["data", "info", "--js"], plain("--json")),
        (["data", "info", ""], ["file,"]),
        (["data", "export", "--format", "h"], plain("hats")),
        (["data", "image", "c"], plain("convert", "crop")),
        (["data", "import", "ka"], plain("kaggle")),
        (["completion", ""], plain("bash", "zsh", "fish")),
    ],
)
def test_word_is_completed(store, complete, words, expected):
    assert complete(*words) == expected


def test_zsh_and_fish_get_descriptions_and_whole_words(store, complete):
    assert complete("shi", shell="zsh") == ["plain", "shift", "Say how far to trust a model on another survey."]
    assert complete("predict", "--pdf=gr", shell="zsh") == ["plain", "--pdf=grid", "_"]
    (found,) = complete("data", "verif", shell="fish")
    assert found.startswith("plain,verify\tread every file")


@pytest.mark.parametrize("address", ["sqlite:///{}/damaged.db", "http://127.0.0.1:9", "sqlite:///{}/absent.db"])
def test_store_that_cannot_be_read_is_no_matter_at_a_prompt(complete, monkeypatch, tmp_path, address):
    (tmp_path / "damaged.db").write_text("no data base at all, but long enough to be looked at" * 100)
    choose_store(monkeypatch, address.format(tmp_path))
    monkeypatch.delenv("ZOO_SHIPPED")
    assert complete("info", "s2") == plain("s2c", "s2r", "s2s")


@pytest.mark.parametrize("words", ["zoo pre", "zoo info b2", "zoo predict b2", "zoo data in", "zoo predict --pdf "])
def test_completion_loads_nothing_slow(words, tmp_path):
    code = f"import sys; from common.cli.command import main; main(); print([x for x in {SLOW} if x in sys.modules])"
    variables = {"_ZOO_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, text=True, capture_output=True,
        env=os.environ | variables | {"MLFLOW_TRACKING_URI": f"sqlite:///{unpack_store(tmp_path)}"},
    )  # fmt: skip
    assert done.stdout.splitlines()[-1] == "[]"
    assert not done.stderr


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_script_is_printed_for_each_shell(shell, capsys):
    assert main(["completion", shell]) == 0
    written = capsys.readouterr()
    assert f"_ZOO_COMPLETE={shell}_complete" in written.out
    assert not written.err


@pytest.mark.skipif(not shutil.which("bash"), reason=needed.PROGRAMS)
def test_bash_completes_what_is_typed(tmp_path):
    program = tmp_path / "zoo"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m common.cli.command "$@"\n')
    program.chmod(0o755)
    script = """
eval "$(zoo completion bash)"
COMP_WORDS=(zoo similar --model b2r @ s); COMP_CWORD=5
complete -p zoo >&2
_zoo_completion zoo
echo "${COMPREPLY[@]}"
"""
    done = subprocess.run(
        ["bash", "--norc", "-c", script], cwd=ROOT, text=True, capture_output=True,
        env={name: value for name, value in os.environ.items() if name != "ZOO_SHIPPED"}
        | {"PATH": f"{tmp_path}:{os.environ['PATH']}"},
    )  # fmt: skip
    assert done.stdout == "@shipped\n", done.stderr
    assert done.stderr == "complete -o nosort -F _zoo_completion zoo\n"
