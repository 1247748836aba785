"""Find a trained model by its name, and open it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import mlflow
from mlflow import MlflowClient

from sdss_gs.errors import ZooError
from sdss_gs.schema import parse_model_name

from .calibrate import calibration_from
from .measure import TrainingRange
from .model import Model
from .store import CHAMPION, WEIGHTS, checked_model, facts_of, output_of, recorded_hash
from .tracking import choose_store

REPOSITORY = Path(__file__).resolve().parent.parent
DESCRIPTION = "zoo.json"
"""File of an exported folder that says what the model is."""
MODEL_FILE = "model.keras"


def load(name: str | Path) -> Model:
    """Open a trained model.

    Parameters
    ----------
    name : str or path-like
        ``i2r``, the champion of that name; ``i2r/3``, a version; an address as MLflow writes it (``models:/i2r/3``);
        or a folder that ``zoo export`` wrote.

    Raises
    ------
    ZooError
        If there is no such model, it is not what was stored, or it was stored before models knew how sure they are.
    """
    if (Path(name) / DESCRIPTION).is_file():
        return _exported(Path(name))
    use_store()
    address = address_of(str(name))
    try:
        folder = Path(mlflow.artifacts.download_artifacts(address))
        digest, facts = recorded_hash(address), facts_of(address)
    except mlflow.MlflowException as error:
        raise ZooError(f"{name}: expected a trained model, found none ({error.error_code}); see zoo list") from None
    registered, _, version = version_of(address).rpartition("/")
    return model_of(registered or str(name), version, digest, folder / WEIGHTS, facts)


def use_store() -> None:
    """Use the store that MLflow was told of, else that of the current folder, else that of the repository."""
    here = Path.cwd()
    choose_store(here if (here / "mlflow.db").is_file() else REPOSITORY)


def address_of(name: str) -> str:
    """Turn ``i2r`` or ``i2r/3`` into an address of MLflow's."""
    if name.startswith("models:/"):
        return name
    return f"models:/{name}" if "/" in name else f"models:/{name}@{CHAMPION}"


def version_of(address: str) -> str:
    """Return ``<name>/<version>`` of an address; the id where the model is not registered."""
    reference = address.removeprefix("models:/")
    if "@" in reference:
        name, alias = reference.split("@")
        return f"{name}/{MlflowClient().get_model_version_by_alias(name, alias).version}"
    return reference


def model_of(name: str, version: str, digest: str, path: Path, facts: Mapping) -> Model:
    """Open a weights' file with what is known about it.

    Raises
    ------
    ZooError
        If something is missing.
    """
    if "inputs" in facts:
        raise ZooError(
            f"{name}: expected a model with one input, found one with {len(facts['inputs'])}, which MLflow "
            "opens but zoo does not yet"
        )
    missing = [fact for fact in ("input", "output", "calibration", "training_range") if fact not in facts]
    if missing:
        raise ZooError(f"{name}: expected a model with {', '.join(missing)}, found an older one; train it again")
    item, output = parse_model_name(name)
    output = output_of(facts, output)
    network = checked_model(path, digest)
    shape = item.shape if item.columns else tuple(network.input[item.name].shape[1:])
    return Model(
        name=name,
        version=version,
        sha256=digest,
        item=item,
        output=output,
        network=network,
        shape=shape,
        reading=dict(facts["reading"]),
        calibration=calibration_from(facts["calibration"]),
        training_range=TrainingRange(**facts["training_range"]),
    )


def _exported(folder: Path) -> Model:
    description = json.loads((folder / DESCRIPTION).read_text())
    return model_of(
        description["name"], description["version"], description["sha256"], folder / MODEL_FILE, description["facts"]
    )
