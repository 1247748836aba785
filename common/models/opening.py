"""Find a trained model by its name, and open it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from common.data.novelty import range_from
from common.models.described import DESCRIPTION, LIGHT_ENDING, MODEL_FILE, read_description
from common.models.light import open_light
from common.models.model import ANY, Model
from common.models.names import find_model
from common.models.packed import unpacked
from common.models.running import KERAS, LIGHT, RUNTIMES, Runtime
from common.models.shipped import MARK, meant_shipped, shipped_bytes, shipped_models
from common.outputs.kinds import kind_of
from common.runs.registry import registry
from common.runs.store_location import HASH_TAG, LIGHT_TAG, WEIGHTS
from sdss_gs import __version__
from sdss_gs.errors import OptionError, ZooError, first_line
from sdss_gs.logs import LOG
from sdss_gs.origin import SAMPLE
from sdss_gs.schema import INPUTS, OUTPUTS, Input, Output
from sdss_gs.tables.names import PHOTOMETRY

FACTS = ("inputs", "outputs", "reading", "calibration", "training_range")
"""What is noted of a model beside its network, without which it cannot be used."""


def load(name: str | Path | bytes, runtime: str = "") -> Model:
    """Open a trained model.

    Parameters
    ----------
    name : str, path-like or bytes
        ``i2r``, the champion of that name, or the shipped model where there is none that learnt from real galaxies;
        ``i2r@shipped``, that always; ``i2r/3``, a version; an address as MLflow writes it (``models:/i2r/3``); a folder
        that ``zoo export`` wrote; or what `Model.to_bytes` returns.
    runtime : str
        What runs its network: ``onnxruntime`` or ``keras``; by default the first where the model has a light form.

    Raises
    ------
    ZooError
        If there is no such model, it is not what was stored, or it was stored before models knew how sure they are.
    """
    if isinstance(name, bytes):
        with unpacked(name) as folder:
            return load(folder, runtime)
    if (Path(name) / DESCRIPTION).is_file():
        about = read_description(Path(name))
        light = {file: digest for file, digest in about["files"].items() if file.endswith(LIGHT_ENDING)}
        files = Files(Path(name) / MODEL_FILE, about["sha256"], light)
        return model_of(about["name"], about["version"], files, about["facts"], runtime)
    if shipped := meant_shipped(str(name)):
        if name == shipped and shipped in registry().names():
            LOG.warning("%s: the shipped model; yours, no champion from real galaxies, by its version", name)
        return load(shipped_bytes(shipped), runtime)
    stored, folder, facts = find_model(str(name))
    # A model that is not registered has an id, and the name it was asked for by.
    label, version, digest = stored.name or str(name), stored.version, stored.tags.get(HASH_TAG, "none")
    if name in shipped_models():
        LOG.warning("%s: your champion %s/%s; the shipped model is %s%s", label, label, version, label, MARK)
    LOG.info("model name=%s version=%s sha256=%s", label, version, digest)
    light = json.loads(stored.tags.get(LIGHT_TAG, "{}"))
    return model_of(label, version, Files(folder / WEIGHTS, digest, light), facts, runtime)


@dataclass(frozen=True)
class Files:
    """The files of a stored network.

    Parameters
    ----------
    network : Path
        Keras'.
    sha256 : str
        Its.
    light : dict of str to str
        SHA-256 of the files of its light form, beside it; empty where there is none.
    """

    network: Path
    sha256: str
    light: Mapping[str, str]


def model_of(name: str, version: str, files: Files, facts: Mapping, runtime: str = "") -> Model:
    """Open a stored network with what is known about it.

    Parameters
    ----------
    name, version : str
    files : Files
    facts : mapping
        As `described.facts_of` returns them.
    runtime : str
        As for `load`.

    Raises
    ------
    ZooError
        If something is missing.
    """
    facts = _of_today(facts)
    if missing := [fact for fact in FACTS if fact not in facts]:
        raise ZooError(f"{name}: expected a model with {', '.join(missing)}, found an older one; train it again")
    try:
        # Of magnitudes some may be missing, or have errors.
        widened = {
            key: Input(**fields | {name: tuple(fields[name]) for name in ("shape", "columns")})
            for key, fields in facts.get("own_inputs", {}).items()
        }
        inputs = tuple(widened.get(key, INPUTS[key]) for key in facts["inputs"])
        # A user's own, or votes in another tree than the schema's.
        own = {
            key: Output(**fields | {name: tuple(fields.get(name, ())) for name in ("classes", "grid")})
            for key, fields in facts.get("own_outputs", {}).items()
        }
        outputs = {key: own[key] if key in own else OUTPUTS[key] for key in facts["outputs"]}
        opened = _runtime(name, files, str(facts.get("light", "")), tuple(outputs.values()), runtime)
        return Model(
            name=name,
            version=version,
            sha256=files.sha256,
            inputs=inputs,
            outputs=tuple(outputs.values()),
            runtime=opened,
            shapes={item.name: item.shape if item.columns else opened.shape(item) for item in inputs},
            reading=dict(facts["reading"]),
            costs=facts.get("costs", {}),
            calibrations={
                shown: {key: kind_of(outputs[key]).calibration_from(one) for key, one in by_output.items()}
                for shown, by_output in facts["calibration"].items()
            },
            # Until models noted their photometry they learnt from the zoo's own columns only.
            training_ranges={
                key: range_from({"photometry": PHOTOMETRY.get(key, "")} | one)
                for key, one in facts["training_range"].items()
            },
            # Before spectra of templates were learnt from, what was made was a sample.
            origin=str(facts.get("origin", SAMPLE if facts.get("synthetic") else "")),
            adapted=facts.get("adapted", {}),
            reference=dict(facts.get("reference", {})),
        )
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        # A later zoo may note other things; what is not understood could change what the numbers mean.
        other = f"{facts.get('zoo_version', 'another version')} ({type(error).__name__}: {first_line(error)})"
        raise ZooError(
            f"{name}: expected a model as zoo {__version__} stores it, found one of zoo {other}; "
            "bring the zoo up to date, or train it again"
        ) from None


def _runtime(name: str, files: Files, said: str, outputs: tuple[Output, ...], wanted: str) -> Runtime:
    """Open a stored network.

    Parameters
    ----------
    name : str
    files : Files
    said : str
        What is known of its light form.
    outputs : tuple of Output
    wanted : str
        As for `load`.
    """
    if wanted not in ("", *RUNTIMES):
        raise OptionError(f"runtime: expected {' or '.join(RUNTIMES)}, found {wanted!r}")
    if wanted != KERAS and files.light:
        return open_light(files.network.parent, files.light)
    reason = said or "none: it was stored by a zoo that wrote none"
    if wanted == LIGHT:
        raise ZooError(f"{name}: expected a model with a light form for {LIGHT}, found {reason}")
    if files.light and not files.network.is_file():
        raise ZooError(f"{name}: expected {files.network.name} for {KERAS}, found its light form alone")
    # Not with the others: TensorFlow takes seconds.
    from common.models.keras_runtime import KerasRuntime
    from common.models.safe_file import checked_model

    opened = KerasRuntime(checked_model(files.network, files.sha256), outputs)
    if wanted != KERAS:
        LOG.warning("%s runs by Keras; light form: %s", name, reason)
    return opened


def _of_today(facts: Mapping) -> dict:
    """Say what zoo 0.1 noted of a model with one input and one output as it is noted of any."""
    if not {"input", "output"} <= set(facts):
        return dict(facts)
    own = facts.get("own_output")
    output = own["name"] if own else facts["output"]
    today = dict(facts) | {"inputs": [facts["input"]], "outputs": [output]}
    if own:
        today["own_outputs"] = {output: own}
    if "calibration" in facts:
        today["calibration"] = {ANY: {output: facts["calibration"]}}
    if "training_range" in facts:
        today["training_range"] = {facts["input"]: facts["training_range"]}
    return today
