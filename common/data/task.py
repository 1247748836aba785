"""What a model looks at and what it predicts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from common.options import TrainingOptions
from common.project import ModelFolder, Project
from sdss_gs.schema import INPUTS, OUTPUTS, OWN_LABEL, Input, Output
from sdss_gs.tables.own import is_own


@dataclass(frozen=True)
class Task:
    """What a model looks at and what it predicts.

    Parameters
    ----------
    folder : Path
        Of the model.
    inputs : tuple of Input
        In the order in which the network knows what is present.
    outputs : tuple of Output
    flat : bool
        Whether the network leads from its one input straight to its one output. Else every input has an encoder, any of
        them may be missing, and every output has a head.
    """

    folder: Path
    inputs: tuple[Input, ...]
    outputs: tuple[Output, ...]
    flat: bool = True

    @property
    def name(self) -> str:
        """Name of the model: the folder's, and the user's own label where it learns one."""
        own = [output.name for output in self.outputs if is_own(output)]
        return self.folder.name + "".join(f"{OWN_LABEL}{label}" for label in own)

    @property
    def repository(self) -> Path:
        """Folder that holds all model folders."""
        return self.folder.parent


def task_of(project: ModelFolder, options: TrainingOptions) -> Task:
    """Return the task of a model folder: what its name says, else what the options ``inputs`` and ``outputs`` do."""
    if isinstance(project, Project):
        return Task(project.folder, (project.input,), (project.output,))
    inputs = tuple(INPUTS[name] for name in options.inputs.split(","))
    return Task(project.folder, inputs, tuple(OUTPUTS[name] for name in options.outputs.split(",")), flat=False)
