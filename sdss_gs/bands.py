"""Reader of ``bands``: the five SDSS model magnitudes of the catalogue."""

import numpy as np

from .catalogue import Catalogue
from .schema import INPUTS


def read(catalogue: Catalogue) -> np.ndarray:
    """Return modelMag u, g, r, i, z, mag, float32 ``(n, 5)``; NaN where missing."""
    return catalogue.table(INPUTS["bands"].columns)
