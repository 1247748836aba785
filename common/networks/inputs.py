"""How raw input enters a network: the first operation of every model with that input, saved inside it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sdss_gs.schema import Input

if TYPE_CHECKING:
    from common.backend import keras

PRESENT = "present"
"""Name of the input of a fused network that says which of the others an object has."""
ENCODER, FUSION = "_encoder", "fusion"
"""In a fused network: end of the name of the part that sees an input; the part behind all of these."""
STRETCHES = ("asinh", "none")
SOFTENING = 0.05
"""Nanomaggies per pixel at which the stretch turns from linear to logarithmic: about the noise of a frame."""
STRETCHED_SCALE = 4.0
"""Divides the stretched flux, so that galaxies' centres are of order one."""


def enter(item: Input, values: keras.KerasTensor, stretch: str = "asinh") -> keras.KerasTensor:
    """Bring an input to numbers of order one.

    Parameters
    ----------
    item : Input
    values : KerasTensor, shape (batch, ...)
        Raw input, dtype of the schema.
    stretch : str
        For ``fits``: ``asinh`` (Lupton, Gunn & Szalay 1999, AJ 118, 1406), or ``none`` for plain nanomaggies.

    Returns
    -------
    KerasTensor of the same shape
        ``img`` in 0..1; ``fits`` stretched; spectra and magnitudes as they are (their networks standardise them).
    """
    if item.name == "img":
        from common.backend import keras

        return keras.layers.Rescaling(1 / 255)(values)
    if item.name == "fits" and stretch == "asinh":
        return _arcsinh(values / SOFTENING) / STRETCHED_SCALE
    return values


def _arcsinh(values: keras.KerasTensor) -> keras.KerasTensor:
    """Return arcsinh by a logarithm, which TensorFlow computes five times as fast on a CPU, to 3e-7."""
    from common.backend import keras

    size = keras.ops.abs(values)
    return keras.ops.sign(values) * keras.ops.log(size + keras.ops.sqrt(values * values + 1))
