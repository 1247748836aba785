"""The model store is MLflow's registry: a Keras model with named inputs, registered under the zoo's name."""

from __future__ import annotations

import warnings

import mlflow
import mlflow.tensorflow
import numpy as np
from mlflow.models import ModelSignature
from mlflow.types import Schema, TensorSpec

from sdss_gs import __version__
from sdss_gs.schema import Input, Output

from .backend import keras, tf

ARTIFACT = "model"


def log_model(
    model: keras.Model, name: str, item: Input, output: Output, example: np.ndarray, register: bool = True
) -> str:
    """Log a model to the active run and register it.

    Parameters
    ----------
    model : keras.Model
    name : str
        Name in the registry, for example ``i2r``.
    item, output : Input, Output
    example : ndarray, shape (1, ...)
        An input, kept with the model.
    register : bool
        Whether to add a version to the registry.

    Returns
    -------
    str
        URI by which ``mlflow.tensorflow.load_model`` finds the model.
    """
    width = max(1, len(output.classes))
    signature = ModelSignature(
        inputs=Schema([TensorSpec(np.dtype(item.dtype), (-1, *example.shape[1:]), item.name)]),
        outputs=Schema([TensorSpec(np.dtype("float32"), (-1, width), output.name)]),
    )
    unit = "log10 Msun" if output.name == "smass" else output.unit
    # MLflow's Keras flavour cannot save an input example (3.17); the TensorFlow one keeps the same .keras file.
    with warnings.catch_warnings():
        # MLflow and what it calls warn about their own deprecations, which no user of the zoo can act on.
        warnings.simplefilter("ignore")
        logged = mlflow.tensorflow.log_model(
            model,
            name=ARTIFACT,
            signature=signature,
            input_example={item.name: example},
            registered_model_name=name if register else None,
            pip_requirements=[f"tensorflow=={tf.__version__}", f"keras=={keras.__version__}"],
            metadata={"zoo_version": __version__, "unit": unit, "classes": list(output.classes)},
        )
    return f"models:/{name}/{logged.registered_model_version}" if register else logged.model_uri
