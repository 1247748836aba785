"""The examples that help texts show: each is one that the command takes, and what is quick is run."""

import contextlib
import shlex
import shutil
import sqlite3

import numpy as np
import pytest
from conftest import ROOT, cutout, survey_rows, write_image, write_survey
from helpers.stores import choose_store, unpack_store

from common.cli.catalogue import COMMANDS, FIRST
from common.cli.command import main, zoo
from common.options import ENTRY_POINTS
from common.project import EXAMPLES, parse_options, read_folder, read_project
from sdss_gs.__main__ import main as data
from sdss_gs.__main__ import make_parser
from sdss_gs.examples import EXAMPLES as DATA_EXAMPLES
from sdss_gs.examples import FIRST as FIRST_OF_DATA

OF_ZOO = list(dict.fromkeys([*FIRST, *(example for about in COMMANDS.values() for example in about.examples)]))
IMAGE = ("convert", "rgb", "sheet", "crop")
OF_DATA = [
    " ".join(filter(None, ["image" if name in IMAGE else "", name, given]))
    for name, examples in DATA_EXAMPLES.items()
    for given in examples
]
PARSED = (
    "mlflow", "zoo predict best", "zoo serve", "zoo compare", "zoo promote", "zoo export", "zoo import",
    "zoo report b2r/1 --open", "zoo shift",
)  # fmt: skip
"""Beginnings of examples that take a network, a browser, or do not end."""
PARSED_OF_DATA = (
    "download", "build NEW --top 1000", "build NEW --ids", "spectra", "sample", "explore",
    "image convert frame", "image rgb frame",
)  # fmt: skip
"""Those that take a server, files of the survey, or long."""
PICTURES = ("picture.png", "picture.jpg", "pictures/1.jpg", "pictures/2.jpg", "classes/a/1.jpg", "classes/b/2.jpg")
FOLDERS = [ROOT / name for name in ("i2r", "f2sm", "s2s", "ss2g", "b2c", "w2r", "i2v", "i2m", "x2y")]
"""A model of each input and of each output."""
SEVERAL = ROOT / "x2y"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A folder in which the examples work, with a store that has a version of b2r, and no champion."""
    folder = tmp_path_factory.mktemp("world")
    write_survey(folder / "DS", survey_rows(30), ("img", "fits", "spectra"))
    shutil.copytree(ROOT / "examples", folder / "examples")
    np.save(folder / "cutout.npy", cutout(0.1))
    for name in PICTURES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        write_image(folder / name, 60)
    (folder / "store").mkdir()
    store = unpack_store(folder / "store")
    with contextlib.closing(sqlite3.connect(store)) as changed, changed:
        changed.execute("DELETE FROM registered_model_aliases")
        ((files,),) = changed.execute(
            "SELECT artifact_uri FROM runs JOIN model_versions ON run_uuid = run_id WHERE model_versions.name = 'b2r'"
        )
    with open(f"{files}/report.html", "w") as report:
        report.write("<p>b2r")
    return folder


@pytest.fixture(autouse=True)
def _there(world, monkeypatch):
    monkeypatch.chdir(world)
    monkeypatch.delenv("ZOO_SHIPPED", raising=False)
    choose_store(monkeypatch, f"sqlite:///{world}/store/mlflow.db")
    yield
    shutil.rmtree("NEW", ignore_errors=True)


@pytest.mark.parametrize("example", OF_ZOO)
def test_example_of_zoo_works(example, capsys):
    program, name, *arguments = shlex.split(example)
    assert len(f"  {example}") <= 80
    if example.startswith(PARSED):
        assert program == "mlflow" or zoo.get_command(None, name).make_context(name, arguments)
        return
    assert main([name, *arguments]) == 0, capsys.readouterr().err
    assert capsys.readouterr().out


@pytest.mark.parametrize("example", OF_DATA)
def test_example_of_data_works(example, capsys):
    arguments = shlex.split(example)
    assert make_parser().parse_args(arguments)
    if not example.startswith(PARSED_OF_DATA) or example.endswith("--show-query"):
        assert data(arguments) == 0, capsys.readouterr().err
        assert capsys.readouterr().out


@pytest.mark.parametrize(
    ("folder", "entry_point"),
    # A model of several inputs is not adapted.
    [(folder, point) for folder in FOLDERS for point in ENTRY_POINTS if (folder, point) != (SEVERAL, "adapt")],
    ids=lambda part: getattr(part, "name", part),
)
def test_examples_of_a_model_folder_are_shown_and_have_options_that_it_has(folder, entry_point, capsys):
    project = (read_folder if folder == SEVERAL else read_project)(folder, entry_point)
    with pytest.raises(SystemExit):
        parse_options(project, ["--help"])
    shown = capsys.readouterr().out
    for given in EXAMPLES[entry_point]:
        assert f"mlflow run {folder.name}" in shown
        assert f"{given} --no-conda".strip() in shown
        options = given.replace("-P ", "--").split()
        assert parse_options(project, [part for one in options for part in one.split("=", 1)])


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_each_command_shows_its_examples_and_fits_80_columns(name, monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    with contextlib.suppress(SystemExit):
        assert main([name, "--help"]) == 0
    shown = capsys.readouterr().out
    examples = COMMANDS[name].examples or [f"zoo data {one}" for one in FIRST_OF_DATA]
    assert examples
    for example in examples:
        assert f"\n  {example}\n" in shown
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize("name", DATA_EXAMPLES)
def test_help_of_each_command_of_data_shows_its_examples(name, capsys):
    words = ["image", name] if name in IMAGE else [name]
    with pytest.raises(SystemExit):
        main(["data", *words, "--help"])
    shown = capsys.readouterr().out
    for example in DATA_EXAMPLES[name]:
        assert f"\n  {' '.join(['zoo data', *words, example]).strip()}\n" in shown
