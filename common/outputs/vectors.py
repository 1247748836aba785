"""Distributions as the field publishes them: a vector of numbers for each object."""

from __future__ import annotations

import numpy as np

from common.outputs.column import GRID, LONGEST, Column, Vector
from common.outputs.kinds import kind_of
from common.outputs.kinds.number import FILE_UNITS
from sdss_gs.schema import Output

LEVELS = (0.01, *(round(0.05 * number, 2) for number in range(1, 20)), 0.99)
"""Of quantiles: close enough that what lies between them can be drawn."""


def vector_columns(output: Output, form: str) -> dict[str, Column]:
    """Say what the column of an output's distributions holds.

    Parameters
    ----------
    output : Output
    form : str
        `GRID`: ``<output>_pdf``, the density in each bin of the model's own grid, whose integral is 1; of masses per
        dex. `QUANTILES`: ``<output>_quantiles``, at `LEVELS`, in the output's unit. Empty: none is wanted.

    Returns
    -------
    dict of str to Column
        By its name; none where none is wanted or the output has no distribution.
    """
    if not output.grid or not form:
        return {}
    kind = kind_of(output)
    if form == GRID:
        text = f"density in the bins of {output.name}_pdf_grid ({kind.axis_label})"
        ucd, vector = f"stat.probability;{kind.ucd}" if kind.ucd else "", Vector(kind.axis_label, borders=output.grid)
        return {f"{output.name}_pdf": Column(text[:LONGEST], ucd, vector=vector)}
    vector, unit = Vector(output.name, levels=LEVELS), FILE_UNITS.get(output.unit, output.unit)
    text = f"quantiles at the levels of {output.name}_quantiles_levels"
    return {f"{output.name}_quantiles": Column(text[:LONGEST], kind.ucd, unit, vector)}


def vectors(output: Output, form: str, shares: np.ndarray) -> np.ndarray:
    """Turn shares of bins into what `vector_columns` says, float32 ``(n, m)``.

    Parameters
    ----------
    output, form
        As for `vector_columns`.
    shares : ndarray, shape (n, bins)
    """
    if form == GRID:
        return (shares / np.diff(output.grid)).astype(np.float32)
    return kind_of(output).at(shares, LEVELS).astype(np.float32)
