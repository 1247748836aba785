"""A model folder's ``MLproject``: the only home of its defaults, and the options that a user may set."""

from __future__ import annotations

import argparse
import math
from dataclasses import dataclass
from pathlib import Path

import yaml

from sdss_gs.errors import OptionError
from sdss_gs.schema import INPUTS, OUTPUTS, SPECTRUM_COLUMNS, Input, Output, parse_model_name

from .inputs import STRETCHES
from .outputs import CLASS_WEIGHTS, TARGETS

LOSSES = ("mse", "mae", "huber")
OPTIMIZERS = ("rmsprop", "adam", "adamw", "sgd")
SCHEDULES = ("constant", "cosine", "step")
ARCHITECTURES = ("reference", "fast")
SEARCHES = ("grid", "random", "tpe")
PRUNERS = ("none", "median", "hyperband")
AUGMENTATIONS = ("none", "dihedral")
PRECISIONS = ("auto", "float32", "bfloat16", "float16")


@dataclass(frozen=True)
class Option:
    """One option of a run: type, help, bounds, and the models that have it. Its default is in ``MLproject``.

    With `several`, the value is one or more of the choices, separated by commas.
    """

    kind: type
    help: str
    low: float = -math.inf
    choices: tuple[str, ...] = ()
    several: bool = False
    below: float = math.inf
    inputs: tuple[str, ...] = tuple(INPUTS)
    outputs: tuple[str, ...] = tuple(OUTPUTS)


REGRESSIONS = tuple(name for name, output in OUTPUTS.items() if not output.classes)
CLASSIFICATIONS = tuple(name for name, output in OUTPUTS.items() if output.classes)
OPTIONS = {
    "architecture": Option(str, "the predecessor's network or the zoo's own", choices=ARCHITECTURES),
    "inputs": Option(
        str, "what the model looks at, separated by commas", choices=tuple(INPUTS), several=True, inputs=()
    ),
    "outputs": Option(str, "what it predicts, separated by commas", choices=tuple(OUTPUTS), several=True, outputs=()),
    "augment": Option(
        str, "turn and mirror each image at random while training", choices=AUGMENTATIONS, inputs=("img", "fits")
    ),
    "epochs": Option(int, "passes over the training objects", 1),
    "input_dropout": Option(
        float, "probability with which each input of an object is hidden while training", 0, below=1, inputs=()
    ),
    "batch_size": Option(int, "objects per step", 1),
    "loss": Option(str, "what training minimises", choices=LOSSES, outputs=REGRESSIONS),
    "optimizer": Option(str, "how the weights are changed", choices=OPTIMIZERS),
    "learning_rate": Option(float, "first step size of the optimizer", 1e-12),
    "schedule": Option(
        str, "step size over the run: constant, cosine to 0, or halved every 10 epochs", choices=SCHEDULES
    ),
    "patience": Option(int, "stop after so many epochs without a better validation loss; 0: never", 0),
    "folds": Option(int, "cross-validate in so many folds, as nested runs; 0: train once", 0),
    "seed": Option(int, "the same seed gives the same scores", 0),
    "precision": Option(str, "arithmetic; auto: bfloat16 where the hardware is faster with it", choices=PRECISIONS),
    "memory_limit": Option(int, "megabytes of each GPU to use; 0: grow as needed", 0),
    "target": Option(
        str, "learn log10 of the mass in Msun, or the mass in 1e9 Msun", choices=TARGETS, outputs=("smass",)
    ),
    "class_weights": Option(str, "weigh rare classes more", choices=CLASS_WEIGHTS, outputs=CLASSIFICATIONS),
    "label_smoothing": Option(float, "share of the label spread over all classes", 0, outputs=CLASSIFICATIONS),
    "stretch": Option(str, "of the cut-outs' flux, inside the model", choices=STRETCHES, inputs=("fits",)),
    "column": Option(
        str, "best-fit model spectrum or observed flux", choices=SPECTRUM_COLUMNS, inputs=("spectra", "ssel")
    ),
    "ds": Option(str, "data set; empty: $SDSS_GS, else ../sdss-gs beside the repository, else a generated sample"),
    "limit": Option(int, "use only so many objects; 0: all", 0),
    "image_scale": Option(
        float, "arcsec per pixel of the image files; another one than 0.2 has them resampled", 1e-3, inputs=("img",)
    ),
    "model": Option(str, "stored model to judge; empty: the champion", outputs=()),
    "part": Option(str, "objects to judge it on: those of the test split, or all", choices=("test", "all"), outputs=()),
    "search": Option(
        str, "every combination, combinations by chance, or led by the results so far", choices=SEARCHES, outputs=()
    ),
    "space": Option(
        str, "training options to explore: a|b|c, or low..high and low..high:log; one value holds it fixed", outputs=()
    ),
    "trials": Option(int, "how many trials of a random or tpe search; 0: the whole grid", 0, outputs=()),
    "prune": Option(str, "end trials early that are behind on the validation objects", choices=PRUNERS, outputs=()),
    "refit_epochs": Option(int, "epochs of the winner's last training", 1, outputs=()),
    "workers": Option(int, "processes that share the trials; the same command started again joins too", 1, outputs=()),
    "storage": Option(
        str, "SQLAlchemy address of the trials' data base; empty: sweeps.db beside MLflow's own", outputs=()
    ),
    "resume": Option(str, "id of an interrupted MLflow run to go on with"),
}


@dataclass(frozen=True)
class ModelFolder:
    """A model folder, whatever its model is.

    Parameters
    ----------
    folder : Path
    defaults : dict of str to object
        Typed defaults of ``MLproject``.
    """

    folder: Path
    defaults: dict[str, object]

    @property
    def name(self) -> str:
        """Name of the model, for example ``i2r``."""
        return self.folder.name

    @property
    def repository(self) -> Path:
        """Folder that holds all model folders."""
        return self.folder.parent

    @property
    def subject(self) -> str:
        """What goes in and what comes out, in words."""
        return "any of the inputs → any of the outputs"


@dataclass(frozen=True)
class Project(ModelFolder):
    """The folder of a model with one input and one output.

    Parameters
    ----------
    folder, defaults
        As for `ModelFolder`.
    input, output : Input, Output
        What the folder's name says.
    """

    input: Input
    output: Output

    @property
    def subject(self) -> str:
        """What goes in and what comes out, in words."""
        return f"{self.input.description} → {self.output.description}"


def read_project(folder: str | Path, entry_point: str = "main") -> Project:
    """Read a model folder with the defaults of one entry point of its ``MLproject``.

    Raises
    ------
    OptionError
        If the folder's name is no model, or its ``MLproject`` is missing or names an unknown option.
    """
    item, output = parse_model_name(Path(folder).resolve().name)
    found = read_folder(folder, entry_point)
    return Project(found.folder, found.defaults, item, output)


def read_folder(folder: str | Path, entry_point: str = "main") -> ModelFolder:
    """Read a model folder whose name says neither input nor output.

    Raises
    ------
    OptionError
        If its ``MLproject`` is missing or names an unknown option.
    """
    folder = Path(folder).resolve()
    path = folder / "MLproject"
    try:
        parameters = yaml.safe_load(path.read_text())["entry_points"][entry_point]["parameters"]
        defaults = {name: parameter["default"] for name, parameter in parameters.items()}
    except (OSError, yaml.YAMLError, KeyError, TypeError) as error:
        raise OptionError(f"{path}: expected an MLproject with a default for each parameter, found {error!r}") from None
    return ModelFolder(folder, {name: convert(name, value) for name, value in defaults.items()})


def convert(name: str, value: object) -> object:
    """Turn an option's text into its type.

    Raises
    ------
    OptionError
        Names the option, what was expected and what was found.
    """
    if name not in OPTIONS:
        raise OptionError(f"{name}: unknown option, expected one of {', '.join(OPTIONS)}")
    option, text = OPTIONS[name], str(value).strip()
    if option.several:
        return ",".join(_several(name, option, text))
    if option.choices and text not in option.choices:
        raise OptionError(f"{name}: expected one of {', '.join(option.choices)}, found {text!r}")
    if option.kind is str:
        return text
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    # A parameter file or a sweep may write 10.0 for a whole number.
    within = math.isfinite(number) and option.low <= number < option.below
    if not within or (option.kind is int and number != int(number)):
        wanted = "a whole number" if option.kind is int else "a number"
        bound = f" and below {option.below:g}" if math.isfinite(option.below) else ""
        raise OptionError(f"{name}: expected {wanted} of at least {option.low:g}{bound}, found {text!r}")
    return option.kind(number)


def _several(name: str, option: Option, text: str) -> list[str]:
    """Split names at the commas; return them in the order of the schema, so that no order is another model."""
    found = [part.strip() for part in text.split(",")]
    for part in found:
        if part not in option.choices:
            raise OptionError(f"{name}: expected some of {', '.join(option.choices)}, found {part!r}")
    return [choice for choice in option.choices if choice in found]


def options_of(item: Input, output: Output) -> list[str]:
    """List the options that a model with this input and output has."""
    return [name for name, option in OPTIONS.items() if item.name in option.inputs and output.name in option.outputs]


class _Parser(argparse.ArgumentParser):
    def error(self, message: str):
        names = ", ".join(action.dest for action in self._actions if action.dest != "help")
        raise OptionError(f"{message} (options: {names})")


def parse_options(project: ModelFolder, arguments: list[str]) -> dict[str, object]:
    """Read the command line of an entry point.

    Returns
    -------
    dict of str to object
        Typed values of all options that the model's ``MLproject`` has.

    Raises
    ------
    OptionError
        For an unknown option or an impossible value.
    """
    parser = _Parser(
        prog=project.name,
        description=f"{project.name}: {project.subject}.",
        allow_abbrev=False,
    )
    for name, default in project.defaults.items():
        choices = f" ({', '.join(OPTIONS[name].choices)})" if OPTIONS[name].choices else ""
        parser.add_argument(
            f"--{name}", default=default, metavar=OPTIONS[name].kind.__name__.upper(),
            help=f"{OPTIONS[name].help}{choices} (default: {default!r})",
        )  # fmt: skip
    return {name: convert(name, value) for name, value in vars(parser.parse_args(arguments)).items()}
