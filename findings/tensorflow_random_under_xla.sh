#!/usr/bin/env bash
# TensorFlow 2.21.0 on CPU: under XLA, random numbers of the algorithm that is selected by default take many times as long.
# Guess: `auto_select` is one of the algorithms that have names, and as fast as that one.
# Seen:  in a function that XLA compiles, `alg="philox"` and `alg="threefry"` take 0.3 ms for 100,000 numbers, and the default 20
#        to 30 ms, a third of the time of a small network that varies its input. `keras.random` does not name the algorithm.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check tensorflow==2.21.0
export CUDA_VISIBLE_DEVICES="" TF_CPP_MIN_LOG_LEVEL=3
"$folder/venv/bin/python" - <<'PYTHON' 2> /dev/null
import time

import tensorflow as tf

seed, times = tf.Variable([1, 2]), {}
for algorithm in ("auto_select", "philox", "threefry"):

    @tf.function(jit_compile=True)
    def draw(algorithm=algorithm):
        return tf.random.stateless_uniform((100_000,), seed, alg=algorithm)

    draw()
    took = []
    for _ in range(10):
        began = time.perf_counter()
        draw()
        took.append(time.perf_counter() - began)
    times[algorithm] = min(took)
    print(f"{algorithm:<12} {1000 * times[algorithm]:6.2f} ms")
assert times["auto_select"] > 10 * max(times["philox"], times["threefry"]), "the behaviour has changed"
PYTHON
