"""The model folders, as the tests know them."""

import importlib.util

from conftest import ROOT

from common.options import ARCHITECTURES

MODELS = sorted({path.parent.name for path in ROOT.glob("*/MLproject")} - {"x2y"})
PARAMETERS = {
    "i2r": 436_220, "i2sm": 436_220, "i2s": 435_263, "i2g": 435_890,
    "f2r": 43_150, "f2sm": 43_150, "f2s": 2_482_321, "f2g": 2_482_948,
    "s2r": 7_215_270, "s2sm": 7_223_686, "s2s": 7_223_785, "s2g": 28_827_228,
    "ss2r": 404_448, "ss2sm": 404_448, "ss2s": 404_547, "ss2g": 405_174,
    "b2r": 1_292, "b2sm": 1_292, "b2s": 1_855, "b2g": 2_018,
    "w2r": 1_258, "w2sm": 1_258, "w2s": 1_821, "w2g": 1_984,
    "i2c": 435_230, "s2c": 7_223_752, "b2c": 1_838, "w2c": 1_804, "i2m": 435_461, "i2v": 436_352,
}  # fmt: skip
"""Counts of the predecessor's networks, the statistics of `Normalization` included; with the head of another output."""


def architectures_of(name):
    specification = importlib.util.spec_from_file_location(name, ROOT / name / "train.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return {kind: getattr(module, kind) for kind in ARCHITECTURES}
