"""Three bands → a colour picture as SkyServer makes them: the one home of weights, stretch and softening.

They were fitted to real frames and the pictures that the survey made of them. Where two such pictures are brighter than
60 (21,000 pixels), their mean R G B is 115 109 89 and 115 108 88, that of composites made here 117 108 88 and 117 106
86 (smoothed); with equal weights it would be 131 94 55 and 131 93 53, galaxies too red.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sdss_gs.errors import OptionError
from sdss_gs.schema import BANDS

COLOURS = ("i", "r", "g")
"""Bands shown as red, green and blue."""
WEIGHTS = (1.0, 1.285, 1.80)
"""By what these are multiplied before they are composed."""
STRETCH, SOFTENING, BLACK = 0.56, 7.4, -0.02
"""Nanomaggies per pixel of 0.396 arcsec: shown linearly; Lupton's Q, a number; and shown black."""
SMOOTHING = 0.75
"""Pixels of 0.396 arcsec: SkyServer resamples its tiles more than once, and their noise is smoother than a frame's."""


def colour(cutout: np.ndarray) -> np.ndarray:
    """Compose i, r and g of a cut-out to a colour picture, see `compose`.

    Parameters
    ----------
    cutout : ndarray of float32, shape (height, width, 5)

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        The first row is the top.
    """
    return compose([cutout[..., BANDS.index(band)] for band in COLOURS])


def weights_of(text: str) -> tuple[float, ...]:
    """Read weights of red, green and blue as they are typed, ``1,1.285,1.8``.

    Raises
    ------
    OptionError
        If they are not three numbers above 0.
    """
    try:
        weights = tuple(float(part) for part in text.split(","))
    except ValueError:
        weights = ()
    if len(weights) != len(COLOURS) or not all(0 < weight < float("inf") for weight in weights):
        raise OptionError(f"--weights {text}: expected three numbers above 0, of red, green and blue: 1,1.285,1.8")
    return weights


def compose(
    layers: Sequence[np.ndarray],
    stretch: float = STRETCH,
    softening: float = SOFTENING,
    weights: Sequence[float] = WEIGHTS,
    black: float = BLACK,
    smoothing: float = 0.0,
) -> np.ndarray:
    """Compose three aligned bands to a colour picture (Lupton et al. 2004, PASP 116, 133).

    An array's first row is its lowest, a picture's first row its top: the picture is the array upside down, as DS9
    shows it.

    Parameters
    ----------
    layers : sequence of three ndarray of float32, shape (height, width)
        For red, green and blue: nanomaggies per pixel; the sky is 0. A pixel that one of them lacks (NaN) is black.
    stretch, softening : float
        Nanomaggies per pixel shown linearly, and Lupton's Q.
    weights : sequence of three float
        By what the layers are multiplied first.
    black : float
        Nanomaggies per pixel, after that, shown black.
    smoothing : float
        Standard deviation, in pixels, of a Gaussian by which the layers are smoothed; 0 leaves them as they are.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        The first row is the top.
    """
    # Reading and packing do not need astropy's pictures, which take a while to import.
    from astropy.visualization import make_lupton_rgb
    from scipy.ndimage import gaussian_filter

    lacking = ~np.isfinite(sum(layers))
    layers = [np.where(lacking, 0, layer) for layer in layers]
    layers = [gaussian_filter(layer, smoothing) for layer in layers] if smoothing else layers
    weighted = [weight * layer for weight, layer in zip(weights, layers, strict=True)]
    # astropy divides by the intensity before it masks pixels without any.
    with np.errstate(divide="ignore", invalid="ignore"):
        picture = make_lupton_rgb(*weighted, minimum=black, stretch=stretch, Q=softening)
    picture[lacking] = 0
    return picture[::-1]
