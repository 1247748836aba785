"""Models by hand in folders as ``zoo export`` writes them, with their light form."""

import json
import warnings

import numpy as np

from common.judge.card import card_data
from common.models.described import MODEL_FILE, write_description
from common.models.light_export import write_light
from common.networks.inputs import PRESENT
from helpers.cards import several_summary, summary
from helpers.trained import MAGNITUDES
from sdss_gs.files import sha256


def exported_folder(folder, model, light=True):
    """Write a model; return its folder as a command takes it."""
    folder.mkdir(parents=True)
    with warnings.catch_warnings():
        # Keras asks numpy for what it has otherwise than numpy wants.
        warnings.simplefilter("ignore")
        model.network.save(folder / MODEL_FILE)
    written = write_light(model, _objects(model), folder) if light else None
    if light:
        assert written.files, written.said
    (folder / "card.json").write_text(json.dumps(_card(model)))
    digest = sha256(folder / MODEL_FILE)
    facts = model.facts() | ({} if light else {"light": "none: ONNX has no form of this network (Erfc)"})
    files = {MODEL_FILE: digest, "card.json": sha256(folder / "card.json")} | (written.files if light else {})
    about = {"name": model.name, "version": model.version, "sha256": digest, "facts": facts, "files": files}
    write_description(folder, about)
    return str(folder)


def _objects(model, count=8):
    """Objects that look like the training objects of models by hand."""
    rng = np.random.default_rng(1)
    seen = {}
    for item in model.inputs:
        usual = np.resize(MAGNITUDES, model.shapes[item.name])
        seen[item.name] = (usual + rng.normal(0, 0.5, (count, *usual.shape))).astype(item.dtype)
    return seen if model.flat else seen | {PRESENT: np.ones((count, len(model.inputs)), np.float32)}


def _card(model):
    if not model.flat:
        return card_data(several_summary())
    (output,) = model.outputs
    scores = {"macro_f1": 0.8} if output.classes else {"nmad": 0.0268, "scatter_dex": 0.2, "rmse37": 0.1}
    return card_data(summary(model.name, scores={model.name: scores}, intervals={}, warnings=["few galaxies"]))
