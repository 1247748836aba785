"""What is stored with a model beside its network, and how it is found: nothing here needs Keras or TensorFlow."""

from __future__ import annotations

import json
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.entities import LoggedModel
from mlflow.entities.model_registry import ModelVersion

from common.runs.store_location import CHAMPION
from sdss_gs.errors import ZooError, first_line
from sdss_gs.files import sealed, unsealed

HEADLINE_TAG = "zoo.headline"
"""Tag of a run: the metric by which its model is compared."""
DESCRIPTION = "zoo.json"
"""File of an exported folder that says what the model is."""
MODEL_FILE = "model.keras"
LIGHT_ENDING = ".onnx"
"""Of the files of its light form."""
FORMATS = (1, 2)
"""Of exported folders; the last one is written. In the first, of zoo 0.1.0, descriptions have no checksum."""
KINDS = {"name": str, "version": str, "sha256": str, "facts": dict, "files": dict}
"""What a description holds besides its format."""


def address_of(name: str) -> str:
    """Turn ``i2r`` or ``i2r/3`` into an address of MLflow's."""
    if name.startswith("models:/"):
        return name
    return f"models:/{name}" if "/" in name else f"models:/{name}@{CHAMPION}"


def facts_of(address: str) -> dict[str, object]:
    """Return what `log_model` kept with a model.

    Raises
    ------
    ZooError
        If the model was not stored by the zoo: its values could mean anything.
    """
    metadata = mlflow.models.get_model_info(address).metadata or {}
    if "reading" not in metadata:
        raise ZooError(f"{address}: expected a model stored by the zoo, found none of its metadata")
    return metadata


def stored_version(address: str) -> ModelVersion | LoggedModel:
    """Look up what an address names; MLflow raises its own error if there is nothing."""
    client, reference = MlflowClient(), address.removeprefix("models:/")
    if "@" in reference:
        return client.get_model_version_by_alias(*reference.split("@"))
    if "/" in reference:
        return client.get_model_version(*reference.split("/"))
    return client.get_logged_model(reference)


def read_description(folder: Path) -> dict:
    """Read what an exported folder says of itself.

    Raises
    ------
    ZooError
        If there is no such description.
    """
    try:
        description = json.loads((folder / DESCRIPTION).read_text())
        if description["format"] not in FORMATS:
            raise ValueError(f"format {description['format']}")
        if description["format"] > 1:
            description = unsealed(description)
        if unknown := set(description) - {"format", *KINDS}:
            raise ValueError(f"{', '.join(sorted(unknown))} in a {DESCRIPTION} of format {description['format']}")
        for key, kind in KINDS.items():
            if not isinstance(description[key], kind):
                raise ValueError(f"{key} {description[key]!r}")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise ZooError(f"{folder}: expected a folder that zoo export wrote, found {first_line(error)}") from None
    return description


def write_description(folder: Path, description: dict) -> None:
    """Write what an exported folder says of itself, with its format and a checksum."""
    (folder / DESCRIPTION).write_text(json.dumps(sealed({"format": FORMATS[-1], **description}), indent=1))
