#!/usr/bin/env bash
# Keras 3.15.1 on TensorFlow 2.21.0: `predict` fails in a network that asks integers whether they are finite.
# Guess: `keras.ops.isfinite` of integers is true everywhere, whichever way a network is asked.
# Seen:  called with an array it is, and by `predict` while batches are of one size; where the last one is smaller the
#        network is compiled for any size, and that ends in an error about a partially known shape.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check tensorflow==2.21.0 keras==3.15.1
export CUDA_VISIBLE_DEVICES="" TF_CPP_MIN_LOG_LEVEL=3
"$folder/venv/bin/python" - <<'PYTHON' 2> /dev/null
import keras
import numpy as np

pixels = keras.Input((4,), dtype="uint8")
network = keras.Model(pixels, keras.ops.cast(keras.ops.isfinite(pixels), "float32"))
rows = np.zeros((5, 4), np.uint8)
print("called:   ", np.asarray(network(rows)).min())
try:
    network.predict(rows, batch_size=3, verbose=0)
    said = ""
except Exception as error:
    said = str(error)
print("predicted:", next((line for line in said.splitlines() if "TensorShape" in line), said[:200]))
assert "partially known TensorShape" in said, "the behaviour has changed"
PYTHON
