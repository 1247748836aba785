"""Summaries of runs, made by hand."""

from pathlib import Path

import numpy as np

from common.judge.summary import Summary
from common.outputs.metrics import score
from sdss_gs.schema import OUTPUTS, parse_model_name

SCORES = {
    "b2r": {"nmad": 0.02680, "bias": -0.00071, "outlier_fraction_05": 0.05834},
    "gradient boosting": {"nmad": 0.01990, "bias": 0.00203, "outlier_fraction_05": 0.01042},
    "mean": {"nmad": 0.05380, "bias": 0.00853, "outlier_fraction_05": float("nan")},
}
INTERVALS = {
    "b2r": {"nmad": (0.02414, 0.02966), "bias": (-0.00312, 0.00188), "outlier_fraction_05": (0.0321, 0.0846)},
    "gradient boosting": {"nmad": (0.01770, 0.02240)},
    "mean": {},
}


def summary(model="b2r", **changes):
    """Make a summary by hand, without pictures."""
    item, output = parse_model_name(model)
    values = {
        "model": model,
        "input": item,
        "output": output,
        "run_id": "3350f83cfdb14aeb",
        "created": "2026-11-21T02:30:11+00:00",
        "architecture": ["dense    Dense    (None, 32)    192"],
        "parameters": 1292,
        "options": {"epochs": 20, "learning_rate": 0.001, "ds": Path("/data/sky")},
        "data": {
            "name": "sdss-gs",
            "fingerprint": "9f8a3c21",
            "description": "/data/sky: 2,000 objects\nmodelMag_u: 3 (-9999)",
            "objects": {"train": 1365, "validation": 310, "test": 309},
        },
        "scores": {model if rival == "b2r" else rival: values for rival, values in SCORES.items()},
        "intervals": {model if rival == "b2r" else rival: values for rival, values in INTERVALS.items()},
        "versions": {"keras": "3.15.0", "numpy": "2.3.1"},
    }
    return Summary(**values | changes)


def classes_summary(**changes):
    truth = np.arange(23).repeat(4)
    probabilities = np.random.default_rng(0).dirichlet(np.ones(23), 92)
    scores = {"i2g": score(OUTPUTS["gz2c"], truth, probabilities)}
    intervals = {"i2g": {metric: (value - 0.02, value + 0.02) for metric, value in scores["i2g"].items()}}
    return summary("i2g", **{"scores": scores, "intervals": intervals} | changes)


def named(data_name):
    return summary().data | {"name": data_name}
