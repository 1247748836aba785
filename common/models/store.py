"""The model store is MLflow's registry: Keras models with named inputs."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import mlflow
import numpy as np
from mlflow import MlflowClient
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec

from common.backend import keras, tf
from common.models.safe_file import checked_model
from common.runs.store_location import HASH_TAG, WEIGHTS
from sdss_gs import __version__
from sdss_gs.errors import ZooError
from sdss_gs.files import sha256
from sdss_gs.schema import Input, Output

ARTIFACT = "model"
HEADLINE_TAG = "zoo.headline"
"""Tag of a run: the metric by which its model is compared."""


# === Keeping ===


def serving_model(model: keras.Model, item: Input) -> keras.Model:
    """Give a table model one named input per catalogue column, so that it takes a CSV file as it is.

    Parameters
    ----------
    model : keras.Model
        Input ``{item.name: (batch, columns)}``.
    item : Input

    Returns
    -------
    keras.Model
        For a table input: inputs ``{column: (batch,)}``; else the model itself.
    """
    if not item.columns:
        return model
    columns = {column: keras.Input((), name=column, dtype=item.dtype) for column in item.columns}
    table = keras.ops.stack(list(columns.values()), axis=-1)
    return keras.Model(columns, model({item.name: table}), name=model.name)


def serving_inputs(item: Input, values: np.ndarray) -> dict[str, np.ndarray]:
    """Name an input's arrays as the stored model wants them: by column for a table, else by input."""
    if not item.columns:
        return {item.name: values}
    return {column: values[:, number] for number, column in enumerate(item.columns)}


def log_model(
    model: keras.Model,
    name: str,
    item: Input,
    output: Output,
    example: np.ndarray,
    facts: dict[str, object],
    register: bool = True,
) -> str:
    """Log a model to the active run, with signature, input example and SHA-256, and register it.

    Parameters
    ----------
    model : keras.Model
    name : str
        Name in the registry, for example ``i2r``.
    item, output : Input, Output
    example : ndarray, shape (1, ...)
        An input, kept with the model.
    facts : dict
        What it takes to use the model, as JSON: ``reading``, options without which inputs or values cannot be
        understood (``target``, ``column``); ``calibration`` and ``training_range``; ``own_output``, the fields of a
        user's own output.
    register : bool
        Whether to add a version to the registry.

    Returns
    -------
    str
        ``models:/<name>/<version>``, or ``models:/<id>`` where the model is not registered.
    """
    metadata = {"input": item.name, "output": output.name} | facts
    return log_signed(serving_model(model, item), name, serving_inputs(item, example), [output], metadata, register)


def log_signed(
    model: keras.Model,
    name: str,
    example: dict[str, np.ndarray],
    outputs: Sequence[Output],
    metadata: dict[str, object],
    register: bool = True,
    original: Path | None = None,
) -> str:
    """Log a model with any named inputs and any outputs to the active run, as `log_model` does.

    Parameters
    ----------
    model : keras.Model
    name : str
    example : dict of str to ndarray
        Inputs of one object by name.
    outputs : sequence of Output
    metadata : dict
        What a reader needs to know; the zoo's version is added.
    register : bool
    original : Path, optional
        File of the model, to be kept byte for byte.

    Returns
    -------
    str
        As for `log_model`.
    """
    specifications = [TensorSpec(np.dtype("float32"), (-1, output.size), output.name) for output in outputs]
    signature = ModelSignature(
        inputs=Schema([TensorSpec(array.dtype, (-1, *array.shape[1:]), key) for key, array in example.items()]),
        outputs=Schema(specifications),
    )
    with warnings.catch_warnings():
        # MLflow and what it calls warn about their own deprecations, which no user of the zoo can act on.
        warnings.simplefilter("ignore")
        # MLflow's Keras flavour cannot save an input example (3.17); the TensorFlow one keeps the same .keras file.
        logged = mlflow.tensorflow.log_model(
            model,
            name=ARTIFACT,
            signature=signature,
            input_example=example,
            pip_requirements=[f"tensorflow=={tf.__version__}", f"keras=={keras.__version__}"],
            metadata={"zoo_version": __version__} | metadata,
        )
    if original is not None:
        MlflowClient().log_model_artifact(logged.model_id, str(original), str(Path(WEIGHTS).parent))
    digest = sha256(Path(mlflow.artifacts.download_artifacts(logged.model_uri)) / WEIGHTS)
    MlflowClient().set_logged_model_tags(logged.model_id, {HASH_TAG: digest})
    if not register:
        return logged.model_uri
    # As the last step, and with its hash: a run that is killed before leaves no version that nobody can open.
    version = mlflow.register_model(logged.model_uri, name, tags={HASH_TAG: digest}).version
    return f"models:/{name}/{version}"


# === Opening ===


def load_model(address: str) -> keras.Model:
    """Open a stored model after checking that it is the one that was stored and holds Keras layers only.

    Parameters
    ----------
    address : str
        ``models:/<name>/<version>``, ``models:/<name>@champion`` or ``models:/<id>``.

    Raises
    ------
    ZooError
        If there is no such model.
    UnsafeModelError
        If the file's SHA-256 is not the recorded one, or its description names a Lambda layer or foreign code.
    """
    try:
        folder = Path(mlflow.artifacts.download_artifacts(address))
        expected = recorded_hash(address)
    except mlflow.MlflowException as error:
        raise ZooError(f"{address}: expected a model in this store, found none ({error.error_code})") from None
    return checked_model(folder / WEIGHTS, expected)


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


def output_of(facts: Mapping, output: Output) -> Output:
    """Return what a stored model predicts: the user's own label if it learnt one, else the output of its name."""
    if "own_output" not in facts:
        return output
    fields = dict(facts["own_output"])
    return Output(**fields | {"classes": tuple(fields["classes"])})


def recorded_hash(address: str) -> str:
    """Return the SHA-256 that was recorded when a model was stored, ``none`` where there is none."""
    client, reference = MlflowClient(), address.removeprefix("models:/")
    if "@" in reference:
        return client.get_model_version_by_alias(*reference.split("@")).tags.get(HASH_TAG, "none")
    if "/" in reference:
        return client.get_model_version(*reference.split("/")).tags.get(HASH_TAG, "none")
    return client.get_logged_model(reference).tags.get(HASH_TAG, "none")
