import re

import pytest
import yaml
from conftest import ROOT
from helpers.folders import MODELS

from common.options import OPTIONS, convert, options_of
from common.project import parse_options, read_project
from sdss_gs.errors import OptionError
from sdss_gs.schema import parse_model_name

HIGHLIGHTED = {
    "i2r": (20, 32, "mae", "adam"),
    "f2r": (20, 64, "mae", "adam"),
    "s2r": (20, 32, "mae", "adam"),
    "ss2r": (20, 32, "mae", "adam"),
    "b2r": (20, 32, "mae", "adam"),
    "w2r": (20, 32, "mae", "adam"),
    "i2sm": (20, 64, "mae", "adam"),
    "f2sm": (20, 32, "mae", "adam"),
    "s2sm": (20, 32, "mae", "adam"),
    "ss2sm": (20, 64, "mae", "adam"),
    "b2sm": (20, 64, "mae", "adam"),
    "w2sm": (20, 64, "mae", "adam"),
    "i2s": (20, 64, None, "adam"),
    "f2s": (20, 32, None, "adam"),
    "s2s": (20, 32, None, "adam"),
    "ss2s": (20, 32, None, "adam"),
    "b2s": (20, 32, None, "adam"),
    "w2s": (20, 32, None, "adam"),
    "i2g": (20, 64, None, "adam"),
    "f2g": (20, 64, None, "adam"),
    "s2g": (20, 64, None, "adam"),
    "ss2g": (20, 64, None, "adam"),
    "b2g": (20, 64, None, "adam"),
    "w2g": (20, 64, None, "adam"),
    "i2c": (20, 64, None, "adam"),
    "s2c": (20, 32, None, "adam"),
    "b2c": (20, 32, None, "adam"),
    "w2c": (20, 32, None, "adam"),
    "i2m": (20, 64, None, "adam"),
    "i2v": (20, 64, "rmse", "adam"),
}
"""Epochs, batch size, loss and optimizer of the predecessor's best runs; for redshifts, whose networks are now others,
what those learn best with; for outputs that it did not have, those of the model with the same input and network."""


@pytest.mark.parametrize("name", MODELS)
def test_mlproject_parameters_command_and_options_agree(name):
    content = yaml.safe_load((ROOT / name / "MLproject").read_text())
    main = content["entry_points"]["main"]
    item, output = parse_model_name(name)
    expected = set(options_of(item, output))
    assert content["name"] == name
    assert set(main["parameters"]) == expected
    assert dict(re.findall(r"--(\w+) \{(\w+)\}", main["command"])) == {option: option for option in expected}
    assert (ROOT / name / content["conda_env"]).is_file()
    for option, parameter in main["parameters"].items():
        assert parameter["type"] == OPTIONS[option].kind.__name__


@pytest.mark.parametrize("name", MODELS)
def test_defaults_are_the_highlighted_rows(name):
    defaults = read_project(ROOT / name).defaults
    assert tuple(defaults.get(key) for key in ("epochs", "batch_size", "loss", "optimizer")) == HIGHLIGHTED[name]


def test_models_have_the_options_of_their_input_and_output():
    def extra(name):
        return set(options_of(*parse_model_name(name))) - set(options_of(*parse_model_name("b2r")))

    backbone = {"backbone", "weights", "freeze", "head_epochs", "fine_tune_rate", "head"}
    assert extra("i2r") == {"image_scale", "augment", "crop", "colour", "weight_decay"} | backbone
    assert extra("f2sm") == {"augment", "stretch", "target"}
    assert extra("ss2g") == {"column", "target", "class_weights", "label_smoothing"}
    assert "loss" not in options_of(*parse_model_name("b2s"))


def test_train_without_options_takes_the_defaults_of_mlproject():
    project = read_project(ROOT / "b2r")
    assert parse_options(project, []) == project.defaults


def test_options_are_typed():
    options = parse_options(read_project(ROOT / "b2r"), ["--epochs", "10.0", "--learning_rate", "1e-2", "--ds", "a b"])
    assert (options["epochs"], options["learning_rate"], options["ds"]) == (10, 0.01, "a b")
    assert isinstance(options["epochs"], int)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--epochs", "ten"], "epochs: expected a whole number of at least 1, found 'ten'"),
        (["--epochs", "0"], "epochs: expected a whole number of at least 1, found '0'"),
        (["--epochs", "2.5"], "epochs: expected a whole number of at least 1, found '2.5'"),
        (["--learning_rate", "nan"], "learning_rate: expected a number of at least 1e-12, found 'nan'"),
        (["--optimizer", "adamm"], "optimizer: expected one of rmsprop, adam, adamw, sgd, found 'adamm'"),
        (["--precision", "half"], "precision: expected one of auto, float32, bfloat16, float16, found 'half'"),
        (["--epoch", "3"], "unrecognized arguments: --epoch 3 (options: architecture, epochs, batch_size"),
        (["--image_scale", "1"], "unrecognized arguments: --image_scale"),
    ],
)
def test_wrong_options_are_one_clear_line(arguments, expected):
    with pytest.raises(OptionError) as caught:
        parse_options(read_project(ROOT / "b2r"), arguments)
    assert expected in str(caught.value)


def test_help_shows_each_option_with_its_default(capsys):
    with pytest.raises(SystemExit) as caught:
        parse_options(read_project(ROOT / "i2r"), ["--help"])
    assert caught.value.code == 0
    text = " ".join(capsys.readouterr().out.split())
    for name, default in read_project(ROOT / "i2r").defaults.items():
        assert f"--{name} " in text
        assert f"(default: {default!r})" in text


@pytest.mark.parametrize("content", [None, "a: [", "name: x", "entry_points: {main: {parameters: {epochs: int}}}"])
def test_damaged_mlproject_is_named(tmp_path, content):
    (tmp_path / "b2r").mkdir()
    if content is not None:
        (tmp_path / "b2r" / "MLproject").write_text(content)
    with pytest.raises(OptionError, match="MLproject: expected an MLproject"):
        read_project(tmp_path / "b2r")


def test_unknown_option_name_lists_the_known():
    with pytest.raises(OptionError, match="momentum: unknown option, expected one of architecture"):
        convert("momentum", 1)
