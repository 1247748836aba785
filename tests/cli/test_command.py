"""What a user types after ``zoo``, and what comes back: help, options anywhere, suggestions, exit codes."""

import logging
import os
import re
import subprocess
import sys

import pytest
from conftest import ROOT, survey_rows, write_survey

from common.cli.command import main
from common.outputs.flags import MEANING
from common.predict import choose

README = (ROOT / "README.md").read_text()


@pytest.fixture
def chosen(monkeypatch):
    """The models that `zoo predict` is asked for; none is there."""
    names = []

    def choose_models(models, _runtime):
        names.extend(models)
        raise FileNotFoundError(2, "no such model", models[0])

    monkeypatch.setattr(choose, "choose_models", choose_models)
    return names


def run(*arguments, **options):
    return subprocess.run([sys.executable, "-m", "common.cli.command", *arguments], text=True, **options)


def test_help_lists_every_command_and_loads_nothing_heavy():
    script = "import sys; from common.cli.command import main; main(['--help']); print(*sys.modules)"
    out = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    typed = set(re.findall(r"\bzoo ([a-z]+)\b", " ".join(re.findall(r"`zoo .*?`|^\$ zoo .*", README, re.MULTILINE))))
    assert typed >= {"list", "predict", "import", "doctor", "data", "compare"}
    for name in typed:
        assert f"\n  {name} " in out
    assert not {"tensorflow", "keras", "mlflow", "pandas", "pyarrow", "matplotlib"} & set(out.splitlines()[-1].split())


def test_help_of_predict_explains_every_bit_of_the_flag(capsys):
    assert main(["predict", "--help"]) == 0
    out = capsys.readouterr().out
    for bit, meaning in MEANING.items():
        assert f" {int(bit)}  {bit.name}: {meaning}\n" in out
    assert "one2one" in out
    assert "--input X..." in out


@pytest.mark.parametrize(
    "arguments",
    [
        ("b2r", "i2g", "--input", "a.fits", "b.fits", "--output", "o.csv"),
        ("--output", "o.csv", "--input", "a.fits", "b.fits", "--tta", "b2r", "i2g"),
        ("--column", "r=rmag", "b2r", "--input=a.fits", "i2g", "--output=o.csv"),
    ],
)
def test_models_stand_before_or_after_options(chosen, capsys, arguments):
    assert main(["predict", *arguments]) == 1
    assert chosen == ["b2r", "i2g"]
    assert capsys.readouterr().err == "error: b2r: no such model\n"


def test_all_files_after_one_input_are_opened_in_order(monkeypatch, tmp_path):
    from common.data import sources

    opened = []
    monkeypatch.setattr(choose, "choose_models", lambda _names, _runtime: ([], False))
    monkeypatch.setattr(sources, "open_source", lambda paths, *_rest, **_options: opened.extend(paths))
    monkeypatch.chdir(tmp_path)
    main(["predict", "b2r", "--input", "a.fits", "b.fits", "--output", "o.csv", "--input", "c.fits"])
    assert opened == [tmp_path / name for name in ("a.fits", "b.fits", "c.fits")]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["predct"], "predict"),
        (["predict", "b2r", "--ouput", "x"], "--output"),
        (["predict", "b2r", "--output", "x"], "--input"),
        (["predict", "--input", "x", "--output", "y"], "MODEL"),
        (["predict", "b2r", "--input", "x", "--output", "y", "--image-scale", "nan"], "above 0.001, found nan"),
        (["serve", "--port", "65536"], "65536 is not in the range 0<=x<=65535"),
        (["list", "--quiet", "--verbose"], "found both"),
        (["data", "info"], "DS"),
        ([], "command"),
    ],
)
def test_wrong_use_names_what_is_wrong_with_exit_code_2(capsys, arguments, expected):
    try:
        code = main(arguments)
    except SystemExit as end:
        code = end.code
    assert code == 2
    error = capsys.readouterr().err
    assert "usage: zoo" in error.lower()
    assert expected in error


@pytest.mark.parametrize(
    ("arguments", "level"),
    [
        (["--quiet", "list"], logging.ERROR),
        (["list", "--verbose"], logging.INFO),
        (["list"], logging.WARNING),
        (["--verbose", "data", "info", "nowhere"], logging.INFO),
    ],
)
def test_amount_of_messages_is_chosen_before_or_after_the_command(monkeypatch, tmp_path, arguments, level):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")
    monkeypatch.setattr("common.models.library.champions", list)
    main(arguments)
    assert logging.getLogger("zoo").level == level


def test_data_is_the_command_of_the_data_package(tmp_path, capsys):
    folder = write_survey(tmp_path / "survey", survey_rows(12), ("img",))
    assert main(["data", "verify", str(folder), "--processes", "1"]) == 0
    assert "every file and value is good" in capsys.readouterr().out
    assert main(["data", "info", str(tmp_path / "absent")]) == 1
    assert capsys.readouterr().err.startswith("error: ")
    with pytest.raises(SystemExit) as end:
        main(["data", "--help"])
    assert end.value.code == 0
    out = capsys.readouterr().out
    assert out.startswith("usage: zoo data ")
    assert "download the SDSS Galaxy Subset" in out


def test_interruption_is_one_line_and_exit_code_130(monkeypatch, capsys):
    def interrupted(*_arguments, **_options):
        raise KeyboardInterrupt

    monkeypatch.setattr("common.models.library.champions", interrupted)
    assert main(["list"]) == 130
    assert capsys.readouterr().err.strip().startswith("interrupted;")


def test_reader_that_has_seen_enough_is_no_error():
    read, write = os.pipe()
    os.close(read)
    done = run("predict", "--help", stdout=write, stderr=subprocess.PIPE)
    os.close(write)
    assert (done.returncode, done.stderr) == (0, "")


def test_fault_of_the_zoo_keeps_its_traceback(monkeypatch, capsys):
    monkeypatch.setattr("common.models.library.champions", lambda: 1 // 0)
    assert main(["list"]) == 1
    assert "ZeroDivisionError" in capsys.readouterr().err
