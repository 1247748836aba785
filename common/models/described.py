"""What is stored with a model beside its network, and how it is found: nothing here needs Keras or TensorFlow."""

from __future__ import annotations

import json
from pathlib import Path

from common.runs.registry import registry
from common.runs.stored import StoredModel
from sdss_gs.errors import ZooError, first_line
from sdss_gs.files import sealed, unsealed

ADAPTED_TAG = "zoo.adapted"
START_TAG = f"{ADAPTED_TAG}.start"
"""Of a run: that it adapted a model, and which."""
HEADLINE_TAG = "zoo.headline"
"""Tag of a run: the metric by which its model is compared."""
DESCRIPTION = "zoo.json"
"""File of an exported folder that says what the model is."""
MODEL_FILE = "model.keras"
LIGHT_ENDING = ".onnx"
"""Of the files of its light form."""
MLMODEL = "MLmodel"
"""File of MLflow's in the folder of a stored model: says what the model is."""
FORMATS = (1, 2)
"""Of exported folders; the last one is written. In the first, of zoo 0.1.0, descriptions have no checksum."""
KINDS = {"name": str, "version": str, "sha256": str, "facts": dict, "files": dict}
"""What a description holds besides its format."""


def stored_model(name: str) -> tuple[StoredModel, Path, dict[str, object]]:
    """Find a model in the store.

    Parameters
    ----------
    name : str
        ``i2r``, the champion of that name; ``i2r/3``, a version; or an address as MLflow writes it.

    Returns
    -------
    model : StoredModel
    folder : Path
        Of its files.
    facts : dict
        What `store.log_model` kept with it, see `facts_of`.

    Raises
    ------
    ZooError
        If there is no such model, its files are gone, or the zoo did not store it.
    """
    store = registry()
    model = store.model(name)
    try:
        folder = store.folder(model)
        return model, folder, facts_of(name, (folder / MLMODEL).read_text())
    except OSError as error:
        # The store knows it, but somebody moved or removed the folder of its files.
        gone = f"found them gone ({first_line(error)})"
        raise ZooError(f"{name}: expected the files of this trained model, {gone}") from None


def facts_of(name: str, description: str) -> dict[str, object]:
    """Take what `store.log_model` kept with a model from MLflow's description of it.

    Parameters
    ----------
    name, description : str
        The model, as the user wrote it; the text of its `MLMODEL`.

    Raises
    ------
    ZooError
        If the zoo did not store it: its values could mean anything.
    """
    import yaml

    try:
        # The parser in C takes a tenth of the time, where there is one.
        said = yaml.load(description, getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.YAMLError as error:
        raise ZooError(f"{name}: expected an {MLMODEL} that MLflow wrote, found {first_line(error)}") from None
    facts = said.get("metadata") if isinstance(said, dict) else None
    if not isinstance(facts, dict) or "reading" not in facts:
        raise ZooError(f"{name}: expected a model stored by the zoo, found none of its metadata")
    return facts


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
