import re

import pytest
import yaml
from conftest import ROOT
from helpers.folders import MODELS

from common.project import parse_options, read_folder, read_project
from sdss_gs.errors import OptionError

FOLDERS = [*MODELS, "x2y"]
DECLARED = {"epochs", "batch_size", "loss", "optimizer", "ds"}
"""What the predecessor's MLprojects showed."""


def folder_of(name, entry_point="main"):
    return (read_folder if name == "x2y" else read_project)(ROOT / name, entry_point)


@pytest.mark.parametrize("name", FOLDERS)
def test_mlproject_passes_what_it_declares_and_every_entry_point_is_train(name):
    content = yaml.safe_load((ROOT / name / "MLproject").read_text())
    points = content["entry_points"]
    declared = points["main"]["parameters"]
    assert content["name"] == name
    assert (ROOT / name / content["conda_env"]).is_file()
    own = {"label_smoothing", "learning_rate", "weight_decay"}
    assert set(declared) - own == DECLARED & set(folder_of(name).defaults)
    assert dict(re.findall(r"--(\w+) \{(\w+)\}", points["main"]["command"])) == {one: one for one in declared}
    for point, entry in points.items():
        called = "train.py" if point == "main" else f"train.py {point}"
        assert f"PYTHONPATH=..:$PYTHONPATH python {called} " in f"{entry['command']} "
        assert folder_of(name, point).defaults


def test_mlprojects_stay_short():
    assert sum(len((ROOT / name / "MLproject").read_text().splitlines()) for name in FOLDERS) <= 650


def test_models_have_the_options_of_their_input_and_output():
    def extra(name, entry_point="main"):
        return set(folder_of(name, entry_point).defaults) - set(folder_of("b2r", entry_point).defaults)

    backbone = {"backbone", "weights", "freeze", "head_epochs", "fine_tune_rate", "backbone_head"}
    assert extra("i2r") == {"image_scale", "augment", "crop", "colour"} | backbone
    assert extra("f2sm") == {"augment", "stretch", "target"}
    assert extra("ss2g") == {"column", "target", "class_weights", "label_smoothing"}
    assert extra("i2r", "evaluate") == {"tta", "image_scale"}
    assert extra("x2y", "evaluate") == {"image_scale", "tta"}
    assert extra("i2r", "sweep") == set()
    assert "loss" not in folder_of("b2s").defaults
    assert {"folds", "class_weights"} <= set(folder_of("x2y").defaults)
    assert not {"architecture", "backbone"} & set(folder_of("x2y").defaults)


def test_defaults_follow_the_output():
    assert [folder_of(name).defaults["target"] for name in ("i2sm", "i2s", "x2y")] == ["log", "", "log"]
    assert [folder_of(name).defaults["label_smoothing"] for name in ("i2s", "x2y")] == [0.0, 0.1]


@pytest.mark.parametrize(
    ("name", "expected"),
    [("b2c", ("none", "mse", 0.0, 0)), ("i2r", ("dihedral", "mae", 0.0, 0)), ("x2y", ("dihedral", "mae", 0.3, 0))],
)
def test_an_option_that_a_model_lacks_changes_nothing(name, expected):
    options = parse_options(folder_of(name), [])
    assert (options.augment, options.loss, options.input_dropout, options.folds) == expected


def test_folder_that_declares_nothing_has_the_defaults_of_its_output(tmp_path):
    (tmp_path / "b2v").mkdir()
    (tmp_path / "b2v" / "MLproject").write_text("entry_points: {main: {command: python train.py}}")
    assert read_project(tmp_path / "b2v").defaults["loss"] == "rmse"


def test_train_without_options_takes_the_defaults_of_mlproject():
    project = read_project(ROOT / "b2r")
    assert project.recorded(parse_options(project, [])) == project.defaults


def test_options_are_typed():
    options = parse_options(read_project(ROOT / "b2r"), ["--epochs", "10.0", "--learning_rate", "1e-2", "--ds", "a b"])
    assert (options.epochs, options.learning_rate, options.ds) == (10, 0.01, "a b")
    assert isinstance(options.epochs, int)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--epochs", "ten"], "epochs: expected a whole number of at least 1, found 'ten'"),
        (["--epochs", "0"], "epochs: expected a whole number of at least 1, found '0'"),
        (["--epochs", "2.5"], "epochs: expected a whole number of at least 1, found '2.5'"),
        (["--learning_rate", "nan"], "learning_rate: expected a number of at least 1e-12, found 'nan'"),
        (
            ["--optimizer", "adamm"],
            "optimizer: expected one of rmsprop, adam, adamw, sgd, found 'adamm'; did you mean a",
        ),
        (["evalute"], "first of all one of sweep, evaluate, adapt, embed, compare; did you mean evaluate?"),
        (["--class_wieghts", "x"], "class_wieghts: unknown option; expected one of"),
        (["--precision", "half"], "precision: expected one of auto, float32, bfloat16, float16, found 'half'"),
        (["--epoch", "3"], "epoch: unknown option; did you mean epochs?"),
        (["--epoch=3"], "epoch: unknown option; did you mean epochs?"),
        (["--qq", "3"], "qq: unknown option; expected one of ds, limit, architecture"),
        (["--image_scale", "1"], "image_scale: b2r has no such option"),
        (["--seed", "1", "--trials", "3"], "trials: b2r has no such option"),
        (["--epochs"], "epochs: expected one argument"),
        (["sweeps"], "sweeps: expected --name value, or first of all one of sweep, evaluate, adapt, embed, compare"),
    ],
)
def test_wrong_options_are_one_clear_line(arguments, expected):
    with pytest.raises(OptionError) as caught:
        parse_options(read_project(ROOT / "b2r"), arguments)
    assert expected in str(caught.value)


@pytest.mark.parametrize("architecture", ["reference", "fast"])
def test_one_option_chooses_the_folders_own_network(architecture):
    with pytest.raises(OptionError, match=f"backbone: .*; architecture={architecture} chooses it"):
        parse_options(read_project(ROOT / "i2r"), ["--backbone", architecture])


@pytest.mark.parametrize("name", ["i2r", "f2sm", "s2c", "i2v", "x2y"])
@pytest.mark.parametrize("entry_point", ["main", "sweep", "evaluate"])
def test_help_shows_each_option_with_its_default(name, entry_point, capsys):
    project = folder_of(name, entry_point)
    with pytest.raises(SystemExit) as caught:
        parse_options(project, ["--help"])
    assert caught.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for option, default in project.defaults.items():
        assert f"--{option} " in text
        assert f"(default: {default!r})" in text


@pytest.mark.parametrize(
    "content", [None, "a: [", "name: x", "entry_points: {main: {parameters: {epochs: int}}}", "entry_points: 3"]
)
def test_damaged_mlproject_is_named(tmp_path, content):
    (tmp_path / "b2r").mkdir()
    if content is not None:
        (tmp_path / "b2r" / "MLproject").write_text(content)
    with pytest.raises(OptionError, match="MLproject: expected an MLproject"):
        read_project(tmp_path / "b2r")


@pytest.mark.parametrize(
    ("option", "expected"), [("epoch", "unknown option; did you mean epochs"), ("stretch", "b2r has no such option")]
)
def test_mlproject_that_declares_what_the_model_does_not_have_is_named(tmp_path, option, expected):
    (tmp_path / "b2r").mkdir()
    (tmp_path / "b2r" / "MLproject").write_text(
        f"entry_points: {{main: {{parameters: {{{option}: {{type: int, default: 3}}}}}}}}"
    )
    with pytest.raises(OptionError, match=f"b2r/MLproject: {option}: {expected}"):
        read_project(tmp_path / "b2r")
