"""A model folder's ``MLproject``: the only home of its defaults."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import yaml

from common.options import OPTIONS, convert
from sdss_gs.errors import OptionError
from sdss_gs.schema import OWN_LABEL, Input, Output, parse_model_name
from sdss_gs.tables.own import is_own


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
    """Read a model folder with the defaults of one entry point of its ``MLproject``.

    Raises
    ------
    OptionError
        If the folder's name is no model, or its ``MLproject`` is missing or names an unknown option.
    """
    item, output = parse_model_name(Path(folder).resolve().name)
    found = read_folder(folder, entry_point, output.name)
    return Project(found.folder, found.defaults, item, output)


def read_folder(folder: str | Path, entry_point: str = "main", output: str = "") -> ModelFolder:
    """Read a model folder, whatever its model is.

    Parameters
    ----------
    folder : path-like
    entry_point : str
    output : str
        What the folder's name says that the model predicts, if it does.

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
    return ModelFolder(folder, {name: convert(name, value, output) for name, value in defaults.items()})


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
    output = project.output.name if isinstance(project, Project) else ""
    for name, default in project.defaults.items():
        found = OPTIONS[name].choices_of(output)
        choices = f" ({', '.join(found)})" if found else ""
        parser.add_argument(
            f"--{name}", default=default, metavar=OPTIONS[name].kind.__name__.upper(),
            help=f"{OPTIONS[name].help}{choices} (default: {default!r})",
        )  # fmt: skip
    return {name: convert(name, value, output) for name, value in vars(parser.parse_args(arguments)).items()}
