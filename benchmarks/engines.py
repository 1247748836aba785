"""(h) The network alone: TensorFlow, onnxruntime and OpenVINO on the same arrays, and what lower precision costs."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from unittest import mock

import numpy as np

from common.backend import keras
from common.data.training_data import TrainingData
from common.models.light import WHOLE, LightRuntime, open_light
from common.models.light_export import write_light
from common.models.model import Model
from common.models.running import serving_inputs
from common.networks import inputs
from common.networks.build import build_flat
from common.outputs.kinds import kind_of
from common.outputs.metrics import score
from common.project import read_project
from common.training.compile import begin_at_constants
from sdss_gs.errors import DataError
from sdss_gs.schema import Input, parse_model_name

from .networks import network_of, open_project, packed_epoch, prepared, stored, stored_of
from .settings import ARCHITECTURES, ROOT, Settings
from .timing import in_turn, rate, ratio

THREADS = 2
BATCHES = (1, 32, 512)
SHORTEST = 0.05
"""Seconds for which a way is called again and again, so that the clock does not matter."""
PREDICT_BATCH, PREDICT_ROWS = 64, 8192
"""Objects and rows per step of `keras.Model.predict`, as the zoo called it until models had a light form."""
EPOCHS = 200
"""Of the network whose score is measured: seconds on a thousand galaxies."""

View = dict[str, np.ndarray]
Way = Callable[[View], np.ndarray]


def measure(settings: Settings, model: str, architecture: str = "") -> list[dict]:
    """Time one network, or, without an architecture, compare what lower precision does to a trained model's score."""
    allowed = sorted(os.sched_getaffinity(0))[:THREADS]
    # Before any engine has made its threads: each counts the processors that it may use.
    os.sched_setaffinity(0, allowed)
    folder = Path(settings.work) / f"engines-{model}-{architecture}"
    return _speed(settings, model, architecture, folder) if architecture else _score(settings, model, folder)


# === Speed ===


def _speed(settings: Settings, name: str, architecture: str, folder: Path) -> list[dict]:
    project = read_project(ROOT / name)
    item, output = project.input, project.output

    def built() -> Model:
        network = build_flat(item, output, item.shape, network_of(project, architecture), name)
        return stored(network, (item,), (output,), {item.name: item.shape})

    model = built()
    with mock.patch.object(inputs, "_arcsinh", keras.ops.arcsinh):
        before = built()
    arrays = _random(item, settings.pick(max(BATCHES), 32))
    ways = _ways(model, before, _light(model, arrays, folder), folder)
    rows = []
    for batch in settings.pick(BATCHES, BATCHES[:2]):
        view = serving_inputs(item, arrays[item.name][:batch])
        calls = {way: _often(run, view, batch) for way, run in ways.items()}
        rates = in_turn(calls, settings.pick(3 if batch < BATCHES[-1] else 2, 1))
        rows.append(
            {
                "part": "engines",
                "kind": "speed",
                "model": name,
                "network": architecture,
                "batch": batch,
                **{f"{way}_per_s": rate(rates, way) for way in rates},
                "gain": ratio(rates, "onnxruntime", "before"),
            }
        )
    return rows


def _often(run: Way, view: View, batch: int) -> Callable[[], int]:
    def work() -> int:
        began, done = time.perf_counter(), 0
        while time.perf_counter() - began < SHORTEST:
            run(view)
            done += batch
        return done

    return work


def _random(item: Input, count: int) -> View:
    """Make arrays of an input that look like galaxies to every check: magnitudes, bytes, or flux."""
    random = np.random.default_rng(0)
    if np.dtype(item.dtype).kind == "u":
        return {item.name: random.integers(0, 256, (count, *item.shape), item.dtype)}
    centre = 17 if item.columns else 1
    return {item.name: random.normal(centre, 0.5, (count, *item.shape)).astype(item.dtype)}


# === Score ===


def _score(settings: Settings, name: str, folder: Path) -> list[dict]:
    """Train a model of magnitudes for a moment, and let every way predict the galaxies that it was not trained on."""
    project, options, data = open_project(parse_model_name(name)[0].name, Path(settings.source))
    rows = []
    for architecture in ARCHITECTURES:
        network, _ = prepared(project, options, data, architecture, "float32")
        begin_at_constants(network, data)
        epoch = packed_epoch(network, data)
        for _ in range(settings.pick(EPOCHS, 2)):
            epoch()
        rows += _scores(stored_of(network, data), architecture, data, folder / architecture)
    return rows


def _scores(model: Model, architecture: str, data: TrainingData, folder: Path) -> list[dict]:
    (item,), (output,) = model.inputs, model.outputs
    parts = ("validation", "test")
    objects = np.concatenate([data.parts[part][data.known(part, output.name)] for part in parts])
    truth = np.concatenate([data.truth(part, output.name) for part in parts])
    arrays = {item.name: data.gather(objects)[item.name]}
    view = serving_inputs(item, arrays[item.name])
    ways = _ways(model, model, _light(model, arrays, folder), folder)
    answers = {way: kind_of(output).decode(run(view)) for way, run in ways.items()}
    scores = {way: score(output, truth, answer)["nmad"] for way, answer in answers.items()}
    return [
        {
            "part": "engines",
            "kind": "score",
            "model": model.name,
            "network": architecture,
            "way": way,
            "objects": len(truth),
            "largest_difference": float(np.abs(answers[way] - answers["tensorflow"]).max()),
            "nmad": scores[way],
            "change_in_%": 100 * (scores[way] / scores["tensorflow"] - 1),
        }
        for way in ways
    ]


# === The ways ===


def _light(model: Model, arrays: View, folder: Path) -> LightRuntime:
    folder.mkdir(parents=True)
    light = write_light(model, {name: values[:64] for name, values in arrays.items()}, folder)
    if not light.files:
        raise DataError(f"{model.name}: expected a light form to measure, found {light.said}")
    return open_light(folder, light.files)


def _ways(model: Model, before: Model, light: LightRuntime, folder: Path) -> dict[str, Way]:
    """Return what answers for each way, by its name; of OpenVINO none where it is not installed.

    Parameters
    ----------
    model : Model
    before : Model
        The same with the network as it was built until it had a light form.
    light : LightRuntime
    folder : Path
        Of its files.
    """
    output, items = model.outputs[0].name, model.inputs
    network = model.runtime
    step = PREDICT_ROWS if items[0].columns else PREDICT_BATCH

    def predict(view: View) -> np.ndarray:
        few = len(next(iter(view.values()))) <= step
        asked = before.network
        return asked.predict_on_batch(view) if few else asked.predict(view, batch_size=step, verbose=0)

    ways: dict[str, Way] = {
        "before": predict,
        "tensorflow": lambda view: network.answer(view, items)[output],
        "onnxruntime": lambda view: light.answer(view, items)[output],
    }
    if int8 := _int8(folder):
        ways["onnxruntime_int8"] = lambda view: int8.answer(view, items)[output]
    if find_spec("openvino"):
        ways["openvino"] = _openvino(folder / WHOLE, output, "f32")
        if _has_bfloat16():
            ways["openvino_bfloat16"] = _openvino(folder / WHOLE, output, "bf16")
    return ways


def _int8(folder: Path) -> LightRuntime | None:
    """Make dynamic int8 of a light form's weights; None of a network whose operations have no such form."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    path = folder / "int8" / WHOLE
    path.parent.mkdir()
    # What it lacks it says in many ways, only when the file is opened.
    with suppress(Exception):
        # Convolutions take only unsigned weights.
        quantize_dynamic(folder / WHOLE, path, weight_type=QuantType.QUInt8)
        runtime = LightRuntime(path.parent, {WHOLE: path.read_bytes()})
        return runtime if runtime.sessions else None
    return None


def _has_bfloat16() -> bool:
    """Tell whether OpenVINO would take bfloat16 on this processor, as it does by itself where it can."""
    import openvino

    return "BF16" in openvino.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")


def _openvino(path: Path, output: str, precision: str) -> Way:
    """Compile a light form by OpenVINO."""
    import openvino

    settings = {
        "INFERENCE_PRECISION_HINT": precision,
        "INFERENCE_NUM_THREADS": THREADS,
        "PERFORMANCE_HINT": "LATENCY",
    }
    request = openvino.Core().compile_model(path, "CPU", settings).create_infer_request()
    return lambda view: request.infer(dict(view), share_inputs=True)[output]
