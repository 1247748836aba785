"""What is trained on JAX learns, and predicts the same on TensorFlow."""

import os
import subprocess
import sys

import numpy as np
import pandas as pd
from conftest import ROOT, survey_rows
from helpers import needed

from common import load
from common.backend import keras

TRAIN = """
import sys
import pandas as pd
from common.backend import keras
from common.train import train

table, model, answers = sys.argv[1:]
frame = pd.read_csv(table)
trained = train("b2r", frame, epochs=6, learning_rate=0.01, split="all")
with open(model, "wb") as file:
    file.write(trained.to_bytes())
trained.predict(frame).to_parquet(answers)
print(keras.backend.backend())
"""


def test_model_trained_on_jax_learns_and_predicts_the_same_on_tensorflow(tmp_path):
    needed.package("jax")
    table, model, answers = (str(tmp_path / name) for name in ("data.csv", "model", "answers.parquet"))
    frame = pd.DataFrame(survey_rows(300)).replace("", np.nan)
    frame.to_csv(table, index=False)
    environment = os.environ | {"KERAS_BACKEND": "jax", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", TRAIN, table, model, answers]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "jax"
    on_jax, truth = pd.read_parquet(answers), frame["redshift"].astype(float)
    error = (on_jax["redshift"] - truth) / (1 + truth)
    assert 1.4826 * np.median(np.abs(error)) < 0.25 * truth.std()
    assert keras.backend.backend() == "tensorflow"
    on_tensorflow = load((tmp_path / "model").read_bytes(), "keras").predict(table)
    pd.testing.assert_frame_equal(on_tensorflow, on_jax, check_exact=False, rtol=1e-5, atol=1e-5)
