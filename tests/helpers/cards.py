"""Summaries of runs, made by hand."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from common.judge.summary import Summary
from common.outputs.metrics import score
from sdss_gs.origin import SAMPLE
from sdss_gs.schema import INPUTS, OUTPUTS, parse_model_name

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
        "inputs": (item,),
        "outputs": (output,),
        "shapes": {item.name: item.shape},
        "run_id": "3350f83cfdb14aeb",
        "created": "2026-11-21T02:30:11+00:00",
        "architecture": ["dense    Dense    (None, 32)    192"],
        "parameters": 1292,
        "options": {"epochs": 20, "learning_rate": 0.001, "ds": Path("/data/sky")},
        "data": {
            "name": "sdss-gs",
            "synthetic": False,
            "made": {},
            "unlearnt": {},
            "fingerprint": "9f8a3c21",
            "description": "/data/sky: 2,000 objects\nmodelMag_u: 3 (-9999)",
            "objects": {"train": 1365, "validation": 310, "test": 309},
        },
        "scores": {model if rival == "b2r" else rival: values for rival, values in SCORES.items()},
        "intervals": {model if rival == "b2r" else rival: values for rival, values in INTERVALS.items()},
        "versions": {"keras": "3.15.0", "numpy": "2.3.1"},
    }
    # A test says what it changes of the one output.
    for key in ("scores", "intervals", "bins", "coverage"):
        if key in changes or key in values:
            found = changes.pop(key, values.get(key))
            values[key] = {output.name: {model: found} if key == "coverage" and found else found}
    return Summary(**values | changes)


def bin_of(low, high, count, scores, intervals=None):
    """Make a bin of a card."""
    none = {row: {} for row in scores}
    return {"low": low, "high": high, "count": count, "scores": scores, "intervals": none | (intervals or {})}


def classes_summary(**changes):
    truth = np.arange(23).repeat(4)
    probabilities = np.random.default_rng(0).dirichlet(np.ones(23), 92)
    scores = {"i2g": score(OUTPUTS["gz2c"], truth, probabilities)}
    intervals = {"i2g": {metric: (value - 0.02, value + 0.02) for metric, value in scores["i2g"].items()}}
    return summary("i2g", **{"scores": scores, "intervals": intervals} | changes)


def several_summary(**changes):
    """Make a summary of a model with two inputs, of which any may be missing, and two outputs."""
    values = {
        "model": "x2y",
        "inputs": (INPUTS["bands"], INPUTS["wise"]),
        "outputs": (OUTPUTS["redshift"], OUTPUTS["subclass"]),
        "shapes": {"bands": (5,), "wise": (4,)},
        "scores": {
            "redshift": {
                "all inputs": {"galaxies": 250.0, "nmad": 0.02},
                "as available": {"galaxies": 309.0, "nmad": 0.03},
                "only wise": {"galaxies": 260.0, "nmad": 0.01},
                "gradient boosting": {"galaxies": 309.0, "nmad": 0.05},
            },
            "subclass": {
                "all inputs": {"galaxies": 250.0, "macro_f1": 0.7},
                "as available": {"galaxies": 309.0, "macro_f1": 0.6},
                "gradient boosting": {"galaxies": 309.0, "macro_f1": 0.61},
            },
        },
        "intervals": {"redshift": {"all inputs": {"nmad": (0.019, 0.021)}}, "subclass": {}},
        "bins": {"redshift": {"true redshift": [bin_of(0.0, 0.05, 100, {"as available": {"nmad": 0.0312}})]}},
        "coverage": {
            "redshift": {
                row: [{"level": 0.9, "coverage": held, "size": 0.09}]
                for row, held in (("as available", 0.88), ("only bands", 0.9))
            }
        },
    }
    return replace(summary(), **values | changes)


def named(data_name, synthetic=False, **changes):
    made = {"origin": SAMPLE, "n": 2000} if synthetic else {}
    return summary().data | {"name": data_name, "synthetic": synthetic, "made": made} | changes


def summary_of(output, scores):
    """Make a summary of one output of any kind with the scores of the model."""
    return replace(summary(), outputs=(output,), scores={output.name: {"b2r": scores}}, intervals={})


def only_output(card):
    (output,) = card["outputs"]
    return output
