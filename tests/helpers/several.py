"""A model with several inputs and outputs, as the tests know it: its folder's functions, patchy data, its task."""

import importlib.util

from conftest import ROOT, survey_rows

from common.data.task import Task
from sdss_gs.schema import INPUTS, OUTPUTS

NAMES = ("redshift", "smass", "subclass", "gz2c")
"""Outputs of x2y where none are named."""


def _functions():
    specification = importlib.util.spec_from_file_location("x2y", ROOT / "x2y" / "train.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return {name: getattr(module, name) for name in (*INPUTS, "fuse")}


FUNCTIONS = _functions()
"""Of the folder x2y: an encoder for each input, and what fuses them."""


def task(inputs=("bands", "wise"), outputs=NAMES):
    """The task of an x2y with inputs and outputs by name."""
    return Task(ROOT / "x2y", tuple(INPUTS[n] for n in inputs), tuple(OUTPUTS[n] for n in outputs), flat=False)


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
