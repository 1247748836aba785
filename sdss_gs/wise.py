"""Reader of ``wise``: the four WISE magnitudes of the catalogue."""

import numpy as np

from .catalogue import Catalogue
from .schema import INPUTS


def read(catalogue: Catalogue) -> np.ndarray:
    """Return W1–W4, Vega mag, float32 ``(n, 4)``; NaN where missing. Upper limits are not told from detections."""
    return catalogue.table(INPUTS["wise"].columns)
