"""A network as TensorFlow's SavedModel, for TensorFlow Serving, TensorFlow.js or C++."""

from __future__ import annotations

import json
import warnings
from pathlib import Path

from common.backend import keras, tf
from common.elsewhere.description import describe
from common.models.model import Model

DESCRIPTION = "description.json"


def write_saved_model(model: Model, licence: str, folder: Path) -> None:
    """Write a model into a folder: Keras's export, and what its values mean.

    The signature ``serve``, also the default one, has the inputs of the stored model by name, of any number of objects,
    and its outputs by name.

    Parameters
    ----------
    model : Model
        Run by Keras.
    licence : str
    folder : Path
    """
    network = model.network
    signature = {
        name: tf.TensorSpec((None, *array.shape[1:]), array.dtype, name=name) for name, array in model.example().items()
    }

    def serve(inputs: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        answers = network(inputs)
        return {model.outputs[0].name: answers} if model.flat else answers

    with warnings.catch_warnings():
        # Keras and TensorFlow warn about their own deprecations, which no user of the zoo can act on.
        warnings.simplefilter("ignore")
        archive = keras.export.ExportArchive()
        archive.track(network)
        archive.add_endpoint("serve", serve, input_signature=[signature])
        archive.write_out(folder, verbose=False)
    (folder / DESCRIPTION).write_text(json.dumps(describe(model, {}, licence), indent=1))
