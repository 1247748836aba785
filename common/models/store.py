"""The model store is MLflow's registry: Keras models with named inputs."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import mlflow
import numpy as np
from mlflow import MlflowClient
from mlflow.models import ModelSignature
from mlflow.models import utils as model_utils
from mlflow.types import Schema, TensorSpec
from mlflow.utils import requirements_utils

from common.backend import keras, tf
from common.models.light import NO_LIGHT, Light
from common.models.model import Model
from common.runs.store_location import HASH_TAG, LIGHT_TAG, ORIGIN_TAG, WEIGHTS
from sdss_gs import __version__
from sdss_gs.files import sha256

ARTIFACT = "model"


def log_model(
    model: Model,
    example: dict[str, np.ndarray],
    *,
    facts: Mapping | None = None,
    light: Light = NO_LIGHT,
    register: bool = True,
    original: Path | None = None,
) -> str:
    """Log a model to the active run, with signature, input example and SHA-256, and register it.

    Parameters
    ----------
    model : Model
    example : dict of str to ndarray
        Inputs of one object as the network wants them, kept with the model.
    facts : mapping, optional
        What it takes to use the model; by default `Model.facts`. The zoo's version is added.
    light : Light
        Its light form, if there is one.
    register : bool
        Whether to add a version to the registry.
    original : Path, optional
        File of the network, to be kept byte for byte.

    Returns
    -------
    str
        ``models:/<name>/<version>``, or ``models:/<id>`` where the model is not registered.
    """
    signature = ModelSignature(
        inputs=Schema([TensorSpec(array.dtype, (-1, *array.shape[1:]), key) for key, array in example.items()]),
        outputs=Schema([TensorSpec(np.dtype("float32"), (-1, one.size), one.name) for one in model.outputs]),
    )
    facts = dict(facts or model.facts())
    with warnings.catch_warnings(), _as_it_is():
        # MLflow and what it calls warn about their own deprecations, which no user of the zoo can act on.
        warnings.simplefilter("ignore")
        # MLflow's Keras flavour cannot save an input example (3.17); the TensorFlow one keeps the same .keras file.
        logged = mlflow.tensorflow.log_model(
            model.network,
            name=ARTIFACT,
            signature=signature,
            input_example=example,
            pip_requirements=[f"tensorflow=={tf.__version__}", f"keras=={keras.__version__}"],
            metadata={"zoo_version": __version__} | facts | {"light": light.said},
        )
    client, files = MlflowClient(), [original] if original else []
    files += [light.folder / file for file in light.files]
    for file in files:
        client.log_model_artifact(logged.model_id, str(file), str(Path(WEIGHTS).parent))
    hashed = {HASH_TAG: sha256(Path(mlflow.artifacts.download_artifacts(logged.model_uri)) / WEIGHTS)}
    if light.files:
        hashed[LIGHT_TAG] = json.dumps(light.files)
    if origin := facts.get("origin"):
        hashed[ORIGIN_TAG] = origin
    client.set_logged_model_tags(logged.model_id, hashed)
    if not register:
        return logged.model_uri
    # As the last step, and with its hash: a run that is killed before leaves no version that nobody can open.
    return f"models:/{model.name}/{mlflow.register_model(logged.model_uri, model.name, tags=hashed).version}"


@contextmanager
def _as_it_is() -> Iterator[None]:
    """Keep MLflow from two things that take a tenth of a short run, and of which it only warns.

    It searches the files of all installed packages for the modules of the few that are required, to say whether these
    are installed in the versions required: those of this process. And it opens the model again and predicts the
    example, which `common.models.light_export` and the tests do.
    """
    searched = getattr(requirements_utils, "_MODULES_TO_PACKAGES", None)
    validate = getattr(model_utils, "_validate_serving_input", None)
    requirements_utils._MODULES_TO_PACKAGES = searched or {}
    model_utils._validate_serving_input = lambda **_: None
    try:
        yield
    finally:
        requirements_utils._MODULES_TO_PACKAGES = searched
        model_utils._validate_serving_input = validate
