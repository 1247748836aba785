"""A model with several inputs and outputs, as the tests know it: its folder's functions, patchy data, its networks."""

from conftest import ROOT, survey_rows

from common.backend import keras
from common.data.task import Task
from common.networks.build import build_flat
from common.networks.fused import BaseNetwork, build_encoder, build_fused
from common.networks.inputs import PRESENT, enter
from common.outputs.kinds import kind_of
from common.project import FUSE, functions_of
from sdss_gs.schema import INPUTS, OUTPUTS

NAMES = ("redshift", "smass", "subclass", "gz2c")
"""Outputs of x2y where none are named."""
FUNCTIONS = functions_of(ROOT / "x2y")
"""Of the folder x2y: what joins what the networks of all inputs say."""


def task(inputs=("bands", "wise"), outputs=NAMES):
    """The task of an x2y with inputs and outputs by name."""
    return Task(ROOT / "x2y", tuple(INPUTS[n] for n in inputs), tuple(OUTPUTS[n] for n in outputs), flat=False)


def looked_at(values):
    """Features of a base network: a few pixels, points or magnitudes."""
    flat = values if len(values.shape) == 2 else keras.layers.Flatten()(values)
    return keras.layers.Dense(4, activation="tanh", dtype="float32")(keras.ops.where(keras.ops.isnan(flat), 0.0, flat))


def fused(inputs, outputs, shapes=None):
    """Build a fused network of base networks that have learnt nothing yet."""
    shapes = shapes or {item.name: item.shape for item in inputs}
    encoders = {}
    for item in inputs:
        bases = {
            output.name: BaseNetwork(
                build_flat(item, output, shapes[item.name], looked_at, f"{item.code}2{output.code}"), output, ""
            )
            for output in outputs
        }
        encoders[item.name] = build_encoder(item, shapes[item.name], outputs, bases)
    return build_fused(inputs, outputs, encoders, FUNCTIONS[FUSE], "x2y")


def joined(inputs, outputs, shapes, functions):
    """Build a network of encoders and a fusion by hand, as version 0.1 stored them: what uses a model takes both."""
    entries, features = {}, {}
    for item in inputs:
        entries[item.name] = keras.Input(shapes[item.name], dtype=item.dtype, name=item.name)
        entry = keras.Input(shapes[item.name], dtype=item.dtype, name=item.name)
        features[item.name] = keras.Model(entry, functions[item.name](enter(item, entry)), name=f"{item.name}_encoder")(
            entries[item.name]
        )
    seen = {key: keras.Input(like.shape[1:], dtype="float32", name=key) for key, like in features.items()}
    present = keras.Input((len(inputs),), dtype="float32", name=PRESENT)
    has = keras.ops.split(present, len(inputs), axis=1)
    there = {key: keras.ops.where(one > 0, seen[key], 0.0) for key, one in zip(seen, has, strict=True)}
    heads = {output.name: kind_of(output).attach_head(functions[FUSE](there, present, output)) for output in outputs}
    fusion = keras.Model(seen | {PRESENT: present}, heads, name="fusion")
    shown = keras.Input((len(inputs),), dtype="float32", name=PRESENT)
    return keras.Model(entries | {PRESENT: shown}, fusion(features | {PRESENT: shown}), name="x2y")


def patchy_rows(n):
    """Objects of which some lack magnitudes, WISE, both, or single labels."""
    rows = survey_rows(n)
    for number, row in enumerate(rows):
        if number % 10 in (0, 3):
            row |= {f"modelMag_{band}": "-9999" for band in "ugriz"}
        if number % 10 in (1, 3):
            row |= {f"w{band}mag": "" for band in (1, 2, 3, 4)}
        if number % 5 == 4:
            row["subclass"] = ""
        if number % 7 == 0:
            row["redshift"] = ""
        if number % 9 == 0:
            row["gz2c_s"] = ""
    return rows
