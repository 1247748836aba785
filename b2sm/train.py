"""b2sm: stellar mass from the five SDSS magnitudes.

Input ``bands`` (batch, 5) float32, mag → output ``smass`` (batch, 1), log10 Msun.
1,292 parameters. The network of astromlp-models (https://github.com/nunorc/astromlp-models):
standardised magnitudes, two dense layers.
"""

from common.layers import dense_stack, standardise
from common.train import run


def features(bands):
    """Turn the magnitudes into 32 features."""
    return dense_stack(standardise(bands), (32, 32))


if __name__ == "__main__":
    run(__file__, features)
