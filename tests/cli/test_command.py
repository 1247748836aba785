"""What a user types after ``zoo``, and what comes back: help, options anywhere, suggestions, exit codes."""

import logging
import os
import re
import subprocess
import sys

import pytest
from conftest import ROOT, survey_rows, write_survey
from helpers.stores import choose_store, unpack_store

from common.cli.command import main
from common.outputs.flags import MEANING
from common.predict import choose

CATALOGUE = str(ROOT / "examples" / "galaxies.csv")
PREDICT = ("--input", CATALOGUE, "--output", "o.csv")
IMPORT = ("data", "import", "catalogue", CATALOGUE, "NEW")
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
        assert f" {name}  " in out
    assert not {"tensorflow", "keras", "mlflow", "pandas", "pyarrow", "matplotlib"} & set(out.splitlines()[-1].split())


def test_help_of_predict_explains_every_bit_of_the_flag(capsys):
    assert main(["predict", "--help"]) == 0
    out = capsys.readouterr().out
    for bit, meaning in MEANING.items():
        assert f" {int(bit)} {bit.name} {meaning}" in " ".join(out.split())
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
        (["predct"], "zoo: predct: unknown command; did you mean predict? (zoo --help)"),
        (["--verbos"], "zoo: --verbos: unknown option; did you mean --verbose? (zoo --help)"),
        (["predict", "b2r", "--ouput", "x"], "--ouput: unknown option; did you mean --output? (zoo predict --help)"),
        (["predict", "b2r", "--output", "x"], "--input"),
        (["predict", "b2r", "--input"], "zoo predict: Option '--input' requires an argument"),
        (["predict", "--input", "x", "--output", "y"], "MODEL"),
        (
            ["predict", "b2r", "--input", "x", "--output", "y", "--image-scale", "5000"],
            "from 0.001 to 1000, found 5000",
        ),
        (["export", "b2r", "x", "--format", "onx"], "page, found 'onx'; did you mean onnx? (zoo export --help)"),
        (["serve", "--port", "65536"], "65536 is not in the range 0<=x<=65535"),
        (["list", "--quiet", "--verbose"], "found both"),
        (["data", "info"], "DS"),
        (["data", "inof"], "export, found 'inof'; did you mean info? (zoo data --help)"),
        (["data", "info", "DS", "--jsn"], "zoo data info: --jsn: unknown option; did you mean --json?"),
        (["data", "export", "DS", "NEW", "--format", "hat"], "webdataset, found 'hat'; did you mean hats?"),
        (
            ["data", "image", "crop", "a", "b", "--pading", "1"],
            "zoo data image crop: --pading: unknown option; did you",
        ),
    ],
)
def test_wrong_use_is_one_line_that_names_what_is_meant_with_exit_code_2(capsys, arguments, expected):
    try:
        code = main(arguments)
    except SystemExit as end:
        code = end.code
    assert code == 2
    error = capsys.readouterr().err
    assert error.startswith("error: zoo")
    assert error.count("\n") == 1
    assert expected in error


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["info", "b2rr"], "b2rr: expected a trained model with a card.md, found none; did you mean b2r?"),
        (["info", "X2Y"], "X2Y: expected a trained model with a card.md, found none; did you mean x2y?"),
        (["info", "b2c@shiped"], "trained model with a card.md, found none; did you mean b2c@shipped?"),
        (["info", "b2cc@shipped"], "found no b2cc; did you mean b2c?"),
        (["report", "b2r/99"], "b2r/99: expected a trained model with a report.html, found none; b2r has version 1"),
        (["predict", "b2r/99", *PREDICT], "b2r/99: expected a trained model, found none; b2r has version 1"),
        (["info", "qqqq"], "qqqq: expected a trained model with a card.md, found none; see zoo list"),
        (["predict", "b2c", *PREDICT, "--column", "w11=x"], "; did you mean w1?"),
        (["predict", "b2c", *PREDICT, "--column", "r=modelMag_rr"], "; did you mean modelMag_r?"),
        (["predict", "b2c", *PREDICT, "--id", "objd"], "; did you mean objid?"),
        (["data", "pack", "DS", "--inputs", "spectrum"], "img, fits, spectra, ssel; did you mean spectra?"),
        ([*IMPORT, "--column", "redshif=x"], "; did you mean redshift?"),
        ([*IMPORT, "--column", "redshift=spectroscopic_reshift"], "; did you mean spectroscopic_redshift?"),
    ],
)  # fmt: skip
def test_name_that_is_not_there_leads_to_the_nearest(monkeypatch, tmp_path, capsys, arguments, expected):
    monkeypatch.delenv("ZOO_SHIPPED")
    choose_store(monkeypatch, f"sqlite:///{unpack_store(tmp_path)}")
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
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
