"""What a store says of a model or a run, however it is read: nothing here knows MLflow or SQLite."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from common.runs.store_location import CHAMPION
from sdss_gs.errors import ZooError

SEE = "; see zoo list"
"""End of a message about a model that is not there."""


class UnknownModelError(ZooError):
    """The store has no such model.

    Parameters
    ----------
    name : str
        As the user wrote it.
    hint : str
        What may be meant, as the end of the message.
    """

    def __init__(self, name: str, hint: str = ""):
        super().__init__(f"{name}: expected a trained model, found none{hint or SEE}")


@dataclass(frozen=True)
class StoredModel:
    """A version of a registered model, or a model that was logged and never registered.

    Parameters
    ----------
    name, version : str
        Of a model that is not registered, empty and MLflow's id (``m-…``).
    run_id : str
        Run that made it; empty where nobody noted it.
    tags : dict of str to str
    location : str
        Address of the folder of its files.
    """

    name: str
    version: str
    run_id: str
    tags: dict[str, str]
    location: str

    @property
    def address(self) -> str:
        """Where MLflow finds it."""
        return f"models:/{self.name}/{self.version}" if self.name else f"models:/{self.version}"


@dataclass(frozen=True)
class StoredRun:
    """A run.

    Parameters
    ----------
    id, name, experiment_id, status : str
        Status as MLflow writes it: ``RUNNING``, ``FAILED``, …
    active : bool
        Whether it is not in MLflow's bin.
    tags, metrics : dict of str to str, dict of str to float
        Of a metric that was logged at several steps, the latest value.
    data : str
        Name of the first data set that it read; empty if none was noted.
    location : str
        Address of the folder of its files.
    """

    id: str
    name: str
    experiment_id: str
    status: str
    active: bool
    tags: dict[str, str]
    metrics: dict[str, float]
    data: str
    location: str


class Registry(Protocol):
    """A store that is read, never written."""

    def names(self) -> list[str]:
        """List the registered models."""

    def versions(self, name: str) -> list[str]:
        """List the versions of a registered model, the newest last; none where there is no such model."""

    def champions(self) -> list[StoredModel]:
        """List the champion of each registered model that has one, by name."""

    def model(self, name: str) -> StoredModel:
        """Look up a model by what `address_of` takes; raise UnknownModelError if there is none."""

    def run(self, run_id: str) -> StoredRun | None:
        """Look up a run, also one that was deleted."""

    def folder(self, model: StoredModel) -> Path:
        """Return the folder of a model's files on this machine; raise OSError if it is gone."""

    def run_file(self, run: StoredRun, name: str) -> Path:
        """Return a file of a run on this machine; raise OSError if it is gone."""


def address_of(name: str) -> str:
    """Turn ``i2r`` or ``i2r/3`` into an address of MLflow's."""
    if name.startswith("models:/"):
        return name
    return f"models:/{name}" if "/" in name else f"models:/{name}@{CHAMPION}"


def reference_of(name: str) -> tuple[str, str, str]:
    """Take apart what `address_of` takes.

    Returns
    -------
    name, mark, rest : str
        The registered model, ``@`` and an alias of it or ``/`` and a version; or the id of a logged model and nothing.

    Raises
    ------
    UnknownModelError
        If it is no address of a model.

    Examples
    --------
    >>> reference_of("i2r"), reference_of("models:/i2r/3"), reference_of("models:/m-4c3c")
    (('i2r', '@', 'champion'), ('i2r', '/', '3'), ('m-4c3c', '', ''))
    """
    parts = re.fullmatch(r"([^/@]+)(?:([/@])([^/@]+))?", address_of(name).removeprefix("models:/"))
    if parts is None:
        raise UnknownModelError(name)
    return parts[1], parts[2] or "", parts[3] or ""
