"""b2r: redshift from the five SDSS magnitudes.

Input ``bands`` (batch, 5) float32, mag → output ``redshift`` (batch, 1).
``reference``, the network of astromlp-models (https://github.com/nunorc/astromlp-models), 1,292 parameters:
standardised magnitudes, two dense layers.
``fast``: magnitudes and colours, three dense layers. ``wide``: twice as many units, for 50,000 galaxies and more.
"""

from common.networks.fast import dense, magnitudes_and_colours
from common.networks.layers import dense_stack, standardise
from common.train import run


def reference(bands):
    """Turn the magnitudes into 32 features."""
    return dense_stack(standardise(bands), (32, 32))


def fast(bands):
    """Turn the magnitudes into 128 features."""
    return dense(magnitudes_and_colours(bands, 5), (128, 128, 128))


def wide(bands):
    """Turn the magnitudes into 256 features."""
    return dense(magnitudes_and_colours(bands, 5), (256, 256, 256))


if __name__ == "__main__":
    run(__file__, reference, fast, wide)
