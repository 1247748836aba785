"""w2r: redshift from the four WISE magnitudes.

Input ``wise`` (batch, 4) float32, Vega mag → output ``redshift`` (batch, 1).
``reference``, the network of astromlp-models (https://github.com/nunorc/astromlp-models), 1,258 parameters:
standardised magnitudes, two dense layers.
``fast``: magnitudes and colours, three dense layers.
"""

from common.networks.fast import dense, magnitudes_and_colours
from common.networks.layers import dense_stack, standardise
from common.train import run


def reference(wise):
    """Turn the magnitudes into 32 features."""
    return dense_stack(standardise(wise), (32, 32))


def fast(wise):
    """Turn the magnitudes into 128 features."""
    return dense(magnitudes_and_colours(wise, 4), (128, 128, 128))


if __name__ == "__main__":
    run(__file__, reference, fast)
