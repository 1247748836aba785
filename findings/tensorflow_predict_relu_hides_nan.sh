#!/usr/bin/env bash
# TensorFlow 2.21.0, Keras 3.15.1, on CPU: `predict` turns NaN into 0 where a dense layer is followed by its ReLU.
# Guess: a number that is not there leaves a NaN behind, whichever way a network is asked.
# Seen:  calling the network gives NaN; `predict` and `predict_on_batch`, which compile it, run the layer and its ReLU as one
#        operation of oneDNN, and the answer is a plausible number, the same for every row with a NaN.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check tensorflow==2.21.0 keras==3.15.1
export CUDA_VISIBLE_DEVICES="" TF_CPP_MIN_LOG_LEVEL=3 TF_ENABLE_ONEDNN_OPTS=1
"$folder/venv/bin/python" - <<'PYTHON' 2> /dev/null
import keras
import numpy as np

keras.utils.set_random_seed(0)
layers = [keras.layers.Dense(32, activation="relu"), keras.layers.Dense(1, bias_initializer="ones")]
network = keras.Sequential([keras.Input((5,)), *layers])
rows = np.array([[18, 17, 16, 16, 15], [18, np.nan, 16, 16, 15], [np.nan, 17, 16, 16, 15]], np.float32)
called, predicted = np.asarray(network(rows)).ravel(), network.predict(rows, verbose=0).ravel()
print("called:   ", called)
print("predicted:", predicted)
assert np.isnan(called[1:]).all(), "the behaviour has changed"
assert np.isfinite(predicted).all() and predicted[1] == predicted[2] == 1, "the behaviour has changed"
PYTHON
