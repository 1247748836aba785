#!/usr/bin/env bash
# onnxruntime 1.32.0: the mean of an image over its rows and columns has other digits alone than in a batch, from the sixth on.
# Guess: ReduceMean gives an image the same mean alone and in a batch, exact to what float32 holds (1e-7).
# Seen:  over both axes at once the means err by several 1e-6, alone by other amounts than in a batch, which no order of the
#        same sum in pairs would do. A network that standardises the mean brightness by a small spread shows it. One axis
#        after the other, all three differences are ten times smaller.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check onnxruntime==1.32.0 onnx==1.23.2 numpy==2.4.6
cd "$folder"
"$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import onnxruntime
from onnx import TensorProto, helper


def mean(*steps):
    """A network that averages images (n, 150, 150, 3), axis after axis."""
    nodes, name = [], "images"
    for number, axes in enumerate(steps):
        nodes.append(helper.make_node("ReduceMean", [name], [f"mean{number}"], axes=axes, keepdims=1))
        name = f"mean{number}"
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["n", 150, 150, 3])
    means = helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 1, 1, 3])
    graph = helper.make_graph(nodes, "mean", [images], [means])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 15)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return lambda values: session.run(None, {"images": values})[0].reshape(-1, 3)


images = np.random.default_rng(0).random((8, 150, 150, 3), np.float32)
exact = images.mean(axis=(1, 2), dtype=np.float64)
both, apart = mean([1, 2]), mean([2], [1])
seen = {}
for name, network in {"both axes at once": both, "one axis after the other": apart}.items():
    batch, alone = network(images), np.concatenate([network(images[row : row + 1]) for row in range(8)])
    seen[name] = [np.abs(one / other - 1).max() for one, other in ((alone, exact), (batch, exact), (alone, batch))]
    print("{:26} error alone {:.1e}, in a batch {:.1e}; between the two {:.1e}".format(name, *seen[name]))
assert min(seen["both axes at once"]) > 1e-6, "the behaviour has changed"
assert max(seen["one axis after the other"]) < 1e-6, "the behaviour has changed"
PYTHON
