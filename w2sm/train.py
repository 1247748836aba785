"""w2sm: stellar mass from the four WISE magnitudes.

Input ``wise`` (batch, 4) float32, Vega mag → output ``smass`` (batch, 1), log10 Msun.
1,258 parameters. The network of astromlp-models (https://github.com/nunorc/astromlp-models):
standardised magnitudes, two dense layers.
"""

from common.layers import dense_stack, standardise
from common.train import run


def features(wise):
    """Turn the magnitudes into 32 features."""
    return dense_stack(standardise(wise), (32, 32))


if __name__ == "__main__":
    run(__file__, features)
