"""Write the light form of a trained network, and keep it only if it says what Keras says."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import reduce
from pathlib import Path

import numpy as np
import onnx
import tf2onnx

from common.backend import keras, tf
from common.models.keras_runtime import fed_heads, joined
from common.models.light import ENCODER, FORMAT, FORMAT_KEY, FUSION, LAYER_KEY, WHOLE, Light, LightRuntime, open_light
from common.models.model import Model
from common.models.repeatable import order_graph
from common.models.running import FEATURES, Arrays, Runtime
from common.models.serving import bare_network, numbers_in, serving_network
from common.networks.inputs import PRESENT
from common.networks.layers import normalisations
from common.networks.parts import decider_of, encoder_of
from common.outputs.distribution import quantiles
from common.outputs.kinds import kind_of
from sdss_gs.errors import ZooError, first_line
from sdss_gs.files import sha256
from sdss_gs.schema import Input

# Else tf2onnx copies the graph before each of its passes, to go back to where one fails: half of the time it takes.
os.environ.setdefault("TF2ONNX_CATCH_ERRORS", "FALSE")

OBJECTS = 256
"""Training objects that the light form is compared on."""
BATCHES = (1, 64)
TOLERANCE, SHARES_TOLERANCE, FEATURES_TOLERANCE = 2e-5, 2e-4, 1e-3
"""Largest difference from what Keras gives in float32, as a share of it where it is above 1: of outputs, of a
distribution its median; of the shares of its bins, which nobody reads one by one; and of the features that feed the
heads. An image's mean, standardised by a small spread, differs by 2e-4 with the sum's order."""
SHARES = " shares"
"""Ends the name of an output whose shares of bins are compared, beside its median."""


def write_light(model: Model, objects: Arrays, folder: Path) -> Light:
    """Write a model's network as ONNX files, and compare them with Keras.

    Parameters
    ----------
    model : Model
        Run by Keras.
    objects : mapping of str to ndarray
        Inputs of some training objects, ``(n, ...)`` by input; of a model whose inputs may be missing also what is
        present.
    folder : Path
        Is there.

    Returns
    -------
    Light
        Without files where the network has an operation that ONNX lacks, or what they say differs.
    """
    if (backend := keras.backend.backend()) != "tensorflow":
        return Light(folder, said=f"none: Keras writes it on TensorFlow only, and this run used {backend}")
    try:
        files = [_write(network, path, model) for path, network in _networks(model, folder)]
        digests = {path.name: sha256(path) for path in files}
        farthest = compare(model, open_light(folder, digests), objects)
    except ZooError as error:
        return Light(folder, said=f"none: {first_line(error)}")
    count = len(next(iter(objects.values())))
    said = f"onnxruntime differs from Keras by at most {farthest:.1e} on {count} training objects, alone and in batches"
    return Light(folder, digests, said)


def _networks(model: Model, folder: Path) -> Iterator[tuple[Path, keras.Model]]:
    """Yield the networks of a model's light form, whose outputs have names, with the files they go into."""
    network = model.network
    bare, features = bare_network(decider_of(network)), joined(fed_heads(network, model.outputs))
    heads = {model.outputs[0].name: bare.output} if model.flat else bare.output
    together = keras.Model(bare.input, {**heads, FEATURES: features}, name=bare.name)
    if model.flat:
        yield folder / WHOLE, serving_network(together, model.inputs)
        return
    yield folder / FUSION, _without_numbers(together)
    for item in model.inputs:
        encoder = encoder_of(network, item)
        entry = keras.Input(encoder.input.shape[1:], name=item.name, dtype=item.dtype)
        features = encoder(entry)
        if np.dtype(item.dtype).kind == "f":
            # A network of magnitudes takes NaN for a missing one, also where it was not trained to; and a maximum of
            # NaN and a number is the number to some.
            features = keras.ops.where(numbers_in(item, entry), features, np.nan)
        yield folder / ENCODER.format(item.name), keras.Model({item.name: entry}, {FEATURES: features})


def _without_numbers(fusion: keras.Model) -> keras.Model:
    """Put around a fusion what makes its answers NaN where features that are there are: ReLU may turn NaN into 0."""
    present, features = fusion.input[PRESENT], {name: one for name, one in fusion.input.items() if name != PRESENT}
    has = keras.ops.split(present > 0, len(features), axis=1)
    finite = [
        ~there | keras.ops.all(keras.ops.isfinite(one), axis=-1, keepdims=True)
        for there, one in zip(has, features.values(), strict=True)
    ]
    good = reduce(keras.ops.logical_and, finite)
    answers = {name: keras.ops.where(good, one, np.nan) for name, one in fusion(fusion.input).items()}
    return keras.Model(fusion.input, answers)


# === One file ===


def _write(network: keras.Model, path: Path, model: Model) -> Path:
    """Write a network as ONNX, with inputs and outputs called as they are there; return the file.

    Raises
    ------
    ZooError
        If it has an operation that ONNX lacks.
    """
    with _constants(network), _heard(logging.getLogger("tf2onnx")) as complaints, warnings.catch_warnings():
        # Keras asks numpy whether it has a name that it will have one day.
        warnings.simplefilter("ignore")
        try:
            # Not by Keras' `export`, which traces the network twice more to look for tables that it does not have.
            inputs = {name: tf.TensorSpec(one.shape, one.dtype, name) for name, one in network.input.items()}
            graph, _ = tf2onnx.convert.from_function(tf.function(network, [inputs], autograph=False), [inputs])
            # Keras names outputs by their order, which is that of their names.
            _rename(
                graph.graph, dict(zip((one.name for one in graph.graph.output), sorted(network.output), strict=True))
            )
            _average_axis_by_axis(graph.graph)
            _hold_kernels_as_keras(graph.graph)
            order_graph(graph.graph)
            onnx.checker.check_model(graph)
        except Exception as error:
            # Whatever the converter raises on an operation it does not know.
            raise ZooError(
                f"ONNX has no form of this network ({complaints[0] if complaints else first_line(error)})"
            ) from None
    if complaints:
        # It only logs what it cannot convert, and writes the file all the same.
        raise ZooError(f"ONNX has no form of this network ({complaints[0]})")
    onnx.helper.set_model_props(graph, {FORMAT_KEY: str(FORMAT), LAYER_KEY: model.runtime.layer})
    onnx.save(graph, path)
    return path


def _rename(graph: onnx.GraphProto, names: Mapping[str, str]) -> None:
    for node in graph.node:
        for ends in (node.input, node.output):
            ends[:] = [names.get(end, end) for end in ends]
    for output in graph.output:
        output.name = names[output.name]


def _average_axis_by_axis(graph: onnx.GraphProto) -> None:
    """Average images along their rows, then along what is left.

    Over both axes at once onnxruntime 1.32 adds up the pixels of two images or more one by one in float32: the mean of
    150 × 150 errs by 1e-5, and a feature that is standardised by a small spread by 2e-4.
    """
    nodes = []
    for node in graph.node:
        axes = next((list(one.ints) for one in node.attribute if one.name == "axes"), [])
        if node.op_type == "ReduceMean" and len(axes) > 1:
            rows = f"{node.output[0]}/rows"
            nodes.append(onnx.helper.make_node("ReduceMean", node.input, [rows], axes=[max(axes)], keepdims=1))
            node.input[:] = [rows]
        nodes.append(node)
    del graph.node[:]
    graph.node.extend(nodes)


def _hold_kernels_as_keras(graph: onnx.GraphProto) -> None:
    """Store the kernels of convolutions with their axes in Keras' order, and turn them when the file is opened.

    A file that holds both forms then holds the same bytes twice, which compression finds.
    """
    fed = {node.input[1] for node in graph.node if node.op_type == "Conv"}
    for kernel in [one for one in graph.initializer if one.name in fed]:
        values, turned = onnx.numpy_helper.to_array(kernel), f"{kernel.name}/turned"
        kernel.CopyFrom(onnx.numpy_helper.from_array(np.ascontiguousarray(values.transpose(2, 3, 1, 0)), turned))
        graph.node.insert(
            0, onnx.helper.make_node("Transpose", [turned], [turned.removesuffix("/turned")], perm=[3, 2, 0, 1])
        )


@contextmanager
def _constants(network: keras.Model) -> Iterator[None]:
    """Hold the statistics of `Normalization` layers as arrays: as tensors they become inputs of the ONNX file."""
    layers = list(normalisations(network))
    kept = [(layer.mean, layer.variance) for layer in layers]
    try:
        for layer in layers:
            layer.mean, layer.variance = np.asarray(layer.mean), np.asarray(layer.variance)
        yield
    finally:
        for layer, (mean, variance) in zip(layers, kept, strict=True):
            layer.mean, layer.variance = mean, variance


class _Errors(logging.Handler):
    def __init__(self):
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(" ".join(record.getMessage().split())[:200])


@contextmanager
def _heard(logger: logging.Logger) -> Iterator[list[str]]:
    """Collect the errors that a logger is told, and keep it from writing."""
    handler, propagates = _Errors(), logger.propagate
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield handler.texts
    finally:
        logger.removeHandler(handler)
        logger.propagate = propagates


# === The comparison ===


def compare(model: Model, light: LightRuntime, objects: Arrays) -> float:
    """Compare a light form with Keras on some objects: one by one, in batches, in another order, and without numbers.

    Parameters
    ----------
    model : Model
        Run by Keras.
    light : LightRuntime
    objects : mapping of str to ndarray
        As for `write_light`.

    Returns
    -------
    float
        Largest difference of an output, see `TOLERANCE`.

    Raises
    ------
    ZooError
        If the difference is larger than that, or an input that is no number has an answer.
    """
    inputs = {item.name: _with_gaps(item, objects[item.name]) for item in model.inputs}
    present = objects[PRESENT] > 0 if PRESENT in objects else np.ones((len(next(iter(inputs.values()))), 1), bool)
    asked = _asker(model)
    expected = asked(model.runtime, inputs, present)
    farthest = dict.fromkeys(expected, 0.0)
    count = len(present)
    orders = [np.arange(count)[start : start + size] for size in BATCHES for start in range(0, count, size)]
    for rows in (*orders, np.arange(count)[::-1]):
        found = asked(light, {name: values[rows] for name, values in inputs.items()}, present[rows])
        for name, before in farthest.items():
            farthest[name] = np.max([before, _difference(found[name], expected[name][rows])])
    for name, difference in farthest.items():
        limit = FEATURES_TOLERANCE if name == FEATURES else SHARES_TOLERANCE if name.endswith(SHARES) else TOLERANCE
        if not difference <= limit:
            raise ZooError(f"onnxruntime differs from Keras by {difference:.1e}, more than {limit}")
    for item in model.inputs:
        chosen = np.flatnonzero(present[:, model.inputs.index(item)])[:1]
        if np.dtype(item.dtype).kind == "f" and len(chosen):
            wrong = {name: values[chosen].copy() for name, values in inputs.items()}
            wrong[item.name].flat[: wrong[item.name].size if item.gaps else 1] = np.nan
            answers = asked(light, wrong, present[chosen])
            if not all(np.isnan(values).all() for values in answers.values()):
                raise ZooError(f"onnxruntime answers where {item.name} is NaN")
    return float(max(farthest[output.name] for output in model.outputs))


def _with_gaps(item: Input, values: np.ndarray) -> np.ndarray:
    """Take one number from every second object, where numbers may be missing: another one each time.

    Not the last magnitude of an object: without any it has no answer, and is not looked at.
    """
    if not item.gaps:
        return values
    values = values.copy()
    rows = np.arange(1, len(values), 2)
    columns = rows // 2 % values.shape[1]
    there = np.isfinite(values[rows, : len(item.magnitudes)])
    there &= np.arange(len(item.magnitudes)) != columns[:, None]
    some = there.any(axis=1)
    values[rows[some], columns[some]] = np.nan
    return values


def _asker(model: Model) -> Callable[[Runtime, Arrays, np.ndarray], dict[str, np.ndarray]]:
    def asked(runtime: Runtime, inputs: Arrays, present: np.ndarray) -> dict[str, np.ndarray]:
        seen = {name: values[present[:, k]] for k, (name, values) in enumerate(inputs.items())}
        view = replace(model, runtime=runtime).encoded(seen, present)
        items = model.inputs if model.flat else ()
        answers, target = runtime.answer(view, items), str(model.reading.get("target", "log"))
        for output in (output for output in model.outputs if output.grid):
            shares = kind_of(output).decode(answers[output.name], target)
            medians = quantiles(shares, output.grid, [0.5])
            # Of what is no number there is none.
            answers |= {
                f"{output.name}{SHARES}": shares,
                output.name: np.where(np.isnan(shares[:, :1]), np.nan, medians),
            }
        return answers | {FEATURES: runtime.features(view, items)}

    return asked


def _difference(found: np.ndarray, expected: np.ndarray) -> float:
    """Return the largest difference, as a share of what is expected where that is above 1; NaN if one is."""
    return float(np.max(np.abs(found - expected) / np.maximum(1.0, np.abs(expected))))
