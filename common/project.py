"""A model folder: what its name and its ``MLproject`` say of its model, and the command line of its entry points."""

from __future__ import annotations

import importlib.util
import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import yaml

from common.options import ENTRY_POINTS, OPTIONS, Options, convert, options_of, typed
from sdss_gs.arguments import Help, Parser, with_examples
from sdss_gs.errors import OptionError, did_you_mean
from sdss_gs.schema import OWN_LABEL, Input, Output, parse_model_name
from sdss_gs.tables.own import is_own

FUSE = "fuse"
"""Function that only a model of several inputs and outputs has."""


@dataclass(frozen=True)
class ModelFolder:
    """A model folder, whatever its model is.

    Parameters
    ----------
    folder : Path
    defaults : dict of str to object
        Typed defaults of all options that the model has at this entry point.
    entry_point : str
    """

    folder: Path
    defaults: dict[str, object]
    entry_point: str

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

    def recorded(self, options: Options) -> dict[str, object]:
        """List the options that the model has, by name, as a run's record and state have them."""
        return {name: getattr(options, name) for name in self.defaults}


@dataclass(frozen=True)
class Project(ModelFolder):
    """The folder of a model with one input and one output.

    Parameters
    ----------
    folder, defaults, entry_point
        As for `ModelFolder`.
    input, output : Input, Output
        What the folder's name says; or the user's own output.
    """

    input: Input
    output: Output

    @property
    def name(self) -> str:
        """Name of the model: the folder's, and the user's own label where it learns one."""
        return self.folder.name + (f"{OWN_LABEL}{self.output.name}" if is_own(self.output) else "")

    @property
    def subject(self) -> str:
        """What goes in and what comes out, in words."""
        return f"{self.input.description} → {self.output.description}"


def read_project(folder: str | Path, entry_point: str = "main") -> Project:
    """Read the folder of a model with one input and one output, with the defaults of one entry point.

    Raises
    ------
    OptionError
        If the folder's name is no model, or its ``MLproject`` is missing or declares what the model does not have.
    """
    item, output = parse_model_name(Path(folder).resolve().name)
    found = read_folder(folder, entry_point, item.name, output.name)
    return Project(found.folder, found.defaults, entry_point, item, output)


def read_folder(folder: str | Path, entry_point: str = "main", item: str = "", output: str = "") -> ModelFolder:
    """Read a model folder, whatever its model is.

    Parameters
    ----------
    folder : path-like
    entry_point : str
    item, output : str
        What the folder's name says that the model sees and predicts, if it does.

    Raises
    ------
    OptionError
        If its ``MLproject`` is missing or declares what the model does not have.
    """
    folder = Path(folder).resolve()
    path, options = folder / "MLproject", options_of(entry_point, item, output)
    try:
        point = yaml.safe_load(path.read_text())["entry_points"].get(entry_point) or {}
        own = {name: parameter["default"] for name, parameter in point.get("parameters", {}).items()}
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise OptionError(f"{path}: expected an MLproject with a default for each parameter, found {error!r}") from None
    for name in own:
        if name not in options:
            raise OptionError(f"{path}: {_unknown(name, options, folder.name, entry_point)}")
    defaults = {name: option.defaults.get(output, option.default) for name, option in options.items()} | own
    values = {name: convert(name, value, output, entry_point) for name, value in defaults.items()}
    return ModelFolder(folder, values, entry_point)


def functions_of(folder: Path) -> dict[str, Callable]:
    """Return the functions that a model folder's ``train.py`` gives to `common.train.run`: all that are its own."""
    specification = importlib.util.spec_from_file_location(f"{folder.name}_train", folder / "train.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    own = inspect.getmembers(module, inspect.isfunction)
    return {name: one for name, one in own if one.__module__ == module.__name__ and not name.startswith("_")}


class _Parser(Parser):
    def error(self, message: str):
        raise OptionError(message.removeprefix("argument --"))


EXAMPLES = {
    "main": ("", "-P epochs=5 -P limit=500", "-P folds=5 -P seed=3"),
    "sweep": ("", "-P search=random -P trials=8 -P epochs=5"),
    "evaluate": ("", "-P part=all"),
    "adapt": ("-P ds=DS", "-P ds=DS -P start=shipped -P labels=200"),
    "embed": ("", "-P maps=pca"),
    "compare": ("", "-P output=comparison"),
}
"""Options in the examples of each entry point's help; ``DS`` is a data set. A test parses them for every model."""


def _examples(project: ModelFolder) -> list[str]:
    chosen = "" if project.entry_point == "main" else f"-e {project.entry_point}"
    return [" ".join(filter(None, (chosen, given, "--no-conda"))) for given in EXAMPLES[project.entry_point]]


def parse_options(project: ModelFolder, arguments: list[str]) -> Options:
    """Read the command line of an entry point.

    Raises
    ------
    OptionError
        For an unknown option or an impossible value.
    """
    name, main = project.name, project.entry_point == "main"
    others = ", ".join(entry_point for entry_point in ENTRY_POINTS if entry_point != "main")
    start, about = f"mlflow run {project.folder.name}", f"{name}: {project.subject}."
    parser = _Parser(
        prog="train.py" if main else f"train.py {project.entry_point}",
        description=with_examples(about, start, _examples(project)),
        formatter_class=Help,
        epilog=f"train.py {{{others}}} does something else with the model; each has a --help of its own." * main,
        allow_abbrev=False,
    )
    output = project.output.name if isinstance(project, Project) else ""
    for name, default in project.defaults.items():
        found = OPTIONS[name].choices_of(output)
        choices = f" ({', '.join(found)})" if found else ""
        parser.add_argument(
            f"--{name}", default=default, metavar=OPTIONS[name].kind.__name__.upper(),
            help=f"{OPTIONS[name].help}{choices} (default: {default!r})",
        )  # fmt: skip
    given, unknown = parser.parse_known_args(arguments)
    if unknown and not unknown[0].startswith("-"):
        meant = did_you_mean(unknown[0], ENTRY_POINTS)
        raise OptionError(f"{unknown[0]}: expected --name value" + f", or first of all one of {others}{meant}" * main)
    if unknown:
        name = unknown[0].partition("=")[0].lstrip("-")
        raise OptionError(_unknown(name, project.defaults, project.folder.name, project.entry_point))
    values = {name: convert(name, value, output, project.entry_point) for name, value in vars(given).items()}
    return typed(ENTRY_POINTS[project.entry_point], values)


def _unknown(name: str, options: Iterable[str], model: str, entry_point: str) -> str:
    """Say that a model does not have an option, and which is meant."""
    if name in OPTIONS:
        return f"{name}: {model}{f' {entry_point}' * (entry_point != 'main')} has no such option"
    return f"{name}: unknown option{did_you_mean(name, options) or '; expected one of ' + ', '.join(options)}"
