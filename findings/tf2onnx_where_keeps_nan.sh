#!/usr/bin/env bash
# tf2onnx 1.17.0: a choice that keeps NaN out of a TensorFlow network lets it through in the ONNX file.
# Guess: tf.where(tf.math.is_finite(x), x, 0) becomes ONNX's Where, and gives 0 where x is NaN, as in TensorFlow.
# Seen:  it becomes x times the condition plus 0 times its opposite, and NaN times 0 is NaN. Only where the condition itself is
#        is_nan, or a constant NaN is chosen, is a Where written. Nothing is said, and a check with finite numbers sees nothing.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check tensorflow==2.21.0 tf2onnx==1.17.0 onnxruntime==1.32.0 onnx==1.23.2
cd "$folder"
TF_CPP_MIN_LOG_LEVEL=3 CUDA_VISIBLE_DEVICES= "$folder/venv/bin/python" - <<'PYTHON' 2> errors.txt || { tail -5 errors.txt; exit 1; }
import numpy as np
import onnxruntime
import tensorflow as tf
import tf2onnx

WAYS = {
    "where(is_finite(x), x, 0)": lambda x: tf.where(tf.math.is_finite(x), x, 0.0),
    "where(is_nan(x), 0, x)": lambda x: tf.where(tf.math.is_nan(x), 0.0, x),
}
values, seen = np.array([[1.0, np.nan]], np.float32), {}
for name, way in WAYS.items():
    network = tf.function(way, input_signature=[tf.TensorSpec((None, 2), tf.float32, name="x")])
    model, _ = tf2onnx.convert.from_function(network, network.input_signature, opset=15)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (found,) = session.run(None, {"x": values})
    kinds = ", ".join(node.op_type for node in model.graph.node)
    print(f"{name:26} TensorFlow {network(values).numpy().tolist()}  ONNX {found.tolist()}  ({kinds})")
    assert network(values).numpy().tolist() == [[1.0, 0.0]]
    seen[name] = bool(np.isnan(found).any())
assert list(seen.values()) == [True, False], "the behaviour has changed"
PYTHON
